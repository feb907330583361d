// The statements of the sink: upserts and deletes of many rows at once, key changes, rows without a key.
// Guarantees: a row that is there and equal is not written again (DELIVERY.md, section 2.8); only the columns that a row has
// are updated; no statement has more variables than SQLite takes. Everything runs in the caller's transaction.

import type { Row } from 'sluice/sdk';
import { type Bind, bind, unfitValue } from './binds.ts';
import type { Connection, Param } from './driver.ts';
import { quoted } from './kinds.ts';
import { nameList } from './tables.ts';
import { noColumn, noUniqueKey, type SourceColumns, type Target } from './target.ts';

const MAX_ROWS = 200;
const MAX_VARIABLES = 32_766;

export interface Place {
  readonly db: Connection;
  readonly target: Target;
  readonly source: SourceColumns;
}

/** Rows that have the same columns. */
export async function upsert(
  place: Place,
  names: readonly string[],
  rows: readonly Row[],
  key: readonly string[],
): Promise<void> {
  const { target } = place;
  if (!target.isUnique(canonicalNames(place, key))) throw noUniqueKey(target.table.name, key);
  const others = writable(place, names)
    .filter((name) => !key.includes(name))
    .map(quoted);
  const table = quoted(target.table.name);
  const action =
    others.length === 0
      ? 'NOTHING'
      : `UPDATE SET ${others.map((name) => `${name} = excluded.${name}`).join(', ')}
         WHERE ${others.map((name) => `${table}.${name} IS NOT excluded.${name}`).join(' OR ')}`;
  await insertRows(place, names, rows, ` ON CONFLICT (${nameList(key)}) DO ${action}`);
}

export function append(place: Place, names: readonly string[], rows: readonly Row[]): Promise<void> {
  return insertRows(place, names, rows, '');
}

async function insertRows(place: Place, all: readonly string[], rows: readonly Row[], end: string): Promise<void> {
  const names = writable(place, all);
  const start = `INSERT INTO ${quoted(place.target.table.name)} (${nameList(names)}) VALUES `;
  for (const part of parts(rows, names.length)) {
    const params: Param[] = [];
    const values = part.map((row) => `(${bindAll(place, names, row, params)})`);
    await place.db.run(`${start}${values.join(',')}${end}`, params);
  }
}

export async function deleteKeys(place: Place, key: readonly string[], rows: readonly Row[]): Promise<void> {
  const start = `DELETE FROM ${quoted(place.target.table.name)} WHERE `;
  for (const part of parts(rows, key.length)) {
    const params: Param[] = [];
    const values = part.map((row) => bindAll(place, key, row, params));
    const which =
      key.length === 1
        ? `${quoted(key[0]!)} IN (${values.join(',')})`
        : `(${nameList(key)}) IN (VALUES ${values.map((one) => `(${one})`).join(',')})`;
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

// The placeholders of a row's values; the values themselves are added to `params`.
function bindAll(place: Place, names: readonly string[], row: Row, params: Param[]): string {
  const { target, source } = place;
  let sql = '';
  for (const name of names) {
    const column = target.column(name, source);
    if (column === undefined) throw noColumn(target.table.name, name);
    const bound: Bind | null = bind(column, row[name]);
    if (bound === null) throw unfitValue(target.table.name, column.name, row[name]);
    params.push(bound.param);
    sql += sql === '' ? bound.sql : `, ${bound.sql}`;
  }
  return sql;
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
  const size = Math.max(1, Math.min(MAX_ROWS, Math.floor(MAX_VARIABLES / Math.max(1, width))));
  for (let i = 0; i < rows.length; i += size) yield rows.slice(i, i + size);
}
