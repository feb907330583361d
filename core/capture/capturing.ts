// `capture:` of a stream: a sample of what its source gives goes into the state store, redacted, on its way to the engine.
// Guarantees: the stream does not wait for it and does not fail by it; at most `per_second` events a second are looked at, so
// a fast stream pays no more for it than a slow one; nothing is stored that is not redacted.

import { toSluiceError } from '../errors.ts';
import type { EventBatch } from '../event.ts';
import type { StreamConfig } from '../manifest/model.ts';
import type { Logger, Source } from '../plugin.ts';
import type { Capture, StateStore } from '../state/store.ts';
import { captureOf, identitiesOf } from './capture-of.ts';
import { defaultRedact, redactionOf } from './redaction.ts';

export interface CaptureParts {
  readonly config: StreamConfig;
  readonly store: StateStore;
  readonly log: Logger;
}

/** How long captures may wait to be written together, in ms. */
const WRITE_EVERY_MS = 500;
/** A stream that starts with a burst is sampled well, and one of few events whole. */
const BURST_SECONDS = 10;

export function capturing(
  source: Source,
  { config, store, log }: CaptureParts,
  steps: Parameters<typeof identitiesOf>[0],
): Source {
  const { per_second, max_events, max_bytes, max_age } = config.capture!;
  const redaction = redactionOf(config.redact ?? defaultRedact, store.redactionKey());
  const transforms = identitiesOf(steps);
  let room = per_second * BURST_SECONDS;
  let refilled = performance.now();
  let waiting: Capture[] = [];
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let failed = false;

  const write = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const captures = waiting;
    waiting = [];
    const since = new Date(Date.now() - max_age).toISOString();
    writing = writing
      .then(() => store.addCaptures(captures, { max_events, max_bytes, since }))
      .catch((thrown: unknown) => {
        if (failed) return; // said once: it is a sample
        failed = true;
        log.warn({ stream: config.id, error: toSluiceError(thrown).toJSON() }, 'captures could not be stored');
      });
  };

  const sample = (batch: EventBatch): void => {
    const now = performance.now();
    room = Math.min(per_second * BURST_SECONDS, room + ((now - refilled) / 1000) * per_second);
    refilled = now;
    const n = Math.min(Math.floor(room), batch.length);
    if (n === 0) return;
    room -= n;
    for (let k = 0; k < n; k++) {
      const capture = captureOf(batch, Math.floor((k * batch.length) / n), config.id, redaction, transforms);
      if (capture !== null) waiting.push(capture);
    }
    if (waiting.length > 0) timer ??= setTimeout(write, WRITE_EVERY_MS).unref();
  };

  return {
    ...(source.control === undefined ? {} : { control: (request) => source.control!(request) }),
    async *read(from, signal) {
      for await (const item of source.read(from, signal)) {
        try {
          sample(item.batch);
        } catch (thrown) {
          if (!failed)
            log.warn({ stream: config.id, error: toSluiceError(thrown).toJSON() }, 'events could not be captured');
          failed = true;
        }
        yield item;
      }
    },
    ack: (position) => source.ack(position),
    async [Symbol.asyncDispose]() {
      await source[Symbol.asyncDispose]();
      if (waiting.length > 0) write();
      await writing;
    },
  };
}
