// The SQLite state store, seen from the engine's thread: a small proxy for the worker that has the file open.
// Guarantees: calls are carried out in order; a returned promise means durable; closing waits for all that was called.
// An idle store does not keep the process alive; a call that is under way does.

import { realpathSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { dirname, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { isSluiceError, messageOf, type SluiceError, sluiceError } from '../errors.ts';
import type { Logger } from '../plugin.ts';
import { redactionKeyBeside } from './redaction-key.ts';
import { stillThere } from './still-there.ts';
import type { StateStore } from './store.ts';
import { type Call, storeOver } from './store-over.ts';
import { isStreamLocked, lockedError, lockStream } from './stream-lock.ts';
import type { CallMessage, ReplyMessage } from './worker.ts';

export interface SqliteStoreOptions {
  /** Made on demand, readable by the owner only. */
  readonly path: string;
  /** Told of calls that take so long that the stream waits for them, and of the worker's death. */
  readonly log?: Logger;
}

/** A call that takes longer than this is worth a warning, in ms. */
const SLOW = 2_000;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: SluiceError) => void;
}

/** @throws SluiceError E_STATE_OPEN, E_STATE_VERSION, E_STATE_CORRUPT */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<StateStore> {
  const path = resolve(options.path);
  const thread = startWorker(path, options.log);
  await thread.opened;
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

function startWorker(path: string, log: Logger | undefined) {
  // The worker is this module's neighbour, in the sources (.ts) as in the build (.js).
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  // A worker does not inherit the cache of compiled modules; with it the store opens in half the time.
  const cache = getCompileCacheDir();
  const worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
    workerData: { path },
    execArgv: ['--conditions=source', '--disable-warning=ExperimentalWarning'],
    name: 'sluice-state',
    env: cache === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: dirname(cache) },
  });
  const waiting = new Map<number, Waiting>();
  let calls = 0;
  let ended: SluiceError | undefined;
  let closing: Promise<void> | undefined;

  const answered = (call: number): Waiting | undefined => {
    const found = waiting.get(call);
    waiting.delete(call);
    if (waiting.size === 0) worker.unref();
    return found;
  };
  const end = (message: string, cause?: unknown): void => {
    ended ??= sluiceError('E_STATE_WRITE', {
      message,
      fix: closing === undefined ? 'start Sluice again; what was confirmed is safe' : 'report it with the log',
      permanent: true,
      cause,
    });
    if (waiting.size > 0) log?.error({}, message);
    for (const call of [...waiting.keys()]) answered(call)?.reject(ended);
  };
  const wait = (call: number): Promise<unknown> => {
    worker.ref();
    return new Promise((resolve, reject) => waiting.set(call, { resolve, reject }));
  };

  worker.on('message', (reply: ReplyMessage) => {
    const found = answered(reply.call);
    if ('value' in reply) found?.resolve(reply.value);
    else found?.reject(fromData(reply));
  });
  worker.on('error', (error) => end(`the state store's thread ended: ${messageOf(error)}`, error));
  worker.on('exit', () => end(closing === undefined ? "the state store's thread ended" : 'the state store is closed'));
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));

  const call = async (name: string, args: readonly unknown[]): Promise<unknown> => {
    if (ended !== undefined) throw ended;
    if (closing !== undefined) throw closedError();
    return post(name, args);
  };
  const post = async (name: string, args: readonly unknown[]): Promise<unknown> => {
    const started = performance.now();
    calls++;
    const reply = wait(calls);
    worker.postMessage({ call: calls, name, args } satisfies CallMessage);
    const value = await reply;
    const took = Math.round(performance.now() - started);
    if (took > SLOW) log?.warn({ call: name, ms: took }, 'the state store is slow');
    return value;
  };

  return {
    opened: wait(0),
    call,
    close(): Promise<void> {
      closing ??= (async () => {
        if (ended === undefined) await post('close', []);
        worker.ref();
        await exited;
      })();
      return closing;
    },
  };
}

function closedError(): SluiceError {
  return sluiceError('E_STATE_WRITE', {
    message: 'the state store is closed',
    fix: 'report it with the log',
    permanent: true,
  });
}

function fromData(reply: Extract<ReplyMessage, { error: unknown }>): SluiceError {
  const { code, cause, ...rest } = reply.error;
  return sluiceError(code, {
    ...rest,
    permanent: reply.permanent,
    class: reply.class,
    ...(cause === undefined ? {} : { cause: Object.assign(new Error(cause.message), { code: cause.code }) }),
  });
}
