// Writes one batch within the caller's transaction and answers for each event.
// Events of a table are collected until something passes none of them (a barrier, a key change, a row without a key), then
// written as few statements. What fails is narrowed: back to the savepoint, then each half by itself, down to the event.
// Guarantees: while an event is not ok no later one of its key is applied (invariant 3); only the row's own fault is a
// rejection; anything else is thrown, and then nothing of the transaction may be committed.

import {
  allOk,
  type Column,
  type EventBatch,
  type HoldTracker,
  holdTracker,
  isRow,
  isSluiceError,
  type KeySpec,
  parseRow,
  type Row,
  type SluiceError,
  sinkKey,
  sluiceError,
  toSluiceError,
  type WriteResult,
} from 'sluice/sdk';
import type { Connection } from './driver.ts';
import { effectsOf, type Step } from './effects.ts';
import { faultOf, reasonOf } from './faults.ts';
import { append, deleteKeys, deleteMatch, move, type Place, truncate, updateMatch, upsert } from './statements.ts';
import {
  addColumns,
  createTarget,
  noColumn,
  noTable,
  readTarget,
  type SourceColumns,
  type Target,
  type TargetSettings,
} from './target.ts';

export interface WriteSettings extends TargetSettings {
  readonly key: KeySpec;
  /** The target of a source table (as batch.table names it). */
  readonly tableOf: (batch: EventBatch, i: number) => string;
}

