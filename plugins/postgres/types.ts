// The types of PostgreSQL: which kind of JSON value each becomes, and how the server's text becomes the cell's.
// Guarantees (invariant 6): a value keeps its meaning; a column is of one kind, whatever its values are. The session's settings
// (connection.ts) keep the server's texts in one form. README.md has the table.

import { type ColumnType, cellJson, unsafeNumber } from 'sluice/sdk';
import { arrayJson } from './array-text.ts';

/** What is known of a type: a row of pg_type. */
export interface TypeRow {
  readonly oid: number;
  readonly name: string;
  /** `b` base, `d` domain, `e` enum, `c` composite, `r` range, `m` multirange, `p` pseudo. */
  readonly sort: string;
  /** Of a domain the type below it, of an array the type of its elements, else 0. */
  readonly of: number;
  readonly isArray: boolean;
  readonly delimiter: string;
}

export interface ValueType {
  readonly kind: ColumnType;
  /** From the server's text to the cell's; absent: it is the same. */
  readonly cell?: (text: string) => string;
  /** Nested JSON may hold a number that no double can: such a value is looked at before it goes on. */
  readonly fallible: boolean;
}

const plain = (kind: ColumnType): ValueType => ({ kind, fallible: false });
const made = (kind: ColumnType, cell: (text: string) => string): ValueType => ({ kind, cell, fallible: false });

const TEXT = plain('text');

const BASE: Readonly<Record<string, ValueType>> = {
  bool: made('bool', (text) => (text === 't' ? 'true' : 'false')),
  int2: plain('int'),
  int4: plain('int'),
  oid: plain('int'),
  int8: plain('bigint'),
  float4: plain('float'),
  float8: plain('float'),
  numeric: plain('decimal'),
  bytea: made('bytes', (text) => Buffer.from(text.slice(2), 'hex').toString('base64')),
  date: plain('date'),
  time: plain('time'),
  timetz: plain('time'),
  timestamp: made('timestamp', isoTime),
  timestamptz: made('timestamptz', isoInstant),
  json: plain('json'),
  jsonb: { kind: 'jsonb', fallible: true },
};

/** `2024-02-29 12:00:00.5` with a T; `infinity` and ` BC` stay as they are. */
function isoTime(text: string): string {
  const at = text.indexOf(' ');
  return at < 0 || text.startsWith('BC', at + 1) ? text : `${text.slice(0, at)}T${text.slice(at + 1)}`;
}

/** The session's zone is UTC. */
function isoInstant(text: string): string {
  // nearly all of them
  if (text.charCodeAt(10) === 32 && text.endsWith('+00')) return `${text.slice(0, 10)}T${text.slice(11, -3)}Z`;
  return isoTime(text).replace('+00', 'Z');
}

/** Why a nested value cannot be JSON without losing digits: the number, or null. */
export function unsafeIn(json: string): string | null {
  return unsafeNumber(json);
}

/** What becomes of `jsonb`: nested JSON, or its text as of `json`. */
export type JsonbForm = 'nested' | 'text';

/** The type of a value; what nobody knows, and every type of an extension, is its text. */
export function valueType(oid: number, types: ReadonlyMap<number, TypeRow>, jsonb: JsonbForm): ValueType {
  const row = types.get(oid);
  if (row === undefined) return TEXT;
  if (row.sort === 'd') return valueType(row.of, types, jsonb);
  if (row.isArray) return arrayType(valueType(row.of, types, jsonb), row.delimiter);
  if (row.name === 'jsonb' && jsonb === 'text') return BASE['json']!;
  return row.sort === 'b' ? (BASE[row.name] ?? TEXT) : TEXT;
}

function arrayType(element: ValueType, delimiter: string): ValueType {
  const { kind, cell } = element;
  const json =
    cell === undefined ? (text: string) => cellJson(kind, text) : (text: string) => cellJson(kind, cell(text));
  return { kind: 'jsonb', cell: (text) => arrayJson(text, delimiter, json), fallible: element.fallible };
}
