// The statements of the sink: upserts and deletes of many rows at once, key changes, rows without a key.
// Guarantees: a row that is there and equal is not written again (DELIVERY.md, section 2.8); only the columns that a row has
// are updated; no statement has more variables than SQLite takes. Everything runs in the caller's transaction.

import { type Json, noColumn, noUniqueKey, type Row, type RowSet } from 'sluice/sdk';
import { bind, cellBinder, type TargetColumn, unfitValue } from './binds.ts';
import type { Connection, Param } from './driver.ts';
import { quoted } from './kinds.ts';
import { newPacker, type Packed } from './packed.ts';
import { nameList } from './tables.ts';
import type { SourceColumns, Target } from './target.ts';

const MAX_ROWS = 200;
const MAX_VARIABLES = 32_766;
/** Rows that go to the connection's thread at once: it writes them while the next ones are looked at. */
const PIECE = 500;

export interface Place {
  readonly db: Connection;
  readonly target: Target;
  readonly source: SourceColumns;
}

export async function upsert(place: Place, set: RowSet, key: readonly string[]): Promise<void> {
  const { target } = place;
  if (!target.isUnique(canonicalNames(place, key))) throw noUniqueKey(target.table.name, key);
  const others = writable(place, set.names)
    .filter((name) => !key.includes(name))
    .map(quoted);
  if (set.partial) return updateKeys(place, set, key);
  const table = quoted(target.table.name);
  const action =
    others.length === 0
      ? 'NOTHING'
      : `UPDATE SET ${others.map((name) => `${name} = excluded.${name}`).join(', ')}
         WHERE ${others.map((name) => `${table}.${name} IS NOT excluded.${name}`).join(' OR ')}`;
  await insertRows(place, set, ` ON CONFLICT (${nameList(key)}) DO ${action}`);
}

/** Rows of which not all is known: only those that are there can be written. */
async function updateKeys(place: Place, set: RowSet, key: readonly string[]): Promise<void> {
  const names = writable(place, set.names).filter((name) => !key.includes(name));
  if (names.length === 0) return;
  for (const row of set.rows()) {
    const params: Param[] = [];
    const sets = names.map((name) => `${quoted(name)} = ${bindAll(place, [name], row, params)}`);
    const same = matching(place, Object.fromEntries(names.map((name) => [name, row[name]!])));
    const which = matching(place, Object.fromEntries(key.map((name) => [name, row[name]!])));
    await place.db.run(
      `UPDATE ${quoted(place.target.table.name)} SET ${sets.join(', ')} WHERE ${which.sql} AND NOT (${same.sql})`,
      [...params, ...which.params, ...same.params],
    );
  }
}

export function append(place: Place, set: RowSet): Promise<void> {
  return insertRows(place, set, '');
}

async function insertRows(place: Place, set: RowSet, end: string): Promise<void> {
  const names = writable(place, set.names);
  const start = `INSERT INTO ${quoted(place.target.table.name)} (${nameList(names)}) VALUES `;
  await place.db.insert({ start, end, width: names.length }, packedRows(place, names, set));
}

function* packedRows(place: Place, names: readonly string[], set: RowSet): Generator<Packed> {
  const packer = newPacker(PIECE * names.length);
  const push = set.cells === null ? rowPusher(place, names, set) : cellPusher(place, names, set);
  for (let from = 0; from < set.length; from += PIECE) {
    const to = Math.min(set.length, from + PIECE);
    for (let r = from; r < to; r++) push(r, packer.push);
    yield packer.take(to - from);
  }
}

export async function deleteKeys(place: Place, key: readonly string[], rows: readonly Row[]): Promise<void> {
  const start = `DELETE FROM ${quoted(place.target.table.name)} WHERE `;
  for (const part of parts(rows, key.length)) {
    const params: Param[] = [];
    for (const row of part) bindAll(place, key, row, params);
    const which =
      key.length === 1
        ? `${quoted(key[0]!)} IN (${placeholders(part.length)})`
        : `(${nameList(key)}) IN (VALUES ${part.map(() => `(${placeholders(key.length)})`).join(',')})`;
    await place.db.run(start + which, params);
  }
}

/** Moves a row to another key. Returns false when no row has the old key: then nothing was done. */
export async function move(place: Place, oldKey: Row, key: Row, row: Row): Promise<boolean> {
  const table = quoted(place.target.table.name);
  const was = matching(place, oldKey);
  const [found] = await place.db.all<{ found: number }>(
    `SELECT 1 AS found FROM ${table} WHERE ${was.sql} LIMIT 1`,
    was.params,
  );
  if (found === undefined) return false;
  // What has the new key here has it no more at the source, or it could not have been given to this row.
  const now = matching(place, key);
  await place.db.run(`DELETE FROM ${table} WHERE ${now.sql} AND NOT (${was.sql})`, [...now.params, ...was.params]);
  const all = { ...row, ...key };
  const params: Param[] = [];
  const names = writable(place, Object.keys(all));
  const sets = names.map((name) => `${quoted(name)} = ${bindAll(place, [name], all, params)}`);
  await place.db.run(`UPDATE ${table} SET ${sets.join(', ')} WHERE ${was.sql}`, [...params, ...was.params]);
  return true;
}

