// The tables that the sink writes: what they look like, made where they are missing, and given the columns that rows bring.
// Guarantee: a table is only ever made or widened, never narrowed (but that one which was made here for events without a key
// gets a unique index once one with a key comes); what the settings forbid is a clear rejection of the event, never a value
// that is silently left out.

import { brokenText, type Column, type ColumnType, type Json, noUniqueKey, type Row } from 'sluice/sdk';
import type { TargetColumn } from './binds.ts';
import type { Connection } from './driver.ts';
import { faultOf } from './faults.ts';
import { affinityOf, declaredFor, kindOf, quoted } from './kinds.ts';
import { nameList, readTable, type Table } from './tables.ts';

export interface TargetSettings {
  readonly autoCreate: boolean;
  readonly autoEvolve: boolean;
  readonly kinds: ReadonlyMap<string, ColumnType>;
}

/** What an event tells about the columns of its table at the source. */
export interface SourceColumns {
  readonly columns: readonly Column[];
  /** The source is SQLite too: declared types can be taken over as they are, with all that they mean to SQLite. */
  native(): boolean;
}

export interface Target {
  readonly table: Table;
  /** undefined when there is no such column; `generated` ones are the table's own and are never written. */
  column(name: string, source: SourceColumns): TargetColumn | undefined;
  /** True when ON CONFLICT can name these columns. */
  isUnique(columns: readonly string[]): boolean;
  /** It was made here, for events without a key. */
  readonly madeWithoutKey: boolean;
}

/** Stands in the table's own definition, where SQLite keeps it: this table is ours to give a key. */
const WITHOUT_KEY = '/* made for events without a key */';

const NATIVE = /^[A-Za-z_][\w ]*(\(\s*\d+\s*(,\s*\d+\s*)?\))?$/;

export async function readTarget(db: Connection, name: string, settings: TargetSettings): Promise<Target | null> {
  if (!name.isWellFormed()) throw brokenText('the name of the table');
  const table = await readTable(db, name);
  if (table === null) return null;
  const unique: Set<string>[] = [];
  if (table.key.length > 0) unique.push(new Set(table.key.map((column) => column.name)));
  const indexes = await db.all<{ name: string }>(
    'SELECT name FROM pragma_index_list(?) WHERE "unique" = 1 AND partial = 0',
    [table.name],
  );
  for (const index of indexes) {
    const columns = await db.all<{ name: string | null }>('SELECT name FROM pragma_index_info(?)', [index.name]);
    if (columns.every((column) => column.name !== null)) unique.push(new Set(columns.map((column) => column.name!)));
  }
  const [definition] = await db.all<{ sql: string | null }>(
    `SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?`,
    [table.name],
  );
  const byName = new Map(table.columns.map((column) => [column.name.toLowerCase(), column]));
  const made = new Map<string, TargetColumn>();
  return {
    table,
    madeWithoutKey: definition?.sql?.includes(WITHOUT_KEY) === true,
    column(wanted, source) {
      const known = made.get(wanted);
      if (known !== undefined) return known;
      const column = byName.get(wanted.toLowerCase());
      if (column === undefined) return undefined;
      const declared = column.kind === 'any' ? source.columns.find((one) => one.name === wanted)?.type : column.kind;
      const kind = settings.kinds.get(wanted) ?? declared ?? 'any';
      const result = { name: column.name, affinity: column.affinity, kind, generated: column.generated };
      made.set(wanted, result);
      return result;
    },
    isUnique: (columns) =>
      unique.some((set) => set.size === columns.length && columns.every((column) => set.has(column))),
  };
}

/** Makes the table with the columns that these rows have, and the key that they are written by. */
export async function createTarget(
  db: Connection,
  name: string,
  rows: readonly Row[],
  key: readonly string[],
  source: SourceColumns,
  settings: TargetSettings,
): Promise<void> {
  const names = [...new Set([...key, ...rows.flatMap((row) => Object.keys(row))])];
  checkNames(name, names);
  const order = new Map(source.columns.map((column, i) => [column.name, i]));
  names.sort((a, b) => (order.get(a) ?? names.length) - (order.get(b) ?? names.length));
  const definitions = names.map((column) => {
    const type = declaredType(column, rows, source, settings);
    return `${quoted(column)}${type === '' ? '' : ` ${type}`}${key.includes(column) ? ' NOT NULL' : ''}`;
  });
  if (key.length > 0) definitions.push(`PRIMARY KEY (${nameList(key)})`);
  const mark = key.length > 0 ? '' : `${WITHOUT_KEY} `;
  await db.exec(`CREATE TABLE ${quoted(name)} (${mark}${definitions.join(', ')})`);
}

