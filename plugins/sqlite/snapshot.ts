// Reads the rows of a table in chunks by key, each chunk within one read transaction.
// Guarantees: a chunk goes on after the last key of the one before, so a snapshot resumes wherever it was; the key goes
// back to SQLite exactly as it is stored. Rows whose key holds a null have no place in that order: they come with the first chunk.
//
// How chunks and changes fit together is in source.ts: before a chunk is given, all changes up to its transaction are.

import type { SnapshotRange } from 'sluice/sdk';
import { base64, columnRefs, type Raw, rowReader, selectList, sizeSql, unfitError } from './cells.ts';
import { type Draft, findBroken } from './changes.ts';
import type { Connection, Param } from './driver.ts';
import { quoted } from './kinds.ts';
import { goneError, type KeyCell, type TodoTable } from './position.ts';
import { rangeOf } from './snapshot-range.ts';
import type { Table } from './tables.ts';

export interface Chunk {
  readonly drafts: readonly Draft[];
  /** Where to go on, or null when the table is done. */
  readonly next: TodoTable | null;
  /** For sinks to delete what is not there any more; null where nothing can be said. */
  readonly range: SnapshotRange | null;
}

export interface ChunkRequest {
  readonly tag: string;
  readonly number: number;
  readonly maxEvents: number;
  readonly maxBytes: number;
  readonly now: number;
}

// What orders the rows of a table: its key, or at least its rowid. Qualified, or ORDER BY would take a column for one of the
// names that the select list gives.
function identity(table: Table): readonly string[] {
  if (table.key.length > 0) return columnRefs(table.key, 'src.');
  if (table.rowid === null) throw goneError(`table ${table.name} has neither a key nor a rowid that can be reached`);
  return [`src.${table.rowid}`];
}

export async function readChunk(db: Connection, table: Table, todo: TodoTable, request: ChunkRequest): Promise<Chunk> {
  const ids = identity(table);
  const order = ids.join(', ');
  const notNull = ids.map((id) => `${id} IS NOT NULL`).join(' AND ');
  const after = todo.after === undefined ? null : bound(todo.after);
  const only = todo.where === undefined ? '' : ` AND (${todo.where}\n)`; // on a line of its own: the condition may end in a comment
  const where = `${after === null ? notNull : `(${order}) > (${after.sql})`}${only}`;
  const params = after?.params ?? [];
  const limit = await fitting(db, table, where, order, params, request);
  const drafts: Draft[] = [];
  if (after === null && table.key.some((column) => !column.notNull)) {
    drafts.push(...(await readRows(db, table, `NOT (${notNull})${only}`, '1', [], -1, request)).drafts);
  }
  const { drafts: rows, last } = await readRows(db, table, where, order, params, limit.rows, request);
  drafts.push(...rows);
  const next = limit.more && last !== null ? { ...todo, after: last } : null;
  return { drafts, next, range: await rangeOf(db, table, todo, rows, next) };
}

// How many rows fit into the limits, without reading their values.
async function fitting(
  db: Connection,
  table: Table,
  where: string,
  order: string,
  params: readonly Param[],
  request: ChunkRequest,
): Promise<{ rows: number; more: boolean }> {
  const sizes = await db.all<{ size: number }>(
    `SELECT ${sizeSql(columnRefs(table.columns, 'src.'))} AS size FROM ${quoted(table.name)} AS src WHERE ${where} ORDER BY ${order} LIMIT ?`,
    [...params, request.maxEvents + 1],
  );
  let bytes = 0;
  let rows = 0;
  while (rows < sizes.length && rows < request.maxEvents && (rows === 0 || bytes < request.maxBytes)) {
    bytes += sizes[rows]!.size + 100;
    rows++;
  }
  return { rows, more: rows < sizes.length };
}

