// How batches are made: from objects (batchOf), from text (batchOfText), and from a transform's results (mapBatch); of other
// batches: batch-parts.ts. A plugin takes the face it likes; the other one is made at most once, on demand.
// Guarantee: a batch never changes after it is made, and the text of a row that nobody asked to parse is never parsed.

import type { EnvelopeTexts } from './envelope.ts';
import { sluiceError } from './errors.ts';
import type { ChangeEvent, Column, EventBatch, Op, SnapshotRange, SourceInfo, Unreadable } from './event.ts';
import { changedKey, isWholeBefore } from './images.ts';
import { type Line, linesOf, sizeOf, textOf } from './lines.ts';
import { isRow, type Row } from './values.ts';

const NO_COLUMNS: readonly Column[] = [];

/** What batchOf takes besides the events. */
export interface BatchDetails {
  /** The columns of each table, where the source knows them. */
  readonly columns?: ReadonlyMap<string, readonly Column[]>;
  /** Values were chosen by column type. Default: true, since objects have been through a parser already. */
  readonly typed?: boolean;
  readonly ranges?: readonly SnapshotRange[];
  readonly unreadable?: ReadonlyMap<number, Unreadable>;
}

/** `shop.orders` style name of an event's table: the schema before it where there is one. */
export function tableOf(source: Pick<SourceInfo, 'schema' | 'table'>): string {
  return source.schema === undefined ? source.table : `${source.schema}.${source.table}`;
}

/**
 * A batch of event objects. An unreadable event stands in `events` as null and in `details.unreadable` under its index.
 *
 * @example
 * batchOf([{ id: '7', op: 'c', key: { id: 7 }, before: null, after: { id: 7 }, source, ts_ms: Date.now() }]);
 */
export function batchOf(events: readonly (ChangeEvent | null)[], details: BatchDetails = {}): EventBatch {
  const text: (string | undefined)[] = new Array(events.length);
  const at = (i: number): ChangeEvent => {
    const event = events[i];
    if (event === null || event === undefined) throw new RangeError(`event ${i} of the batch cannot be read`);
    return event;
  };
  const after = (i: number): string | null => {
    const row = at(i).after;
    if (row === null) return null;
    text[i] ??= JSON.stringify(row);
    return text[i];
  };
  let bytes = -1;
  return {
    length: events.length,
    get bytes() {
      if (bytes < 0) {
        bytes = 0;
        for (let i = 0; i < events.length; i++) if (events[i]) bytes += roughSize(events[i]!);
      }
      return bytes;
    },
    typed: details.typed ?? true,
    ...(details.ranges === undefined ? {} : { ranges: details.ranges }),
    ...(details.unreadable === undefined ? {} : { unreadable: details.unreadable }),
    id: (i) => events[i]?.id ?? details.unreadable!.get(i)!.id,
    op: (i) => at(i).op,
    table: (i) => (events[i] ? tableOf(events[i]!.source) : (details.unreadable?.get(i)?.table ?? '')),
    ts: (i) => at(i).source.ts_ms,
    key: (i) => at(i).key,
    oldKey: (i) => changedKey(at(i)),
    head: (i) => JSON.stringify(headOf(at(i))),
    before: (i) => (at(i).before === null ? null : JSON.stringify(at(i).before)),
    after,
    wholeBefore: (i) => isWholeBefore(at(i), details.columns?.get(tableOf(at(i).source))),
    columns: (table) => details.columns?.get(table) ?? NO_COLUMNS,
    events: () => events as readonly ChangeEvent[],
  };
}

/** What batchOfText takes: functions of the index, so that nothing is made that nobody asks for. */
export interface TextParts {
  readonly length: number;
  readonly bytes: number;
  readonly typed: boolean;
  /** When the batch was read, milliseconds since 1970 UTC. */
  readonly readAt: number;
  id(i: number): string;
  op(i: number): Op;
  key(i: number): Row | null;
  oldKey?(i: number): Row | null;
  source(i: number): SourceInfo;
  before(i: number): string | null;
  after(i: number): string | null;
  transaction?(i: number): { readonly id: string; readonly order: number } | undefined;
  headers?(i: number): Readonly<Record<string, string>> | undefined;
  wholeBefore?(i: number): boolean;
  columns?(table: string): readonly Column[];
  lines?(from: number, to: number): readonly Buffer[] | null;
  readonly ranges?: readonly SnapshotRange[];
  readonly unreadable?: ReadonlyMap<number, Unreadable>;
}

