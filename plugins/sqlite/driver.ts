// A thin promise wrapper around npm `sqlite3`, which is loaded on first use only.
// Guarantees: statements of one connection run one after the other; a transaction that throws is rolled back; a statement
// is always run to its end (one that is left half-read would hold its read transaction open).
// Refuses: numbers above 2^53 (the driver rounds them both ways: callers go through text, see cells.ts and binds.ts).

import { sluiceError } from 'sluice/sdk';
import type { Database, Statement } from 'sqlite3';

export type Param = string | number | Buffer | null;

export interface Connection {
  all<T>(sql: string, params?: readonly Param[]): Promise<T[]>;
  /** How many rows were changed. */
  run(sql: string, params?: readonly Param[]): Promise<number>;
  /** Several statements, no parameters, no rows. */
  exec(sql: string): Promise<void>;
  close(): Promise<void>;
}

export type Mode = 'read' | 'write' | 'create';

const MAX_CACHED = 64;

/** @throws SluiceError E_PLUGIN_DRIVER when the driver cannot be loaded; the driver's own error when the file cannot be opened */
export async function connect(path: string, mode: Mode, busyTimeout: number): Promise<Connection> {
  const driver = await loadDriver();
  const flags = mode === 'create' ? driver.OPEN_READWRITE | driver.OPEN_CREATE : driver.OPEN_READWRITE;
  const db = await new Promise<Database>((resolve, reject) => {
    const opened: Database = new driver.Database(path, flags | driver.OPEN_FULLMUTEX, (error) =>
      error === null ? resolve(opened) : reject(error),
    );
  });
  db.configure('busyTimeout', busyTimeout);
  const connection = wrap(db);
  // Not OPEN_READONLY: such a connection cannot take away again the two files that a database in WAL mode has beside it.
  if (mode === 'read') await connection.exec('PRAGMA query_only = ON');
  return connection;
}

/** @throws SluiceError E_PLUGIN_DRIVER */
export async function loadDriver(): Promise<typeof import('sqlite3')> {
  try {
    const module = await import('sqlite3');
    return (module as { default?: typeof import('sqlite3') }).default ?? module;
  } catch (error) {
    throw sluiceError('E_PLUGIN_DRIVER', {
      message: 'the driver `sqlite3` cannot be loaded',
      fix: 'run `npm install sqlite3@6.0.1`; where no prebuilt binary can be fetched this needs a C++ compiler and Python',
      cause: error,
    });
  }
}

function wrap(db: Database): Connection {
  const cached = new Map<string, Statement>();

  async function prepared(sql: string): Promise<Statement> {
    const known = cached.get(sql);
    if (known !== undefined) {
      cached.delete(sql); // the map's order is the order of use
      cached.set(sql, known);
      return known;
    }
    const statement = await new Promise<Statement>((resolve, reject) => {
      const made: Statement = db.prepare(sql, (error: Error | null) => (error ? reject(error) : resolve(made)));
    });
    cached.set(sql, statement);
    if (cached.size > MAX_CACHED) {
      const [oldest, old] = cached.entries().next().value!;
      cached.delete(oldest);
      await finalized(old);
    }
    return statement;
  }

  return {
    async all<T>(sql: string, params: readonly Param[] = []) {
      const statement = await prepared(sql);
      return new Promise<T[]>((resolve, reject) => {
        statement.all<T>(params, (error, rows) => (error ? reject(error) : resolve(rows)));
      });
    },
    async run(sql, params = []) {
      const statement = await prepared(sql);
      return new Promise<number>((resolve, reject) => {
        statement.run(params, function (error) {
          if (error) reject(error);
          else resolve(this.changes);
        });
      });
    },
    exec(sql) {
      return new Promise<void>((resolve, reject) => {
        db.exec(sql, (error) => (error ? reject(error) : resolve()));
      });
    },
    async close() {
      for (const statement of cached.values()) await finalized(statement);
      cached.clear();
      await new Promise<void>((resolve, reject) => {
        db.close((error) => (error ? reject(error) : resolve()));
      });
    },
  };
}

function finalized(statement: Statement): Promise<void> {
  return new Promise((resolve) => {
    statement.finalize(() => resolve());
  });
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
