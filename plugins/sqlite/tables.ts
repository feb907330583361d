// What a table of a SQLite database looks like: columns with their declared types, key, and how its rows are identified.
// Reads only.

import type { Column, ColumnType } from 'sluice/sdk';
import type { Connection } from './driver.ts';
import { type Affinity, affinityOf, kindOf, quoted } from './kinds.ts';

export interface TableColumn {
  readonly name: string;
  readonly declared: string;
  readonly affinity: Affinity;
  readonly kind: ColumnType;
  /** Position in the primary key, from 1; 0 outside of it. */
  readonly key: number;
  readonly notNull: boolean;
  readonly generated: boolean;
  readonly hasDefault: boolean;
}

export interface Table {
  readonly name: string;
  readonly columns: readonly TableColumn[];
  /** The columns of the primary key in its order; empty without one. */
  readonly key: readonly TableColumn[];
  /** The name that reaches the rowid, or null for a table WITHOUT ROWID (or one whose columns took all three names). */
  readonly rowid: string | null;
}

export interface ListedTable {
  readonly name: string;
  readonly type: string;
}

/** Tables and views, without SQLite's own and Sluice's own. */
export async function listTables(db: Connection): Promise<readonly ListedTable[]> {
  return db.all<ListedTable>(
    `SELECT name, type FROM pragma_table_list
     WHERE schema = 'main' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_sluice\\_%' ESCAPE '\\'
     ORDER BY name`,
  );
}

/** null when there is no such table (a view or virtual table is none). `kinds` overrides what the declared types say. */
export async function readTable(
  db: Connection,
  name: string,
  kinds: (column: string, declared: string) => ColumnType = (_, declared) => kindOf(declared),
): Promise<Table | null> {
  const [found] = await db.all<{ name: string; wr: number; strict: number }>(
    `SELECT name, wr, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name = ? COLLATE NOCASE`,
    [name],
  );
  if (found === undefined) return null;
  const rows = await db.all<{
    name: string;
    type: string;
    pk: number;
    notnull: number;
    hidden: number;
    dflt_value: string | null;
  }>(`SELECT name, type, pk, "notnull", hidden, dflt_value FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid`, [
    found.name,
  ]);
  const columns = rows.map((row) => {
    const declared = row.type.replace(/\s*GENERATED ALWAYS$/i, '');
    return {
      name: row.name,
      declared,
      affinity: affinityOf(declared, found.strict === 1),
      kind: kinds(row.name, declared),
      key: row.pk,
      notNull: row.notnull === 1 || isRowidAlias(rows, row) || (row.pk > 0 && found.wr === 1),
      generated: row.hidden !== 0,
      hasDefault: row.dflt_value !== null && row.dflt_value.toUpperCase() !== 'NULL',
    };
  });
  const taken = new Set(columns.map((column) => column.name.toLowerCase()));
  const rowid = found.wr === 1 ? null : (['_rowid_', 'rowid', 'oid'].find((alias) => !taken.has(alias)) ?? null);
  return {
    name: found.name,
    columns,
    key: columns.filter((column) => column.key > 0).sort((a, b) => a.key - b.key),
    rowid,
  };
}

function isRowidAlias(rows: readonly { pk: number; type: string }[], row: { pk: number; type: string }): boolean {
  return row.pk === 1 && row.type.toUpperCase() === 'INTEGER' && rows.filter((other) => other.pk > 0).length === 1;
}

/** The columns as a batch tells them. */
export function columnsOf(columns: readonly TableColumn[]): Column[] {
  return columns.map((column) => ({
    name: column.name,
    type: column.kind,
    native: column.declared,
    ...(column.key > 0 ? { key: column.key } : {}),
    nullable: !column.notNull,
  }));
}

/** `"a", "b"` */
export function nameList(names: readonly string[], prefix = ''): string {
  return names.map((name) => prefix + quoted(name)).join(', ');
}
