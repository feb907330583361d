// SIGINT and SIGTERM ask for an end and do not force it: what a verb does about it is its own affair.

import { say } from './output.ts';

/** `code`: the exit code of the first signal that came, else 0. */
export function onSignals(
  stop: () => void,
  says = 'finishing what is in flight; once more to end at once',
): { readonly code: number; end(): void } {
  let code = 0;
  const handlers = { SIGINT: 130, SIGTERM: 143 } as const;
  const listeners = Object.entries(handlers).map(([name, exit]) => {
    const listener = (): void => {
      if (code === 0) say(`${name}: ${says}`);
      code ||= exit;
      stop();
    };
    process.on(name, listener);
    return () => process.off(name, listener);
  });
  return {
    get code() {
      return code;
    },
    end() {
      for (const off of listeners) off();
    },
  };
}
