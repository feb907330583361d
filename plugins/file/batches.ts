// Makes a batch of records: `row` (each text is a row) or `event` (each text is a change event).
// Guarantee: the text of a row goes on as it came, and is parsed here only for a key or a time that somebody asks for.

import {
  batchOfText,
  type Column,
  changedKeyOfText,
  type EnvelopeTexts,
  type EventBatch,
  isRow,
  isWholeBeforeText,
  type Json,
  linesOf,
  type Row,
  type SourceInfo,
  sluiceError,
  splitEnvelope,
  textOf,
  toSluiceError,
  type Unreadable,
  unsafeNumber,
} from 'sluice/sdk';
import type { Failure, Records } from './records.ts';

export interface Origin {
  /** The file's name, without its folder. */
  readonly name: string;
  readonly path: string;
  readonly stream: string;
  readonly table: string;
  readonly key: readonly string[] | undefined;
  readonly time: string | undefined;
  /** True when the manifest says that numbers may be rounded. */
  readonly doubles: boolean;
}

/** Ids are made of the offset in the text: the same on every read, from wherever it begins. */
export function rowBatch(records: Records, tag: string, origin: Origin): EventBatch {
  const { texts, offsets, lines, failures } = records;
  const id = (i: number): string => `${tag}:${offsets[i]}`;
  const parsed: ({ readonly key: Row | null; readonly ts: number } | undefined)[] = [];
  const lookInto = (i: number): { readonly key: Row | null; readonly ts: number } =>
    (parsed[i] ??= keyAndTime(textOf(texts[i]!), origin));
  const ts = origin.time === undefined ? () => 0 : (i: number) => lookInto(i).ts;
  const inBytes = (from: number, to: number): readonly Buffer[] | null => {
    for (const i of failures.keys()) if (i >= from && i < to) return null;
    return linesOf(texts, from, to);
  };
  // The key columns are all that is known of the table, and a sink must know them: a row that lacks one belongs to no key,
  // but its table has one.
  const columns = (origin.key ?? []).map((name, at): Column => ({ name, type: 'any', key: at + 1 }));
  const batch = batchOfText({
    length: texts.length,
    bytes: records.bytes,
    typed: origin.doubles,
    readAt: Date.now(),
    columns: (table) => (table === origin.table ? columns : []),
    id,
    op: () => 'c',
    key: origin.key === undefined ? () => null : (i) => lookInto(i).key,
    source: (i) => sourceOf(origin, lines[i]!, ts(i)),
    before: () => null,
    after: (i) => textOf(texts[i]!),
    ...(texts.some((text) => typeof text !== 'string') ? { lines: inBytes } : {}),
    ...unreadableOf(failures, id, origin),
  });
  // The engine asks for table and time of every event: answered without making a `source` for it.
  return { ...batch, table: () => origin.table, ts };
}

export function eventBatch(records: Records, tag: string, origin: Origin): EventBatch {
  const { texts, offsets, lines } = records;
  const failures = new Map(records.failures);
  const events = texts.map((record, i): EnvelopeTexts | null => {
    if (failures.has(i)) return null;
    const text = textOf(record);
    try {
      return splitEnvelope(text);
    } catch (thrown) {
      const error = toSluiceError(thrown, 'E_EVENT_SHAPE');
      const line = lines[i]!;
      failures.set(i, {
        raw: text,
        error: sluiceError(error.code, {
          message: `line ${line}: ${error.message}`,
          ...(error.fix === undefined ? {} : { fix: error.fix }),
          at: { file: origin.path, line },
          cause: error.cause,
        }),
      });
      return null;
    }
  });
  const at = (i: number): EnvelopeTexts => events[i]!;
  // The event's own id wins: it is what the idempotency key of the system it came from was made of.
  const id = (i: number): string => events[i]?.id || `${tag}:${offsets[i]}`;
  return batchOfText({
    length: texts.length,
    bytes: records.bytes,
    typed: origin.doubles,
    readAt: Date.now(),
    id,
    op: (i) => at(i).op,
    key: (i) => at(i).key,
    oldKey: (i) => changedKeyOfText(at(i)),
    source: (i) => {
      if (events[i] === null) return sourceOf(origin, lines[i]!, 0);
      const { source } = at(i);
      return {
        ...source,
        plugin: source.plugin || 'file',
        stream: source.stream || origin.stream,
        db: source.db || origin.name,
      };
    },
    before: (i) => events[i]?.before ?? null,
    after: (i) => events[i]?.after ?? null,
    wholeBefore: (i) => isWholeBeforeText(at(i)),
    transaction: (i) => at(i).transaction,
    headers: (i) => at(i).headers,
    ...unreadableOf(failures, id, origin),
  });
}

function sourceOf(origin: Origin, line: number, ts_ms: number): SourceInfo {
  return { plugin: 'file', stream: origin.stream, db: origin.name, table: origin.table, snapshot: false, ts_ms, line };
}

function unreadableOf(
  failures: ReadonlyMap<number, Failure>,
  id: (i: number) => string,
  origin: Origin,
): { unreadable?: ReadonlyMap<number, Unreadable> } {
  if (failures.size === 0) return {};
  const unreadable = new Map<number, Unreadable>();
  for (const [i, failure] of failures) unreadable.set(i, { id: id(i), ...failure, table: origin.table });
  return { unreadable };
}

const UNKNOWN = { key: null, ts: 0 };

// A row that cannot be parsed, or lacks a column of the key, or holds a number that a double would round, has no key here:
// with a rounded key, two rows would become one. It fails as soon as somebody parses it.
function keyAndTime(text: string, origin: Origin): { readonly key: Row | null; readonly ts: number } {
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch {
    return UNKNOWN;
  }
  if (!isRow(row)) return UNKNOWN;
  const ts = origin.time === undefined ? 0 : timeOf(row[origin.time]);
  if (origin.key === undefined || (!origin.doubles && unsafeNumber(text) !== null)) return { key: null, ts };
  const key: Record<string, Json> = {};
  for (const column of origin.key) {
    const value = Object.hasOwn(row, column) ? row[column] : null;
    if (value === undefined || value === null) return { key: null, ts };
    key[column] = value;
  }
  return { key, ts };
}

const NO_ZONE = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?$/;

/** Milliseconds since 1970, or 0. Text without a zone is UTC: the machine's own zone would give another time elsewhere. */
export function timeOf(value: Json | undefined): number {
  if (typeof value === 'number') return Number.isFinite(value) ? Math.trunc(value) : 0;
  if (typeof value !== 'string') return 0;
  const iso = value.replace(/^(\d{4}-\d\d-\d\d) (?=\d)/, '$1T');
  if (!/^\d{4}-\d\d-\d\d/.test(iso)) return 0;
  const time = Date.parse(NO_ZONE.test(iso) ? `${iso}Z` : iso);
  return Number.isNaN(time) ? 0 : time;
}