/** A batch of texts: rows go as they came, and are parsed only if somebody takes the face of objects. */
export function batchOfText(parts: TextParts): EventBatch {
  let events: readonly ChangeEvent[] | undefined;
  const envelope = (i: number): Omit<ChangeEvent, 'before' | 'after' | 'ts_ms'> => {
    const transaction = parts.transaction?.(i);
    const headers = parts.headers?.(i);
    return {
      id: parts.id(i),
      op: parts.op(i),
      key: parts.key(i),
      source: parts.source(i),
      ...(transaction === undefined ? {} : { transaction }),
      ...(headers === undefined ? {} : { headers }),
    };
  };
  return {
    length: parts.length,
    bytes: parts.bytes,
    typed: parts.typed,
    ...(parts.ranges === undefined ? {} : { ranges: parts.ranges }),
    ...(parts.unreadable === undefined ? {} : { unreadable: parts.unreadable }),
    id: parts.id,
    op: parts.op,
    table: (i) => tableOf(parts.source(i)),
    ts: (i) => parts.source(i).ts_ms,
    key: parts.key,
    oldKey: parts.oldKey ?? (() => null),
    head: (i) => JSON.stringify(envelope(i)),
    before: parts.before,
    after: parts.after,
    wholeBefore: parts.wholeBefore ?? ((i) => parts.before(i) !== null),
    columns: parts.columns ?? (() => NO_COLUMNS),
    ...(parts.lines === undefined ? {} : { lines: parts.lines }),
    events() {
      events ??= Array.from({ length: parts.length }, (_, i) => {
        if (parts.unreadable?.has(i)) return null as unknown as ChangeEvent;
        return {
          ...envelope(i),
          before: parseRow(parts.before(i), parts.id(i)),
          after: parseRow(parts.after(i), parts.id(i)),
          ts_ms: parts.readAt,
        };
      });
      return events;
    },
  };
}

/** A batch of one event that was kept as text (a dead letter), under the id and with the columns that it had. */
export function batchOfEnvelope(
  event: EnvelopeTexts,
  details: { readonly id: string; readonly typed: boolean; readonly columns: readonly Column[] },
): EventBatch {
  const { op, key } = event;
  const before = parseRow(event.before, details.id);
  return batchOfText({
    length: 1,
    bytes: (event.before?.length ?? 0) + (event.after?.length ?? 0),
    typed: details.typed,
    readAt: Date.now(),
    id: () => details.id,
    op: () => op,
    key: () => key,
    oldKey: () => changedKey({ op, key, before }),
    source: () => event.source,
    before: () => event.before,
    after: () => event.after,
    transaction: () => event.transaction,
    headers: () => event.headers,
    wholeBefore: () => isWholeBefore({ key, before }, details.columns),
    columns: (table) => (table === tableOf(event.source) ? details.columns : NO_COLUMNS),
  });
}

/** The results of a transform, as arrays side by side: output j came from input from[j]. */
export interface MappedRows {
  readonly from: Uint32Array;
  readonly before: readonly (string | null)[];
  /** A Line only where the output is a row to be written. */
  readonly after: readonly (string | Line | null)[];
  /** The place of output j among several of one event, from 0; -1 where it is the only one. */
  readonly part: Int32Array;
  /** false: its numbers are texts that nobody has looked at. */
  readonly typed?: boolean;
  /** What a `scope: event` transform changed in the envelope of output j. */
  readonly changed?: ReadonlyMap<
    number,
    { readonly op?: Op; readonly key?: Row | null; readonly headers?: Readonly<Record<string, string>> }
  >;
}

