// A connection to a database: `node:sqlite`, which is built in, in a thread of its own (thread.ts).
// Guarantees: statements of one connection run one after the other; a transaction that throws is rolled back; a statement
// is always run to its end (one that is left half-read would hold its read transaction open).
// Integers come as numbers, rounded beyond 2^53: callers go through text (cells.ts), and bind such ones as a bigint (binds.ts).

import type { Packed, Param } from './packed.ts';
import { takeThread } from './thread.ts';
import type { Call, InsertSql } from './worker.ts';

export type { Param } from './packed.ts';

export interface Connection {
  all<T>(sql: string, params?: readonly Param[]): Promise<T[]>;
  /** How many rows were changed. */
  run(sql: string, params?: readonly Param[]): Promise<number>;
  /** Writes many rows, piece by piece: the next one is made while one is written. After a failure none of the rest is written. */
  insert(sql: InsertSql, pieces: Iterable<Packed>): Promise<void>;
  /** Several statements, no parameters, no rows. All are run again where one waited for a lock in vain: only the first may need one. */
  exec(sql: string): Promise<void>;
  close(): Promise<void>;
}

export type Mode = 'read' | 'write' | 'create';

/** @throws SQLite's own error, with its `errcode`, when the file cannot be opened */
export async function connect(path: string, mode: Mode, busyTimeout: number): Promise<Connection> {
  const thread = takeThread();
  try {
    await thread.call({ do: 'open', path, create: mode === 'create', busyTimeout });
  } catch (thrown) {
    thread.free();
    throw thrown;
  }
  let inserts = 0;
  let closed: Promise<void> | null = null;
  /** Once it is closed, its thread may be another connection's: a late statement must not reach that one's database. */
  const call = (what: Call, transfer?: ArrayBuffer[]): Promise<unknown> =>
    closed === null ? thread.call(what, transfer) : Promise.reject(new Error('the connection is closed'));
  const connection: Connection = {
    all: async <T>(sql: string, params: readonly Param[] = []) => (await call({ do: 'all', sql, params })) as T[],
    run: async (sql, params = []) => (await call({ do: 'run', sql, params })) as number,
    async insert(sql, pieces) {
      const part = inserts++;
      const writing: Promise<unknown>[] = [];
      try {
        for (const piece of pieces) writing.push(call({ do: 'insert', sql, piece, part }, [piece.sizes.buffer]));
      } finally {
        await Promise.allSettled(writing);
      }
      await Promise.all(writing); // the first failure is the one that counts
    },
    exec: async (sql) => void (await call({ do: 'exec', sql })),
    close() {
      if (closed !== null) return closed; // its thread is freed once, or two connections would share it
      closed = thread.call({ do: 'close' }).then(() => undefined);
      closed.then(thread.free, thread.free);
      return closed;
    },
  };
  // Not opened read-only: such a connection cannot take away again the two files that a database in WAL mode has beside it.
  if (mode === 'read') {
    try {
      await connection.exec('PRAGMA query_only = ON');
    } catch (thrown) {
      await connection.close();
      throw thrown;
    }
  }
  return connection;
}

/** Runs `work` in one transaction. `read` sees one snapshot of the database; `write` takes the write lock at once. */
export async function inTransaction<T>(db: Connection, kind: 'read' | 'write', work: () => Promise<T>): Promise<T> {
  await db.exec(kind === 'read' ? 'BEGIN' : 'BEGIN IMMEDIATE');
  try {
    const result = await work();
    await db.exec('COMMIT');
    return result;
  } catch (error) {
    // SQLite may have rolled back by itself (a full disk); then this fails and there is nothing left to undo.
    await db.exec('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Lets callers in one after the other: a connection has one transaction, and its statements must not mix. */
export function turns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work, work);
    last = mine.catch(() => undefined);
    return mine;
  };
}

/** Changes with every change of the schema. */
export async function schemaVersion(db: Connection): Promise<number> {
  const [row] = await db.all<{ schema_version: number }>('PRAGMA schema_version');
  return row!.schema_version;
}

/** Changes whenever another connection has committed something; reading it costs almost nothing. */
export async function dataVersion(db: Connection): Promise<number> {
  const [row] = await db.all<{ data_version: number }>('PRAGMA data_version');
  return row!.data_version;
}
