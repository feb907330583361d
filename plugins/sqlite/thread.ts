// Threads for connections (worker.ts), seen from the engine's own. A thread whose connection is closed waits for the next one, since
// to start one takes longer than to open a database.
// Guarantees: calls are carried out in order; an idle thread keeps no process alive, a call that is under way does.

import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Call, CallMessage, ReplyMessage } from './worker.ts';

export interface Thread {
  /** @throws what SQLite threw, with its `errcode`; an error without one when the thread is no more */
  call(what: Call, transfer?: ArrayBuffer[]): Promise<unknown>;
  /** Its connection is closed: it may be used for another one. */
  free(): void;
}

/** So many threads wait for a connection; more than that end. */
const MAX_IDLE = 2;

const idle: StartedThread[] = [];

export function takeThread(): Thread {
  for (let known = idle.pop(); known !== undefined; known = idle.pop()) if (known.lives()) return known;
  return start();
}

interface StartedThread extends Thread {
  lives(): boolean;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

function start(): StartedThread {
  // The worker is this module's neighbour, in the sources (.ts) as in the build (.cjs).
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'cjs';
  // A worker does not inherit the cache of compiled modules.
  const cache = getCompileCacheDir();
  const worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    name: 'sluice-sqlite',
    env: cache === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: dirname(cache) },
  });
  const waiting = new Map<number, Waiting>();
  let calls = 0;
  let ended: Error | null = null;

  const take = (call: number): Waiting | undefined => {
    const found = waiting.get(call);
    waiting.delete(call);
    if (waiting.size === 0) worker.unref();
    return found;
  };
  const end = (error: Error): void => {
    ended ??= error;
    for (const call of [...waiting.keys()]) take(call)?.reject(ended);
  };
  worker.on('message', (reply: ReplyMessage) => {
    const found = take(reply.call);
    if ('value' in reply) found?.resolve(reply.value);
    else found?.reject(Object.assign(new Error(reply.error.message), reply.error));
  });
  worker.on('error', (thrown) => end(thrown instanceof Error ? thrown : new Error(String(thrown))));
  worker.on('exit', () => end(new Error('the thread of the database ended')));
  worker.unref(); // after the listeners: one for messages holds the process

  const thread: StartedThread = {
    call(what, transfer = []) {
      if (ended !== null) return Promise.reject(ended);
      const call = calls++;
      worker.postMessage({ call, what } satisfies CallMessage, transfer);
      if (waiting.size === 0) worker.ref();
      return new Promise((resolve, reject) => waiting.set(call, { resolve, reject }));
    },
    free() {
      if (idle.length < MAX_IDLE && ended === null) idle.push(thread);
      else void worker.terminate();
    },
    lives: () => ended === null,
  };
  return thread;
}
