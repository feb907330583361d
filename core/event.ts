// The change event: what every source makes, every transform maps and every sink writes.
// The shape is Debezium's envelope with JSON values chosen by column type (DESIGN.md, section 4; values.ts has the rules).
// This file holds types only.

import type { SluiceError } from './errors.ts';
import type { Json, Row } from './values.ts';

/** `c` create, `u` update, `d` delete, `r` read (snapshot), `t` truncate, `m` message, `s` schema change. */
export type Op = 'c' | 'u' | 'd' | 'r' | 't' | 'm' | 's';

/** Where an event comes from. Plugins may add fields of their own, in JSON. */
export interface SourceInfo {
  readonly plugin: string;
  readonly stream: string;
  readonly db: string;
  readonly schema?: string;
  readonly table: string;
  readonly snapshot: boolean;
  /** When the change happened at the source: milliseconds since 1970 UTC; 0 where the source knows no times. */
  readonly ts_ms: number;
  /** Columns that are absent from `after` because they did not change and the source did not send them. */
  readonly unchanged?: readonly string[];
  readonly [field: string]: Json | undefined;
}

export interface ChangeEvent {
  /** Stable across redelivery: derived from the position, never random. */
  readonly id: string;
  readonly op: Op;
  /** The primary-key columns, or null for a table without a key. After a key change: the new key. */
  readonly key: Row | null;
  readonly before: Row | null;
  /** The row after the change; for `s` it is `{ columns }`, for `m` the message. */
  readonly after: Row | null;
  readonly source: SourceInfo;
  /** When Sluice read it (milliseconds since 1970 UTC). Guests never see it and comparisons leave it out. */
  readonly ts_ms: number;
  readonly transaction?: { readonly id: string; readonly order: number };
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * The kind of a column, which alone decides how its values are written in JSON:
 * `int` and `float` are numbers, `bool` booleans; `bigint`, `decimal`, `text`, `json`, dates and times are strings;
 * `bytes` is base64; `jsonb` is nested JSON; `any` is a column of a source that knows no types.
 */
export type ColumnType =
  | 'bool'
  | 'int'
  | 'bigint'
  | 'float'
  | 'decimal'
  | 'text'
  | 'bytes'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'timestamptz'
  | 'json'
  | 'jsonb'
  | 'any';

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** The type as the source's own system writes it, for example `numeric(10,2)`. */
  readonly native?: string;
  /** Position in the primary key, from 1; absent for a column outside the key. */
  readonly key?: number;
  readonly nullable?: boolean;
}

/** An event that the source saw and could not read. It stands in the batch in its place, under its id. */
export interface Unreadable {
  readonly id: string;
  /** The bytes as they came, as text (base64 with a `base64:` prefix when they are no UTF-8). */
  readonly raw: string;
  readonly error: SluiceError;
  readonly table?: string;
}

/**
 * A range of a snapshot: before it writes the events of the batch, the sink deletes what lies in it and is not in `keep`
 * (DELIVERY.md, section 6). Keys are in the order of the key's columns; integers are compared as integers, texts by their bytes.
 * Of a table without a key it is the whole table with nothing to keep, in a batch without events: rows that follow take its place.
 */
export interface SnapshotRange {
  readonly table: string;
  /** Keys after this one; null: from the first on. */
  readonly from: readonly Json[] | null;
  /** Up to this one, and with it; null: to the last. */
  readonly to: readonly Json[] | null;
  readonly keep: readonly (readonly Json[])[];
}

/**
 * A run of events with two faces: text (head, before, after: JSON text) and objects (events()).
 * Made by batchOf or batchOfText (batch.ts); the face that the maker did not give is made at most once,
 * on demand, and shared by everyone who holds the batch. Never changed after it is made.
 */
export interface EventBatch {
  readonly length: number;
  /** About how much text the rows are, in bytes: what limits and queues count. */
  readonly bytes: number;
  /** True when values were chosen by column type, so that no number in a row can lose digits when it is parsed. */
  readonly typed: boolean;
  id(i: number): string;
  op(i: number): Op;
  /** The table's name at the source: `source.table`, with its schema before it where there is one (`public.orders`). */
  table(i: number): string;
  /** source.ts_ms of event i. */
  ts(i: number): number;
  key(i: number): Row | null;
  /** The key before a key change, and null for everything else. */
  oldKey(i: number): Row | null;
  /** JSON text of the envelope without `before`, `after` and `ts_ms`. */
  head(i: number): string;
  before(i: number): string | null;
  after(i: number): string | null;
  /** True when `before` is a complete row, not just key columns (what a delete needs to pass through a function). */
  wholeBefore(i: number): boolean;
  columns(table: string): readonly Column[];
  /**
   * The rows `after` of the events [from, to) as bytes: each as one line, in pieces that follow each other (lines.ts). null, or no
   * such function, where one of them is no row to be written (a delete, a truncate …) or the batch does not hold bytes.
   * For whoever passes rows on unread: nothing is decoded. The bytes must not be changed.
   */
  lines?(from: number, to: number): readonly Buffer[] | null;
  /**
   * The row `after` as the texts of its columns (cells.ts), one for each of `columns(table(i))`: undefined is absent. null where there
   * is no such row; no such function where the batch does not hold cells.
   */
  cells?(i: number): readonly (string | null | undefined)[] | null;
  /**
   * Beside `cells`, for whoever goes through thousands of rows before it writes the first: canonical(key(i)) of an event that has
   * such a row, made without the rest of it. null: not that simple (no key, one that is not all in the row, a text that is no
   * well-formed Unicode); then key(i) says more.
   */
  keyText?(i: number): string | null;
  /** Beside `cells`: none of the cells is absent. */
  isWhole?(i: number): boolean;
  readonly ranges?: readonly SnapshotRange[];
  /** By index: the events that the source could not read. Nobody but the engine sees a batch that has any. */
  readonly unreadable?: ReadonlyMap<number, Unreadable>;
  /** @throws SluiceError E_EVENT_PARSE when the text of a row is no JSON object. */
  events(): readonly ChangeEvent[];
}
