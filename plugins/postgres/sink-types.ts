// The types of columns as the sink sees them: what a column of the target takes, and which type one gets that is made here.
// Pure.

import type { ColumnType } from 'sluice/sdk';

/** A column of a target table. Domains are seen as what they stand on; the names of types are those of pg_type. */
export interface TargetColumn {
  readonly name: string;
  /**
   * As SQL, by its own name and without a modifier: `pg_catalog."numeric"`, `shop."my type"`. An explicit cast to it changes no value, which
   * one to `character` or `bit` would: those mean one character, one bit.
   */
  readonly type: string;
  /** As SQL, with its modifier: `numeric(10,2)`. */
  readonly full: string;
  readonly base: string;
  /** The base type of an array's elements; null for everything else. */
  readonly element: string | null;
  readonly delimiter: string;
  /** `n` of varchar(n); precision and scale of a numeric; digits of a second's fraction. */
  readonly modifier: readonly number[];
  /** It follows from other columns and is never written. */
  readonly generated: boolean;
  /** `GENERATED ALWAYS AS IDENTITY`. */
  readonly identity: boolean;
  /** It takes no null and has no default, so that a row without it cannot be inserted. */
  readonly required: boolean;
}

const DECLARED: Readonly<Record<ColumnType, string>> = {
  bool: 'boolean',
  int: 'bigint', // up to 2^53
  bigint: 'bigint',
  float: 'double precision',
  decimal: 'numeric',
  text: 'text',
  bytes: 'bytea',
  date: 'date',
  time: 'time',
  timestamp: 'timestamp',
  timestamptz: 'timestamptz',
  json: 'json',
  jsonb: 'jsonb',
  any: 'text',
};

/** The type that a column of this kind gets where the source has no type of PostgreSQL. */
export function declaredFor(kind: ColumnType): string {
  return DECLARED[kind];
}

/** All kinds, for the schemas of configurations. */
export const KIND_NAMES = Object.keys(DECLARED) as readonly ColumnType[];

/** What may stand for a type in a statement: names, modifiers and brackets, nothing that ends or comments. */
export const TYPE_TEXT = /^[A-Za-z_"][\w ".]*(\(\s*\d+\s*(,\s*-?\d+\s*)?\))?[\w ]*(\[\])*$/;

/** Types whose values name things of the database that they are in (tables, functions, roles): another one need not have them. */
export const REFERENCE =
  /^reg(class|collation|config|database|dictionary|namespace|oper|operator|proc|procedure|role|type)(\[\])*$/;

/** The numbers in the brackets of a type. */
export function modifierOf(full: string): readonly number[] {
  const [, numbers] = /\(([\d, -]+)\)/.exec(full) ?? [];
  return numbers === undefined ? [] : numbers.split(',').map(Number);
}

const WIDTH: readonly (readonly string[])[] = [
  ['smallint', 'integer', 'bigint', 'numeric'],
  ['real', 'double precision'],
];

/** True when every value of `from` has the same meaning in `to`, and `to` takes more. Both as format_type writes them. */
export function widens(from: string, to: string): boolean {
  const plain = (type: string): string => type.replace(/\([\d, -]*\)/, '').trim();
  const [a, b] = [plain(from), plain(to)];
  const [had, wanted] = [modifierOf(from), modifierOf(to)];
  for (const line of WIDTH) {
    if (line.includes(a) && line.includes(b) && a !== b)
      return line.indexOf(b) > line.indexOf(a) && wanted.length === 0;
  }
  if (a === 'character varying' && b === 'text') return true;
  if (a !== b || had.length === 0) return false;
  if (wanted.length === 0) return a !== 'character'; // `character` without a length is one character
  if (a === 'numeric') {
    const [precision = 0, scale = 0] = had;
    const [newPrecision = 0, newScale = 0] = wanted;
    const grows = newPrecision > precision || newScale > scale;
    return grows && newScale >= scale && newPrecision - newScale >= precision - scale;
  }
  return /^(character varying|bit varying|time|timestamp)/.test(a) && wanted[0]! > had[0]!;
}
