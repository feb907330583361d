// Events through a chain of transformations and no further: what comes out, what is filtered, what fails and where. The code
// is the running stream's own (engine/chain.ts), set as a replay sets it: a failing event is told, not retried.

import { batchOf, envelopeText } from '../batch.ts';
import { applyChain, type Chain } from '../engine/chain.ts';
import { openChain } from '../engine/open.ts';
import { replayChain } from '../engine/replay.ts';
import type { ErrorData } from '../errors.ts';
import type { ChangeEvent, EventBatch } from '../event.ts';
import type { Languages } from '../languages.ts';
import type { StreamConfig, TransformRule } from '../manifest/model.ts';
import type { Logger } from '../plugin.ts';
import { memoryStore } from '../state/index.ts';
import type { Json } from '../values.ts';
import type { Outcome } from './expect.ts';

export interface TriedChain extends AsyncDisposable {
  readonly chain: Chain;
  /** What became of each event of the batch, in order. */
  each(batch: EventBatch): Promise<readonly Became[]>;
}

/** Of one source event. */
export interface Became {
  readonly outputs: readonly Json[];
  readonly error: ErrorData | null;
}

/** @throws SluiceError E_TRANSFORM_SYNTAX or E_TRANSFORM_LOAD */
export async function openTriedChain(
  rules: readonly TransformRule[],
  stream: StreamConfig,
  parts: { readonly languages: Languages; readonly log: Logger },
): Promise<TriedChain> {
  const { signal } = new AbortController();
  const config = { ...stream, transformations: rules, sinks: [] };
  const chain = replayChain(await openChain({ ...parts, config, store: memoryStore(), signal }, []));
  return {
    chain,
    async each(batch) {
      const { out, origin, failures } = await applyChain(chain, batch, signal);
      const became = Array.from({ length: batch.length }, () => ({
        outputs: [] as Json[],
        error: null as ErrorData | null,
      }));
      for (let j = 0; j < out.length; j++) {
        became[origin?.[j] ?? j]!.outputs.push(JSON.parse(envelopeText(out, j)) as Json);
      }
      for (const { source, letter } of failures) became[source]!.error = letter?.error ?? null;
      return became;
    },
    async [Symbol.asyncDispose]() {
      for (const step of chain.steps) await step.transform[Symbol.asyncDispose]();
    },
  };
}

/** All events of a test, one after the other in one batch. */
export async function tryEvents(tried: TriedChain, events: readonly ChangeEvent[]): Promise<Outcome> {
  return outcomeOf(await tried.each(batchOf(events)));
}

export function outcomeOf(became: readonly Became[]): Outcome {
  return {
    inputs: became.length,
    events: became.flatMap((one) => one.outputs),
    filtered: became.filter((one) => one.outputs.length === 0 && one.error === null).length,
    errors: became.flatMap((one) => one.error ?? []),
  };
}
