// From a stored value to the JSON text of a cell, by the kind of its column, and the SQL that brings the value here whole.
// Guarantee (invariant 6): a value either keeps its meaning or makes its event unreadable; nothing is ever rounded.
// Why SQL: integers come as doubles, so those that may not fit one come as text.

import type { ColumnType } from 'sluice/sdk';
import { type SluiceError, sluiceError, unsafeNumber } from 'sluice/sdk';
import { type Affinity, quoted } from './kinds.ts';

/** What the driver gives for a value. */
export type Raw = string | number | Uint8Array | null;

interface Cell {
  readonly name: string;
  readonly kind: ColumnType;
  readonly affinity: Affinity;
}

const INTEGER = /^-?(0|[1-9]\d*)$/;
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const DATE_OR_TIME = /^([+-]?\d{4,6}-\d\d-\d\d|\d\d:\d\d)/;

/**
 * The expression that selects a value of this column from `ref`. An integer beyond 2^53 comes as text; where the column's
 * JSON is text anyway, every integer does.
 */
export function selected(column: Cell, ref: string): string {
  switch (column.kind) {
    case 'bigint':
    case 'decimal':
    case 'json':
      return `CASE typeof(${ref}) WHEN 'integer' THEN CAST(${ref} AS TEXT) ELSE ${ref} END`;
    case 'text':
      return column.affinity === 'text'
        ? ref
        : `CASE typeof(${ref}) WHEN 'integer' THEN CAST(${ref} AS TEXT) ELSE ${ref} END`;
    case 'jsonb':
      // SQLite's own binary JSON becomes text here; `8` asks whether it is well-formed, or json() would fail the whole read
      return `CASE typeof(${ref}) WHEN 'integer' THEN CAST(${ref} AS TEXT) WHEN 'blob' THEN iif(json_valid(${ref}, 8), json(${ref}), ${ref}) ELSE ${ref} END`;
    case 'int':
    case 'float':
      // As text it fits no number, and the event says so. A column of REAL affinity holds no integers.
      return column.affinity === 'real'
        ? ref
        : `iif(typeof(${ref}) = 'integer' AND ${ref} NOT BETWEEN -9007199254740991 AND 9007199254740991, CAST(${ref} AS TEXT), ${ref})`;
    case 'any':
      // As bytes, because a text would be taken for a text.
      return `iif(typeof(${ref}) = 'integer' AND ${ref} NOT BETWEEN -9007199254740991 AND 9007199254740991, CAST(CAST(${ref} AS TEXT) AS BLOB), ${ref})`;
    default:
      return ref;
  }
}

/** The JSON text of a value, or null when it does not fit the kind of its column. */
export function cellText(kind: ColumnType, value: Raw): string | null {
  if (value === null) return 'null';
  switch (kind) {
    case 'int':
      return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : null;
    case 'float':
    case 'any':
      if (typeof value === 'number') return Number.isFinite(value) ? numberText(value) : null;
      return kind === 'any' && typeof value === 'string' ? JSON.stringify(value) : null;
    case 'bool':
      return value === 1 ? 'true' : value === 0 ? 'false' : null;
    case 'bigint':
      if (typeof value === 'number') return Number.isSafeInteger(value) ? `"${value}"` : null;
      return typeof value === 'string' && INTEGER.test(value) ? `"${value}"` : null;
    case 'decimal':
      if (typeof value === 'number') return Number.isFinite(value) ? `"${numberText(value)}"` : null;
      return typeof value === 'string' && DECIMAL.test(value) ? `"${value}"` : null;
    case 'bytes':
      return value instanceof Uint8Array ? `"${base64(value)}"` : null;
    case 'text':
    case 'json':
      if (typeof value === 'number') return Number.isFinite(value) ? `"${numberText(value)}"` : null;
      return typeof value === 'string' ? JSON.stringify(value) : null;
    case 'jsonb':
      if (typeof value === 'number') return Number.isFinite(value) ? numberText(value) : null;
      return typeof value === 'string' ? nestedText(value) : null;
    default: // dates and times: SQLite has no type for them, their text goes as it is
      return typeof value === 'string' && DATE_OR_TIME.test(value) ? JSON.stringify(value) : null;
  }
}

function numberText(value: number): string {
  return Object.is(value, -0) ? '-0.0' : String(value);
}

