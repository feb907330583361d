// The second stage: one batch through all transformations, with the policies of source and transformations applied to
// the events that fail. Guarantee: every source event of the batch ends as outputs, as filtered, or as a failure with its
// fate (invariant 4); order is kept.

import { parseRow } from '../batch.ts';
import { join, pick, withoutRanges } from '../batch-parts.ts';
import { type SluiceError, sluiceError, toSluiceError } from '../errors.ts';
import type { EventBatch, SourceInfo } from '../event.ts';
import type { LoadedTransform, TransformIdentity } from '../languages.ts';
import type { ErrorHandling } from '../manifest/model.ts';
import type { Transform, TransformResult } from '../plugin.ts';
import type { Place } from '../state/store.ts';
import { unsafeNumber } from '../values.ts';
import { pause } from './backoff.ts';
import { failedByPolicy, Interrupted, StreamFailed } from './ends.ts';
import { letterOf } from './letters.ts';
import { decide } from './policy.ts';
import type { Failure, Transformed } from './work.ts';

/** One step of the chain. */
export interface Step {
  readonly id: string;
  readonly transform: Transform;
  /** The same as `transform` where it runs user code, else null. */
  readonly loaded: LoadedTransform | null;
  readonly policy: ErrorHandling;
  /** Its outputs have the keys of their inputs (scope row: DESIGN.md, section 6). */
  readonly keepsKeys: boolean;
}

export interface Chain {
  readonly stream: string;
  readonly sourcePolicy: ErrorHandling;
  readonly steps: readonly Step[];
  /** Rows must be known to parse before the steps (a host-side plugin, a sink that takes objects, `verify: true`). */
  readonly verify: boolean;
}

/** What a sink's dead letter says that its input came out of: the last transformation that runs user code. */
export function lastTransformOf(chain: Chain): { readonly id: string; readonly identity: TransformIdentity } | null {
  const step = chain.steps.findLast((s) => s.loaded !== null);
  return step?.loaded == null ? null : { id: step.id, identity: step.loaded.identity };
}

/** What the events of a batch are now, on their way through the steps: input j descends from source event origin[j]. */
interface Passing {
  readonly batch: EventBatch;
  readonly origin: Uint32Array | null;
}

export async function applyChain(chain: Chain, input: EventBatch, signal: AbortSignal): Promise<Transformed> {
  const failures: Failure[] = [];
  let passing = takeOutUnreadable(chain, input, failures);
  if (chain.verify) passing = takeOutUnparsable(chain, input, passing, failures);
  for (const step of chain.steps) {
    if (passing.batch.length === 0) break;
    passing = await applyStep(chain, step, input, passing, failures, signal);
  }
  // A sink deletes what lies in a range by the source's keys: where a step may give rows other keys, it cannot.
  const out = chain.steps.every((step) => step.keepsKeys) ? passing.batch : withoutRanges(passing.batch);
  return { input, out, origin: passing.origin, failures };
}

function takeOutUnreadable(chain: Chain, input: EventBatch, failures: Failure[]): Passing {
  if (input.unreadable === undefined || input.unreadable.size === 0) return { batch: input, origin: null };
  const readable: number[] = [];
  for (let i = 0; i < input.length; i++) {
    const bad = input.unreadable.get(i);
    if (bad === undefined) readable.push(i);
    else failures.push(sourceFailure(chain, input, i, bad.error));
  }
  return { batch: pick(input, readable), origin: Uint32Array.from(readable) };
}

/** A row that does not parse is the source's failure wherever it is first parsed (DELIVERY.md, section 2.2). */
function takeOutUnparsable(chain: Chain, input: EventBatch, passing: Passing, failures: Failure[]): Passing {
  const { batch } = passing;
  if (batch.cells !== undefined) return passing; // their JSON is made here
  const good: number[] = [];
  for (let i = 0; i < batch.length; i++) {
    const error = rowError(batch, i);
    if (error === null) good.push(i);
    else failures.push(sourceFailure(chain, input, passing.origin?.[i] ?? i, error));
  }
  if (good.length === batch.length) return passing;
  return { batch: pick(batch, good), origin: Uint32Array.from(good, (i) => passing.origin?.[i] ?? i) };
}

function rowError(batch: EventBatch, i: number): SluiceError | null {
  try {
    for (const text of [batch.before(i), batch.after(i)]) {
      if (text === null) continue;
      const number = batch.typed ? null : unsafeNumber(text);
      if (number !== null) throw unsafeNumberError(batch.id(i));
      parseRow(text, batch.id(i));
    }
    batch.key(i);
    return null;
  } catch (thrown) {
    return toSluiceError(thrown, 'E_EVENT_PARSE');
  }
}

function unsafeNumberError(id: string): SluiceError {
  return sluiceError('E_EVENT_NUMBER', { message: `a number in event ${id} does not survive a double` });
}

