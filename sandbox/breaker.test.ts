// When the breaker opens, by a clock that the test turns.

import { expect, test } from 'vitest';
import { createBreaker } from './breaker.ts';

test('it opens at one death more than the limit within a minute, and says why', () => {
  let now = 0;
  const breaker = createBreaker(3, () => now);
  for (const why of ['memory', 'crash', 'memory'] as const) expect(breaker.died(why)).toBe(false);
  expect(breaker.parked).toBeNull();
  now = 59_999;
  expect(breaker.died('timeout')).toBe(true);
  expect(breaker.parked).toEqual({
    reason: 'its isolates died 4 times in a minute (memory 2, timeout 1, crash 1), and limits.deaths is 3',
    since: new Date(59_999).toISOString(),
  });
  expect(breaker.died('crash')).toBe(false); // it is open already
});

test('deaths that are a minute old do not count', () => {
  let now = 0;
  const breaker = createBreaker(3, () => now);
  for (let i = 0; i < 100; i++, now += 20_000) expect(breaker.died('memory')).toBe(false);
});

test('after resume it begins anew', () => {
  const breaker = createBreaker(1, () => 0);
  breaker.died('crash');
  expect(breaker.died('crash')).toBe(true);
  breaker.resume();
  expect(breaker.parked).toBeNull();
  expect(breaker.died('crash')).toBe(false);
});