async function readRows(
  db: Connection,
  table: Table,
  where: string,
  order: string,
  params: readonly Param[],
  limit: number,
  request: ChunkRequest,
): Promise<{ drafts: Draft[]; last: KeyCell[] | null }> {
  const ids = identity(table);
  const values = selectList(table.columns, columnRefs(table.columns, 'src.'), 'n');
  // the key as it is stored, for where to go on, and the rowid for the ids of rows without a key
  const stored = ids.map(
    (id, i) => `typeof(${id}) AS t${i}, iif(typeof(${id}) = 'integer', CAST(${id} AS TEXT), ${id}) AS k${i}`,
  );
  const rid = table.rowid === null ? 'NULL' : `CAST(src.${table.rowid} AS TEXT)`;
  const from = `FROM ${quoted(table.name)} AS src WHERE ${where} ORDER BY ${order} LIMIT ?`;
  const rows = await db.all<Record<string, Raw>>(`SELECT ${values.sql}, ${stored.join(', ')}, ${rid} AS rid ${from}`, [
    ...params,
    limit,
  ]);
  const reader = rowReader(table.columns, values.names);
  const names = table.columns.map((column) => column.name);
  const drafts: Draft[] = [];
  const storedKey = async (i: number): Promise<KeyCell[]> => {
    const cells: KeyCell[] = [];
    for (let k = 0; k < ids.length; k++) {
      const value = rows[i]![`k${k}`] ?? null;
      if (typeof value === 'string' && rows[i]![`t${k}`] === 'text' && value.includes('\uFFFD')) {
        const sql = `SELECT hex(CAST(${ids[k]} AS BLOB)) AS hex ${from} OFFSET ?`;
        const [bytes] = await db.all<{ hex: string }>(sql, [...params, 1, i]);
        cells.push(['x', bytes!.hex]);
      } else {
        cells.push(keyCell(rows[i]![`t${k}`] as string, value));
      }
    }
    return cells;
  };
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    const { text, unfit } = reader.read(row);
    const broken = reader.suspicious(row)
      ? await findBroken(db, columnRefs(table.columns, 'src.'), names, `${from} OFFSET ?`, [...params, 1, i])
      : null;
    const wrong = unfit ?? broken?.column ?? null;
    const key = reader.key(row);
    // A key that cannot be read says who it is as it is stored, or two such rows could have one id.
    const name =
      wrong !== null
        ? `!${JSON.stringify(await storedKey(i))}`
        : key === null
          ? `#${String(row['rid'])}`
          : JSON.stringify(Object.values(JSON.parse(key) as object));
    const head = {
      id: `${request.tag}:s${request.number}:${table.name}:${name}`,
      op: 'r' as const,
      table: table.name,
      ts: request.now,
      seq: null,
    };
    if (wrong === null) {
      drafts.push({ ...head, key, oldKey: null, before: null, after: text });
    } else {
      const bytes = broken === null ? {} : { bytes: { [broken.column]: broken.bytes } };
      const raw = JSON.stringify({ op: 'r', table: table.name, after: reader.raw(row), ...bytes });
      const error = unfitError(table.name, wrong, table.columns.find((column) => column.name === wrong)?.kind);
      drafts.push({ ...head, key: null, oldKey: null, before: null, after: null, unreadable: { raw, error } });
    }
  }
  return { drafts, last: rows.length === 0 ? null : await storedKey(rows.length - 1) };
}

function keyCell(type: string, value: Raw): KeyCell {
  if (type === 'integer') return ['i', String(value)];
  if (value instanceof Uint8Array) return ['b', base64(value)];
  return typeof value === 'number' ? ['r', value] : ['t', String(value)];
}

/** Key cells as SQL with their parameters: an integer goes as text, because a position is JSON. */
function bound(cells: readonly KeyCell[]): { sql: string; params: Param[] } {
  const sql: string[] = [];
  const params: Param[] = [];
  for (const [type, value] of cells) {
    sql.push(type === 'i' ? 'CAST(? AS INTEGER)' : type === 'x' ? 'CAST(? AS TEXT)' : '?');
    params.push(type === 'b' ? Buffer.from(value, 'base64') : type === 'x' ? Buffer.from(value, 'hex') : value);
  }
  return { sql: sql.join(', '), params };
}

/** True when a snapshot of this table, as far as it has come, has read the row with this rowid. */
export function hasPassed(todo: TodoTable | undefined, rid: string | null): boolean {
  if (todo === undefined) return true; // not on the list: done
  if (todo.after === undefined) return false;
  const [cell] = todo.after;
  if (rid === null || cell?.[0] !== 'i') return true; // a row with a null in its key: those came with the first chunk
  return BigInt(rid) <= BigInt(cell[1]);
}
