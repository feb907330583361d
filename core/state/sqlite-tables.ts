// The SQLite state store, synchronous: what runs in the worker.
// Guarantees: one call is one transaction (invariant 5), durable when it returns (synchronous=FULL); a call that fails
// leaves nothing behind and the store usable; a checkpoint is verified before it replaces one and whenever it is loaded.

import type { DatabaseSync } from 'node:sqlite';
import { type Checkpoint, unseal } from '../checkpoint.ts';
import { isSluiceError } from '../errors.ts';
import { stateError } from './sqlite-errors.ts';
import { openDatabase, transaction, whenFree } from './sqlite-file.ts';
import { letters } from './sqlite-letters.ts';
import type { Capture, LiveStatus, StoredRequest } from './store.ts';
import {
  captureBytes,
  damagedCheckpoint,
  HISTORY,
  noSuchRequest,
  REQUESTS_KEPT,
  type Tables,
  verified,
} from './tables.ts';
import { parseStored, type WireWrite } from './wire.ts';

export interface SqliteTables extends Tables<WireWrite> {
  /** For tests that fill the disk or hold a lock. */
  readonly db: DatabaseSync;
}

interface RequestRow {
  readonly number: number;
  readonly stream: string;
  readonly type: string;
  readonly body: string;
  readonly status: StoredRequest['status'];
  readonly result: string;
  readonly created_at: string;
}

/** @throws SluiceError E_STATE_OPEN, E_STATE_VERSION, E_STATE_CORRUPT */
export function openTables(path: string, patience?: number): SqliteTables {
  const db = openDatabase(path, patience);
  try {
    return tablesOf(db, patience);
  } catch (error) {
    db.close();
    throw stateError(error, 'open');
  }
}

