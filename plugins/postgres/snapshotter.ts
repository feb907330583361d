// When chunks are read and given while the stream goes on: one chunk at a time (snapshot.ts says why it is right).
// A table that cannot be read is parked with its reason; the others go on.

import type { Client } from 'pg';
import { type BatchLimits, type Logger, messageOf, type Phase } from 'sluice/sdk';
import { rowsOf } from './connection.ts';
import type { RowDraft } from './drafts.ts';
import type { Frozen } from './frozen.ts';
import type { Layout } from './layout.ts';
import type { Pile } from './pile.ts';
import type { TodoTable } from './position.ts';
import { moveTodo, type Progress, park, position } from './progress.ts';
import type { Published } from './publication.ts';
import {
  type Chunk,
  type ChunkRow,
  comparable,
  type Found,
  isUpTo,
  keyText,
  rangeOf,
  readChunk,
  readWithin,
} from './snapshot.ts';
import { codeOf } from './source-faults.ts';
import type { Table } from './tables.ts';
import type { JsonbForm } from './types.ts';
import { sees, visibilityOf } from './visibility.ts';
import { holdersOf, waitTeller } from './waiting.ts';

export interface SnapshotterParts {
  readonly sql: Client;
  readonly log: Logger;
  readonly jsonb: JsonbForm;
  readonly version: number;
  readonly limits: BatchLimits;
  readonly progress: Progress;
  readonly pile: Pile;
  readonly tables: ReadonlyMap<string, Table>;
  published(): Published | null;
  /** A text: what it would have to wait for. */
  freeze(): Promise<Frozen | string>;
  readonly suspects: Set<bigint>;
  readonly xid: bigint;
}

export interface Touch {
  readonly key: readonly string[] | null;
  readonly oldKey: readonly string[] | null;
  /** The key changed. */
  readonly moved: boolean;
  /** The new row was not sent whole. */
  readonly partial: boolean;
}

export interface Snapshotter {
  /** Near this are the ids of transactions that come. */
  readonly xid: bigint;
  /** A chunk waits for the stream to pass it. */
  readonly waiting: boolean;
  /** When to look again, in ms; null: nothing is to be read. */
  due(): number | null;
  /** Reads the next chunk. */
  read(): Promise<void>;
  /** True when changes of this table that come now are in the chunk that waits. */
  covers(table: string): boolean;
  /** True when changes of this table are to be told to touch(). */
  watches(table: string): boolean;
  touch(layout: Layout, xid: bigint, touch: Touch): void;
  truncated(table: string, xid: bigint): void;
  /** A transaction was streamed. */
  streamed(xid: bigint): void;
  /** Everything up to `lsn` was streamed. */
  passed(lsn: bigint): void;
  /** So many transactions were streamed that those that everybody sees should be forgotten. */
  readonly crowded: boolean;
  /** Forgets them, if they are so many. */
  prune(): Promise<void> | undefined;
  /** Reads the rows of small tables as of the snapshot that the caller's transaction has; what it gives needs no waiting. */
  readNow(): Promise<void>;
  /** While a chunk waits: makes an idle server write its log. */
  help(): Promise<void>;
  /** The chunk that waits is lost with the connection; it is read again. */
  reset(): void;
}

// What a chunk has seen may be in the log and not durable yet (synchronous_commit = off), and only what is durable is streamed. So a
// chunk waits for all of the log. Of an idle server the end of the log is never made durable: reading itself writes there (pages are
// tidied up). A transaction id that is taken, and nothing else, is a commit after all of that, which the server makes durable soon.

/** A chunk that has waited for so long is helped. */
const IDLE_MS = 50;
/** About how much one chunk reads. */
const CHUNK_BYTES = 4 * 1024 * 1024;
const CHUNK_ROWS = 10_000;
/** A chunk of a few rows would spend its time on the way to the server. */
const LEAST_ROWS = 50;
/** So many keys are read again at once. */
const AGAIN = 500;
const MANY_SUSPECTS = 5_000;
const LATER_MS = 20;
/** The stream stands still while a snapshot without a key is tried: not often. */
const FREEZE_AGAIN_MS = 15_000;
const LATEST_MS = 1_000;
const LARGE =
  'it has no primary key, so its rows must be read at once, and they are too many (16 MiB): add one, or set `snapshot: never`, and resume it';

