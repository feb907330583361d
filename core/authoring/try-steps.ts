// Events through a chain, step by step, for one who watches: what each step got and gave, and where an event ended. The
// steps run in engine/chain.ts as in a stream, one chain of one step after the other, each set as a replay sets it.
// Guarantee: for the same rules and events, what comes out at the end is what the whole chain gives.

import { envelopeText } from '../batch.ts';
import { applyChain, type Chain } from '../engine/chain.ts';
import { openChain } from '../engine/open.ts';
import { replayChain } from '../engine/replay.ts';
import type { ErrorData } from '../errors.ts';
import type { EventBatch } from '../event.ts';
import type { Languages } from '../languages.ts';
import type { StreamConfig, TransformRule } from '../manifest/model.ts';
import type { Logger } from '../plugin.ts';
import { memoryStore } from '../state/index.ts';

export interface SteppedChain extends AsyncDisposable {
  /** What became of each event of the batch, in order. @throws SluiceError when a step cannot run at all */
  through(batch: EventBatch, signal: AbortSignal): Promise<readonly Passage[]>;
}

/** Of one source event. */
export interface Passage {
  /** The step that it ended at (filtered or failed), else the last one; null where there are no steps. */
  readonly step: string | null;
  /** Envelopes that this step got of it. */
  readonly inputs: readonly string[];
  /** Envelopes that came out of the last step. */
  readonly outputs: readonly string[];
  readonly error: ErrorData | null;
}

/** Which rule could not be opened. */
export interface StepProblem {
  readonly step: string;
  readonly thrown: unknown;
}

/** `problem`: told when a rule does not compile or load, before the error is thrown. */
export async function openSteps(
  rules: readonly TransformRule[],
  stream: StreamConfig,
  parts: {
    readonly languages: Languages;
    readonly log: Logger;
    readonly signal: AbortSignal;
    problem?(problem: StepProblem): void;
  },
): Promise<SteppedChain> {
  const { languages, log, signal } = parts;
  const chains: Chain[] = [];
  const dispose = async (): Promise<void> => {
    for (const chain of chains) for (const step of chain.steps) await step.transform[Symbol.asyncDispose]();
  };
  for (const rule of rules) {
    try {
      const config = { ...stream, transformations: [rule], sinks: [] };
      chains.push(replayChain(await openChain({ config, store: memoryStore(), languages, log, signal }, [])));
    } catch (thrown) {
      await dispose();
      parts.problem?.({ step: rule.id, thrown });
      throw thrown;
    }
  }
  return { through: (batch, abort) => through(chains, batch, abort), [Symbol.asyncDispose]: dispose };
}

async function through(chains: readonly Chain[], input: EventBatch, signal: AbortSignal): Promise<readonly Passage[]> {
  const whole = textsBySource(input, null, input.length);
  const passages = whole.map((inputs) => ({
    step: null as string | null,
    inputs: inputs as readonly string[],
    outputs: [] as readonly string[],
    error: null as ErrorData | null,
  }));
  let batch = input;
  let origin: readonly number[] = Array.from({ length: input.length }, (_, i) => i);
  for (const [k, chain] of chains.entries()) {
    if (batch.length === 0) break;
    const step = chain.steps[0]!.id;
    const given = k === 0 ? whole : textsBySource(batch, origin, input.length);
    // An event of which one output failed has ended there, though others of its outputs go on and are told beside it.
    for (const i of new Set(origin)) {
      if (passages[i]!.error === null) Object.assign(passages[i]!, { step, inputs: given[i]! });
    }
    // rows are known to parse once a step has made them
    const { out, origin: from, failures } = await applyChain({ ...chain, verify: k === 0 }, batch, signal);
    for (const { source, letter } of failures) passages[origin[source]!]!.error ??= letter?.error ?? null;
    origin = Array.from({ length: out.length }, (_, j) => origin[from?.[j] ?? j]!);
    batch = out;
  }
  for (const [i, outputs] of textsBySource(batch, origin, input.length).entries()) passages[i]!.outputs = outputs;
  return passages;
}

/** `origin`: of which source event each is; null: they are the source events. */
function textsBySource(batch: EventBatch, origin: readonly number[] | null, sources: number): string[][] {
  const texts: string[][] = Array.from({ length: sources }, () => []);
  for (let j = 0; j < batch.length; j++) texts[origin?.[j] ?? j]!.push(envelopeText(batch, j));
  return texts;
}
