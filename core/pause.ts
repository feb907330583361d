// Waiting that ends early, and without an error, when somebody aborts. Exported to plugins.

/** A timer cannot wait longer than 2^31 ms: with more it fires at once. A longer wait is made of several. */
const LONGEST_MS = 2 ** 30;

/** Waits `ms` (of any length; none for 0 and less), or until the signal aborts. Leaves no timer and no listener behind. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || ms <= 0) return Promise.resolve();
  return new Promise((resolve) => {
    let left = ms;
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const next = (): NodeJS.Timeout => {
      const part = Math.min(left, LONGEST_MS);
      left -= part;
      return setTimeout(left > 0 ? () => (timer = next()) : done, part);
    };
    let timer = next();
    signal.addEventListener('abort', done);
  });
}
