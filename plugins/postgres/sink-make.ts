// Makes the tables that the sink writes where they are missing, adds the columns that rows bring, and widens those that the source
// has widened.
// Guarantee: a table is only ever made or widened, never narrowed, and nothing is dropped; what the settings forbid is a clear
// rejection of the event, never a value that is silently left out.

import { brokenText, type Column, type ColumnType, type Json, noUniqueKey, type Row, sluiceError } from 'sluice/sdk';
import { quoted } from './connection.ts';
import { faultOf, stateOf } from './sink-faults.ts';
import type { Session } from './sink-session.ts';
import { type SourceColumns, type Target, WITHOUT_KEY } from './sink-target.ts';
import { declaredFor, REFERENCE, TYPE_TEXT, widens } from './sink-types.ts';

export interface MakeSettings {
  readonly autoCreate: boolean;
  readonly autoEvolve: boolean;
  readonly kinds: ReadonlyMap<string, ColumnType>;
}

/** Makes the table with the columns that these rows have, and the key that they are written by. */
export async function createTarget(
  session: Session,
  name: string,
  sql: string,
  rows: readonly Row[],
  key: readonly string[],
  source: SourceColumns,
  settings: MakeSettings,
): Promise<void> {
  const names = [...new Set([...key, ...rows.flatMap((row) => Object.keys(row))])];
  checkNames(name, names);
  const order = new Map(source.columns.map((column, i) => [column.name, i]));
  names.sort((a, b) => (order.get(a) ?? names.length) - (order.get(b) ?? names.length));
  const definitions: string[] = [];
  for (const column of names) {
    const type = await declaredType(session, column, rows, source, settings);
    definitions.push(`${quoted(column)} ${type}${key.includes(column) ? ' not null' : ''}`);
  }
  if (key.length > 0) definitions.push(`primary key (${key.map(quoted).join(', ')})`);
  await session.exec(`create table ${sql} (${definitions.join(', ')})`);
  if (key.length === 0) await session.exec(`comment on table ${sql} is '${WITHOUT_KEY}'`);
}

/**
 * Gives a table that was made here for events without a key the unique index that one with a key needs: which of them comes
 * first must not decide whether the other can be written.
 * @throws SluiceError E_SINK_WRITE when rows are there that have one key
 */
export async function addKey(session: Session, target: Target, key: readonly string[]): Promise<void> {
  try {
    await session.exec(`create unique index on ${target.sql} (${key.map(quoted).join(', ')})`);
  } catch (thrown) {
    throw faultOf(thrown) === 'row' ? noUniqueKey(target.name, key, ', and rows that have the same one') : thrown;
  }
}

/** Adds the columns that the table does not have. True when there were any. */
export async function addColumns(
  session: Session,
  target: Target,
  names: readonly string[],
  rows: readonly Row[],
  source: SourceColumns,
  settings: MakeSettings,
): Promise<boolean> {
  const missing = names.filter((name) => !target.columns.has(name));
  checkNames(target.name, missing);
  for (const name of missing) {
    const type = await declaredType(session, name, rows, source, settings);
    await session.exec(`alter table ${target.sql} add column ${quoted(name)} ${type}`);
  }
  return missing.length > 0;
}

/** Widens the columns whose type at the source takes more now than the table's does. True when there were any. */
export async function widenColumns(session: Session, target: Target, source: SourceColumns): Promise<boolean> {
  let widened = false;
  for (const { name, type, native } of source.columns) {
    const column = target.columns.get(name);
    if (column === undefined || column.generated) continue;
    const wanted = native !== undefined && source.native() ? native : declaredFor(type);
    if (!TYPE_TEXT.test(wanted) || !widens(column.full, wanted)) continue;
    await session.exec(`alter table ${target.sql} alter column ${quoted(name)} type ${wanted}`);
    widened = true;
  }
  return widened;
}

// Two names that are no Unicode would become one column; beyond 63 bytes the server would cut a name.
function checkNames(table: string, columns: readonly string[]): void {
  for (const column of columns) {
    if (!column.isWellFormed()) throw brokenText(`the name of a column of table "${table}"`);
    if (Buffer.byteLength(column) > 63) {
      throw sluiceError('E_SINK_REJECT', {
        message: `the name of a column of table "${table}" is longer than the 63 bytes that PostgreSQL keeps`,
        fix: 'rename the column in a transform',
      });
    }
  }
}

async function declaredType(
  session: Session,
  name: string,
  rows: readonly Row[],
  source: SourceColumns,
  settings: MakeSettings,
): Promise<string> {
  const given = settings.kinds.get(name);
  if (given !== undefined) return declaredFor(given);
  const value = firstValue(rows, name);
  const column = source.columns.find((one) => one.name === name);
  if (column === undefined || column.type === 'any') return declaredByValue(value);
  const native = nativeOf(column, source);
  const usable = native !== null && !REFERENCE.test(native);
  if (usable && (value === undefined || fitsNative(column, value)) && (await isType(session, native))) return native;
  if (value !== undefined && !isOfKind(column.type, value)) return declaredByValue(value); // a transform made something else of it
  if (native?.endsWith('[]') === true) return 'text[]'; // of an enum or composite that is not known here, or of names
  return declaredFor(column.type);
}

/** The first value that a row has in this column. Not every row has it: then a name like `constructor` would find an object's own. */
function firstValue(rows: readonly Row[], name: string): Json | undefined {
  return rows.find((row) => Object.hasOwn(row, name) && row[name] !== null)?.[name];
}

function nativeOf(column: Column, source: SourceColumns): string | null {
  const { native } = column;
  return native !== undefined && source.native() && TYPE_TEXT.test(native) ? native : null;
}

// Enums, composites and ranges are texts in an event; arrays are nested.
function fitsNative({ type, native }: Column, value: Json): boolean {
  return native!.endsWith('[]') ? Array.isArray(value) || typeof value === 'string' : isOfKind(type, value);
}

/** Whether the target's database has a type of this name: enums and composites of the source it may not have. */
async function isType(session: Session, text: string): Promise<boolean> {
  await session.exec('savepoint of_type'); // before PostgreSQL 16 a name that does not parse is an error, and no null
  try {
    const { rows } = await session.query('select to_regtype($1) is not null', [text]);
    await session.exec('release of_type');
    return rows[0]?.[0] === 't';
  } catch (thrown) {
    if (!['42601', '42704', '3F000', '0A000'].includes(stateOf(thrown))) throw thrown;
    await session.exec('rollback to of_type; release of_type');
    return false;
  }
}

function declaredByValue(value: Json | undefined): string {
  if (typeof value === 'boolean') return declaredFor('bool');
  if (typeof value === 'number') return 'numeric';
  return typeof value === 'object' && value !== null ? declaredFor('jsonb') : declaredFor('text');
}

function isOfKind(kind: ColumnType, value: Json): boolean {
  switch (kind) {
    case 'int':
    case 'float':
      return typeof value === 'number' || (kind === 'float' && /^(NaN|-?Infinity)$/.test(String(value)));
    case 'bool':
      return typeof value === 'boolean';
    case 'bigint':
    case 'decimal':
      return typeof value === 'string' && /^([+-]?(\d|\.\d)|NaN|-?Infinity)/.test(value);
    case 'any':
    case 'jsonb':
      return true;
    default:
      return typeof value === 'string';
  }
}
