// Opens the state store's file: made on demand, WAL, every commit synced, its schema brought up to date.
// Guarantee: nothing of the file changes before it is known to be ours and of a version that we know.
// Refuses a database of something else (its path in `state.path` is a slip that must not cost it a table).

import { realpathSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { sluiceError } from '../errors.ts';
import { privateFile, privateFolder } from './private-file.ts';
import { isBusy, stateError } from './sqlite-errors.ts';
import { migrations } from './sqlite-schema.ts';

/** `Slui`, in the header of every state store. */
const APPLICATION_ID = 0x536c7569;

/** How long a statement waits for another process, in ms. Longer than any transaction of ours takes on a slow disk. */
const PATIENCE = 10_000;

// Measured with 500 dead letters of 1.5 KB in a transaction, us per letter: 11 with SQLite's own 4 KiB and 1000 pages, 5.2 with
// these. The log may grow to 32 MiB, which costs some 20 ms of reading after a crash.
const PAGE = 8192;
const LOG_PAGES = 4000;

/** @throws SluiceError E_STATE_OPEN, E_STATE_VERSION, E_STATE_CORRUPT */
export function openDatabase(path: string, patience = PATIENCE): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    privateFolder(path);
    privateFile(path);
    const file = realpathSync(path); // SQLite follows links, and so do the names beside the file
    db = new DatabaseSync(file, { timeout: patience });
    const opened = db;
    whenFree(() => prepare(opened), patience);
    for (const name of [file, `${file}-wal`, `${file}-shm`]) privateFile(name);
    return db;
  } catch (error) {
    db?.close();
    throw stateError(error, 'open');
  }
}

function prepare(db: DatabaseSync): void {
  db.exec('pragma foreign_keys = on; pragma synchronous = full; pragma cell_size_check = on');
  const found = versionOf(db);
  if (found === 0) db.exec(`pragma page_size = ${PAGE}`); // without effect on a file that has pages
  const { journal_mode } = db.prepare('pragma journal_mode = wal').get() as { journal_mode: string };
  if (journal_mode !== 'wal') {
    throw sluiceError('E_STATE_OPEN', {
      message: 'the state store cannot be opened: its file system has no shared memory, which SQLite needs for its log',
      fix: 'put `service.state.path` on a local disk',
      permanent: true,
    });
  }
  db.exec(`pragma wal_autocheckpoint = ${LOG_PAGES}`);
  if (found === migrations.length) return;
  transaction(db, () => {
    const from = versionOf(db); // again, under the lock: another process may have been here
    for (const sql of migrations.slice(from)) db.exec(sql);
    db.exec(`pragma application_id = ${APPLICATION_ID}; pragma user_version = ${migrations.length}`);
  });
}

function versionOf(db: DatabaseSync): number {
  const { tables } = db.prepare('select count(*) as tables from sqlite_schema').get() as { tables: number };
  const { application_id } = db.prepare('pragma application_id').get() as { application_id: number };
  const { user_version } = db.prepare('pragma user_version').get() as { user_version: number };
  if (application_id !== APPLICATION_ID && (tables > 0 || application_id !== 0 || user_version !== 0)) {
    throw sluiceError('E_STATE_OPEN', {
      message: 'the state store cannot be opened: its file is a SQLite database of something else',
      fix: 'set `service.state.path` to a file of its own',
      permanent: true,
    });
  }
  if (user_version > migrations.length) {
    throw sluiceError('E_STATE_VERSION', {
      message: `the state store has version ${user_version}, this Sluice knows up to ${migrations.length}`,
      fix: 'run the newer Sluice that wrote it, or set `service.state.path` to another file',
      permanent: true,
    });
  }
  return user_version;
}

/**
 * One transaction that writes (invariant 5): all of it or nothing. Takes the write lock at its beginning, because one that
 * asks for it half-way may be refused without any waiting.
 */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('begin immediate');
  try {
    const result = work();
    db.exec('commit');
    return result;
  } catch (error) {
    // A full disk has often rolled back already; a second rollback would hide the error that matters.
    if (db.isTransaction) db.exec('rollback');
    throw error;
  }
}

/** Tries again while another process is in the way: SQLite does not wait by itself while a log is opened, recovered or removed. */
export function whenFree<T>(work: () => T, patience = PATIENCE): T {
  const end = performance.now() + patience;
  for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > end) throw error;
      Atomics.wait(sleeper, 0, 0, pause);
    }
  }
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));
