// The SQLite state store, seen from the engine's thread: a small proxy for the worker that has the file open.
// Guarantees: calls are carried out in order; a returned promise means durable; closing waits for all that was called.
// An idle store does not keep the process alive; a call that is under way does.

import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { isSluiceError } from '../errors.ts';
import type { Logger } from '../plugin.ts';
import { redactionKeyBeside } from './redaction-key.ts';
import { stillThere } from './still-there.ts';
import type { StateStore } from './store.ts';
import { type Call, storeOver } from './store-over.ts';
import { isStreamLocked, lockedError, lockStream } from './stream-lock.ts';
import { stateThread } from './thread.ts';

export interface SqliteStoreOptions {
  /** Made on demand, readable by the owner only. */
  readonly path: string;
  /** Told of calls that take so long that the stream waits for them, and of the worker's death. */
  readonly log?: Logger;
}

/** @throws SluiceError E_STATE_OPEN, E_STATE_VERSION, E_STATE_CORRUPT */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<StateStore> {
  const path = resolve(options.path);
  const thread = stateThread(options.log);
  await thread.open(path);
  const file = realpathSync(path); // two ways to one file must find one lock
  const locks = new Set<AsyncDisposable>();

  const files = stillThere();
  files.watch(file);

  const call: Call = async (name, ...args) => {
    const answer = (await thread.call(name, args)) as never;
    if (name === 'write') files.check(); // durable in a file that nobody will find is not durable
    return answer;
  };
  const store = storeOver(call, {
    async lock(stream) {
      try {
        const lock = await lockStream(file, stream);
        const unwatch = files.watch(lock.file);
        locks.add(lock);
        return {
          async [Symbol.asyncDispose]() {
            unwatch();
            locks.delete(lock);
            await lock[Symbol.asyncDispose]();
          },
        };
      } catch (error) {
        if (!isSluiceError(error) || error.code !== 'E_STATE_LOCKED') throw error;
        const status = (await store.statuses()).find((s) => s.stream === stream);
        throw lockedError(stream, status?.pid);
      }
    },
    isLocked: async (stream) => isStreamLocked(file, stream),
    redactionKey: () => redactionKeyBeside(file),
    async [Symbol.asyncDispose]() {
      await thread.close();
      // After the last write: whoever waits for the lock must find everything written.
      for (const lock of locks) await lock[Symbol.asyncDispose]();
      locks.clear();
    },
  });
  return store;
}