/** The batch of a transform's outputs: envelopes are those of the inputs, rows are the results. Ids get `/i` on fan-out. */
export function mapBatch(input: EventBatch, rows: MappedRows): EventBatch {
  const { from, part, changed } = rows;
  let events: readonly ChangeEvent[] | undefined;
  let bytes = 0;
  let inBytes = false;
  for (let j = 0; j < from.length; j++) {
    const row = rows.after[j] ?? null;
    inBytes ||= typeof row === 'object' && row !== null;
    bytes += (row === null ? 0 : sizeOf(row)) + (rows.before[j]?.length ?? 0);
  }
  const after = (j: number): string | null => {
    const row = rows.after[j] ?? null;
    return row === null ? null : textOf(row);
  };
  const id = (j: number): string => (part[j]! < 0 ? input.id(from[j]!) : `${input.id(from[j]!)}/${part[j]}`);
  const op = (j: number): Op => changed?.get(j)?.op ?? input.op(from[j]!);
  const key = (j: number): Row | null => {
    const own = changed?.get(j)?.key;
    return own === undefined ? input.key(from[j]!) : own;
  };
  const head = (j: number): string => {
    const text = input.head(from[j]!);
    const change = changed?.get(j);
    if (change === undefined && part[j]! < 0) return text;
    return JSON.stringify({ ...(JSON.parse(text) as object), id: id(j), ...change });
  };
  return {
    length: from.length,
    bytes,
    typed: rows.typed ?? true, // most guests' results are doubles already, written by JSON.stringify
    id,
    op,
    table: (j) => input.table(from[j]!),
    ts: (j) => input.ts(from[j]!),
    key,
    oldKey(j) {
      if (changed?.get(j)?.key === undefined) return input.oldKey(from[j]!);
      return changedKey({ op: op(j), key: key(j), before: parseRow(rows.before[j] ?? null, id(j)) });
    },
    head,
    before: (j) => rows.before[j] ?? null,
    after,
    ...(inBytes && changed === undefined ? { lines: (a: number, b: number) => linesOf(rows.after, a, b) } : {}),
    wholeBefore: (j) => input.wholeBefore(from[j]!),
    columns: (table) => input.columns(table),
    ...(input.ranges === undefined ? {} : { ranges: input.ranges }),
    events() {
      events ??= Array.from(from, (_, j) => ({
        ...(JSON.parse(head(j)) as ChangeEvent),
        before: parseRow(rows.before[j] ?? null, id(j)),
        after: parseRow(after(j), id(j)),
        ts_ms: Date.now(),
      }));
      return events;
    },
  };
}

/** The whole envelope of event i as one JSON text: what `format: event` writes and what a dead letter keeps. */
export function envelopeText(batch: EventBatch, i: number): string {
  const head = batch.head(i);
  return `${head.slice(0, -1)},"before":${batch.before(i) ?? 'null'},"after":${batch.after(i) ?? 'null'}}`;
}

/** The text of a row as an object. @throws SluiceError E_EVENT_PARSE */
export function parseRow(text: string | null, id: string): Row | null {
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw sluiceError('E_EVENT_PARSE', { message: `the row of event ${id} is no JSON`, cause: error });
  }
  if (!isRow(value)) throw sluiceError('E_EVENT_PARSE', { message: `the row of event ${id} is no JSON object` });
  return value;
}

function headOf(event: ChangeEvent): Omit<ChangeEvent, 'before' | 'after' | 'ts_ms'> {
  const { before: _before, after: _after, ts_ms: _ts, ...head } = event;
  return head;
}

// Good to a few tens of percent, and cheap: strings by their length, everything else a flat price.
function roughSize(event: ChangeEvent): number {
  return 120 + roughRow(event.before) + roughRow(event.after);
}

function roughRow(row: Row | null): number {
  if (row === null) return 4;
  let size = 2;
  for (const name in row) {
    const value = row[name];
    size += name.length + 4;
    if (typeof value === 'string') size += value.length + 2;
    else if (value !== null && typeof value === 'object') size += JSON.stringify(value).length;
    else size += 8;
  }
  return size;
}
