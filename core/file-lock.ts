// A lock between processes: an exclusive transaction, held open, on an SQLite file that holds nothing. Exported to plugins.
// It is the operating system's lock (fcntl), which is freed when its process ends, by SIGKILL too; Node has no other.
// The file stays when the lock is freed: removing it would race with the next holder. It must be a file of its own: the system
// drops such a lock as soon as the process closes any descriptor of the file.

import { DatabaseSync } from 'node:sqlite';
import { isBusy } from './state/sqlite-errors.ts';

// Held here as well as by the holder: a connection that is garbage-collected closes, and would free its lock in silence.
const held = new Set<DatabaseSync>();

/**
 * Makes the file where it is missing, and waits for nobody. What it gives frees the lock; freeing it twice does nothing.
 * null: another process, or another holder in this one, has it.
 * @throws SQLite's own error (`errcode`) for anything else: a folder that is not there or may not be written, no locks here
 */
export function tryLockFile(file: string): Disposable | null {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file, { timeout: 0 });
    db.exec('pragma journal_mode = memory; begin exclusive'); // nothing is ever written: no journal beside it
  } catch (error) {
    db?.close();
    if (isBusy(error)) return null;
    throw error;
  }
  const lock = db;
  held.add(lock);
  return {
    [Symbol.dispose]() {
      if (held.delete(lock)) lock.close(); // closing rolls back the empty transaction, which frees the lock
    },
  };
}
