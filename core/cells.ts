// Batches of cells: the third way that rows are held, as the texts of their columns, side by side. For databases that send text:
// a sink that binds parameters takes the cells and nobody makes JSON of them; text and objects are made on demand.
//
// A cell is what would stand in the row's JSON, as text: the digits of a number, `true`, the string itself (not quoted), the JSON of a
// nested value. The kind of its column says which. null is null; undefined is absent (a column that did not change and was not sent).

import { type BatchDetails, parseRow } from './batch.ts';
import type { ChangeEvent, Column, ColumnType, EventBatch, Op, SourceInfo } from './event.ts';
import { canonical, type Json, type Row } from './values.ts';

export type Cell = string | null | undefined;

/** What batchOfCells takes: functions of the index, so that nothing is made that nobody asks for. */
export interface CellParts extends Pick<BatchDetails, 'ranges' | 'unreadable'> {
  readonly length: number;
  readonly bytes: number;
  /** When the batch was read, milliseconds since 1970 UTC. */
  readonly readAt: number;
  id(i: number): string;
  op(i: number): Op;
  /** As tableOf gives it: with the schema before it. */
  table(i: number): string;
  ts(i: number): number;
  source(i: number): SourceInfo;
  /** The same array as long as the table's columns are the same. */
  columns(table: string): readonly Column[];
  /** One cell for each column of the table; null: the event has no such row. */
  after(i: number): readonly Cell[] | null;
  before(i: number): readonly Cell[] | null;
  /** after(i)![k], of an event that has such a row: asked for the key's columns, where the rest is not needed. */
  cell?(i: number, k: number): Cell;
  /** None of after(i) is undefined. */
  isWhole?(i: number): boolean;
  /** JSON text of what is no row of a table: `after` of an `s` or `m`. */
  other?(i: number): string | null;
  transaction?(i: number): { readonly id: string; readonly order: number } | undefined;
}

export function batchOfCells(parts: CellParts): EventBatch {
  let events: readonly ChangeEvent[] | undefined;
  const layout = (i: number): Layout => layoutOf(parts.columns(parts.table(i)));
  const isOther = (i: number): boolean => parts.op(i) === 's' || parts.op(i) === 'm';
  const image = (i: number, cells: readonly Cell[] | null): string | null =>
    cells === null ? null : layout(i).text(cells);
  const after = (i: number): string | null => (isOther(i) ? (parts.other?.(i) ?? null) : image(i, parts.after(i)));
  const before = (i: number): string | null => (isOther(i) ? null : image(i, parts.before(i)));
  const key = (i: number): Row | null => {
    const op = parts.op(i);
    if (op === 't' || isOther(i)) return null;
    if (op === 'd') return layout(i).key(parts.before(i), null);
    // the key alone, where all of it is in the row
    const cell = (k: number): Cell => parts.cell?.(i, k);
    return layout(i).keyOf(cell) ?? layout(i).key(parts.after(i), parts.before(i));
  };
  const envelope = (i: number): Omit<ChangeEvent, 'before' | 'after' | 'ts_ms'> => {
    const transaction = parts.transaction?.(i);
    return {
      id: parts.id(i),
      op: parts.op(i),
      key: key(i),
      source: parts.source(i),
      ...(transaction === undefined ? {} : { transaction }),
    };
  };
  return {
    length: parts.length,
    bytes: parts.bytes,
    typed: true,
    ...(parts.ranges === undefined ? {} : { ranges: parts.ranges }),
    ...(parts.unreadable === undefined ? {} : { unreadable: parts.unreadable }),
    id: parts.id,
    op: parts.op,
    table: parts.table,
    ts: parts.ts,
    key,
    oldKey(i) {
      if (parts.op(i) !== 'u') return null;
      const old = parts.before(i);
      if (old === null) return null;
      const is = layout(i);
      const from = is.key(old, null);
      const to = is.key(parts.after(i), old);
      return from === null || to === null || canonical(from) === canonical(to) ? null : from;
    },
    head: (i) => JSON.stringify(envelope(i)),
    before,
    after,
    wholeBefore: (i) => !isOther(i) && (parts.before(i)?.every((cell) => cell !== undefined) ?? false),
    columns: parts.columns,
    cells: (i) => (isOther(i) ? null : parts.after(i)),
    keyText: (i) => layout(i).keyText(parts.cell === undefined ? (k) => parts.after(i)?.[k] : (k) => parts.cell!(i, k)),
    isWhole: parts.isWhole ?? ((i) => parts.after(i)?.includes(undefined) === false),
    events() {
      events ??= Array.from({ length: parts.length }, (_, i) => {
        if (parts.unreadable?.has(i)) return null as unknown as ChangeEvent;
        return {
          ...envelope(i),
          before: parseRow(before(i), parts.id(i)),
          after: parseRow(after(i), parts.id(i)),
          ts_ms: parts.readAt,
        };
      });
      return events;
    },
  };
}

