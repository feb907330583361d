// The lock of a stream: the lock (../file-lock.ts) of a small file of its own beside the state store.
// It is held by the engine's own thread and not by the store's worker: if that worker died, the lock must not go with it
// while the engine is still writing.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { sluiceError } from '../errors.ts';
import { tryLockFile } from '../file-lock.ts';
import { privateFile } from './private-file.ts';
import { isBusy, stateError } from './sqlite-errors.ts';

/** How long somebody else may have it before it counts as held, in ms: a look of isLocked() takes it for an instant. */
const PATIENCE = 300;

/** @throws SluiceError E_STATE_LOCKED when another process, or another holder in this one, has it; E_STATE_OPEN */
export async function lockStream(store: string, stream: string): Promise<AsyncDisposable & { readonly file: string }> {
  const file = lockFile(store, stream);
  const end = performance.now() + PATIENCE;
  for (;;) {
    const lock = tryLock(file, store);
    if (lock !== null) {
      return {
        file,
        async [Symbol.asyncDispose]() {
          lock[Symbol.dispose]();
        },
      };
    }
    if (performance.now() > end) throw lockedError(stream);
    await sleep(20);
  }
}

/** Asks for a reader's lock for an instant, which nothing but the holder's can refuse and which does not disturb it. */
export function isStreamLocked(store: string, stream: string): boolean {
  const file = lockFile(store, stream);
  if (!existsSync(file)) return false;
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file, { readOnly: true, timeout: 0 });
    db.exec('select count(*) from sqlite_schema');
    return false;
  } catch (error) {
    if (isBusy(error)) return true;
    throw stateError(error, 'open');
  } finally {
    db?.close();
  }
}

export function lockedError(stream: string, pid?: number) {
  return sluiceError('E_STATE_LOCKED', {
    message: `stream ${stream} is run by another process${pid === undefined ? '' : ` (its status was last written by process ${pid})`}`,
    fix: 'stop it first, or leave the work to it',
    permanent: true,
  });
}

function tryLock(file: string, store: string): Disposable | null {
  try {
    privateFile(file, store);
    return tryLockFile(file);
  } catch (error) {
    throw stateError(error, 'open');
  }
}

// A hash, since a stream's id may hold what a file name may not.
function lockFile(store: string, stream: string): string {
  return `${store}.${createHash('sha256').update(stream).digest('hex').slice(0, 16)}.lock`;
}
