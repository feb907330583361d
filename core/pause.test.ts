// Waiting, with a clock of its own.

import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { pause } from './pause.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a pause ends when its time is over, and not before', async () => {
  let over = false;
  const waiting = pause(50, new AbortController().signal).then(() => (over = true));
  await vi.advanceTimersByTimeAsync(49);
  expect(over).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await waiting;
  expect(vi.getTimerCount()).toBe(0);
});

test('a pause ends at once when the signal aborts, and leaves no timer and no listener behind', async () => {
  const abort = new AbortController();
  const waiting = pause(86_400_000, abort.signal);
  abort.abort();
  await waiting;
  expect(vi.getTimerCount()).toBe(0);
  expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
  await pause(86_400_000, abort.signal); // after an abort nothing is waited for
});

test('a pause longer than any timer can be is waited for whole', async () => {
  const days = 60 * 86_400_000;
  let over = false;
  const waiting = pause(days, new AbortController().signal).then(() => (over = true));
  await vi.advanceTimersByTimeAsync(days - 1);
  expect(over).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await waiting;
});
