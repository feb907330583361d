// How long to wait before trying again what is not there: exponential, with jitter, bounded. Pure but for the jitter.

import type { RetryPolicy } from '../manifest/model.ts';

export { pause } from '../pause.ts';

/**
 * The delay before attempt n + 1, in ms, n from 1. Jitter takes away up to a quarter, so that streams that lost one server
 * together do not come back together.
 */
export function backoffDelay(policy: RetryPolicy, attempt: number, random: () => number = Math.random): number {
  const full = Math.min(policy.max_delay, policy.initial_delay * policy.backoff_multiplier ** (attempt - 1));
  return full - full * 0.25 * random();
}

/** Resolves when one of the signals is aborted. */
export function aborted(...signals: readonly AbortSignal[]): Promise<void> {
  const any = AbortSignal.any([...signals]);
  if (any.aborted) return Promise.resolve();
  return new Promise((resolve) => any.addEventListener('abort', () => resolve(), { once: true }));
}
