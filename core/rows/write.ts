// Writes one batch of rows within the caller's transaction and answers for each event: what every sink of tables does.
// Events of a table are collected until something passes none of them (a barrier, a key change, a row without a key), then
// written as few statements. What fails is narrowed: back to the savepoint, then each half by itself, down to the event.
// Guarantees: while an event is not ok no later one of its key is applied (invariant 3); only the row's own fault is a
// rejection; anything else is thrown, and then nothing of the transaction may be committed.

import type { SluiceError } from '../errors.ts';
import type { EventBatch } from '../event.ts';
import { allOk, type HoldTracker, holdTracker } from '../key-order.ts';
import type { WriteResult } from '../plugin.ts';
import type { KeySpec } from '../sink-key.ts';
import { readStep, type Step } from './steps.ts';

/** What a failure of several steps comes to. An error: it rejects the step, which was alone. */
export type Verdict = 'throw' | 'narrow' | 'again' | SluiceError;

/** What a database does for writeRows; all of it in one transaction. */
export interface RowWriter {
  /** `steps` are puts and deletes of one source table, or appends, or one step of another kind. */
  apply(table: string, steps: readonly Step[]): Promise<void>;
  savepoint(): Promise<void>;
  release(): Promise<void>;
  /** Back to the savepoint, which is then gone. */
  rollback(): Promise<void>;
  /**
   * `throw`: the batch cannot be written now; `narrow`: tried again in halves (never for one that was `alone`); `again`: what was
   * known of the table was old, the same once more (the writer sees that this ends).
   */
  judge(thrown: unknown, table: string, alone: boolean): Verdict;
  /** The error of an event that is rejected before it is tried: the writer knows of it from before. */
  refused?(i: number): SluiceError | undefined;
  /** True when rows of this table refer to others, or others to them: then the order between tables is kept too. */
  linked?(table: string): Promise<boolean>;
}

export interface RowTarget {
  readonly key: KeySpec;
  /** The target of event i. */
  tableOf(batch: EventBatch, i: number): string;
}

const HELD: WriteResult = { status: 'held' };
const MAX_COLLECTED = 5000;

/** @throws whatever is not a row's own fault */
export async function writeRows(
  batch: EventBatch,
  target: RowTarget,
  writer: RowWriter,
  signal: AbortSignal,
): Promise<WriteResult[]> {
  const run: Run = {
    batch,
    writer,
    results: allOk(batch.length),
    tracker: holdTracker(batch, target.key),
    held: false,
  };
  const collected = new Map<string, Step[]>(); // by target table
  const flush = async (table: string): Promise<void> => {
    const steps = collected.get(table);
    if (steps === undefined) return;
    collected.delete(table);
    await applySteps(run, table, steps);
  };
  const isLinked = linksOf(writer);
  for (let i = 0; i < batch.length; i++) {
    if (i % 1000 === 0) signal.throwIfAborted();
    if (isHeld(run, i)) continue;
    const known = writer.refused?.(i);
    const step = known === undefined ? readStep(batch, i, target.key) : { refused: known, holds: true };
    if ('refused' in step) {
      if (!step.holds) {
        run.results[i] = { status: 'reject', error: step.refused };
        continue;
      }
      // What was collected before is older: it is written first, so that this rejection holds back only what comes later.
      await flush(target.tableOf(batch, i));
      if (!isHeld(run, i)) reject(run, i, step.refused);
      continue;
    }
    const table = target.tableOf(batch, i);
    const steps = collected.get(table);
    if (steps !== undefined && (!joins(batch, steps[0]!, step) || steps.length >= MAX_COLLECTED)) {
      await flush(table);
      if (isHeld(run, i)) continue;
    }
    const list = collected.get(table);
    if (list !== undefined) {
      list.push(step);
      continue;
    }
    if (collected.size > 0 && (await isLinked(table))) {
      for (const other of [...collected.keys()]) if (await isLinked(other)) await flush(other);
      if (isHeld(run, i)) continue;
    }
    collected.set(table, [step]);
  }
  for (const table of [...collected.keys()]) await flush(table);
  return run.results;
}

interface Run {
  readonly batch: EventBatch;
  readonly writer: RowWriter;
  readonly results: WriteResult[];
  readonly tracker: HoldTracker;
  /** Something is unsettled: only then is it worth asking. */
  held: boolean;
}

// Invariant 3: an event whose key (or whose table's barrier) has an unsettled earlier one is not applied.
function isHeld(run: Run, i: number): boolean {
  if (!run.held || !run.tracker.isHeld(i)) return false;
  run.tracker.hold(i);
  run.results[i] = HELD;
  return true;
}

function reject(run: Run, i: number, error: SluiceError): void {
  run.results[i] = { status: 'reject', error };
  run.tracker.hold(i);
  run.held = true;
}

/** Steps that can be written together: net effects per key, or plain inserts. Everything else is alone. */
function joins(batch: EventBatch, first: Step, step: Step): boolean {
  if (batch.table(first.index) !== batch.table(step.index)) return false; // two source tables, with keys of their own
  const kind = ({ act }: Step): string => (act === 'put' || act === 'delete' ? 'keyed' : act);
  return kind(first) === kind(step) && (kind(step) === 'keyed' || kind(step) === 'append');
}

/** Asks once for each table of a batch. */
function linksOf(writer: RowWriter): (table: string) => Promise<boolean> {
  const known = new Map<string, boolean>();
  return async (table) => {
    const found = known.get(table) ?? (await writer.linked?.(table)) ?? false;
    known.set(table, found);
    return found;
  };
}

async function applySteps(run: Run, table: string, given: readonly Step[]): Promise<void> {
  const { writer } = run;
  const steps = run.held ? given.filter((step) => !isHeld(run, step.index)) : given;
  if (steps.length === 0) return;
  await writer.savepoint();
  try {
    await writer.apply(table, steps);
  } catch (thrown) {
    const verdict = writer.judge(thrown, table, steps.length === 1);
    if (verdict === 'throw') throw thrown;
    await writer.rollback();
    if (verdict === 'again') return applySteps(run, table, steps);
    if (verdict !== 'narrow') return reject(run, steps[0]!.index, verdict);
    const half = steps.length >> 1;
    await applySteps(run, table, steps.slice(0, half));
    return applySteps(run, table, steps.slice(half));
  }
  await writer.release();
}