/** The JSON text of a cell. */
export function cellJson(type: ColumnType, cell: string): string {
  switch (type) {
    case 'int':
    case 'bool':
    case 'jsonb':
      return cell;
    case 'float':
      return isNotFinite(cell) ? `"${cell}"` : cell;
    case 'bigint':
    case 'decimal':
    case 'timestamp':
    case 'timestamptz':
      return isPlain(cell) ? `"${cell}"` : JSON.stringify(cell);
    default:
      return JSON.stringify(cell);
  }
}

/** Short, and nothing that JSON escapes: to look is less than to call, for kinds of which nearly all are. */
function isPlain(cell: string): boolean {
  if (cell.length > 40) return false;
  for (let i = 0; i < cell.length; i++) {
    const c = cell.charCodeAt(i);
    if (c < 32 || c > 126 || c === 34 || c === 92) return false;
  }
  return true;
}

/** The JSON value of a cell. */
export function valueOfCell(type: ColumnType, cell: string): Json {
  switch (type) {
    case 'int':
      return Number(cell);
    case 'float':
      return isNotFinite(cell) ? cell : Number(cell);
    case 'bool':
      return cell === 'true';
    case 'jsonb':
      return JSON.parse(cell) as Json;
    default:
      return cell;
  }
}

// `NaN`, `Infinity`, `-Infinity`: JSON has no numbers for them, so they stand as text.
function isNotFinite(cell: string): boolean {
  const last = cell.charCodeAt(cell.length - 1);
  return last === 78 || last === 121;
}

interface Layout {
  /** JSON text of a row; absent cells are left out. */
  text(cells: readonly Cell[]): string;
  /** The key's columns in their order; what is absent in `cells` is taken from `old`. null: no key, or it is not all there. */
  key(cells: readonly Cell[] | null, old: readonly Cell[] | null): Row | null;
  keyOf(cell: (k: number) => Cell): Row | null;
  /** canonical() of that key; null as EventBatch says it. */
  keyText(cell: (k: number) => Cell): string | null;
}

const layouts = new WeakMap<readonly Column[], Layout>();

function layoutOf(columns: readonly Column[]): Layout {
  const known = layouts.get(columns);
  if (known !== undefined) return known;
  const layout = newLayout(columns);
  layouts.set(columns, layout);
  return layout;
}

function newLayout(columns: readonly Column[]): Layout {
  const names = columns.map(({ name }) => `,${JSON.stringify(name)}:`);
  const firstNames = names.map((name) => `{${name.slice(1)}`);
  const types = columns.map(({ type }) => type);
  const keys = columns
    .map((column, at) => ({ column, at }))
    .filter(({ column }) => column.key !== undefined)
    .sort((a, b) => a.column.key! - b.column.key!);
  const keyNames = keys
    .toSorted((a, b) => (a.column.name < b.column.name ? -1 : 1)) // as canonical() has them
    .map(({ column, at }) => ({ name: JSON.stringify(column.name), type: column.type, at }));
  const keyOf = (cell: (k: number) => Cell): Row | null => {
    if (keys.length === 0) return null;
    const values: (readonly [string, Json])[] = [];
    for (const { column, at } of keys) {
      const one = cell(at);
      if (one === null || one === undefined) return null;
      const value = valueOfCell(column.type, one);
      if (keys.length === 1) return { [column.name]: value };
      values.push([column.name, value]);
    }
    return Object.fromEntries(values); // also a column `__proto__`, which an assignment would not make
  };
  return {
    text(cells) {
      let text = '';
      for (let k = 0; k < cells.length; k++) {
        const cell = cells[k];
        if (cell === undefined) continue;
        text += (text === '' ? firstNames[k]! : names[k]!) + (cell === null ? 'null' : cellJson(types[k]!, cell));
      }
      return text === '' ? '{}' : `${text}}`;
    },
    key: (cells, old) => keyOf((at) => cells?.[at] ?? old?.[at]),
    keyOf,
    keyText(cell) {
      let text = '';
      for (const { name, type, at } of keyNames) {
        const one = cell(at);
        if (one === null || one === undefined || !one.isWellFormed()) return null;
        text += `${text === '' ? '{' : ','}${name}:${canonical(valueOfCell(type, one))}`;
      }
      return text === '' ? null : `${text}}`;
    },
  };
}