// Nested JSON becomes doubles as soon as somebody parses the row, so a number that does not survive that does not fit.
function nestedText(text: string): string | null {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  return unsafeNumber(text) === null ? text : null;
}

/** Reads the cells of one image of a row out of the driver's object. */
export interface RowReader {
  /** JSON text of the row; `unfit` is the first column whose value does not fit, and then `text` is of no use. */
  read(row: Readonly<Record<string, Raw>>): { readonly text: string; readonly unfit: string | null };
  /** JSON text of the key columns, or null without a key, or where a key column is null (such a row has no identity). */
  key(row: Readonly<Record<string, Raw>>): string | null;
  /** True when a text of this row came with replacement characters: it may be no UTF-8 (see isUtf8). */
  suspicious(row: Readonly<Record<string, Raw>>): boolean;
  /** What a dead letter shows of a row that cannot be read. */
  raw(row: Readonly<Record<string, Raw>>): Record<string, string | number | null>;
}

export interface ReaderColumn extends Cell {
  readonly key: number;
}

/** `names[i]` is the name under which the driver gives the value of `columns[i]`. */
export function rowReader(columns: readonly ReaderColumn[], names: readonly string[]): RowReader {
  const prefixes = columns.map((column, i) => `${i === 0 ? '{' : ','}${JSON.stringify(column.name)}:`);
  const keys = columns
    .map((column, i) => ({ column, at: names[i]! }))
    .filter(({ column }) => column.key > 0)
    .sort((a, b) => a.column.key - b.column.key);
  return {
    read(row) {
      let text = '';
      for (let i = 0; i < columns.length; i++) {
        const column = columns[i]!;
        const cell = cellText(column.kind, row[names[i]!] ?? null);
        if (cell === null) return { text: '', unfit: column.name };
        text += prefixes[i]! + cell;
      }
      return { text: `${text}}`, unfit: null };
    },
    key(row) {
      if (keys.length === 0) return null;
      const parts: string[] = [];
      for (const { column, at } of keys) {
        const cell = cellText(column.kind, row[at] ?? null);
        if (cell === null || cell === 'null') return null;
        parts.push(`${JSON.stringify(column.name)}:${cell}`);
      }
      return `{${parts.join(',')}}`;
    },
    suspicious(row) {
      return names.some((name) => {
        const value = row[name];
        return typeof value === 'string' && value.includes('\uFFFD');
      });
    },
    raw(row) {
      return Object.fromEntries(
        columns.map((column, i) => {
          const value = row[names[i]!] ?? null;
          if (value instanceof Uint8Array) return [column.name, `base64:${base64(value)}`];
          return [column.name, typeof value === 'number' && !Number.isFinite(value) ? String(value) : value];
        }),
      );
    },
  };
}

/** The select list for `columns`, and the names that its values get. `refs[i]` is the SQL of column i. */
export function selectList(
  columns: readonly Cell[],
  refs: readonly string[],
  alias: string,
): { sql: string; names: string[] } {
  const names = columns.map((_, i) => `${alias}${i}`);
  const sql = columns.map((column, i) => `${selected(column, refs[i]!)} AS ${names[i]}`).join(', ');
  return { sql, names };
}

/** The refs of plain columns. */
export function columnRefs(columns: readonly { readonly name: string }[], prefix = ''): string[] {
  return columns.map((column) => prefix + quoted(column.name));
}

/** Bytes that a value takes, without reading it: what the limits of a batch count. */
export function sizeSql(refs: readonly string[]): string {
  // In groups, because SQLite counts a long sum as deep, and has a limit on that.
  const groups: string[] = [];
  for (let i = 0; i < refs.length; i += 40) {
    const sizes = refs.slice(i, i + 40).map((ref) => `coalesce(octet_length(${ref}), 0)`);
    groups.push(`(${sizes.join('+')})`);
  }
  return groups.join('+') || '0';
}

export function base64({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('base64');
}

const DECODER = new TextDecoder('utf-8', { fatal: true });

export function isUtf8(bytes: Uint8Array): boolean {
  try {
    DECODER.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

export function unfitError(table: string, column: string, kind: ColumnType | undefined): SluiceError {
  return sluiceError('E_EVENT_VALUE', {
    message: `the value of ${table}.${column} does not fit its column, which is of kind ${kind ?? 'any'}`,
    fix: `declare the column's type, or set \`columns: { "${table}.${column}": <kind> }\` at the source (\`integers: text\` for integers beyond 2^53)`,
  });
}
