// From a JSON value to the text that a column of the target is given, by the column's own type.
// Guarantee (invariant 6): what PostgreSQL makes of the text means the same. Where the server would change a value without a
// word (a fraction that is rounded to the column's scale, a time of day that a date drops, spaces that varchar cuts off, an
// offset that `timestamp` ignores), the event is rejected with the column's name. What the server refuses itself is left to it.

import { brokenText, type ColumnType, cellValue, isBase64, type Json, type SluiceError, sluiceError } from 'sluice/sdk';
import { survivesSingle } from './single.ts';
import type { TargetColumn } from './sink-types.ts';

/** The value does not fit the column. */
export const UNFIT = Symbol('unfit');

export type Bound = string | null | typeof UNFIT;

const DATE = /^([+-]?\d{4,}-\d\d-\d\d( BC)?|-?infinity)$/;
const TIME = /^\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d){0,2})?$/;
const TIMESTAMP =
  /^(?:[+-]?\d{4,}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.(\d+))?)?)?(Z|[+-]\d\d(?::?\d\d){0,2})?(?: BC)?|-?infinity)$/;
const ZERO_OFFSET = /^(Z|[+-]00(:?00)*)$/;

/** `kind`: what the value is at the source, or what the sink's `columns` says of it. */
export function bind(column: TargetColumn, kind: ColumnType, value: Json | undefined): Bound {
  if (value === null || value === undefined) return null;
  if (column.element !== null) return Array.isArray(value) ? arrayText(column, kind, value) : textFor(column, value);
  return scalar(column.base, column.modifier, kind, value);
}

/** The same of a cell: the text of a value at the source, of the kind of its column there. */
export function bindCell(column: TargetColumn, kind: ColumnType, type: ColumnType, text: string | null): Bound {
  if (text === null) return null;
  const { base, element } = column;
  if (type === 'jsonb' && (base === 'jsonb' || base === 'json')) return text; // as it is, with all its digits
  const json = type === 'int' || type === 'float' || type === 'bool' || type === 'jsonb';
  const number = json && type !== 'bool' && type !== 'jsonb' && NUMBERS.has(base) && element === null;
  return bind(column, kind, json && !number ? cellValue(type, text) : text);
}

const NUMBERS = new Set(['int2', 'int4', 'int8', 'float4', 'float8', 'numeric']);

function scalar(base: string, modifier: readonly number[], kind: ColumnType, value: Json): Bound {
  switch (base) {
    case 'bytea':
      return typeof value === 'string' && isBase64(value)
        ? `\\x${Buffer.from(value, 'base64').toString('hex')}`
        : UNFIT;
    case 'json':
      // a `json` column is the text of its JSON in an event, everything else is the value itself
      return typeof value === 'string' && kind !== 'jsonb' ? wellFormed(value) : JSON.stringify(value);
    case 'jsonb':
      return typeof value === 'string' && kind === 'json' ? wellFormed(value) : JSON.stringify(value);
    case 'bool':
      return typeof value === 'object' ? UNFIT : String(value);
    case 'int2':
    case 'int4':
    case 'int8':
      if (typeof value === 'boolean') return value ? '1' : '0';
      return typeof value === 'object' ? UNFIT : numberText(value);
    case 'numeric':
      if (typeof value !== 'number' && typeof value !== 'string') return UNFIT;
      return modifier.length > 0 && fraction(numberText(value)) > (modifier[1] ?? 0) ? UNFIT : numberText(value);
    case 'float4':
      if (typeof value !== 'number' && typeof value !== 'string') return UNFIT;
      return survivesSingle(Number(value)) ? numberText(value) : UNFIT;
    case 'float8':
      return typeof value === 'number' || typeof value === 'string' ? numberText(value) : UNFIT;
    case 'date':
      return typeof value === 'string' && DATE.test(value) ? value : UNFIT;
    case 'time':
    case 'timetz':
      if (typeof value !== 'string' || !TIME.test(value) || (base === 'time' && /[Z+-]/.test(value))) return UNFIT;
      return fits(modifier, /\.(\d+)/.exec(value)?.[1]) ? value : UNFIT;
    case 'timestamp':
    case 'timestamptz': {
      const found = typeof value === 'string' ? TIMESTAMP.exec(value) : null;
      if (found === null || !fits(modifier, found[1])) return UNFIT;
      // `timestamp` would ignore the offset; UTC is what a time without one is taken for
      if (base === 'timestamp' && found[2] !== undefined && !ZERO_OFFSET.test(found[2])) return UNFIT;
      return value as string;
    }
    case 'varchar':
    case 'bpchar': {
      const text = plainText(value);
      const [most] = modifier;
      return typeof text === 'string' && most !== undefined && text.length > most && [...text].length > most
        ? UNFIT
        : text;
    }
    default:
      return plainText(value);
  }
}

