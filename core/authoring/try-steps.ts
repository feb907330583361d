// Events through a chain, step by step, for one who watches: what each step got and gave, and where an event ended. The
// steps run in engine/chain.ts as in a stream, one chain of one step after the other, each set as a replay sets it.
// Guarantee: for the same rules and events, what comes out at the end is what the whole chain gives.

import { envelopeText } from '../batch.ts';
import { applyChain, type Chain, type Step } from '../engine/chain.ts';
import { StreamFailed } from '../engine/ends.ts';
import { openChain } from '../engine/open.ts';
import { replayChain } from '../engine/replay.ts';
import type { ErrorData } from '../errors.ts';
import type { EventBatch } from '../event.ts';
import type { Cost, Languages } from '../languages.ts';
import type { StreamConfig, TransformRule } from '../manifest/model.ts';
import type { Logger, Transform } from '../plugin.ts';
import { memoryStore } from '../state/index.ts';

export interface SteppedChain extends AsyncDisposable {
  /**
   * What became of each event of the batch, in order. `measured`: with its cost, for which it has calls of its own.
   * @throws SluiceError when a step cannot run at all
   */
  through(batch: EventBatch, signal: AbortSignal, measured: boolean): Promise<readonly Passage[]>;
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
  /** In the sandbox, of all steps. null: not measured; of a plugin's steps, or where it ended its isolate, it is not known. */
  readonly cost: Cost | null;
}

/** `problem`: told which rule does not compile or load, before the error is thrown. */
export async function openSteps(
  rules: readonly TransformRule[],
  stream: StreamConfig,
  parts: {
    readonly languages: Languages;
    readonly log: Logger;
    readonly signal: AbortSignal;
    problem?(step: string): void;
  },
): Promise<SteppedChain> {
  const { log, signal } = parts;
  const languages: Languages = {
    ...parts.languages,
    async create(rule, context) {
      try {
        return await parts.languages.create(rule, context);
      } catch (thrown) {
        parts.problem?.(rule.id);
        throw thrown;
      }
    },
  };
  const config = { ...stream, transformations: rules, sinks: [] };
  const chain = replayChain(await openChain({ config, store: memoryStore(), languages, log, signal }, []));
  return {
    async through(batch, abort, measured) {
      try {
        return await through(chain, batch, abort, measured);
      } catch (thrown) {
        throw thrown instanceof StreamFailed ? thrown.error : thrown; // there is no stream that could fail
      }
    },
    async [Symbol.asyncDispose]() {
      for (const step of chain.steps) await step.transform[Symbol.asyncDispose]();
    },
  };
}

async function through(
  chain: Chain,
  input: EventBatch,
  signal: AbortSignal,
  measured: boolean,
): Promise<readonly Passage[]> {
  const whole = textsBySource(input, null, input.length);
  const passages = whole.map((inputs) => ({
    step: null as string | null,
    inputs: inputs as readonly string[],
    outputs: [] as readonly string[],
    error: null as ErrorData | null,
    cost: null as Cost | null,
  }));
  let batch = input;
  let origin: readonly number[] = Array.from({ length: input.length }, (_, i) => i);
  for (const [k, { id: step }] of chain.steps.entries()) {
    if (batch.length === 0) break;
    const given = k === 0 ? whole : textsBySource(batch, origin, input.length);
    // An event of which one output failed has ended there, though others of its outputs go on and are told beside it.
    for (const i of new Set(origin)) {
      if (passages[i]!.error === null) Object.assign(passages[i]!, { step, inputs: given[i]! });
    }
    // rows are known to parse once a step has made them
    const sources = origin;
    const note = (index: number, cost: Cost): void => {
      const passage = passages[sources[index]!]!;
      passage.cost = sum(passage.cost, cost);
    };
    const own = chain.steps[k]!;
    const toRun = measured ? withCosts(own, batch, note) : own;
    const {
      out,
      origin: from,
      failures,
    } = await applyChain({ ...chain, steps: [toRun], verify: k === 0 }, batch, signal);
    for (const { source, letter } of failures) passages[origin[source]!]!.error ??= letter?.error ?? null;
    origin = Array.from({ length: out.length }, (_, j) => origin[from?.[j] ?? j]!);
    batch = out;
  }
  for (const [i, outputs] of textsBySource(batch, origin, input.length).entries()) passages[i]!.outputs = outputs;
  return passages;
}

// What of a batch does not reach its transform (it could not be read) moves the others forward: they are found by their ids.
function withCosts(step: Step, batch: EventBatch, onCost: (index: number, cost: Cost) => void): Step {
  const { loaded } = step;
  if (loaded === null) return step;
  const apply: Transform['apply'] = (given, signal, options) => {
    const indices = given === batch ? null : indicesIn(batch, given);
    return loaded.apply(given, signal, { ...options, onCost: (i, cost) => onCost(indices?.[i] ?? i, cost) });
  };
  return { ...step, transform: { apply, [Symbol.asyncDispose]: () => loaded[Symbol.asyncDispose]() } };
}

function indicesIn(batch: EventBatch, part: EventBatch): readonly number[] {
  const byId = new Map(Array.from({ length: batch.length }, (_, i) => [batch.id(i), i]));
  return Array.from({ length: part.length }, (_, i) => byId.get(part.id(i))!);
}

function sum(a: Cost | null, b: Cost): Cost {
  return a === null ? b : { ms: a.ms + b.ms, bytes: a.bytes + b.bytes };
}

/** `origin`: of which source event each is; null: they are the source events. */
function textsBySource(batch: EventBatch, origin: readonly number[] | null, sources: number): string[][] {
  const texts: string[][] = Array.from({ length: sources }, () => []);
  for (let j = 0; j < batch.length; j++) texts[origin?.[j] ?? j]!.push(envelopeText(batch, j));
  return texts;
}
