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

const NUMBER_LIKE = /^\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*$/; // what SQLite would take for a number
const INTEGER = /^-?(0|[1-9]\d*)$/;
const SHORT_INTEGER = /^(0|-?[1-9]\d{0,14})$/;
const INT64 = 2n ** 63n;
const NUMERIC_KINDS: ReadonlySet<ColumnType> = new Set(['int', 'bigint', 'float', 'decimal', 'bool', 'any']);

const unicode = (value: string): string | undefined => (value.isWellFormed() ? value : undefined);

/** undefined when the value does not fit the column. */
export function bind(column: TargetColumn, value: Json | undefined): Param | undefined {
  if (value === null || value === undefined) return null;
  if (typeof value === 'boolean') return column.affinity === 'text' ? String(value) : value ? 1 : 0;
  if (typeof value === 'object') return column.kind === 'bytes' ? undefined : JSON.stringify(value);
  if (typeof value === 'number') {
    if (column.kind === 'bytes') return undefined;
    return column.affinity === 'text' ? String(value) : value;
  }
  if (column.kind === 'bytes') return isBase64(value) ? bytesOf(value) : undefined;
  if (column.affinity === 'text') return unicode(value);
  if (column.affinity === 'none') return column.kind === 'bigint' && isInt64(value) ? BigInt(value) : unicode(value);
  return NUMBER_LIKE.test(value) ? numeric(column, value) : unicode(value);
}

/** The same for the cells of a column: the texts of its values at the source, where it is of this kind. */
export function cellBinder(column: TargetColumn, type: ColumnType): (text: string) => Param | undefined {
  switch (type) {
    case 'bool':
    case 'float':
    case 'jsonb':
      // nested JSON is parsed and written again: its text must be the same whichever way a row came, or it would be another value here
      return (text) => bind(column, cellValue(type, text));
    case 'int':
    case 'bigint':
    case 'decimal':
      if (column.affinity !== 'integer' || column.kind === 'bytes') break;
      // what SQLite makes of such a text is that number
      return (text) => (SHORT_INTEGER.test(text) ? text : bind(column, type === 'int' ? cellValue(type, text) : text));
    default:
      if (column.affinity === 'text' && column.kind !== 'bytes') return unicode;
  }
  return type === 'int' ? (text) => bind(column, cellValue(type, text)) : (text) => bind(column, text);
}

/** In a buffer of its own: small ones lie in one that they share, and all of it would go to the other thread. */
function bytesOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, 'base64'));
}

// SQLite will make a number of this text. Whole ones stay text here, since it reads all 64 bits of them.
function numeric(column: TargetColumn, text: string): Param | undefined {
  if (INTEGER.test(text) && text !== '-0') {
    if (column.affinity !== 'real' && isInt64(text)) return text;
    const value = Number(text);
    return Number.isFinite(value) && BigInt(value) === BigInt(text) ? value : undefined;
  }
  const value = Number(text);
  if (!Number.isFinite(value)) return undefined;
  if (String(value) === text) return value;
  // `10.50` is 10.5 as a decimal; as a text it is not
  return NUMERIC_KINDS.has(column.kind) && digits(String(value)) === digits(text) ? value : undefined;
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

/** Why nothing can be bound for this value. */
export function unfitValue(table: string, column: string, value: Json | undefined): SluiceError {
  if (typeof value === 'string' && !value.isWellFormed()) return brokenText(`column "${column}" of table "${table}"`);
  return sluiceError('E_SINK_REJECT', {
    message: `the value for column "${column}" of table "${table}" does not fit the column's type`,
    fix: "change the column's type (TEXT takes everything), or the value in a transform",
  });
}
