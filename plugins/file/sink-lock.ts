// The lock of a sink's file: an exclusive transaction, held open, on an empty SQLite file beside it, `.<name>.lock`.
// It is the operating system's lock (fcntl), which is freed when its process ends, by SIGKILL too; Node has no other. It cannot
// be on the sink's file itself: the system drops such a lock as soon as the process closes any descriptor of that file.
// The lock file stays when the lock is freed: removing it would race with the next holder.

import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sluiceError } from 'sluice/sdk';

const BUSY = 5;
// A folder that may not be written, a file system without locks: the lock cannot be had, by nobody.
const NO_LOCKS: ReadonlySet<number> = new Set([
  8, // READONLY
  10, // IOERR
  14, // CANTOPEN
]);

/**
 * The folder of `path` must be there. null: locks cannot be had here.
 * @throws SluiceError E_SINK_CONNECT when another process, or another sink in this one, has it
 */
export function lockSinkFile(path: string): Disposable | null {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(lockPath(path), { timeout: 0 });
    db.exec('pragma journal_mode = memory; begin exclusive'); // nothing is ever written: no journal beside it
    const lock = db;
    return { [Symbol.dispose]: () => lock.close() };
  } catch (error) {
    db?.close();
    const code = ((error as { errcode?: number }).errcode ?? 0) & 0xff;
    if (NO_LOCKS.has(code)) return null;
    if (code !== BUSY) throw error;
    throw sluiceError('E_SINK_CONNECT', {
      message: 'another process, or another sink in this one, writes this file',
      fix: 'stop it first, or name another `path`',
      at: { file: path },
      permanent: true,
    });
  }
}

// Two ways to one file must find one lock.
function lockPath(path: string): string {
  let real: string;
  try {
    real = realpathSync(path);
  } catch {
    real = join(realpathSync(dirname(path)), basename(path)); // the file is not there yet
  }
  return join(dirname(real), `.${basename(real)}.lock`);
}
