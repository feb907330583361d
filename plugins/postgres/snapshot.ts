// Reads the rows of a table in chunks by key, each as of one snapshot of the server.
//
// How chunks and the stream fit together, and why nothing goes back or is lost (the log's order is not the order in which
// transactions become visible, so a low and a high watermark in the log are not enough):
//   - a chunk is read only when everything that was streamed is visible to its snapshot (`suspects`), else it is tried again later;
//   - it is given when the stream has passed `until`, a place in the log taken after the snapshot: whatever the chunk has seen
//     was then streamed before it;
//   - of its rows, those are left out whose key a transaction touched that the snapshot does not see: what it wrote is newer, and
//     was streamed. If what was streamed is not the whole row (a value that is stored apart did not change), the key is read again.
// No word is written at the source for it, and no transaction stays open longer than one chunk.

import type { Client } from 'pg';
import type { Json, SnapshotRange } from 'sluice/sdk';
import { cellValue } from 'sluice/sdk';
import { quoted, rowsOf } from './connection.ts';
import { type Layout, readLayout, readRelation } from './layout.ts';
import { lsnOf, reachable } from './lsn.ts';
import type { TodoTable } from './position.ts';
import type { PublishedTable } from './publication.ts';
import { isUnreadable, type Table } from './tables.ts';
import type { JsonbForm } from './types.ts';
import { sees, type Visibility, visibilityOf } from './visibility.ts';

export interface Chunk {
  readonly todo: TodoTable;
  readonly layout: Layout;
  readonly rows: readonly ChunkRow[];
  /** No rows come after these. */
  readonly last: boolean;
  readonly visible: Visibility;
  /** It is given when the stream has passed this: everything that was in the log by then, durable or not. */
  readonly until: bigint;
  /** Keys that a newer transaction touched, by keyText. */
  readonly touched: Map<string, readonly string[]>;
  /** Of them, those to be read again. */
  readonly again: Map<string, readonly string[]>;
  /** Its rows are all that was committed before `until`: changes that come before that are in it. */
  readonly whole?: true;
  /** A newer transaction truncated the table: none of the rows is there any more. */
  emptied: boolean;
}

export interface ChunkRow {
  readonly texts: (string | null)[];
  /** As the server writes it. */
  readonly key: readonly string[];
  /** As it stands in events. */
  readonly values: readonly Json[];
}

export interface ChunkRequest {
  readonly table: Table;
  readonly todo: TodoTable;
  readonly published: PublishedTable | undefined;
  readonly version: number;
  readonly jsonb: JsonbForm;
  readonly rows: number;
  /** Ids of transactions that must be over for the snapshot; those that are, are taken out. null: it is a snapshot that is given. */
  readonly suspects: Set<bigint> | null;
}

const INTEGERS = new Set(['smallint', 'integer', 'bigint']);

export function keyText(key: readonly string[]): string {
  return key.length === 1 ? key[0]! : JSON.stringify(key);
}

/**
 * A chunk. `later`: not everything that was streamed is visible yet; `gone`: there is no such table any more; `keyless`: without a
 * key its rows have no order to go on in, so all must be read at once, as of a place in the log (frozen.ts); `large`: and are too many.
 */
export type Found = Chunk | 'later' | 'gone' | 'keyless' | 'large';

export async function readChunk(client: Client, request: ChunkRequest): Promise<Found> {
  await client.query('begin transaction isolation level repeatable read, read only');
  try {
    return await readAsOf(client, request);
  } finally {
    await client.query('rollback');
  }
}

/** Within a transaction that the caller began, and whose snapshot counts. A table that is refused leaves it as it was. */
export async function readWithin(client: Client, request: ChunkRequest): Promise<Found> {
  await client.query('savepoint chunk');
  try {
    return await readAsOf(client, request);
  } catch (thrown) {
    await client.query('rollback to savepoint chunk').catch(() => undefined); // the first error says what is wrong
    throw thrown;
  }
}

async function readAsOf(client: Client, request: ChunkRequest): Promise<Found> {
  const { table, todo, suspects } = request;
  const [[text] = []] = await rowsOf(client, 'select pg_current_snapshot()');
  const visible = visibilityOf(text!);
  if (suspects !== null) {
    for (const xid of suspects) if (sees(visible, xid)) suspects.delete(xid);
    if (suspects.size > 0) return 'later';
  }
  const relation = await readRelation(client, table.oid, request.published?.columns ?? null, request.version);
  if (relation === null) return 'gone';
  const layout = await readLayout(client, relation, request.jsonb);
  const keyless = layout.key.length === 0;
  if (keyless && isUnreadable({ keyless, size: table.size })) return 'large';
  if (keyless && (suspects !== null || todo.after !== undefined)) return 'keyless';
  const { sql, params } = await chunkSql(client, layout, request);
  const found = await rowsOf(client, sql, params);
  const rows = found.map((texts): ChunkRow => {
    const key = layout.key.map((k) => texts[k]!);
    return { texts: texts as (string | null)[], key, values: keyValues(layout, key) };
  });
  // after the rows: whatever they show was committed before this
  const [[insert] = []] = await rowsOf(client, 'select pg_current_wal_insert_lsn()');
  return {
    todo,
    layout,
    rows,
    last: keyless || todo.done === true || rows.length < request.rows,
    visible,
    until: reachable(lsnOf(insert!)),
    touched: new Map(),
    again: new Map(),
    emptied: false,
  };
}

