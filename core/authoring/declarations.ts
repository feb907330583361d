// Declarations of a stream's rows and events for authors (`sluice types`): a .d.ts that stands alone, so that `row.` and
// `event.after.` complete in an editor, and a column that is not there is an error before anything runs.
// Where the source knows the columns, their types are the types; elsewhere what the captured rows held.

import { tableOf } from '../batch.ts';
import type { Column, ColumnType, SourceInfo } from '../event.ts';
import type { Capture } from '../state/store.ts';
import { isRow, type Row } from '../values.ts';
import { addTo, newShape, propertyName, type Shape, typeOf } from './shapes.ts';

interface Table {
  readonly name: string;
  columns: readonly Column[];
  readonly rows: Shape;
}

/** Types of JSON values by column type (DESIGN.md, section 4). */
const BY_COLUMN: Readonly<Partial<Record<ColumnType, string>>> = {
  bool: 'boolean',
  int: 'number',
  float: 'number',
  bigint: 'string',
  decimal: 'string',
  text: 'string',
  bytes: 'string',
  date: 'string',
  time: 'string',
  timestamp: 'string',
  timestamptz: 'string',
  json: 'string',
};

/** `from`: where the events came from, in words. */
export function declarationsOf(stream: string, captures: readonly Capture[], from: string): string {
  const tables = [...tablesOf(captures).values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const names = namesOf(tables.map((table) => table.name));
  const blocks = tables.map((table, i) => {
    const name = names[i]!;
    return `/** A row of ${comment(table.name)}. */
export interface ${name}Row ${rowType(table)}

export type ${name}Event = RowEvent<${JSON.stringify(shortOf(table.name))}, ${name}Row>;`;
  });
  const guard =
    names.length < 2
      ? ''
      : `
//
// Of several tables, a guard tells which one an event is of:
//
//   const is${names[0]} = (event: Event): event is ${names[0]}Event => event.source.table === ${JSON.stringify(shortOf(tables[0]!.name))};`;
  const union =
    names.length === 0
      ? 'RowEvent<string, { readonly [column: string]: Json }>'
      : names.map((name) => `${name}Event`).join(' | ');
  return `// The rows and events of stream ${comment(stream)}, made by \`sluice types\` from ${comment(from)}.
// Make it again when the source changes. Use it as a type:
//
//   import type { ${names[0] ?? 'Some'}Row, Context } from './<this file>';
//   export default (row: ${names[0] ?? 'Some'}Row, ctx: Context) => ({ ...row });${guard}
//
// Messages (op m) and schema changes (op s) are no rows, and not told apart here.

${blocks.join('\n\n')}

/** Any event of the stream: what \`scope: event\` gets. */
export type Event = ${union};

/** What a function gets beside the row. */
export interface Context<E = Event> {
  readonly event: E;
  readonly log: Log;
}

export interface Log {
  (...values: unknown[]): void;
  debug(...values: unknown[]): void;
  info(...values: unknown[]): void;
  warn(...values: unknown[]): void;
  error(...values: unknown[]): void;
}

/** An event of a table. The old image and the key may hold a part of the columns. */
export type RowEvent<Table extends string, Row> = {
  readonly id: string;
  readonly key: Partial<Row> | null;
  readonly source: Source<Table>;
  readonly transaction?: { readonly id: string; readonly order: number };
  readonly headers?: { readonly [name: string]: string };
} & (
  | { readonly op: 'c' | 'r'; readonly before: null; readonly after: Row }
  | { readonly op: 'u'; readonly before: Partial<Row> | null; readonly after: Row }
  | { readonly op: 'd'; readonly before: Partial<Row> | null; readonly after: null }
  | { readonly op: 't'; readonly before: null; readonly after: null }
);

export interface Source<Table extends string = string> {
  readonly plugin: string;
  readonly stream: string;
  readonly db: string;
  readonly schema?: string;
  readonly table: Table;
  readonly snapshot: boolean;
  readonly ts_ms: number;
  readonly unchanged?: readonly string[];
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
`;
}

function tablesOf(captures: readonly Capture[]): Map<string, Table> {
  const tables = new Map<string, Table>();
  for (const { event, details } of captures) {
    const { op, source, before, after } = JSON.parse(event) as {
      op: string;
      source: SourceInfo;
      before: Row | null;
      after: Row | null;
    };
    if (op === 'm' || op === 's' || op === 't') continue;
    const name = tableOf(source);
    const table = tables.get(name) ?? { name, columns: [], rows: newShape() };
    tables.set(name, table);
    if (details.columns.length > 0) table.columns = details.columns;
    // An old image may be a part of the row: it would make every column one that may be missing.
    if (isRow(after)) addTo(table.rows, after);
    else if (isRow(before) && table.rows.objects === 0) addTo(table.rows, before);
  }
  return tables;
}

// A source may know all columns, some (the key of a file) or none: what else the rows held is added as it was seen.
function rowType({ columns, rows }: Table): string {
  const known = columns.filter((column) => column.type !== 'any');
  const names = new Set(known.map((column) => column.name));
  const fields = known.map((column) => {
    const seen = rows.keys.get(column.name)?.shape;
    const plain = BY_COLUMN[column.type] ?? (seen === undefined ? 'Json' : typeOf(seen, '  '));
    const nullable = column.nullable !== false && column.key === undefined && !/\bnull$|^Json$/.test(plain);
    const native = column.native === undefined ? '' : `  /** ${comment(column.native)} */\n`;
    return `${native}  readonly ${propertyName(column.name)}: ${plain}${nullable ? ' | null' : ''};`;
  });
  for (const [name, { count, shape }] of rows.keys) {
    if (names.has(name)) continue;
    fields.push(`  readonly ${propertyName(name)}${count < rows.objects ? '?' : ''}: ${typeOf(shape, '  ')};`);
  }
  return fields.length === 0 ? '{\n  readonly [column: string]: Json;\n}' : `{\n${fields.join('\n')}\n}`;
}

/** \`public.order_items\` is OrderItems, or PublicOrderItems where that is taken. */
function namesOf(tables: readonly string[]): string[] {
  const short = tables.map((table) => pascal(table.split('.').at(-1)!));
  const names = tables.map((table, i) =>
    short.indexOf(short[i]!) === short.lastIndexOf(short[i]!) ? short[i]! : pascal(table),
  );
  return names.map((name, i) => (names.indexOf(name) === i ? name : `${name}${i + 1}`));
}

function shortOf(table: string): string {
  return table.slice(table.lastIndexOf('.') + 1);
}

function pascal(text: string): string {
  const words = text.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '');
  const name = words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('');
  return /^\p{L}/u.test(name) ? name : `Table${name}`;
}

// Names come from a database: they must not end the comment that they stand in.
function comment(text: string): string {
  return text.replaceAll('*/', '* /').replaceAll(/[\r\n\u2028\u2029]+/g, ' ');
}
