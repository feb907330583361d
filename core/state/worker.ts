// The worker that hosts the SQLite store, so that a slow fsync never holds the event loop of the engine.
// Takes one call after the other, in order, and answers each one. Errors cross as data, since classes do not.

import { parentPort, workerData } from 'node:worker_threads';
import { type ErrorClass, type ErrorData, toSluiceError } from '../errors.ts';
import { openTables, type SqliteTables } from './sqlite-tables.ts';

/** `close` is answered when everything is on disk; the worker then ends by itself. */
export interface CallMessage {
  readonly call: number;
  readonly name: string;
  readonly args: readonly unknown[];
}

/** Call 0 is the opening of the store. */
export type ReplyMessage =
  | { readonly call: number; readonly value: unknown }
  | { readonly call: number; readonly error: ErrorData; readonly permanent: boolean; readonly class: ErrorClass };

// Absent where a test or a type check only loads the module.
if (parentPort !== null) serve(parentPort, (workerData as { readonly path: string }).path);

function serve(port: NonNullable<typeof parentPort>, path: string): void {
  const answer = (call: number, work: () => unknown): boolean => {
    let reply: ReplyMessage;
    try {
      reply = { call, value: work() };
    } catch (thrown) {
      const error = toSluiceError(thrown);
      reply = { call, error: error.toJSON(), permanent: error.permanent, class: error.class };
    }
    port.postMessage(reply);
    return 'value' in reply;
  };

  let tables: SqliteTables | undefined;
  const opened = answer(0, () => {
    tables = openTables(path);
  });
  if (!opened || tables === undefined) {
    port.close();
    return;
  }
  const open = tables as unknown as Record<string, (...args: readonly unknown[]) => unknown>;
  port.on('message', ({ call, name, args }: CallMessage) => {
    answer(call, () => open[name]!(...args));
    if (name === 'close') port.close();
  });
}
