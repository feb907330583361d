// The lock of a sink's file: the lock of an empty file beside it, `.<name>.lock`. It cannot be on the sink's file itself: the
// system drops such a lock as soon as the process closes any descriptor of that file.

import { realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { sluiceError, tryLockFile } from 'sluice/sdk';

// SQLite's result codes for a folder that may not be written, a file system without locks: the lock cannot be had, by nobody.
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
  let lock: Disposable | null;
  try {
    lock = tryLockFile(lockPath(path));
  } catch (error) {
    const code = ((error as { errcode?: number }).errcode ?? 0) & 0xff;
    if (NO_LOCKS.has(code)) return null;
    throw error;
  }
  if (lock !== null) return lock;
  throw sluiceError('E_SINK_CONNECT', {
    message: 'another process, or another sink in this one, writes this file',
    fix: 'stop it first, or name another `path`',
    at: { file: path },
    permanent: true,
  });
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
