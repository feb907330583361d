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
import { copyRows, LEAST_ROWS } from './sink-copy.ts';
import { addColumns, addKey, createTarget, type MakeSettings, widenColumns } from './sink-make.ts';
import type { Session } from './sink-session.ts';
import { append, deleteKeys, deleteMatch, move, type Place, truncate, updateMatch, upsert } from './sink-statements.ts';
import { readTarget, type SourceColumns, type Target } from './sink-target.ts';

export interface WriteSettings extends MakeSettings, RowTarget {
  /** As the configuration has it. */
  readonly table: TableSetting;
  /** The SQL of a target's name, with its schema. */
  sqlOf(table: string): string;
}

/** What everything that is written in one call shares. */
export interface Scope {
  readonly session: Session;
  readonly batch: EventBatch;
  readonly settings: WriteSettings;
  /** What is known of the target tables; null: not there. Forgotten whenever one of them may have changed. */
  readonly tables: Map<string, Target | null>;
}

/** `steps` are puts and deletes of one source table, or appends, or one step of another kind. */
export async function applyTogether(run: Scope, table: string, steps: readonly Step[]): Promise<void> {
  const [first] = steps;
  const source = sourceColumns(run.batch, first!.index);
  if (first!.act === 'schema') return applySchema(run, table, first!, source);
  if (first!.act === 'truncate') {
    const target = await known(run, table);
    return target === null ? undefined : truncate(placeOf(run, target, source));
  }
  const key = first!.key === null ? [] : Object.keys(first!.key);
  const keyed = first!.act === 'put' || first!.act === 'delete';
  const { deletes, puts }: Effects = keyed ? effectsOf(steps) : { deletes: [], puts: rowRuns(steps) };
  const target = await ready(run, table, puts, key, source);
  if (target === null) return; // nothing but deletes of a table that is not there
  const place = placeOf(run, target, source);
  const [only] = puts;
  switch (first!.act) {
    case 'append':
      for (const set of puts) await append(place, set);
      return;
    case 'update':
      if (!(await updateMatch(place, within(target, first!.before!), first!.row!))) await append(place, only!);
      return;
    case 'remove':
      return deleteMatch(place, within(target, first!.before!));
    case 'move':
      if (!(await move(place, first!.oldKey!, first!.key!, first!.row!))) await upsert(place, only!, key);
      return;
    default: {
      if (deletes.length > 0) await deleteKeys(place, key, deletes);
      const snapshot = target.copy && steps.every((step) => run.batch.op(step.index) === 'r');
      for (const set of puts) {
        if (snapshot && target.copy && set.length >= LEAST_ROWS && target.isUnique(key)) {
          if (await copyRows(place, set)) continue;
          target.copy = false;
        }
        await upsert(place, set, key);
      }
    }
  }
}

function placeOf({ session, settings }: Scope, target: Target, source: SourceColumns): Place {
  return { session, target, source, kinds: settings.kinds };
}

/** The table as it is; null when it is not there. */
export async function known({ session, tables, settings }: Scope, name: string): Promise<Target | null> {
  const found = tables.get(name);
  if (found !== undefined) return found;
  const target = await readTarget(session, name, settings.sqlOf(name));
  tables.set(name, target);
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
  const { session, settings, tables } = run;
  let target = await known(run, name);
  if (sets.length === 0) return target;
  const rows = (): Row[] => sets.flatMap((set) => set.rows());
  if (target === null) {
    if (!settings.autoCreate) throw noTable(name);
    await createTarget(session, name, settings.sqlOf(name), rows(), key, source, settings);
    tables.delete(name);
    target = (await known(run, name))!;
  }
  const names = new Set(sets.flatMap((set) => set.names));
  const missing = [...names].filter((column) => !target!.columns.has(column));
  if (missing.length > 0) {
    if (!settings.autoEvolve) throw noColumn(name, missing[0]!);
    await addColumns(session, target, missing, rows(), source, settings);
    tables.delete(name);
    target = (await known(run, name))!;
  }
  if (key.length === 0 || !target.madeWithoutKey || target.isUnique(key)) return target;
  if (!settings.autoEvolve) return target; // the write will say what is missing
  await addKey(session, target, key);
  tables.delete(name);
  return known(run, name);
}

/** A schema change adds the columns that are new and widens others; a table that is not there yet is made by its first row. */
async function applySchema(run: Scope, name: string, step: Step, source: SourceColumns): Promise<void> {
  const { session, settings, tables } = run;
  const target = await known(run, name);
  const columns = step.row?.['columns'];
  if (target === null || !settings.autoEvolve || !Array.isArray(columns)) return;
  const told = columns.filter((column): column is Column & Row => isRow(column) && typeof column['name'] === 'string');
  const now = { ...source, columns: told };
  const names = told.map((column) => column.name);
  const added = await addColumns(session, target, names, [], now, settings);
  const widened = await widenColumns(session, target, now);
  if (added || widened) tables.delete(name);
}

/** The part of an old row that the target can be asked for. */
function within(target: Target, row: Row): Row {
  return Object.fromEntries(Object.entries(row).filter(([column]) => target.columns.has(column)));
}

function sourceColumns(batch: EventBatch, i: number): SourceColumns {
  return {
    columns: batch.columns(batch.table(i)),
    native: () => (JSON.parse(batch.head(i)) as { source: { plugin: string } }).source.plugin === 'postgres',
  };
}
