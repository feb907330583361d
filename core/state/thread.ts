// The thread of a SQLite state store, seen from the engine's: calls by name, carried out in order, each with one answer.
// Guarantee: a thread that has nothing to do does not keep the process alive; one that ended answers every call with why.

import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { messageOf, type SluiceError, sluiceError } from '../errors.ts';
import type { Logger } from '../plugin.ts';
import type { CallMessage, ReplyMessage } from './worker.ts';

export interface StateThread {
  /** To be called first. @throws SluiceError E_STATE_OPEN, E_STATE_VERSION, E_STATE_CORRUPT */
  open(path: string): Promise<void>;
  /** @throws SluiceError */
  call(name: string, args: readonly unknown[]): Promise<unknown>;
  /** Resolves when everything is on disk and the thread has ended. */
  close(): Promise<void>;
}

/** A call that takes longer than this is worth a warning, in ms. */
const SLOW = 2_000;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: SluiceError) => void;
}

interface Started {
  readonly thread: StateThread;
  readonly lives: boolean;
  logTo(log: Logger | undefined): void;
  /** Of a thread that was never opened. */
  end(): void;
}

let early: Started | null = null;

/** Starts the thread of the first store of this process before its file is known: a thread takes 40 ms to be there. */
export function headStart(): void {
  early ??= start();
}

/** There will be no store in a file: the thread that was started for it ends. */
export function endHeadStart(): void {
  early?.end();
  early = null;
}

export function stateThread(log: Logger | undefined): StateThread {
  const started = early?.lives === true ? early : start();
  early = null;
  started.logTo(log);
  return started.thread;
}

function start(): Started {
  // The worker is this module's neighbour, in the sources (.ts) as in the build (.cjs).
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'cjs';
  // A worker does not inherit the cache of compiled modules; with it the store opens in half the time.
  const cache = getCompileCacheDir();
  const worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
    execArgv: ['--conditions=source', '--disable-warning=ExperimentalWarning'],
    name: 'sluice-state',
    env: cache === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: dirname(cache) },
  });
  const waiting = new Map<number, Waiting>();
  let log: Logger | undefined;
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

  worker.on('message', (reply: ReplyMessage) => {
    const found = answered(reply.call);
    if ('value' in reply) found?.resolve(reply.value);
    else found?.reject(fromData(reply));
  });
  worker.on('error', (error) => end(`the state store's thread ended: ${messageOf(error)}`, error));
  worker.on('exit', () => end(closing === undefined ? "the state store's thread ended" : 'the state store is closed'));
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  worker.unref(); // after the listeners: one for messages holds the process

  const post = async (name: string, args: readonly unknown[]): Promise<unknown> => {
    const began = performance.now();
    calls++;
    worker.ref();
    const reply = new Promise((resolve, reject) => waiting.set(calls, { resolve, reject }));
    worker.postMessage({ call: calls, name, args } satisfies CallMessage);
    const value = await reply;
    const took = Math.round(performance.now() - began);
    if (took > SLOW) log?.warn({ call: name, ms: took }, 'the state store is slow');
    return value;
  };

  return {
    get lives() {
      return ended === undefined;
    },
    logTo(given) {
      log = given;
    },
    end() {
      void worker.terminate();
    },
    thread: {
      async open(path) {
        await post('open', [path]);
      },
      async call(name, args) {
        if (ended !== undefined) throw ended;
        if (closing !== undefined) throw closedError();
        return post(name, args);
      },
      close() {
        closing ??= (async () => {
          if (ended === undefined) await post('close', []);
          worker.ref();
          await exited;
        })();
        return closing;
      },
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