export function newSnapshotter(parts: SnapshotterParts): Snapshotter {
  const { progress, pile, limits, log, suspects } = parts;
  let chunk: Chunk | null = null;
  let { xid } = parts;
  let notBefore = 0;
  let readAt = 0;
  let helped = false;
  let wait = LATER_MS;
  let crowd = MANY_SUSPECTS;
  let freezeAfter = 0;
  let inTheWay = '';
  const held = waitTeller(log, 'reading the rows of tables');
  /** Bytes of a row, by table, as the last chunk had them. */
  const rowBytes = new Map<string, number>();
  /** Whether the chunk's snapshot sees the transaction that is being streamed. */
  let lastXid = -1n;
  let lastSeen = false;

  const newer = (of: bigint): boolean => {
    if (chunk === null) return false;
    if (of !== lastXid) {
      lastXid = of;
      lastSeen = sees(chunk.visible, of);
    }
    return !lastSeen;
  };

  function rowsFor(table: Table): number {
    const known = rowBytes.get(table.table) ?? (table.rows > 0 ? table.size / table.rows : 1_000);
    return Math.max(LEAST_ROWS, Math.min(CHUNK_ROWS, Math.floor(CHUNK_BYTES / Math.max(known, 1))));
  }

  /** Takes a table off the list: parked for a reason, or only its snapshot, as `ends` tells. */
  function drop(
    reason: string | null,
    todo: TodoTable,
    ends = `table ${todo.table} is gone; its rows are not read`,
  ): void {
    pile.close(null);
    if (reason === null) {
      moveTodo(progress, null);
      log.warn({ table: todo.table }, ends);
    } else {
      park(progress, todo.table, reason);
      log.warn({ table: todo.table }, `table ${todo.table} is parked: ${reason}`);
    }
    pile.add({ batch: pile.nothing(), position: position(progress), phase: phase() });
    if (progress.todo.length === 0) log.info({}, 'the rows are read');
  }

  const phase = (): Phase => (progress.todo.length === 0 ? 'streaming' : 'snapshot');

  async function readNext(exported: boolean): Promise<Found | null> {
    const [todo] = progress.todo;
    if (todo === undefined) return null;
    const table = parts.tables.get(todo.table);
    if (table === undefined) return 'gone';
    const few: TodoTable = todo.done === true ? { ...todo, again: (todo.again ?? []).slice(0, AGAIN) } : todo;
    const request = {
      table,
      todo: few,
      published: parts.published()?.tables.get(todo.table),
      version: parts.version,
      jsonb: parts.jsonb,
      rows: rowsFor(table),
      suspects: exported ? null : suspects,
    };
    try {
      return exported ? await readWithin(parts.sql, request) : await readChunk(parts.sql, request);
    } catch (thrown) {
      const code = codeOf(thrown);
      if (code === '55P03') return 'later'; // somebody has locked the table
      if (code === '42P01') return 'gone';
      // A table that refuses to be read is parked; what is wrong with the connection is not the table's fault.
      if (!/^(42|22|0A|XX)/.test(code)) throw thrown;
      // Its own condition (a division by zero): whoever asked for it made the mistake, and the table's changes go on.
      if (todo.where !== undefined) {
        drop(
          null,
          todo,
          `the snapshot of ${todo.table} ends: its rows cannot be read with the condition: ${messageOf(thrown)}`,
        );
        return null;
      }
      const mend = code === '42501' ? '; `sluice check` names the statement that lets the role read them' : '';
      drop(`its rows cannot be read: ${messageOf(thrown)}${mend}`, todo);
      return null;
    }
  }

  /** Rows without a key, as of now. Read anew they are other rows under other numbers, also where some of them were given before. */
  async function readFrozen(): Promise<{ readonly found: Found | null; readonly holder: string | null }> {
    if (performance.now() < freezeAfter) return { found: 'later', holder: inTheWay };
    const made = await parts.freeze();
    if (typeof made === 'string') {
      inTheWay = made;
      freezeAfter = performance.now() + FREEZE_AGAIN_MS;
      return { found: 'later', holder: made };
    }
    await using frozen = made;
    const { after: _, again: __, ...todo } = progress.todo[0]!;
    progress.snapshots++;
    moveTodo(progress, { ...todo, number: progress.snapshots });
    await parts.sql.query('begin transaction isolation level repeatable read, read only');
    try {
      await parts.sql.query(`set transaction snapshot '${frozen.snapshot}'`);
      const found = await readNext(true);
      const isChunk = found !== null && typeof found === 'object';
      return { found: isChunk ? { ...found, until: frozen.at, whole: true } : found, holder: null };
    } finally {
      await parts.sql.query('rollback').catch(() => undefined); // the first error says what is wrong
    }
  }

  /** Gives the rows of a chunk in pieces that keep the limits, each with the position after it. */
  function give(found: Chunk): void {
    pile.close(null);
    const [todo] = progress.todo;
    // Within this chunk's time the table may have been put on the list anew.
    if (todo === undefined || todo.table !== found.todo.table || todo.number !== found.todo.number) return;
    // Rows without a key cannot be told from those that the sinks have of an earlier snapshot: these take their place. In a batch of its
    // own, because one with rows may be written again in parts.
    if (found.layout.key.length === 0 && todo.where === undefined) {
      pile.addRows(found.layout, [], 0, { table: found.layout.table, from: null, to: null, keep: [] });
    }
    // Said with the first piece already: the position after it passes rows that are left out.
    if (found.again.size > 0) moveTodo(progress, { ...todo, again: [...againOf(todo, found).values()] });
    const { rows } = found;
    let total = 0;
    let from = 0;
    let bytes = 0;
    let drafts: RowDraft[] = [];
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at]!;
      const size = rowSize(row);
      total += size;
      if (!found.emptied && !found.touched.has(keyText(row.key))) {
        drafts.push(draftOf(found, row, at));
        bytes += size;
      }
      if (at + 1 < rows.length && (drafts.length >= limits.maxEvents || bytes >= limits.maxBytes)) {
        moveTodo(progress, { ...progress.todo[0]!, ...(todo.done === true ? {} : { after: row.key }) });
        pile.addRows(found.layout, drafts, bytes, rangeOf(found, from, at + 1));
        drafts = [];
        bytes = 0;
        from = at + 1;
      }
    }
    if (rows.length > 0) rowBytes.set(todo.table, total / rows.length);
    moveTodo(progress, nextTodo(found));
    pile.addRows(found.layout, drafts, bytes, rangeOf(found, from, rows.length));
    if (progress.todo.length === 0) {
      log.info({}, 'the rows are read');
      pile.add({ batch: pile.nothing(), position: position(progress), phase: 'streaming' });
    }
  }

  function nextTodo(found: Chunk): TodoTable | null {
    const { again: before = [], ...todo } = progress.todo[0]!;
    const read = new Set((found.todo.done === true ? (found.todo.again ?? []) : []).map(keyText));
    const left = before.filter((key) => !read.has(keyText(key)));
    const again = againOf({ ...todo, again: left }, found);
    const rest = again.size === 0 ? {} : { again: [...again.values()] };
    if (!found.last) return { ...todo, after: found.rows.at(-1)!.key, ...rest };
    return again.size === 0 ? null : { ...todo, done: true, ...rest };
  }

  /** By keyText, so that each key stands there once. */
  function againOf(todo: TodoTable, found: Chunk): Map<string, readonly string[]> {
    return new Map([...(todo.again ?? []).map((key) => [keyText(key), key] as const), ...found.again]);
  }

  function draftOf({ layout, todo }: Chunk, row: ChunkRow, at: number): RowDraft {
    const key = layout.key.length === 0 ? `#${at}` : JSON.stringify(row.values);
    const id = `${progress.origin}:s${todo.number}:${layout.table}:${key}`;
    return { id, op: 'r', ts: progress.since, layout, tx: null, order: 0, texts: row.texts };
  }

  const snapshotter: Snapshotter = {
    get xid() {
      return xid;
    },
    get waiting() {
      return chunk !== null;
    },
    due() {
      if (chunk !== null || progress.todo.length === 0) return null;
      return Math.max(0, notBefore - performance.now());
    },
    async read() {
      lastXid = -1n;
      let holder: string | null = null;
      let found = await readNext(false);
      if (found === 'keyless') ({ found, holder } = await readFrozen());
      if (found === null) return;
      if (found === 'gone') return drop(null, progress.todo[0]!);
      if (found === 'large' || found === 'keyless') return drop(LARGE, progress.todo[0]!);
      if (found === 'later') {
        const { table } = progress.todo[0]!;
        const known = holder;
        const [first, ...rest] = progress.todo;
        if (known !== null) progress.todo = [...rest, first!]; // the others need not wait for it
        await held.waits(async () => {
          if (known !== null) return known;
          return suspects.size > 0
            ? await holdersOf(parts.sql, suspects)
            : `a lock that another session has on table ${table}`;
        });
        notBefore = performance.now() + wait;
        wait = Math.min(wait * 2, LATEST_MS);
        return;
      }
      held.over();
      wait = LATER_MS;
      xid = found.visible.xmax;
      chunk = found;
      readAt = performance.now();
      helped = false;
    },
    covers: (table) => chunk?.whole === true && chunk.todo.table === table,
    watches: (table) => progress.todo.length > 0 && progress.todo.some((todo) => todo.table === table),
    touch(layout, of, { key, oldKey, moved, partial }) {
      if (chunk?.todo.table === layout.table && newer(of)) {
        if (oldKey !== null) chunk.touched.set(keyText(oldKey), oldKey);
        if (key !== null) {
          chunk.touched.set(keyText(key), key);
          if (partial) chunk.again.set(keyText(key), key);
        }
      }
      // The row moved with a value that was not sent: where the old row was never given, nobody has that value.
      if (!moved || !partial || key === null || oldKey === null) return;
      progress.todo = progress.todo.map((todo) => {
        if (todo.table !== layout.table || isGiven(layout, todo, oldKey)) return todo;
        const again = (todo.again ?? []).filter((other) => keyText(other) !== keyText(key));
        return { ...todo, again: [...again, key] };
      });
    },
    truncated(table, of) {
      if (chunk?.todo.table === table && newer(of)) chunk.emptied = true;
    },
    streamed(of) {
      suspects.add(of);
    },
    passed(lsn) {
      if (chunk === null || lsn < chunk.until) return;
      const found = chunk;
      chunk = null;
      give(found);
    },
    get crowded() {
      return suspects.size >= crowd;
    },
    prune() {
      return suspects.size < crowd ? undefined : forget();
    },
    async readNow() {
      const found = await readNext(true);
      if (found === 'gone') drop(null, progress.todo[0]!);
      else if (found === 'large' || found === 'keyless') drop(LARGE, progress.todo[0]!);
      else if (found !== null && found !== 'later') give(found);
    },
    async help() {
      if (chunk === null || helped || performance.now() - readAt < IDLE_MS) return;
      helped = true;
      await parts.sql.query('select pg_current_xact_id()');
    },
    reset() {
      chunk = null;
    },
  };
  return snapshotter;

  async function forget(): Promise<void> {
    const [[text] = []] = await rowsOf(parts.sql, 'select pg_current_snapshot()');
    const visible = visibilityOf(text!);
    xid = visible.xmax;
    for (const one of suspects) if (sees(visible, one)) suspects.delete(one);
    crowd = suspects.size + MANY_SUSPECTS; // those that are left may stay for long
  }
}

/** True when the snapshot has given the row with this key, as far as that can be told. */
function isGiven(layout: Layout, { after, done, again }: TodoTable, key: readonly string[]): boolean {
  if (again?.some((other) => keyText(other) === keyText(key)) === true) return false;
  if (done === true) return true;
  return after !== undefined && comparable(layout) && isUpTo(layout, key, after);
}

function rowSize({ texts }: ChunkRow): number {
  let size = 80;
  for (const text of texts) size += text?.length ?? 0;
  return size;
}