async function applyStep(
  chain: Chain,
  step: Step,
  input: EventBatch,
  passing: Passing,
  failures: Failure[],
  signal: AbortSignal,
): Promise<Passing> {
  const first = await apply(step, passing.batch, signal, false);
  if (first.failed.length === 0) return { batch: first.out, origin: compose(first.from, passing.origin) };

  // outs[k] came from passing.batch's events froms[k]; retries add to both
  const outs: EventBatch[] = [first.out];
  const froms: Uint32Array[] = [first.from];
  const isFirstStep = chain.steps[0] === step;
  let failed = first.failed;
  for (let attempt = 1; failed.length > 0; attempt++) {
    const again: number[] = [];
    let delay = 0;
    for (const { index, error } of failed) {
      const source = passing.origin?.[index] ?? index;
      if (error.code.startsWith('E_EVENT_')) {
        failures.push(sourceFailure(chain, input, source, error));
        continue;
      }
      const decision = decide(step.policy, attempt);
      if (decision.do === 'retry') {
        again.push(index);
        delay = Math.max(delay, decision.delay);
        continue;
      }
      if (decision.do === 'fail_stream')
        throw failedByPolicy(`transformation ${step.id}`, passing.batch.id(index), error);
      if (decision.do === 'skip') {
        failures.push({ source, fate: 'skipped', letter: null });
        continue;
      }
      const letter = letterOf({
        stream: chain.stream,
        place: { kind: 'transform', id: step.id },
        error,
        attempts: attempt,
        source: { batch: input, index: source },
        ...(isFirstStep ? {} : { input: { batch: passing.batch, index } }),
        ...(step.loaded === null ? {} : { transform: { id: step.id, identity: step.loaded.identity } }),
      });
      failures.push({ source, fate: 'dead_lettered', letter });
    }
    if (again.length === 0) break;
    // The failing events of a batch together, in a fresh isolate, once per delay (DESIGN.md, section 7).
    await pause(delay, signal);
    if (signal.aborted) throw new Interrupted();
    const result = await apply(step, pick(passing.batch, again), signal, true);
    outs.push(result.out);
    froms.push(result.from.map((k) => again[k]!));
    failed = result.failed.map(({ index, error }) => ({ index: again[index]!, error }));
  }
  return inOrder(outs, froms, passing.origin);
}

async function apply(
  step: Step,
  batch: EventBatch,
  signal: AbortSignal,
  fresh: boolean,
): ReturnType<Transform['apply']> {
  try {
    const result = await step.transform.apply(batch, signal, { fresh });
    checkComplete(step, batch.length, result);
    return result;
  } catch (thrown) {
    if (signal.aborted) throw new Interrupted();
    if (thrown instanceof StreamFailed) throw thrown;
    const cause = toSluiceError(thrown, 'E_TRANSFORM_CRASH');
    throw new StreamFailed(
      sluiceError(cause.code, { message: `transformation ${step.id} cannot run: ${cause.message}`, cause }),
    );
  }
}

// Invariant 4: every input index stands in exactly one of from, filtered and failed, or events would be lost in silence.
function checkComplete(step: Step, length: number, { out, from, filtered, failed }: TransformResult): void {
  const answered = new Uint8Array(length);
  let sound = out.length === from.length;
  const mark = (index: number): void => {
    if (index >= length || answered[index] === 1) sound = false;
    answered[index] = 1;
  };
  for (let j = 0; j < from.length; j++) {
    if (j > 0 && from[j] === from[j - 1]) continue; // one more output of the same event
    if (j > 0 && from[j]! < from[j - 1]!) sound = false;
    mark(from[j]!);
  }
  for (const index of filtered) mark(index);
  for (const { index } of failed) mark(index);
  if (sound && !answered.includes(0)) return;
  throw new StreamFailed(
    sluiceError('E_INTERNAL', { message: `transformation ${step.id} did not answer for every event of its batch` }),
  );
}

function compose(from: Uint32Array, origin: Uint32Array | null): Uint32Array | null {
  if (origin !== null) return from.map((i) => origin[i]!);
  return isIdentity(from) ? null : from;
}

function isIdentity(from: Uint32Array): boolean {
  return from.length === 0 || (from[from.length - 1] === from.length - 1 && from.every((value, j) => value === j));
}

// Puts the results of several attempts back into the order of their inputs.
function inOrder(outs: readonly EventBatch[], froms: readonly Uint32Array[], origin: Uint32Array | null): Passing {
  const all = join(outs);
  const from = froms.flatMap((part) => [...part]);
  const order = from.map((_, j) => j).sort((a, b) => from[a]! - from[b]! || a - b);
  return {
    batch: pick(all, order),
    origin: Uint32Array.from(order, (j) => origin?.[from[j]!] ?? from[j]!),
  };
}

function sourceFailure(chain: Chain, input: EventBatch, index: number, given: SluiceError): Failure {
  const policy = chain.sourcePolicy;
  const error = withLine(given, input, index);
  // Reading the same bytes again gives the same error, so a source's `retry` is its `then` at once.
  const on = policy.on_error === 'retry' ? policy.then : policy.on_error;
  const place: Place = { kind: 'source', id: chain.stream };
  if (on === 'fail_stream') throw failedByPolicy('the source', input.id(index), error);
  if (on === 'skip') return { source: index, fate: 'skipped', letter: null };
  return {
    source: index,
    fate: 'dead_lettered',
    letter: letterOf({ stream: chain.stream, place, error, attempts: 1, source: { batch: input, index } }),
  };
}

// A row that only the guest parsed fails without a place; a source that knows its lines says so in `source.line`.
function withLine(error: SluiceError, input: EventBatch, index: number): SluiceError {
  if (error.at !== undefined || input.unreadable?.has(index) === true) return error;
  const { source } = JSON.parse(input.head(index)) as { source: SourceInfo };
  const { line, db } = source;
  if (typeof line !== 'number') return error;
  const at = { file: db, line }; // a source of lines has its file's name as its database
  return sluiceError(error.code, { message: error.message, at, cause: error });
}
