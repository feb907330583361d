// What the rows of a chunk say of the rows that are not in it: a sink deletes what it has in the chunk's range of keys and the chunk has not.
// Nothing is said where a sink could not compare as SQLite does: of keys other than integers and texts that are compared by their
// bytes, of a chunk with a condition, or with a row whose key could not be read.

import type { Json, SnapshotRange } from 'sluice/sdk';
import type { Draft } from './changes.ts';
import type { Connection } from './driver.ts';
import type { KeyCell, TodoTable } from './position.ts';
import type { Table } from './tables.ts';

/** `rows`: those of the chunk, in the order of their keys; `next`: where the chunk after it begins. */
export async function rangeOf(
  db: Connection,
  table: Table,
  todo: TodoTable,
  rows: readonly Draft[],
  next: TodoTable | null,
): Promise<SnapshotRange | null> {
  if (todo.where !== undefined || !(await isComparable(db, table))) return null;
  const from = boundOf(table, todo.after);
  const to = boundOf(table, next?.after);
  const keep = rows.map((row) => (row.key === null ? null : keyOf(table, row.key)));
  if (from === undefined || to === undefined || !keep.every((key) => key !== null)) return null;
  return { table: table.name, from, to, keep };
}

async function isComparable(db: Connection, { name, key }: Table): Promise<boolean> {
  const kinds = key.every(
    ({ kind, affinity }) =>
      ((kind === 'int' || kind === 'bigint') && affinity === 'integer') || (kind === 'text' && affinity === 'text'),
  );
  if (key.length === 0 || !kinds) return false;
  const collations = await db.all<{ coll: string }>(
    `SELECT x.coll FROM pragma_index_list(?) AS l, pragma_index_xinfo(l.name) AS x WHERE l.origin = 'pk' AND x.key = 1`,
    [name],
  );
  return collations.every(({ coll }) => coll === 'BINARY');
}

/** null: no bound; undefined: it is of another kind than its column. */
function boundOf({ key }: Table, after: readonly KeyCell[] | undefined): readonly Json[] | null | undefined {
  if (after === undefined) return null;
  const values = key.map(({ kind }, i) => {
    const [type, value] = after[i] ?? [];
    if (kind === 'text') return type === 't' ? value! : null;
    if (type !== 'i') return null;
    return kind === 'int' ? Number(value) : value!;
  });
  return values.every((value) => value !== null) ? values : undefined;
}

function keyOf({ key }: Table, text: string): readonly Json[] {
  const row = JSON.parse(text) as Readonly<Record<string, Json>>;
  return key.map(({ name }) => row[name]!);
}
