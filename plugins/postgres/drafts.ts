// What was read and not yet given: drafts say where the bytes of a change lie, and a batch makes cells of them on demand.
// Guarantee: the drafts of one batch know one version of each table's columns.

import {
  batchOfCells,
  type Cell,
  type Column,
  type EventBatch,
  type Op,
  type SluiceError,
  type SnapshotRange,
  type SourceInfo,
  sluiceError,
  type Unreadable,
} from 'sluice/sdk';
import { type Layout, toCells } from './layout.ts';
import { hasUnchanged, readCell, readTuple } from './pgoutput.ts';
import { unsafeIn } from './types.ts';

/** The transaction that a change is of. */
export interface Transaction {
  /** Where it commits, as text: the beginning of its events' ids. */
  readonly lsn: string;
  readonly xid: string;
  readonly ts: number;
}

interface Common {
  /** null: the place of its commit, and its number there. */
  readonly id: string | null;
  readonly op: Op;
  readonly ts: number;
  /** Of a message: its prefix in the place of a table. */
  readonly layout: Layout | null;
  readonly tx: Transaction | null;
  readonly order: number;
}

/** A change, where it lies in the bytes of the stream. */
export interface ChangeDraft extends Common {
  readonly bytes: Buffer;
  readonly oldKind: 'K' | 'O' | null;
  readonly oldAt: number;
  readonly newAt: number;
}

/** A row of a snapshot, as texts of the server. */
export interface RowDraft extends Common {
  readonly texts: (string | null)[];
}

/** A truncate (no JSON), a schema change or a message. */
export interface OtherDraft extends Common {
  readonly json: string | null;
  readonly table: string;
}

export type Draft = ChangeDraft | RowDraft | OtherDraft;

export interface BatchNames {
  readonly stream: string;
  readonly database: string;
}

const NO_COLUMNS: readonly Column[] = [];

/** About how many bytes the rows of a draft are. */
export function draftBytes(draft: Draft, length: number): number {
  return 'json' in draft ? 120 + (draft.json?.length ?? 0) : 80 + length;
}

export function batchOfDrafts(
  drafts: readonly Draft[],
  bytes: number,
  { stream, database }: BatchNames,
  chunk?: { readonly layout: Layout; readonly ranges: readonly SnapshotRange[] },
): EventBatch {
  const columns = new Map<string, readonly Column[]>();
  // a chunk of which no row is left still says by its range which rows are gone
  if (chunk !== undefined) columns.set(chunk.layout.table, chunk.layout.columns);
  const ranges = chunk === undefined || chunk.ranges.length === 0 ? undefined : chunk.ranges;
  const unreadable = new Map<number, Unreadable>();
  let last: Layout | null = null;
  for (let i = 0; i < drafts.length; i++) {
    const draft = drafts[i]!;
    const { layout } = draft;
    if (layout === null) continue;
    if (layout !== last) columns.set(layout.table, layout.columns);
    last = layout;
    if (layout.fallible.length > 0 && !('json' in draft)) {
      const error = unfit(layout, afterOf(draft) ?? beforeOf(draft));
      if (error !== null) unreadable.set(i, { id: idOf(draft), table: layout.table, raw: rawOf(draft), error });
    }
  }
  // Whoever asks for one face of a row asks for another soon: key, then cells.
  let afterAt = -1;
  let afterCells: readonly Cell[] | null = null;
  const after = (i: number): readonly Cell[] | null => {
    if (i !== afterAt) {
      afterCells = afterOf(drafts[i]!);
      afterAt = i;
    }
    return afterCells;
  };
  const table = (i: number): string => {
    const draft = drafts[i]!;
    return 'table' in draft ? draft.table : draft.layout!.table;
  };
  return batchOfCells({
    length: drafts.length,
    bytes,
    readAt: Date.now(),
    ...(ranges === undefined ? {} : { ranges }),
    ...(unreadable.size > 0 ? { unreadable } : {}),
    id: (i) => idOf(drafts[i]!),
    op: (i) => drafts[i]!.op,
    table,
    ts: (i) => drafts[i]!.ts,
    source(i): SourceInfo {
      const draft = drafts[i]!;
      const { layout, tx } = draft;
      const unchanged = unchangedOf(i);
      return {
        plugin: 'postgres',
        stream,
        db: database,
        ...(layout === null ? { table: table(i) } : { schema: layout.schema, table: layout.name }),
        snapshot: draft.op === 'r',
        ts_ms: draft.ts,
        ...(tx === null ? {} : { lsn: tx.lsn }),
        ...(unchanged.length === 0 ? {} : { unchanged }),
      };
    },
    columns: (name) => columns.get(name) ?? NO_COLUMNS,
    after,
    before: (i) => beforeOf(drafts[i]!),
    cell: (i, k) => cellOf(drafts[i]!, k),
    isWhole: (i) => isWhole(drafts[i]!),
    other: (i) => {
      const draft = drafts[i]!;
      return 'json' in draft ? draft.json : null;
    },
    transaction(i) {
      const { tx, order } = drafts[i]!;
      return tx === null ? undefined : { id: tx.xid, order };
    },
  });

  function unchangedOf(i: number): string[] {
    const draft = drafts[i]!;
    if (!('bytes' in draft) || draft.op !== 'u' || !hasUnchanged(draft.bytes, draft.newAt)) return [];
    const cells = after(i) ?? [];
    return draft.layout!.columns.filter((_, k) => cells[k] === undefined).map(({ name }) => name);
  }
}

