// The triggers that write the change table, kept in step with the tables that the readers want.
// Guarantee: while a table is wanted, every change of a row is logged with the columns that the table has; where an
// application changed the table, and until that was noticed changes were logged without its new columns, those rows are
// logged once more (see heal). Refuses views and virtual tables, which can have no such triggers.
//
// What triggers cannot see: the row that REPLACE removes because of another unique column (unless the application sets
// `recursive_triggers`), and a table that is dropped.

import { sluiceError } from 'sluice/sdk';
import {
  addShape,
  CHANGES,
  newColumn,
  oldColumn,
  READERS,
  readShapes,
  type Shape,
  type ShapeColumn,
  shapeColumns,
  widenLog,
} from './change-log.ts';
import { type Connection, inTransaction } from './driver.ts';
import { quoted } from './kinds.ts';
import { listTables, nameList, readTable, type Table } from './tables.ts';

// julianday has milliseconds in every version of SQLite; unixepoch('subsec') is unknown to applications before 3.42,
// and it is the application that runs the trigger.
const NOW = `CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)`;

const MAX_COLUMNS = 990; // both images and a few more must fit into the 2000 columns of a SQLite table

/** What one look at the database found to do. */
interface Plan {
  readonly make: readonly { readonly table: Table; readonly old: Shape | null; readonly known: boolean }[];
  readonly drop: readonly string[];
  readonly wanted: readonly string[];
  readonly missing: readonly string[];
}

export interface Synced {
  /** The wanted tables that are there. */
  readonly tables: readonly string[];
  /** Tables that the configuration names and the database does not have (now). */
  readonly missing: readonly string[];
}

export interface Wish {
  readonly reader: string;
  /** null: all tables. */
  readonly tables: readonly string[] | null;
}

/**
 * Makes the triggers fit the tables. Changes up to `verified` are known to have been logged with the columns of then.
 * Takes the write lock only when there is something to do.
 */
export async function syncTriggers(db: Connection, wish: Wish, verified: number): Promise<Synced> {
  const seen = await inTransaction(db, 'read', () => makePlan(db, wish));
  if (seen.make.length === 0 && seen.drop.length === 0) return { tables: seen.wanted, missing: seen.missing };
  return inTransaction(db, 'write', () => syncWithin(db, wish, verified));
}

/** The same, within a write transaction of the caller. */
export async function syncWithin(db: Connection, wish: Wish, verified: number): Promise<Synced> {
  const plan = await makePlan(db, wish);
  for (const name of plan.drop) await db.exec(`DROP TRIGGER IF EXISTS ${quoted(name)}`);
  for (const { table, old, known } of plan.make) await makeTriggers(db, table, old, known, verified);
  await db.run(`UPDATE ${READERS} SET tables = ? WHERE name = ?`, [JSON.stringify(plan.wanted), wish.reader]);
  return { tables: plan.wanted, missing: plan.missing };
}

/** The tables of a wish that are there. @throws SluiceError E_SOURCE_READ for a view or virtual table that is named */
export async function resolveTables(
  db: Connection,
  wish: readonly string[] | null,
): Promise<{ readonly found: readonly string[]; readonly missing: readonly string[] }> {
  const listed = await listTables(db);
  if (wish === null) return { found: listed.filter((one) => one.type === 'table').map((one) => one.name), missing: [] };
  const found: string[] = [];
  const missing: string[] = [];
  for (const name of wish) {
    const one = listed.find((table) => table.name.toLowerCase() === name.toLowerCase());
    if (one === undefined) missing.push(name);
    else if (one.type !== 'table') {
      throw sluiceError('E_SOURCE_READ', {
        message: `${name} is a ${one.type}, and only ordinary tables can be captured`,
        fix: 'take it out of `tables`',
        permanent: true,
      });
    } else found.push(one.name);
  }
  return { found, missing };
}

async function makePlan(db: Connection, wish: Wish): Promise<Plan> {
  const { found: wanted, missing } = await resolveTables(db, wish.tables);
  const shapes = new Map((await readShapes(db)).map((shape) => [shape.id, shape]));
  const readers = await db.all<{ name: string; tables: string }>(`SELECT name, tables FROM ${READERS}`);
  const listed = new Set(readers.flatMap((reader) => JSON.parse(reader.tables) as string[]));
  const others = readers
    .filter((reader) => reader.name !== wish.reader)
    .flatMap((reader) => JSON.parse(reader.tables) as string[]);
  const kept = new Set([...wanted, ...others]);
  const triggers = await db.all<{ name: string; table: string }>(
    `SELECT name, tbl_name AS "table" FROM sqlite_master WHERE type = 'trigger' AND name GLOB '_sluice_[0-9]*_[cud]'`,
  );
  const make: { table: Table; old: Shape | null; known: boolean }[] = [];
  const drop: string[] = triggers.filter((trigger) => !kept.has(trigger.table)).map((trigger) => trigger.name);
  for (const name of wanted) {
    const table = await readTable(db, name);
    if (table === null) continue;
    const own = triggers.filter((trigger) => trigger.table === name);
    const id = own.length === 3 ? Number(/^_sluice_(\d+)_/.exec(own[0]!.name)![1]) : -1;
    const shape = own.every((trigger) => trigger.name.startsWith(`_sluice_${id}_`)) ? (shapes.get(id) ?? null) : null;
    if (shape !== null && shape.table === name && JSON.stringify(shape.columns) === JSON.stringify(shapeColumns(table)))
      continue;
    drop.push(...own.map((trigger) => trigger.name));
    make.push({ table, old: shape, known: listed.has(name) });
  }
  return { make, drop, wanted, missing };
}

