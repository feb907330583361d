// The ends of a stream that is only tried: a source that gives a list of events, and sinks that take what they are told to.
// What the authoring tools put in place of real plugins, so that a test needs no server, and touches no file.

import { batchOf } from '../batch.ts';
import type { EventBatch } from '../event.ts';
import { definePlugin, type PluginDefinition, type Sink, type Source } from '../plugin.ts';

const NO_CONFIG = { type: 'object', properties: {}, additionalProperties: false } as const;

/** Gives the events in one batch, and ends. */
export function givenEvents(batch: EventBatch): PluginDefinition {
  return definePlugin({
    name: 'given',
    source: {
      positionVersion: 1,
      config: NO_CONFIG,
      create: (): Source<number> => ({
        async *read(from) {
          if (from === null && batch.length > 0) yield { batch, position: 1 };
        },
        ack: async () => {},
        async [Symbol.asyncDispose]() {},
      }),
    },
  });
}

/** A sink that writes as it is told. It appends: what keys decide (duplicates, what is superseded) is not tried with it. */
export function givenSink(write: Sink['write']): PluginDefinition {
  return definePlugin({
    name: 'given',
    sink: {
      config: NO_CONFIG,
      create: (): Sink => ({ keyed: false, text: true, write, async [Symbol.asyncDispose]() {} }),
    },
  });
}

/** Both ends in one, for a manifest that is loaded for its transformation alone. */
export const noEnds: PluginDefinition = {
  ...givenEvents(batchOf([])),
  ...givenSink(async () => []),
};