/** The new row as cells. A value that was not sent is taken from the old tuple, where that has it. */
function afterOf(draft: Draft): readonly Cell[] | null {
  if ('json' in draft) return null;
  const layout = draft.layout!;
  if ('texts' in draft) return toCells(layout, [...draft.texts]);
  if (draft.newAt < 0) return null;
  const count = layout.columns.length;
  const texts = readTuple(draft.bytes, draft.newAt, count);
  if (draft.oldAt >= 0 && texts.includes(undefined)) {
    const old = readTuple(draft.bytes, draft.oldAt, count);
    for (let k = 0; k < count; k++) {
      // of a key tuple only the key's columns are values, all others are null because they are not there
      if (texts[k] === undefined && (draft.oldKind === 'O' || layout.key.includes(k))) texts[k] = old[k];
    }
  }
  return toCells(layout, texts);
}

/** Column k of the new row. */
function cellOf(draft: Draft, k: number): Cell {
  if ('json' in draft) return undefined;
  const text = 'texts' in draft ? draft.texts[k] : readCell(draft.bytes, draft.newAt, k);
  if (text === undefined) return afterOf(draft)?.[k];
  return text === null ? null : (draft.layout!.types[k]!.cell?.(text) ?? text);
}

/** True when every value of the new row is known. */
function isWhole(draft: Draft): boolean {
  if (!('bytes' in draft) || draft.op !== 'u' || !hasUnchanged(draft.bytes, draft.newAt)) return true;
  return afterOf(draft)?.includes(undefined) === false;
}

function idOf({ id, tx, order }: Draft): string {
  return id ?? `${tx!.lsn}:${order}`;
}

/** The old row, or only its key's columns. */
function beforeOf(draft: Draft): readonly Cell[] | null {
  if (!('bytes' in draft) || draft.oldAt < 0) return null;
  const layout = draft.layout!;
  const texts = readTuple(draft.bytes, draft.oldAt, layout.columns.length);
  if (draft.oldKind === 'K') {
    for (let k = 0; k < texts.length; k++) if (!layout.key.includes(k)) texts[k] = undefined;
  }
  return toCells(layout, texts);
}

function unfit(layout: Layout, cells: readonly Cell[] | null): SluiceError | null {
  for (const k of layout.fallible) {
    const cell = cells?.[k];
    if (typeof cell !== 'string' || unsafeIn(cell) === null) continue;
    const { name } = layout.columns[k]!;
    return sluiceError('E_EVENT_VALUE', {
      message: `a number within ${layout.table}.${name} does not survive a double`,
      fix: 'write it as a JSON string at the source, or set `jsonb: text` at the source',
    });
  }
  return null;
}

/** What a dead letter shows of a change that cannot be read. */
function rawOf(draft: Draft): string {
  const cells = afterOf(draft) ?? beforeOf(draft) ?? [];
  const named = draft.layout!.columns.map(({ name }, k) => [name, cells[k] ?? null] as const);
  return JSON.stringify({ op: draft.op, table: draft.layout!.table, row: Object.fromEntries(named) });
}
