// The worker that hosts the SQLite store, so that a slow fsync never holds the event loop of the engine.
// Takes one call after the other, in order, and answers each one. Errors cross as data, since classes do not.

import { parentPort } from 'node:worker_threads';
import { type ErrorClass, type ErrorData, toSluiceError } from '../errors.ts';
import { openTables } from './sqlite-tables.ts';

/** The first is `open`. `close` is answered when everything is on disk; the worker then ends by itself, as after a failed `open`. */
export interface CallMessage {
  readonly call: number;
  readonly name: string;
  readonly args: readonly unknown[];
}

export type ReplyMessage =
  | { readonly call: number; readonly value: unknown }
  | { readonly call: number; readonly error: ErrorData; readonly permanent: boolean; readonly class: ErrorClass };

// Absent where a test or a type check only loads the module.
if (parentPort !== null) serve(parentPort);

function serve(port: NonNullable<typeof parentPort>): void {
  let open: Record<string, (...args: readonly unknown[]) => unknown> | undefined;
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

  port.on('message', ({ call, name, args }: CallMessage) => {
    if (open === undefined) {
      const opened = answer(call, () => {
        open = openTables(args[0] as string) as unknown as typeof open;
      });
      if (!opened) port.close();
      return;
    }
    const tables = open;
    answer(call, () => tables[name]!(...args));
    if (name === 'close') port.close();
  });
}