function tablesOf(db: DatabaseSync, patience?: number): SqliteTables {
  const dead = letters(db);
  const newest = db.prepare('select seq, text from checkpoint where stream = ? order by seq desc limit ?');
  const save = db.prepare(`insert into checkpoint (stream, slot, seq, text) values (?, ?, ?, ?)
    on conflict (stream, slot) do update set seq = excluded.seq, text = excluded.text`);
  const forget = db.prepare('delete from checkpoint where stream = ?');
  const ask = db.prepare('insert into request (stream, type, body, created_at) values (?, ?, ?, ?)');
  const given = db.prepare(`select seq from sqlite_sequence where name = 'request'`);
  const firstGiven = db.prepare(`insert into sqlite_sequence (name, seq) values ('request', ?)`);
  const give = db.prepare(`update sqlite_sequence set seq = ? where name = 'request'`);
  const open = db.prepare(`select number from request where stream = ? and status in ('waiting', 'running')`);
  const next = db.prepare(`select * from request where stream = ? and number > ? and status in ('waiting', 'running')
    order by number limit 1`);
  const one = db.prepare('select * from request where number = ?');
  const prune = db.prepare(`delete from request where number <= ? and status in ('done', 'failed')`);
  const answer = db.prepare('update request set status = ?, result = ? where number = ?');
  const setStatus = db.prepare('insert into status values (?, ?) on conflict do update set text = excluded.text');
  const allStatus = db.prepare('select text from status order by stream');
  const capture = db.prepare(
    'insert into capture (stream, event_id, event, captured_at, details, bytes) values (?, ?, ?, ?, ?, ?)',
  );
  const trim = db.prepare(`delete from capture where stream = ?1 and number in (select number from
    (select number, captured_at, row_number() over newest as nth, sum(bytes) over newest as total
      from capture where stream = ?1 window newest as (order by number desc))
    where nth > ?2 or total > ?3 or captured_at < ?4)`);
  const captured = db.prepare(`select stream, event_id, event, captured_at, details from capture where stream = ?
    order by number desc limit ?`);

  const guarded = <T>(doing: 'read' | 'write', work: () => T): T => {
    try {
      return whenFree(work, patience);
    } catch (error) {
      throw stateError(error, doing);
    }
  };
  const read = <T>(work: () => T): T => guarded('read', work);
  const written = <T>(work: () => T): T => guarded('write', () => transaction(db, work));
  const texts = (stream: string, count: number) =>
    newest.all(stream, count) as unknown as { readonly seq: number; readonly text: string }[];

  return {
    db,

    loadCheckpoint: (stream) =>
      read(() => {
        const [current] = texts(stream, 1);
        if (current === undefined) return null;
        try {
          return unseal(current.text, 'the state store');
        } catch (error) {
          // Never an older one in its place: that would deliver again, and nobody would know.
          throw damagedCheckpoint(stream, intactOf(texts(stream, HISTORY + 1)), error);
        }
      }),

    history: (stream, limit) =>
      read(() =>
        texts(stream, Math.min(limit, HISTORY) + 1)
          .slice(1)
          .map((row) => unseal(row.text, 'the history of the state store')),
      ),

    write: (change) => {
      if (change.checkpoint !== null) verified(change.checkpoint.text);
      written(() => {
        dead.upsert(change.letters);
        if (change.marks.length > 0) dead.mark(change.marks, new Date().toISOString());
        if (change.checkpoint === null) return;
        const { stream, text } = change.checkpoint;
        const seq = (texts(stream, 1)[0]?.seq ?? 0) + 1;
        save.run(stream, seq % (HISTORY + 1), seq, text);
      });
    },

    clearCheckpoint: (stream) =>
      written(() => {
        forget.run(stream);
        dead.restartOrder(stream);
      }),

    listDeadLetters: (filter) => read(() => dead.list(filter)),
    countDeadLetters: (filter) => read(() => dead.count(filter)),
    reviveLetters: (stream, covered) => written(() => dead.revive(stream, covered, new Date().toISOString())),
    restartOrder: (stream) => written(() => dead.restartOrder(stream)),
    inOrder: (stream, ids) => read(() => dead.inOrder(stream, ids)),
    pendingLetters: (stream) => read(() => dead.pending(stream)),
    deadLetterBytes: (stream, place) => read(() => dead.bytes(stream, place)),

    addRequest: ({ stream, type, body }) =>
      written(() => {
        const { lastInsertRowid } = ask.run(stream, type, JSON.stringify(body), new Date().toISOString());
        prune.run(Number(lastInsertRowid) - REQUESTS_KEPT);
        return Number(lastInsertRowid);
      }),
    numberAbove: (stream, covered) =>
      written(() => {
        const last = given.get() as { readonly seq: number } | undefined;
        if ((last?.seq ?? 0) >= covered) return [];
        (last === undefined ? firstGiven : give).run(covered);
        return open.all(stream).map(({ number }) => number as number);
      }),
    nextRequest: (stream, after) => read(() => requestOf(next.get(stream, after))),
    getRequest: (number) => read(() => requestOf(one.get(number))),
    updateRequest: (number, status, result) =>
      written(() => {
        if (answer.run(status, JSON.stringify(result), number).changes === 0) throw noSuchRequest(number);
      }),

    saveStatus: (status) => written(() => void setStatus.run(status.stream, JSON.stringify(status))),
    statuses: () =>
      read(() => allStatus.all().map((row) => parseStored<LiveStatus>(row['text'] as string, 'a live status'))),

    addCaptures: (captures, keep) =>
      written(() => {
        for (const { stream, event_id, event, captured_at, details } of captures) {
          const text = JSON.stringify(details);
          capture.run(stream, event_id, event, captured_at, text, captureBytes(event, text));
        }
        for (const stream of new Set(captures.map((c) => c.stream)))
          trim.run(stream, keep.max_events, keep.max_bytes, keep.since);
      }),
    captures: (stream, limit) =>
      read(() =>
        captured.all(stream, limit).map((row) => {
          const { details, ...rest } = row as unknown as Omit<Capture, 'details'> & { readonly details: string };
          return { ...rest, details: parseStored<Capture['details']>(details, 'a capture') };
        }),
      ),

    close: () => db.close(),
  };
}

function intactOf(rows: readonly { readonly text: string }[]): Checkpoint | undefined {
  for (const { text } of rows) {
    try {
      return unseal(text, 'the history of the state store');
    } catch (error) {
      if (!isSluiceError(error)) throw error;
    }
  }
  return undefined;
}

function requestOf(found: unknown): StoredRequest | null {
  if (found === undefined) return null;
  const row = found as RequestRow;
  const what = `request ${row.number}`;
  return { ...row, body: parseStored(row.body, what), result: parseStored(row.result, what) };
}
