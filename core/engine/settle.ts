// Writes one batch at one sink until every event of it is settled there: ok, or skipped or dead-lettered by the sink's policy.
// Guarantees: events are tried in order, and no event is tried again while an earlier one of its key is unsettled, because
// what is not settled is written again in order and the sink holds back the rest of the key (invariant 3).
// Two kinds of failure, never mixed: absence (a throw, or `retry` for the whole first write) waits by the retry policy and
// is never blamed on an event; a reject, or `retry` for some while others were ok, goes by the sink's error_handling.

import { pick } from '../batch-parts.ts';
import { type SluiceError, sluiceError, toSluiceError } from '../errors.ts';
import type { EventBatch } from '../event.ts';
import type { ErrorHandling } from '../manifest/model.ts';
import type { WriteResult } from '../plugin.ts';
import { pause } from './backoff.ts';
import { failedByPolicy, Interrupted, StreamFailed } from './ends.ts';
import { decide } from './policy.ts';
import type { BadFate } from './work.ts';

/** An event of the batch that is settled, and not ok. */
export interface Exception {
  readonly fate: BadFate;
  readonly error: SluiceError;
  readonly attempts: number;
}

export interface SettleParts {
  readonly sinkId: string;
  readonly policy: ErrorHandling;
  /** Ends everything at once. */
  readonly signal: AbortSignal;
  write(batch: EventBatch, signal: AbortSignal): Promise<readonly WriteResult[]>;
  /** Waits out an absence, or throws (StreamFailed, SessionLost, Interrupted). `leastMs`: what the sink asked for. */
  absent(error: SluiceError, leastMs: number): Promise<void>;
  /** It answered: it is there. */
  present(): void;
  /** How far it has come, for a caller that gives up before the end. */
  readonly progress: Progress;
}

export interface Progress {
  /** By index, the events that are settled and not ok. */
  readonly exceptions: Map<number, Exception>;
  /** The events that are not settled, in order; null: none was tried yet. */
  open: readonly number[] | null;
}

/** How often `retry` for some events of a write is obeyed before it counts as failed, where the policy says no number. */
const SINGLE_RETRIES = 5;

export function noProgress(): Progress {
  return { exceptions: new Map(), open: null };
}

/** On return every event is settled. `rejected` are settled without being tried (duplicate outputs). */
export async function settle(
  batch: EventBatch,
  parts: SettleParts,
  rejected: ReadonlyMap<number, SluiceError> = new Map(),
): Promise<void> {
  const { exceptions } = parts.progress;
  const failures = new Map<number, number>();
  let open: number[] | null = null; // null: the whole batch, as it is
  let anyOk = false;

  const fail = (index: number, error: SluiceError, policy: ErrorHandling): number => {
    const count = (failures.get(index) ?? 0) + 1;
    failures.set(index, count);
    const decision = decide(policy, count);
    if (decision.do === 'retry') return decision.delay;
    if (decision.do === 'fail_stream') throw failedByPolicy(`sink ${parts.sinkId}`, batch.id(index), error);
    exceptions.set(index, { fate: decision.do === 'skip' ? 'skipped' : 'dead_lettered', error, attempts: count });
    return -1;
  };

  if (rejected.size > 0) {
    for (const [index, error] of rejected) {
      const attempts = 1;
      const { then, on_error } = parts.policy; // trying again cannot help
      const on = on_error === 'retry' ? then : on_error;
      if (on === 'fail_stream') throw failedByPolicy(`sink ${parts.sinkId}`, batch.id(index), error);
      exceptions.set(index, { fate: on === 'skip' ? 'skipped' : 'dead_lettered', error, attempts });
    }
    open = range(batch.length).filter((i) => !rejected.has(i));
    parts.progress.open = open;
  }

  // A batch without events may still say what a snapshot did not find.
  while (open === null ? batch.length > 0 || batch.ranges !== undefined : open.length > 0) {
    if (parts.signal.aborted) throw new Interrupted();
    const current: EventBatch = open === null ? batch : pick(batch, open);
    const results = await tryWrite(parts, current);
    if (parts.signal.aborted) throw new Interrupted(); // whoever gave up has already decided about these events
    if (results instanceof Absent) {
      await parts.absent(results.error, 0);
      continue;
    }
    checkResults(parts.sinkId, results, current.length);
    if (!anyOk && isAbsence(results)) {
      await parts.absent(firstError(results), leastDelay(results));
      continue;
    }
    parts.present();

    const next: number[] = [];
    let delay = 0;
    let settledSome = false;
    for (let k = 0; k < results.length; k++) {
      const result = results[k]!;
      const index = open === null ? k : open[k]!;
      if (result.status === 'ok') {
        anyOk = true;
        settledSome = true;
      } else if (result.status === 'held') {
        next.push(index);
      } else {
        const wait = fail(index, result.error, result.status === 'retry' ? singleRetry(parts.policy) : parts.policy);
        if (wait < 0) {
          settledSome = true;
        } else {
          next.push(index);
          delay = Math.max(delay, wait, result.status === 'retry' ? (result.retryAfterMs ?? 0) : 0);
        }
      }
    }
    if (next.length > 0 && !settledSome && delay === 0 && results.every((result) => result.status === 'held')) {
      throw new StreamFailed(
        sluiceError('E_SINK_RESULTS', { message: `sink ${parts.sinkId} held back every event of a write` }),
      );
    }
    open = next;
    parts.progress.open = next;
    if (delay > 0) {
      await pause(delay, parts.signal);
      if (parts.signal.aborted) throw new Interrupted();
    }
  }
  parts.progress.open = [];
}

class Absent {
  readonly error: SluiceError;
  constructor(error: SluiceError) {
    this.error = error;
  }
}

async function tryWrite(parts: SettleParts, batch: EventBatch): Promise<readonly WriteResult[] | Absent> {
  try {
    return await parts.write(batch, parts.signal);
  } catch (thrown) {
    if (parts.signal.aborted) throw new Interrupted();
    return new Absent(toSluiceError(thrown, 'E_SINK_WRITE'));
  }
}

// Silence is never success: a result for each event, or the sink is not to be trusted with more.
export function checkResults(sinkId: string, results: readonly WriteResult[], length: number): void {
  const known = (result: WriteResult | undefined): boolean =>
    result?.status === 'ok' || result?.status === 'held' || result?.status === 'retry' || result?.status === 'reject';
  if (Array.isArray(results) && results.length === length && results.every(known)) return;
  throw new StreamFailed(
    sluiceError('E_SINK_RESULTS', { message: `sink ${sinkId} did not answer for every event of a write` }),
  );
}

// Nothing was taken and nothing refused. `held` events wait for one of these, so they say nothing of their own.
function isAbsence(results: readonly WriteResult[]): boolean {
  return (
    results.some((result) => result.status === 'retry') &&
    results.every((result) => result.status === 'retry' || result.status === 'held')
  );
}

function singleRetry(policy: ErrorHandling): ErrorHandling {
  if (policy.on_error === 'retry') return policy;
  return { ...policy, on_error: 'retry', max_retries: SINGLE_RETRIES, then: policy.on_error };
}

function firstError(results: readonly WriteResult[]): SluiceError {
  for (const result of results) if (result.status === 'retry') return result.error;
  return sluiceError('E_SINK_WRITE', { message: 'the sink asked to try again' });
}

function leastDelay(results: readonly WriteResult[]): number {
  return results.reduce(
    (most, result) => Math.max(most, result.status === 'retry' ? (result.retryAfterMs ?? 0) : 0),
    0,
  );
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}
