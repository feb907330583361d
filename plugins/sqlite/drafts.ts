// From drafts to a batch: texts side by side, with nothing made that nobody asks for.

import { basename } from 'node:path';
import {
  batchOfText,
  type Column,
  type EventBatch,
  type Row,
  type SnapshotRange,
  type SourceInfo,
  type Unreadable,
} from 'sluice/sdk';
import type { Draft } from './changes.ts';

export interface BatchNames {
  readonly stream: string;
  /** Of the database; only the file's own name goes into events, never where it is. */
  readonly path: string;
}

export function batchOfDrafts(
  drafts: readonly Draft[],
  columns: ReadonlyMap<string, readonly Column[]>,
  { stream, path }: BatchNames,
  ranges: readonly SnapshotRange[] = [],
): EventBatch {
  const db = basename(path);
  const unreadable = new Map<number, Unreadable>();
  let bytes = 0;
  for (let i = 0; i < drafts.length; i++) {
    const { id, table, unreadable: bad, before, after } = drafts[i]!;
    bytes += 120 + (before?.length ?? 0) + (after?.length ?? 0) + (bad?.raw.length ?? 0);
    if (bad !== undefined) unreadable.set(i, { id, raw: bad.raw, error: bad.error, table });
  }
  const row = (text: string | null): Row | null => (text === null ? null : (JSON.parse(text) as Row));
  const source = (i: number): SourceInfo => {
    const { table, op, ts, seq } = drafts[i]!;
    return { plugin: 'sqlite', stream, db, table, snapshot: op === 'r', ts_ms: ts, ...(seq === null ? {} : { seq }) };
  };
  return batchOfText({
    length: drafts.length,
    bytes,
    typed: true,
    readAt: Date.now(),
    id: (i) => drafts[i]!.id,
    op: (i) => drafts[i]!.op,
    key: (i) => row(drafts[i]!.key),
    oldKey: (i) => row(drafts[i]!.oldKey),
    source,
    before: (i) => drafts[i]!.before,
    after: (i) => drafts[i]!.after,
    columns: (table) => columns.get(table) ?? [],
    ...(unreadable.size > 0 ? { unreadable } : {}),
    ...(ranges.length > 0 ? { ranges } : {}),
  });
}