async function makeTriggers(
  db: Connection,
  table: Table,
  old: Shape | null,
  known: boolean,
  verified: number,
): Promise<void> {
  if (table.columns.length > MAX_COLUMNS) {
    throw sluiceError('E_SOURCE_READ', {
      message: `table ${table.name} has more than ${MAX_COLUMNS} columns`,
      fix: 'take it out of `tables`',
      permanent: true,
    });
  }
  await widenLog(db, table.columns.length);
  const id = await addShape(db, table);
  for (const sql of triggerSql(table, id)) await db.exec(sql);
  if (!known) return; // nobody has seen this table before: whoever wants it takes a snapshot of it
  // Triggers that were gone, columns with values in rows that did not change: only reading all rows again brings them.
  const refill = old === null || old.table !== table.name || needsRefill(old.columns, table);
  await db.run(`INSERT INTO ${CHANGES} (shape, op, ts, v0) VALUES (?, 's', ${NOW}, ?)`, [id, refill ? 1 : 0]);
  if (old !== null && (!refill || table.key.length === 0)) await heal(db, table, id, old, verified);
}

/** True when a row that nobody touched may have values under a name that the old shape did not have. */
function needsRefill(old: readonly ShapeColumn[], table: Table): boolean {
  const known = new Map(old.map((column, i) => [column.name, { column, i }]));
  return table.columns.some((column, i) => {
    const before = known.get(column.name);
    if (before !== undefined) return before.column.declared !== column.declared || before.column.key !== column.key;
    const appended = i >= old.length && old.every((one) => table.columns.some((now) => now.name === one.name));
    return !appended || column.hasDefault || column.generated || column.notNull;
  });
}

/**
 * Rows that were changed after the table was altered and before that was noticed were logged without the new columns.
 * They are logged again as updates from null to what they hold, in the same transaction as the new triggers.
 */
async function heal(db: Connection, table: Table, id: number, old: Shape, verified: number): Promise<void> {
  const added = new Set(table.columns.map((column) => column.name));
  for (const column of old.columns) added.delete(column.name);
  if (added.size === 0) return;
  const n = table.columns.length;
  const targets = [...table.columns.map((_, i) => newColumn(i)), ...table.columns.map((_, i) => oldColumn(i, n))];
  const values = [
    ...table.columns.map((column) => `t.${quoted(column.name)}`),
    ...table.columns.map((column) => (added.has(column.name) ? 'NULL' : `t.${quoted(column.name)}`)),
  ];
  const logged = (column: string): string =>
    `SELECT ${column} FROM ${CHANGES} WHERE seq > ${verified} AND shape = ${old.id} AND op IN ('c', 'u')`;
  const keyAt = table.key.map((column) => old.columns.findIndex((one) => one.name === column.name));
  if (table.key.length > 0 && keyAt.includes(-1)) return;
  const which =
    table.key.length > 0
      ? `(${nameList(
          table.key.map((column) => column.name),
          't.',
        )}) IN (${logged(keyAt.map(newColumn).join(', '))})`
      : `t.${table.rowid} IN (${logged('rid')})`;
  const filled = [...added].map((name) => `t.${quoted(name)} IS NOT NULL`).join(' OR ');
  const rid = table.rowid === null || table.key.length > 0 ? 'NULL' : `t.${table.rowid}`;
  await db.exec(
    `INSERT INTO ${CHANGES} (shape, op, ts, rid, ${targets.join(', ')})
     SELECT ${id}, 'u', ${NOW}, ${rid}, ${values.join(', ')} FROM ${quoted(table.name)} AS t WHERE ${which} AND (${filled})`,
  );
}

function triggerSql(table: Table, id: number): string[] {
  const n = table.columns.length;
  const names = table.columns.map((column) => column.name);
  const now = names.map((_, i) => newColumn(i));
  const was = names.map((_, i) => oldColumn(i, n));
  const rid = (row: string): string =>
    table.key.length > 0 || table.rowid === null ? 'NULL' : `${row}.${table.rowid}`;
  const trigger = (op: 'c' | 'u' | 'd', event: string, columns: string[], values: string): string =>
    `CREATE TRIGGER ${quoted(`_sluice_${id}_${op}`)} AFTER ${event} ON ${quoted(table.name)} BEGIN
       INSERT INTO ${CHANGES} (shape, op, ts, rid, ${columns.join(', ')})
       VALUES (${id}, '${op}', ${NOW}, ${rid(op === 'd' ? 'OLD' : 'NEW')}, ${values});
     END`;
  return [
    trigger('c', 'INSERT', now, nameList(names, 'NEW.')),
    trigger('u', 'UPDATE', [...now, ...was], `${nameList(names, 'NEW.')}, ${nameList(names, 'OLD.')}`),
    trigger('d', 'DELETE', was, nameList(names, 'OLD.')),
  ];
}