/** What is known of the target tables; forgotten whenever the database's schema may have changed. */
export interface TargetCache {
  readonly tables: Map<string, Target | null>;
  schema: number;
}

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
    if (isSluiceError(step)) {
      // What was collected before is older: it is written first, so that this rejection holds back only what comes later.
      await flush(settings.tableOf(batch, i));
      if (!isHeld(run, i)) reject(run, i, step);
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

interface Run {
  readonly db: Connection;
  readonly batch: EventBatch;
  readonly settings: WriteSettings;
  readonly cache: TargetCache;
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

function readStep(batch: EventBatch, i: number, spec: KeySpec): Step | SluiceError {
  try {
    return stepOf(batch, i, spec);
  } catch (thrown) {
    return toSluiceError(thrown, 'E_SINK_REJECT'); // a row that does not parse
  }
}

/** What event i asks for, or why it can never be written. */
function stepOf(batch: EventBatch, i: number, spec: KeySpec): Step | SluiceError {
  const op = batch.op(i);
  const id = batch.id(i);
  const step = { index: i, key: null, oldKey: null, row: null, before: null } as const;
  if (op === 't') return { ...step, act: 'truncate' };
  if (op === 's') return { ...step, act: 'schema', row: parseRow(batch.after(i), id) };
  const row = parseRow(batch.after(i), id);
  const found = sinkKey(batch, i, spec, op === 'd' ? undefined : row);
  if (isSluiceError(found)) return found;
  if (op !== 'd' && row === null)
    return sluiceError('E_SINK_REJECT', { message: 'the event has no `after`, so there is no row to write' });
  if (found === null) return keyless(batch, i, step, row);
  const { key, oldKey } = found;
  const empty = Object.keys(key).find((column) => key[column] === null);
  if (empty !== undefined || Object.keys(key).length === 0) {
    return sluiceError('E_SINK_KEY', {
      message: empty === undefined ? 'the key has no columns' : `the key column "${empty}" is null`,
    });
  }
  if (op === 'd') return { ...step, act: 'delete', key };
  return { ...step, act: oldKey === null ? 'put' : 'move', key, oldKey, row: { ...row, ...key } };
}

function keyless(batch: EventBatch, i: number, step: Omit<Step, 'act'>, row: Row | null): Step | SluiceError {
  const op = batch.op(i);
  if (op !== 'u' && op !== 'd') return { ...step, act: 'append', row };
  const before = parseRow(batch.before(i), batch.id(i));
  if (before === null || !batch.wholeBefore(i)) {
    return sluiceError('E_SINK_KEY', {
      message: 'the event has no key and no complete `before`, so its row cannot be found',
      fix: 'give the sink a `key`, or the source table a primary key',
    });
  }
  return { ...step, act: op === 'u' ? 'update' : 'remove', row, before };
}

async function applySteps(run: Run, table: string, given: readonly Step[]): Promise<void> {
  const steps = run.held ? given.filter((step) => !isHeld(run, step.index)) : given;
  if (steps.length === 0) return;
  await run.db.exec('SAVEPOINT steps');
  try {
    await apply(run, table, steps);
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

async function apply(run: Run, table: string, steps: readonly Step[]): Promise<void> {
  const { db, batch } = run;
  const [first] = steps;
  const source = sourceColumns(batch, first!.index);
  if (first!.act === 'schema') return applySchema(run, table, first!, source);
  if (first!.act === 'truncate') {
    const target = await known(run, table);
    return target === null ? undefined : truncate({ db, target, source });
  }
  const rows = steps.flatMap((step) => (step.row === null ? [] : [step.row]));
  const key = first!.key === null ? [] : Object.keys(first!.key);
  const target = await ready(run, table, rows, key, source);
  if (target === null) return; // nothing but deletes of a table that is not there
  const place: Place = { db, target, source };
  switch (first!.act) {
    case 'append':
      for (const { names, rows: some } of byColumns(rows)) await append(place, names, some);
      return;
    case 'update':
      if (!(await updateMatch(place, within(target, source, first!.before!), first!.row!)))
        await append(place, Object.keys(first!.row!), [first!.row!]);
      return;
    case 'remove':
      return deleteMatch(place, within(target, source, first!.before!));
    case 'move':
      if (!(await move(place, first!.oldKey!, first!.key!, first!.row!)))
        await upsert(place, Object.keys(first!.row!), [first!.row!], key);
      return;
    default: {
      const { deletes, puts } = effectsOf(steps);
      if (deletes.length > 0) await deleteKeys(place, key, deletes);
      for (const { names, rows: some } of puts) await upsert(place, names, some, key);
    }
  }
}

/** The table as it is; null when it is not there. */
async function known({ db, cache, settings }: Run, name: string): Promise<Target | null> {
  const found = cache.tables.get(name);
  if (found !== undefined) return found;
  const target = await readTarget(db, name, settings);
  cache.tables.set(name, target);
  return target;
}

/** The table with every column that the rows have, as far as the settings let it be made and widened. */
async function ready(
  run: Run,
  name: string,
  rows: readonly Row[],
  key: readonly string[],
  source: SourceColumns,
): Promise<Target | null> {
  const { db, settings, cache } = run;
  let target = await known(run, name);
  if (rows.length === 0) return target;
  if (target === null) {
    if (!settings.autoCreate) throw noTable(name);
    await createTarget(db, name, rows, key, source, settings);
    cache.tables.delete(name);
    target = (await known(run, name))!;
  }
  const names = new Set<string>();
  for (const row of rows) for (const column in row) names.add(column);
  const missing = [...names].filter((column) => target!.column(column, source) === undefined);
  if (missing.length === 0) return target;
  if (!settings.autoEvolve) throw noColumn(name, missing[0]!);
  await addColumns(db, target, missing, rows, source, settings);
  cache.tables.delete(name);
  return known(run, name);
}

/** A schema change adds the columns that are new; a table that is not there yet is made by its first row. */
async function applySchema(run: Run, name: string, step: Step, source: SourceColumns): Promise<void> {
  const target = await known(run, name);
  const columns = step.row?.['columns'];
  if (target === null || !run.settings.autoEvolve || !Array.isArray(columns)) return;
  const told = columns.filter((column): column is Column & Row => isRow(column) && typeof column['name'] === 'string');
  const names = told.map((column) => column.name);
  if (await addColumns(run.db, target, names, [], { ...source, columns: told }, run.settings))
    run.cache.tables.delete(name);
}

/** The part of an old row that the target can be asked for. */
function within(target: Target, source: SourceColumns, row: Row): Row {
  return Object.fromEntries(Object.entries(row).filter(([column]) => target.column(column, source) !== undefined));
}

function sourceColumns(batch: EventBatch, i: number): SourceColumns {
  return {
    columns: batch.columns(batch.table(i)),
    native: () => (JSON.parse(batch.head(i)) as { source: { plugin: string } }).source.plugin === 'sqlite',
  };
}

function byColumns(rows: readonly Row[]): { names: string[]; rows: Row[] }[] {
  const groups: { names: string[]; text: string; rows: Row[] }[] = [];
  for (const row of rows) {
    const names = Object.keys(row);
    const text = names.join('\u0000');
    const last = groups.at(-1);
    if (last?.text === text) last.rows.push(row);
    else groups.push({ names, text, rows: [row] });
  }
  return groups;
}
