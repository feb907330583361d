// What the source keeps in the database that it reads: the change table, the shapes of the tables that write into it, the
// registered readers, and a few facts about itself. DDL and plain reads; the triggers are in triggers.ts.
//
// One change table for all source tables, so that one sequence orders every change: seq is AUTOINCREMENT and SQLite has one
// writer, so the order of seq is the order of commits and there are no gaps to wait for. Its value columns have no type,
// so each value is kept exactly as it was stored: integers whole, reals whole, bytes as bytes.
// A shape is a table with its columns at one time: old changes are read by the shape they were written with.

import { randomBytes } from 'node:crypto';
import { sluiceError } from 'sluice/sdk';
import type { Connection } from './driver.ts';
import type { Table } from './tables.ts';

export const CHANGES = '_sluice_changes';
export const READERS = '_sluice_readers';
export const SHAPES = '_sluice_shapes';
export const META = '_sluice_meta';

const FORMAT = 1;

/** Columns of a table as a shape keeps them. */
export interface ShapeColumn {
  readonly name: string;
  readonly declared: string;
  readonly key: number;
  readonly notNull: boolean;
}

export interface Shape {
  readonly id: number;
  readonly table: string;
  readonly columns: readonly ShapeColumn[];
}

export interface LogState {
  /** Distinguishes this database from every other. */
  readonly tag: string;
  /** The highest seq that was ever given. */
  readonly last: number;
  /** Changes up to this seq are gone. */
  readonly pruned: number;
}

/** null when this database has no change table. */
export async function readLogState(db: Connection): Promise<LogState | null> {
  const [found] = await db.all<{ n: number }>(
    `SELECT count(*) AS n FROM sqlite_master WHERE type = 'table' AND name IN (?, ?, ?, ?)`,
    [CHANGES, READERS, SHAPES, META],
  );
  if (found!.n < 4) return null;
  const rows = await db.all<{ name: string; value: string | number }>(`SELECT name, value FROM ${META}`);
  const meta = new Map(rows.map((row) => [row.name, row.value]));
  if (Number(meta.get('format')) !== FORMAT) {
    throw sluiceError('E_SOURCE_READ', {
      message: 'the change table of this database was made by another version of the sqlite plugin',
      fix: 'run that version, or stop all streams of this database and drop its `_sluice_` triggers and tables',
      permanent: true,
    });
  }
  return { tag: String(meta.get('tag')), last: await lastSeq(db), pruned: Number(meta.get('pruned') ?? 0) };
}

export async function lastSeq(db: Connection): Promise<number> {
  const [row] = await db.all<{ seq: number }>('SELECT seq FROM sqlite_sequence WHERE name = ?', [CHANGES]);
  return row?.seq ?? 0;
}

export async function prunedSeq(db: Connection): Promise<number> {
  const [row] = await db.all<{ value: number }>(`SELECT value FROM ${META} WHERE name = 'pruned'`);
  return Number(row?.value ?? 0);
}

/** Makes what is missing. To be called within a write transaction. */
export async function createLog(db: Connection): Promise<void> {
  await db.exec(`
    CREATE TABLE IF NOT EXISTS ${META} (name TEXT PRIMARY KEY NOT NULL, value) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS ${READERS} (
      name TEXT PRIMARY KEY NOT NULL, acked INTEGER NOT NULL, tables TEXT NOT NULL, seen_at TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS ${SHAPES} (id INTEGER PRIMARY KEY AUTOINCREMENT, "table" TEXT NOT NULL, columns TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS ${CHANGES} (
      seq INTEGER PRIMARY KEY AUTOINCREMENT, shape INTEGER NOT NULL, op TEXT NOT NULL, ts INTEGER NOT NULL, rid INTEGER, v0
    );
  `);
  await db.run(
    `INSERT INTO ${META} (name, value) VALUES ('format', ?), ('tag', ?), ('pruned', 0) ON CONFLICT DO NOTHING`,
    [FORMAT, randomBytes(4).toString('hex')],
  );
}

/** How many value columns the change table has. */
export async function logWidth(db: Connection): Promise<number> {
  const [row] = await db.all<{ n: number }>(
    `SELECT count(*) AS n FROM pragma_table_info('${CHANGES}') WHERE name GLOB 'v[0-9]*'`,
  );
  return row!.n;
}

/** Makes the change table wide enough for both images of a table. Within a write transaction. */
export async function widenLog(db: Connection, columns: number): Promise<void> {
  for (let i = await logWidth(db); i < columns * 2; i++) await db.exec(`ALTER TABLE ${CHANGES} ADD COLUMN v${i}`);
}

/** Where the value of column i of n stands in the change table: the row as it is now, then the row as it was. */
export function newColumn(i: number): string {
  return `v${i}`;
}
export function oldColumn(i: number, n: number): string {
  return `v${n + i}`;
}

export async function readShapes(db: Connection): Promise<readonly Shape[]> {
  const rows = await db.all<{ id: number; table: string; columns: string }>(
    `SELECT id, "table", columns FROM ${SHAPES} ORDER BY id`,
  );
  return rows.map((row) => ({ id: row.id, table: row.table, columns: JSON.parse(row.columns) as ShapeColumn[] }));
}

export function shapeColumns(table: Table): ShapeColumn[] {
  return table.columns.map(({ name, declared, key, notNull }) => ({ name, declared, key, notNull }));
}

export async function addShape(db: Connection, table: Table): Promise<number> {
  const [row] = await db.all<{ id: number }>(`INSERT INTO ${SHAPES} ("table", columns) VALUES (?, ?) RETURNING id`, [
    table.name,
    JSON.stringify(shapeColumns(table)),
  ]);
  return row!.id;
}