/**
 * Gives a table that was made here for events without a key the unique index that one with a key needs: which of them comes
 * first must not decide whether the other can be written.
 * @throws SluiceError E_SINK_WRITE when rows are there that have one key
 */
export async function addKey(db: Connection, target: Target, key: readonly string[]): Promise<void> {
  const { name } = target.table;
  try {
    await db.exec(
      `CREATE UNIQUE INDEX ${quoted(`_sluice_key_${name}_${key.join('_')}`)} ON ${quoted(name)} (${nameList(key)})`,
    );
  } catch (thrown) {
    throw faultOf(thrown) === 'row' ? noUniqueKey(name, key, ', and rows that have the same one') : thrown;
  }
}

/** Adds the columns that the table does not have; true when there were any. */
export async function addColumns(
  db: Connection,
  target: Target,
  names: readonly string[],
  rows: readonly Row[],
  source: SourceColumns,
  settings: TargetSettings,
): Promise<boolean> {
  const has = new Set(target.table.columns.map((column) => column.name.toLowerCase()));
  const missing = names.filter((name) => !has.has(name.toLowerCase()));
  checkNames(target.table.name, missing);
  for (const name of missing) {
    const type = declaredType(name, rows, source, settings);
    await db.exec(
      `ALTER TABLE ${quoted(target.table.name)} ADD COLUMN ${quoted(name)}${type === '' ? '' : ` ${type}`}`,
    );
  }
  return missing.length > 0;
}

// Two names that are no Unicode would become one column.
function checkNames(table: string, columns: readonly string[]): void {
  for (const column of columns)
    if (!column.isWellFormed()) throw brokenText(`the name of a column of table "${table}"`);
}

function declaredType(name: string, rows: readonly Row[], source: SourceColumns, settings: TargetSettings): string {
  const given = settings.kinds.get(name);
  if (given !== undefined) return declaredFor(given);
  const value = firstValue(rows, name);
  const column = source.columns.find((one) => one.name === name);
  if (column === undefined) return declaredByValue(value);
  const { native } = column;
  // A source that knows no types names columns only; and a transform may have made something else of the column: then its
  // value says what the column is.
  if (column.type === 'any' && native === undefined) return declaredByValue(value);
  if (value !== undefined && !isOfKind(column.type, value)) return declaredByValue(value);
  if (native !== undefined && source.native()) {
    if (native === '' || (NATIVE.test(native) && kindOf(native) === column.type)) return native;
    if (NATIVE.test(native) && affinityOf(native) === affinityOf(declaredFor(column.type))) return native;
  }
  return declaredFor(column.type);
}

/** The first value that a row has in this column. Not every row has it: then a name like `constructor` would find an object's own. */
function firstValue(rows: readonly Row[], name: string): Json | undefined {
  return rows.find((row) => Object.hasOwn(row, name) && row[name] !== null)?.[name];
}

function declaredByValue(value: Json | undefined): string {
  if (typeof value === 'string') return 'TEXT';
  if (typeof value === 'boolean') return declaredFor('bool');
  if (typeof value === 'number') return 'NUMERIC';
  return value === undefined || value === null ? '' : declaredFor('jsonb');
}

function isOfKind(kind: ColumnType, value: Json): boolean {
  switch (kind) {
    case 'int':
    case 'float':
      return typeof value === 'number';
    case 'bool':
      return typeof value === 'boolean';
    case 'bigint':
    case 'decimal':
      return typeof value === 'string' && /^[+-]?(\d|\.\d)/.test(value);
    case 'any':
    case 'jsonb':
      return true;
    default:
      return typeof value === 'string';
  }
}