async function chunkSql(
  client: Client,
  layout: Layout,
  { table, todo, published, rows }: ChunkRequest,
): Promise<{ readonly sql: string; readonly params: readonly unknown[] }> {
  const columns = layout.columns.map(({ name }) => quoted(name)).join(', ') || 'null';
  const only = table.partitioned ? '' : 'only ';
  const conditions = [published?.filter, todo.where].flatMap((one) => (one ? [`(${one}\n)`] : []));
  const params: unknown[] = [];
  const keys = await keySql(client, layout);
  if (todo.done === true) {
    const tuples = (todo.again ?? []).map(
      (key) => `(${key.map((text, n) => bind(params, text, keys[n]!)).join(', ')})`,
    );
    conditions.push(`(${keys.map(({ plain }) => plain).join(', ')}) in (${tuples.join(', ')})`);
  } else if (todo.after !== undefined) {
    const after = todo.after.map((text, n) => bind(params, text, keys[n]!)).join(', ');
    conditions.push(`(${keys.map(({ order }) => order).join(', ')}) > (${after})`);
  }
  const where = conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`;
  const order = keys.length === 0 ? '' : ` order by ${keys.map(({ order }) => order).join(', ')}`;
  const limit = todo.done === true || keys.length === 0 ? '' : ` limit ${rows}`;
  return {
    sql: `select ${columns} from ${only}${quoted(layout.schema)}.${quoted(layout.name)}${where}${order}${limit}`,
    params,
  };
}

interface KeySql {
  readonly plain: string;
  /** With the collation in which texts are ordered by their bytes. */
  readonly order: string;
  readonly type: string;
}

function bind(params: unknown[], text: string, { type }: KeySql): string {
  params.push(text);
  return `$${params.length}::text::${type}`;
}

/** How the columns of the key are ordered. Where the database orders texts by bytes anyway, its index can be used. */
async function keySql(client: Client, layout: Layout): Promise<readonly KeySql[]> {
  if (layout.key.length === 0) return [];
  const names = layout.key.map((k) => layout.columns[k]!.name);
  const rows = await rowsOf(
    client,
    `select u.name, format_type(a.atttypid, a.atttypmod),
       a.attcollation <> 0 and case c.collname when 'default' then d.datcollate else c.collname end not in ('C', 'POSIX')
     from unnest($2::text[]) with ordinality as u(name, n)
       join pg_attribute a on a.attrelid = $1 and a.attname = u.name
       join pg_database d on d.datname = current_database()
       left join pg_collation c on c.oid = a.attcollation
     order by u.n`,
    [layout.relation, names],
  );
  return rows.map(([name, type, collated]) => ({
    plain: quoted(name!),
    order: collated === 't' ? `${quoted(name!)} collate "C"` : quoted(name!),
    type: type!,
  }));
}

/** True when a sink can compare keys of this table as the server does: integers as integers, texts and uuids by their bytes. */
export function comparable(layout: Layout): boolean {
  return (
    layout.key.length > 0 &&
    layout.key.every((k) => {
      const native = layout.columns[k]!.native ?? '';
      return INTEGERS.has(native) || native === 'text' || native === 'uuid' || native.startsWith('character varying');
    })
  );
}

/** True when a key comes no later than another, in the order in which chunks are read. Of keys that are `comparable`. */
export function isUpTo(layout: Layout, key: readonly string[], last: readonly string[]): boolean {
  for (let n = 0; n < key.length; n++) {
    const isInteger = INTEGERS.has(layout.columns[layout.key[n]!]!.native ?? '');
    const [a, b] = [key[n]!, last[n]!];
    const order = isInteger ? Number(BigInt(a) - BigInt(b)) : Buffer.compare(Buffer.from(a), Buffer.from(b));
    if (order !== 0) return order < 0;
  }
  return true;
}

/**
 * What of a table the rows [from, to) of a chunk cover, for sinks to delete what is not there any more. null where nothing can be said:
 * with a condition, for keys that cannot be compared, and for rows that are read again.
 */
export function rangeOf(chunk: Chunk, from: number, to: number): SnapshotRange | null {
  const { todo, layout, rows, last, touched } = chunk;
  if (todo.where !== undefined || todo.done === true || !comparable(layout)) return null;
  const start = from === 0 ? (todo.after ?? null) : rows[from - 1]!.key;
  const end = last && to === rows.length ? null : rows[to - 1]!.key;
  const keep = chunk.emptied ? [] : rows.slice(from, to).map(({ values }) => values);
  for (const key of touched.values()) keep.push(keyValues(layout, key));
  return {
    table: layout.table,
    from: start === null ? null : keyValues(layout, start),
    to: end === null ? null : keyValues(layout, end),
    keep,
  };
}

/** A key as it stands in events, in the order of the key's columns. */
export function keyValues(layout: Layout, key: readonly string[]): readonly Json[] {
  return layout.key.map((k, n) => {
    const { kind, cell } = layout.types[k]!;
    return cellValue(kind, cell === undefined ? key[n]! : cell(key[n]!));
  });
}
