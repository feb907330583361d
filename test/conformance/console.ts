// The console sink before the kit. Standard output is listened to while a stage lives; that it really comes out of a pipe is
// tested in its own folder, in a process of its own.

import type { ConformanceOptions } from '../../core/testkit.ts';

export const stages: Omit<ConformanceOptions, 'folder'> = {
  writesStdout: true,
  async sink() {
    let printed = '';
    const write = process.stdout.write;
    process.stdout.write = ((text: string | Uint8Array, ...rest: unknown[]): boolean => {
      printed += typeof text === 'string' ? text : Buffer.from(text).toString('utf8');
      const done = rest.find((one) => typeof one === 'function') as ((error?: Error | null) => void) | undefined;
      if (done !== undefined) queueMicrotask(() => done(null));
      return true;
    }) as typeof write;
    return {
      config: { format: 'row' },
      ops: ['c', 'u'],
      readBack: async () => printed,
      rejected: (event) => ({ ...event, op: 'd', before: event.after, after: null }),
      async [Symbol.asyncDispose]() {
        process.stdout.write = write;
      },
    };
  },
};
