// Writes one batch within the caller's transaction and answers for each event.
// Events of a table are collected until something passes none of them (a barrier, a key change, a row without a key), then
// written as few statements. What fails is narrowed: back to the savepoint, then each half by itself, down to the event.
// Guarantees: while an event is not ok no later one of its key is applied (invariant 3); only the row's own fault is a
// rejection; anything else is thrown, and then nothing of the transaction may be committed.

import {
  allOk,
  type EventBatch,
  type HoldTracker,
  holdTracker,
  isSluiceError,
  type SluiceError,
  sluiceError,
  type WriteResult,
} from 'sluice/sdk';
import { applyTogether, type Scope, type TargetCache, type WriteSettings } from './apply.ts';
import type { Connection } from './driver.ts';
import { faultOf, reasonOf } from './faults.ts';
import { readStep, type Step } from './steps.ts';

const HELD: WriteResult = { status: 'held' };
const MAX_COLLECTED = 5000;

/** Must run within a transaction. @throws whatever is not a row's own fault */
export async function writeBatch(
  db: Connection,
  batch: EventBatch,
  settings: WriteSettings,
  cache: TargetCache,
  signal: AbortSignal,
): Promise<WriteResult[]> {
  const [now] = await db.all<{ schema_version: number }>('PRAGMA schema_version');
  if (now!.schema_version !== cache.schema) cache.tables.clear();
  cache.schema = now!.schema_version;
  const run: Run = {
    db,
    batch,
    settings,
    cache,
    results: allOk(batch.length),
    tracker: holdTracker(batch, settings.key),
    held: false,
  };
  const collected = new Map<string, Step[]>(); // by target table
  const flush = async (table: string): Promise<void> => {
    const steps = collected.get(table);
    if (steps === undefined) return;
    collected.delete(table);
    await applySteps(run, table, steps);
  };
  for (let i = 0; i < batch.length; i++) {
    if (i % 1000 === 0) signal.throwIfAborted();
    if (isHeld(run, i)) continue;
    const step = readStep(batch, i, settings.key);
    if ('refused' in step) {
      if (!step.holds) {
        run.results[i] = { status: 'reject', error: step.refused };
        continue;
      }
      // What was collected before is older: it is written first, so that this rejection holds back only what comes later.
      await flush(settings.tableOf(batch, i));
      if (!isHeld(run, i)) reject(run, i, step.refused);
      continue;
    }
    const table = settings.tableOf(batch, i);
    const steps = collected.get(table);
    if (steps !== undefined && (!joins(batch, steps[0]!, step) || steps.length >= MAX_COLLECTED)) {
      await flush(table);
      if (isHeld(run, i)) continue;
    }
    const list = collected.get(table);
    if (list === undefined) collected.set(table, [step]);
    else list.push(step);
  }
  for (const table of [...collected.keys()]) await flush(table);
  return run.results;
}

interface Run extends Scope {
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

async function applySteps(run: Run, table: string, given: readonly Step[]): Promise<void> {
  const steps = run.held ? given.filter((step) => !isHeld(run, step.index)) : given;
  if (steps.length === 0) return;
  await run.db.exec('SAVEPOINT steps');
  try {
    await applyTogether(run, table, steps);
    await run.db.exec('RELEASE steps');
    return;
  } catch (thrown) {
    const ours = isSluiceError(thrown) && !thrown.permanent;
    const fault = faultOf(thrown);
    if (!ours && fault !== 'row' && fault !== 'statement') throw thrown;
    await run.db.exec('ROLLBACK TO steps; RELEASE steps');
    run.cache.tables.clear(); // what was made or added since the savepoint is gone again
    if (steps.length === 1) {
      if (!ours && fault === 'statement' && /^no such (table|column)/.test(reasonOf(thrown))) throw thrown;
      reject(run, steps[0]!.index, ours ? thrown : refused(table, thrown));
      return;
    }
  }
  const half = steps.length >> 1;
  await applySteps(run, table, steps.slice(0, half));
  await applySteps(run, table, steps.slice(half));
}

function refused(table: string, thrown: unknown): SluiceError {
  return sluiceError('E_SINK_REJECT', {
    message: `table "${table}" refused the row: ${reasonOf(thrown)}`,
    cause: thrown,
  });
}
