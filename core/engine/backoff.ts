// How long to wait before trying again what is not there: exponential, with jitter, bounded. Pure but for the jitter.

import type { RetryPolicy } from '../manifest/model.ts';

/**
 * The delay before attempt n + 1, in ms, n from 1. Jitter takes away up to a quarter, so that streams that lost one server
 * together do not come back together.
 */
export function backoffDelay(policy: RetryPolicy, attempt: number, random: () => number = Math.random): number {
  const full = Math.min(policy.max_delay, policy.initial_delay * policy.backoff_multiplier ** (attempt - 1));
  return full - full * 0.25 * random();
}

/** Waits, and ends early (without an error) when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || ms <= 0) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
