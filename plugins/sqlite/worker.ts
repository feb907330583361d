// The thread of one connection: SQLite waits for disks and locks here, and never holds the engine's own thread.
// Takes one call after the other, in order, and answers each one. Imports nothing of Sluice: it is started by its file's name.

import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { parentPort } from 'node:worker_threads';
import { type Packed, type Param, unpacker } from './packed.ts';

export type Call =
  | { readonly do: 'open'; readonly path: string; readonly create: boolean; readonly busyTimeout: number }
  | { readonly do: 'all' | 'run'; readonly sql: string; readonly params: readonly Param[] }
  | { readonly do: 'exec'; readonly sql: string }
  | { readonly do: 'insert'; readonly sql: InsertSql; readonly piece: Packed; readonly part: number }
  | { readonly do: 'close' };

/** An INSERT of any number of rows: `start`, as many times `(?, …)` as there are rows, `end`. */
export interface InsertSql {
  readonly start: string;
  readonly end: string;
  /** Values of a row. */
  readonly width: number;
}

export interface CallMessage {
  readonly call: number;
  readonly what: Call;
}

export type ReplyMessage =
  | { readonly call: number; readonly value: unknown }
  | { readonly call: number; readonly error: Failure };

/** What of an error crosses the border. `errcode`: SQLite's extended result code. */
export interface Failure {
  readonly message: string;
  readonly code?: string;
  readonly errcode?: number;
}

const MAX_CACHED = 64;
/** Rows of one statement, so that few statements are prepared for whatever number of rows. Measured: more than 64 gain nothing. */
const STEPS = [64, 8, 1];
const MAX_VARIABLES = 32_766;
/** SQLite waits for a lock for so long at once: a thread that waits within it cannot be ended, and the process ends with its threads. */
const LOCK_WAIT_MS = 250;
const BUSY = 5;

// Absent where a test or a type check only loads the module.
if (parentPort !== null) serve(parentPort);

function serve(port: NonNullable<typeof parentPort>): void {
  let db: Opened | null = null;
  const answer = (what: Call): unknown => {
    if (what.do === 'open') {
      db = open(what.path, what.create, what.busyTimeout);
      return undefined;
    }
    if (what.do !== 'close') return db!.answer(what);
    const old = db;
    db = null;
    return old?.close();
  };
  port.on('message', ({ call, what }: CallMessage) => {
    let reply: ReplyMessage;
    try {
      reply = { call, value: answer(what) };
    } catch (thrown) {
      const { message, code, errcode } = thrown as Failure;
      reply = { call, error: { message, code, errcode } as Failure };
    }
    port.postMessage(reply);
  });
}

interface Opened {
  answer(what: Exclude<Call, { do: 'open' | 'close' }>): unknown;
  close(): void;
}

function open(path: string, create: boolean, busyTimeout: number): Opened {
  const url = pathToFileURL(path);
  url.searchParams.set('mode', create ? 'rwc' : 'rw');
  const db = new DatabaseSync(url, {
    timeout: Math.min(busyTimeout, LOCK_WAIT_MS),
    // as SQLite itself has them: triggers and views of the database may have been written for that
    enableForeignKeyConstraints: false,
    enableDoubleQuotedStringLiterals: true,
  });
  const cached = new Map<string, StatementSync>();
  /** The rest of an insert is not done after a failure: SQLite may have ended the transaction that it is of. */
  let failed = -1;

  /** Runs one statement, which does nothing where it has to wait for a lock in vain: again, until `busyTimeout` is over. */
  const patiently = <T>(statement: () => T): T => {
    const end = performance.now() + busyTimeout;
    for (;;) {
      const since = performance.now();
      try {
        return statement();
      } catch (thrown) {
        const now = performance.now();
        // where waiting is of no use (two that would wait for each other), SQLite fails at once
        const waited = now - since > LOCK_WAIT_MS / 2;
        if (((thrown as Failure).errcode ?? 0) !== BUSY || !waited || now >= end) throw thrown;
      }
    }
  };

  const prepared = (sql: string): StatementSync => {
    const known = cached.get(sql);
    if (known !== undefined) {
      cached.delete(sql); // the map's order is the order of use
      cached.set(sql, known);
      return known;
    }
    const statement = db.prepare(sql);
    statement.setReadBigInts(true); // or one integer beyond 2^53 would fail the whole read
    cached.set(sql, statement);
    if (cached.size > MAX_CACHED) cached.delete(cached.keys().next().value!);
    return statement;
  };

  const insert = ({ start, end, width }: InsertSql, piece: Packed): void => {
    const next = unpacker(piece);
    const row = `(${new Array(width).fill('?').join(',')})`;
    let left = piece.rows;
    for (const size of STEPS) {
      if (left < size || (size > 1 && size * width > MAX_VARIABLES)) continue;
      const statement = prepared(start + new Array(size).fill(row).join(',') + end);
      for (; left >= size; left -= size) {
        const values = bound(next(size * width));
        patiently(() => statement.run(...values));
      }
    }
  };

  return {
    answer(what) {
      switch (what.do) {
        case 'exec':
          return patiently(() => db.exec(what.sql));
        case 'run': {
          const values = bound([...what.params]);
          return Number(patiently(() => prepared(what.sql).run(...values)).changes);
        }
        case 'all': {
          const values = bound([...what.params]);
          return patiently(() => prepared(what.sql).all(...values)).map(plainRow);
        }
        case 'insert':
          if (failed === what.part) throw new Error('an earlier part of it failed');
          failed = what.part;
          insert(what.sql, what.piece);
          failed = -1;
      }
    },
    close: () => db.close(),
  };
}

/** Changes the array that it is given. The driver would bind every number as a real. */
function bound(params: Param[]): Param[] {
  for (let i = 0; i < params.length; i++) {
    const value = params[i];
    if (typeof value === 'number' && Number.isSafeInteger(value) && !Object.is(value, -0)) params[i] = BigInt(value);
  }
  return params;
}

/** Integers as numbers, rounded where they are beyond 2^53: whoever needs all digits selects a text. Changes the row. */
function plainRow(row: Record<string, unknown>): Record<string, unknown> {
  for (const name in row) if (typeof row[name] === 'bigint') row[name] = Number(row[name]);
  return row;
}
