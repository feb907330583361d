// From a JSON value to what is bound to a column of the target, by the column's own type.
// Guarantee (invariant 6): what SQLite makes of the value when it stores it means the same; where it would not (`007` in a
// column of numbers, a decimal with more digits than a double, half of a surrogate pair, which UTF-8 cannot say and the
// driver would replace), the event is rejected with the column's name.

import { brokenText, type ColumnType, cellValue, isBase64, type Json, type SluiceError, sluiceError } from 'sluice/sdk';
import type { Param } from './driver.ts';
import type { Affinity } from './kinds.ts';

export interface TargetColumn {
  readonly name: string;
  readonly affinity: Affinity;
  /** By the sink's `columns`, else the declared type, else the source's column of that name, else `any`. */
  readonly kind: ColumnType;
  readonly generated: boolean;
}

/** A parameter and the placeholder that it needs. */
export interface Bind {
  readonly sql: '?' | 'CAST(? AS INTEGER)';
  readonly param: Param;
}

const NUMBER_LIKE = /^\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*$/; // what SQLite would take for a number
const INTEGER = /^-?(0|[1-9]\d*)$/;
const INT64 = 2n ** 63n;
const NUMERIC_KINDS: ReadonlySet<ColumnType> = new Set(['int', 'bigint', 'float', 'decimal', 'bool', 'any']);

const plain = (param: Param): Bind => ({ sql: '?', param });
const integer = (text: string): Bind => ({ sql: 'CAST(? AS INTEGER)', param: text });
const unicode = (value: string): Bind | null => (value.isWellFormed() ? plain(value) : null);

/** null when the value does not fit the column. */
export function bind(column: TargetColumn, value: Json | undefined): Bind | null {
  if (value === null || value === undefined) return plain(null);
  if (typeof value === 'boolean') return plain(column.affinity === 'text' ? String(value) : value ? 1 : 0);
  if (typeof value === 'object') return column.kind === 'bytes' ? null : plain(JSON.stringify(value));
  if (typeof value === 'number') {
    if (column.kind === 'bytes') return null;
    if (column.affinity === 'text') return plain(String(value));
    // The driver binds a number beyond 32 bits as a real, and a column without affinity would keep it as one.
    if (column.affinity === 'none' && Number.isSafeInteger(value) && Math.abs(value) >= 2 ** 31)
      return integer(String(value));
    return plain(value);
  }
  if (column.kind === 'bytes') return isBase64(value) ? plain(Buffer.from(value, 'base64')) : null;
  if (column.affinity === 'text') return unicode(value);
  if (column.affinity === 'none') return column.kind === 'bigint' && isInt64(value) ? integer(value) : unicode(value);
  return NUMBER_LIKE.test(value) ? numeric(column, value) : unicode(value);
}

/** The same of a cell: the text of a value at the source, of the kind of its column there. */
export function bindCell(column: TargetColumn, type: ColumnType, text: string | null): Bind | null {
  if (text === null) return plain(null);
  // nested JSON is parsed and written again: its text must be the same whichever way a row came, or it would be another value here
  const asText = type !== 'int' && type !== 'float' && type !== 'bool' && type !== 'jsonb';
  return bind(column, asText ? text : cellValue(type, text));
}

// SQLite will make a number of this text. Whole ones stay text here, since it reads all 64 bits of them.
function numeric(column: TargetColumn, text: string): Bind | null {
  if (INTEGER.test(text) && text !== '-0') {
    if (column.affinity !== 'real' && isInt64(text)) return plain(text);
    const value = Number(text);
    return Number.isFinite(value) && BigInt(value) === BigInt(text) ? plain(value) : null;
  }
  const value = Number(text);
  if (!Number.isFinite(value)) return null;
  if (String(value) === text) return plain(value);
  // `10.50` is 10.5 as a decimal; as a text it is not
  return NUMERIC_KINDS.has(column.kind) && digits(String(value)) === digits(text) ? plain(value) : null;
}

function isInt64(text: string): boolean {
  if (!INTEGER.test(text)) return false;
  if (text.length < 19) return true;
  const value = BigInt(text);
  return value >= -INT64 && value < INT64;
}

/** One text for one decimal number, however it is written. */
function digits(text: string): string {
  const [, sign, whole, fraction = '', exponent = '0'] =
    /^\s*([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?\s*$/.exec(text) ?? [];
  const all = `${whole ?? ''}${fraction}`.replace(/^0+/, '');
  const kept = all.replace(/0+$/, '');
  if (kept === '') return '0';
  const scale = Number(exponent) - fraction.length + (all.length - kept.length);
  return `${sign === '-' ? '-' : ''}${kept}e${scale}`;
}

/** Why bind() gave null for this value. */
export function unfitValue(table: string, column: string, value: Json | undefined): SluiceError {
  if (typeof value === 'string' && !value.isWellFormed()) return brokenText(`column "${column}" of table "${table}"`);
  return sluiceError('E_SINK_REJECT', {
    message: `the value for column "${column}" of table "${table}" does not fit the column's type`,
    fix: "change the column's type (TEXT takes everything), or the value in a transform",
  });
}
