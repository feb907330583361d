// SQLite goes by the declared type of a column: what kind its values are in an event (DESIGN.md, section 4), and what
// SQLite itself does to a value that is stored there (its affinity).
// Guarantee: a column is of one kind, whatever its rows hold; a value that does not fit is refused elsewhere (cells.ts).

import type { ColumnType } from 'sluice/sdk';

export type Affinity = 'integer' | 'text' | 'none' | 'real' | 'numeric';

/** SQLite's own five rules, in their order (sqlite.org/datatype3.html, section 3.1). */
export function affinityOf(declared: string, strict = false): Affinity {
  const type = declared.toUpperCase();
  if (strict && type === 'ANY') return 'none';
  if (type.includes('INT')) return 'integer';
  if (/CHAR|CLOB|TEXT/.test(type)) return 'text';
  if (type === '' || type.includes('BLOB')) return 'none';
  if (/REAL|FLOA|DOUB/.test(type)) return 'real';
  return 'numeric';
}

const KINDS: readonly (readonly [RegExp, ColumnType])[] = [
  [/^(INTERVAL|POINT)/, 'any'], // SQLite itself takes them for integers, because of the letters I, N, T
  [/JSONB/, 'jsonb'],
  [/JSON/, 'json'],
  [/BOOL/, 'bool'],
  [/DECIMAL|NUMERIC|MONEY|NUMBER/, 'decimal'],
  [/^TIME( |TZ).*ZONE|^TIMETZ/, 'time'],
  [/TIMESTAMPTZ|ZONE/, 'timestamptz'],
  [/DATETIME|TIMESTAMP/, 'timestamp'],
  [/^DATE/, 'date'],
  [/^TIME/, 'time'],
  [/BIG ?INT|INT8|INT64|UNSIGNED BIG/, 'bigint'],
  [/INT/, 'int'],
  [/CHAR|CLOB|TEXT|STRING|UUID|ENUM/, 'text'],
  [/BLOB|BINARY|BYTEA|BYTES|IMAGE/, 'bytes'],
  [/REAL|FLOA|DOUB/, 'float'],
];

/** The kind of a column by its declared type; `any` where there is none or nobody knows it. */
export function kindOf(declared: string): ColumnType {
  const type = declared
    .toUpperCase()
    .replace(/\(.*\)/, '')
    .replace(/\s+/g, ' ')
    .trim();
  for (const [pattern, kind] of KINDS) if (pattern.test(type)) return kind;
  return 'any';
}

const DECLARED: Readonly<Record<ColumnType, string>> = {
  bool: 'BOOLEAN',
  int: 'INTEGER',
  bigint: 'BIGINT',
  float: 'REAL',
  text: 'TEXT',
  bytes: 'BLOB',
  any: '',
  // The word TEXT keeps SQLite from making a number of them, which would cost digits after the fifteenth; the first word
  // says the kind, so that a SQLite source reads the same kind back.
  decimal: 'DECIMAL TEXT',
  date: 'DATE TEXT',
  time: 'TIME TEXT',
  timestamp: 'TIMESTAMP TEXT',
  timestamptz: 'TIMESTAMPTZ TEXT',
  json: 'JSON TEXT',
  jsonb: 'JSONB TEXT',
};

/** The declared type that the sink gives a column of this kind. */
export function declaredFor(kind: ColumnType): string {
  return DECLARED[kind];
}

/** All kinds, for the schemas of configurations. */
export const KIND_NAMES = Object.keys(DECLARED) as readonly ColumnType[];

/** A name as SQL. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