function textFor(column: TargetColumn, value: Json): Bound {
  return typeof value === 'string' ? wellFormed(value) : scalar('text', column.modifier, 'any', value);
}

function plainText(value: Json): Bound {
  if (typeof value === 'string') return wellFormed(value);
  return typeof value === 'number' ? numberText(value) : JSON.stringify(value);
}

function wellFormed(value: string): Bound {
  return value.isWellFormed() ? value : UNFIT;
}

function numberText(value: number | string): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** How many digits after the point matter. By hand: a search for the zeros at the end takes a second of a long run that is not there. */
function fraction(text: string): number {
  const at = text.search(/[eE]/);
  const mantissa = at < 0 ? text : text.slice(0, at);
  const exponent = at < 0 ? 0 : Number(text.slice(at + 1)) || 0;
  const point = mantissa.indexOf('.');
  return Math.max(0, (point < 0 ? 0 : significant(mantissa.slice(point + 1))) - exponent);
}

/** How many digits are left without the zeros at the end. */
function significant(digits: string): number {
  let end = digits.length;
  while (end > 0 && digits.charCodeAt(end - 1) === ZERO) end--;
  return end;
}

const ZERO = 48;

// The server rounds what is finer than a microsecond, or than the column's own digits.
function fits(modifier: readonly number[], digits: string | undefined): boolean {
  return digits === undefined || significant(digits) <= (modifier[0] ?? 6);
}

function arrayText(column: TargetColumn, kind: ColumnType, values: readonly Json[]): Bound {
  const element = column.element!;
  const parts: string[] = [];
  for (const value of values) {
    if (value === null) {
      parts.push('NULL');
      continue;
    }
    const nested = Array.isArray(value) && element !== 'json' && element !== 'jsonb';
    const text = nested
      ? arrayText(column, kind, value)
      : scalar(element, column.modifier, element === 'json' ? 'json' : 'jsonb', value);
    if (text === UNFIT || text === null) return UNFIT;
    parts.push(nested ? text : quotedElement(text));
  }
  return `{${parts.join(column.delimiter)}}`;
}

function quotedElement(text: string): string {
  return `"${/["\\]/.test(text) ? text.replace(/["\\]/g, '\\$&') : text}"`;
}

/** Texts as one parameter of type text[]. */
export function textArray(texts: readonly (string | null)[]): string {
  let all = '{';
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i]!;
    all += `${i === 0 ? '' : ','}${text === null ? 'NULL' : quotedElement(text)}`;
  }
  return `${all}}`;
}

/** Why bind() gave UNFIT for this value. */
export function unfitValue(table: string, column: TargetColumn, value: Json | undefined): SluiceError {
  if (typeof value === 'string' && !value.isWellFormed())
    return brokenText(`column "${column.name}" of table "${table}"`);
  return sluiceError('E_SINK_REJECT', {
    message: `the value for column "${column.name}" of table "${table}" does not fit its type ${column.full}, which would change it`,
    fix: "change the column's type, or the value in a transform",
  });
}