/** One row that equals `before` in every column of it: how rows without a key are found. */
export async function updateMatch(place: Place, before: Row, after: Row): Promise<boolean> {
  const params: Param[] = [];
  const sets = writable(place, Object.keys(after)).map(
    (name) => `${quoted(name)} = ${bindAll(place, [name], after, params)}`,
  );
  const one = oneMatch(place, before);
  return (
    (await place.db.run(`UPDATE ${quoted(place.target.table.name)} SET ${sets.join(', ')} WHERE ${one.sql}`, [
      ...params,
      ...one.params,
    ])) > 0
  );
}

export async function deleteMatch(place: Place, before: Row): Promise<void> {
  const one = oneMatch(place, before);
  await place.db.run(`DELETE FROM ${quoted(place.target.table.name)} WHERE ${one.sql}`, one.params);
}

export async function truncate(place: Place): Promise<void> {
  await place.db.run(`DELETE FROM ${quoted(place.target.table.name)}`);
}

function oneMatch(place: Place, row: Row): { sql: string; params: Param[] } {
  const { sql, params } = matching(place, row);
  const { name, rowid } = place.target.table;
  if (rowid === null) return { sql, params };
  return { sql: `${rowid} = (SELECT ${rowid} FROM ${quoted(name)} WHERE ${sql} LIMIT 1)`, params };
}

function matching(place: Place, row: Row): { sql: string; params: Param[] } {
  const params: Param[] = [];
  const sql = Object.keys(row).map((name) => `${quoted(name)} IS ${bindAll(place, [name], row, params)}`);
  return { sql: sql.join(' AND ') || '1', params };
}

// The values of a row are added to `params`; their placeholders are given.
function bindAll(place: Place, names: readonly string[], row: Row, params: Param[]): string {
  for (const name of names) params.push(boundValue(place, name, row));
  return placeholders(names.length);
}

function boundValue(place: Place, name: string, row: Row): Param {
  return boundTo(columnOf(place, name), row[name], place);
}

function columnOf({ target, source }: Place, name: string): TargetColumn {
  const column = target.column(name, source);
  if (column === undefined) throw noColumn(target.table.name, name);
  return column;
}

function boundTo(column: TargetColumn, value: Json | undefined, { target }: Place): Param {
  const bound = bind(column, value);
  if (bound === undefined) throw unfitValue(target.table.name, column.name, value);
  return bound;
}

function placeholders(count: number): string {
  return new Array(count).fill('?').join(', ');
}

type PushRow = (r: number, push: (value: Param) => void) => void;

function rowPusher(place: Place, names: readonly string[], set: RowSet): PushRow {
  const rows = set.rows();
  const columns = names.map((name) => columnOf(place, name));
  return (r, push) => {
    const row = rows[r]!;
    for (let c = 0; c < names.length; c++) push(boundTo(columns[c]!, row[names[c]!], place));
  };
}

/** The same of rows that are texts. */
function cellPusher(place: Place, names: readonly string[], set: RowSet): PushRow {
  const { types, text } = set.cells!;
  const columns = names.map((name) => {
    const c = set.names.indexOf(name);
    const column = columnOf(place, name);
    return { c, column, bound: cellBinder(column, types[c]!) };
  });
  return (r, push) => {
    for (const { c, column, bound } of columns) {
      const cell = text(r, c);
      const value = cell === null ? null : bound(cell);
      if (value === undefined) throw unfitValue(place.target.table.name, column.name, cell);
      push(value);
    }
  };
}

// A generated column follows from the others; what an event says of it is the same, or is the source's own affair.
function writable({ target, source }: Place, names: readonly string[]): string[] {
  return names.filter((name) => target.column(name, source)?.generated !== true);
}

// Names as the table itself writes them: SQLite's names know no case, a set of names does.
export function canonicalNames(
  { target, source }: Pick<Place, 'target' | 'source'>,
  names: readonly string[],
): string[] {
  return names.map((name) => target.column(name, source)?.name ?? name);
}

function* parts(rows: readonly Row[], width: number): Generator<readonly Row[]> {
  const size = partSize(width);
  for (let i = 0; i < rows.length; i += size) yield rows.slice(i, i + size);
}

function partSize(width: number): number {
  return Math.max(1, Math.min(MAX_ROWS, Math.floor(MAX_VARIABLES / Math.max(1, width))));
}
