// Applies a run of steps of one table that belong together, in the caller's transaction and within its savepoint.
// Makes and widens the table as far as the settings let it; what they forbid is thrown as the event's own error.

import {
  type Column,
  type Effects,
  type EventBatch,
  effectsOf,
  isRow,
  noColumn,
  noTable,
  type Row,
  type RowSet,
  type RowTarget,
  rowRuns,
  type Step,
  type TableSetting,
} from 'sluice/sdk';
import type { Connection } from './driver.ts';
import {
  append,
  canonicalNames,
  deleteKeys,
  deleteMatch,
  move,
  type Place,
  truncate,
  updateMatch,
  upsert,
} from './statements.ts';
import {
  addColumns,
  addKey,
  createTarget,
  readTarget,
  type SourceColumns,
  type Target,
  type TargetSettings,
} from './target.ts';

export interface WriteSettings extends TargetSettings, RowTarget {
  /** As the configuration has it. */
  readonly table: TableSetting;
}

/** What is known of the target tables; forgotten whenever the database's schema may have changed. */
export interface TargetCache {
  readonly tables: Map<string, Target | null>;
  schema: number;
}

/** What everything that is written in one call shares. */
export interface Scope {
  readonly db: Connection;
  readonly batch: EventBatch;
  readonly settings: WriteSettings;
  readonly cache: TargetCache;
}

/** `steps` are puts and deletes of one source table, or appends, or one step of another kind. */
export async function applyTogether(run: Scope, table: string, steps: readonly Step[]): Promise<void> {
  const { db, batch } = run;
  const [first] = steps;
  const source = sourceColumns(batch, first!.index);
  if (first!.act === 'schema') return applySchema(run, table, first!, source);
  if (first!.act === 'truncate') {
    const target = await known(run, table);
    return target === null ? undefined : truncate({ db, target, source });
  }
  const key = first!.key === null ? [] : Object.keys(first!.key);
  const keyed = first!.act === 'put' || first!.act === 'delete';
  const { deletes, puts }: Effects = keyed ? effectsOf(steps) : { deletes: [], puts: rowRuns(steps) };
  const target = await ready(run, table, puts, key, source);
  if (target === null) return; // nothing but deletes of a table that is not there
  const place: Place = { db, target, source };
  const [only] = puts;
  switch (first!.act) {
    case 'append':
      for (const set of puts) await append(place, set);
      return;
    case 'update':
      if (!(await updateMatch(place, within(target, source, first!.before!), first!.row!))) await append(place, only!);
      return;
    case 'remove':
      return deleteMatch(place, within(target, source, first!.before!));
    case 'move':
      if (!(await move(place, first!.oldKey!, first!.key!, first!.row!))) await upsert(place, only!, key);
      return;
    default:
      if (deletes.length > 0) await deleteKeys(place, key, deletes);
      for (const set of puts) await upsert(place, set, key);
  }
}

/** The table as it is; null when it is not there. */
export async function known({ db, cache, settings }: Scope, name: string): Promise<Target | null> {
  const found = cache.tables.get(name);
  if (found !== undefined) return found;
  const target = await readTarget(db, name, settings);
  cache.tables.set(name, target);
  return target;
}

/** The table with every column that the rows have, as far as the settings let it be made and widened. */
async function ready(
  run: Scope,
  name: string,
  sets: readonly RowSet[],
  key: readonly string[],
  source: SourceColumns,
): Promise<Target | null> {
  const { db, settings, cache } = run;
  let target = await known(run, name);
  if (sets.length === 0) return target;
  const rows = (): Row[] => sets.flatMap((set) => set.rows());
  if (target === null) {
    if (!settings.autoCreate) throw noTable(name);
    await createTarget(db, name, rows(), key, source, settings);
    cache.tables.delete(name);
    target = (await known(run, name))!;
  }
  const names = new Set(sets.flatMap((set) => set.names));
  const missing = [...names].filter((column) => target!.column(column, source) === undefined);
  if (missing.length > 0) {
    if (!settings.autoEvolve) throw noColumn(name, missing[0]!);
    await addColumns(db, target, missing, rows(), source, settings);
    cache.tables.delete(name);
    target = (await known(run, name))!;
  }
  if (key.length === 0 || !target.madeWithoutKey || target.isUnique(canonicalNames({ target, source }, key)))
    return target;
  if (!settings.autoEvolve) return target; // the write will say what is missing
  await addKey(db, target, key);
  cache.tables.delete(name);
  return known(run, name);
}

/** A schema change adds the columns that are new; a table that is not there yet is made by its first row. */
async function applySchema(run: Scope, name: string, step: Step, source: SourceColumns): Promise<void> {
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
