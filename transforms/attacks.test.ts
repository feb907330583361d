// Hostile code through the real bridge: each attack is planted in one of 200 healthy events. The other 199 come out right and
// in order, the planted one fails with a code of its own or comes out harmless, this process stays responsive and small, and
// the next batch is taken. The short run takes all attacks and a tenth of the endless loops; `--long` takes all of them.

import { afterAll, describe, expect, test } from 'vitest';
import { long } from '../test/long.ts';
import { attacks, loops, plant } from '../test/sandbox/planted.ts';
import { batchOfIds, bench, rowsOf } from './test-rule.ts';

const some = loops.filter((_, i) => long || i % 10 === 0);
const PLANTED = 137;
const COUNT = 200;
const healthy = Array.from({ length: COUNT }, (_, id) => ({ id, name: `n${id}`, ok: true }));
const expected = healthy.filter((row) => row.id !== PLANTED);
const CODES = new Set([
  'E_TRANSFORM_TIMEOUT',
  'E_TRANSFORM_MEMORY',
  'E_TRANSFORM_CRASH',
  'E_TRANSFORM_RUNTIME',
  'E_TRANSFORM_OUTPUT',
  'E_TRANSFORM_DEPTH',
]);

const { transform } = bench(2);
const { signal } = new AbortController();

// How late this process's timers come: what it looks like to everybody else that lives in it.
let worst = 0;
let last = performance.now();
const meter = setInterval(() => {
  const now = performance.now();
  worst = Math.max(worst, now - last - 5);
  last = now;
}, 5);
const memoryBefore = process.memoryUsage().rss;
const lags: number[] = [];
afterAll(() => {
  clearInterval(meter);
  lags.sort((a, b) => a - b);
  console.log(
    `attacks: event loop lag median ${lags[lags.length >> 1]?.toFixed(0)} ms, worst ${lags.at(-1)?.toFixed(0)} ms`,
  );
});

describe.each([...attacks, ...some])('$name', ({ code }) => {
  test('costs at most its own event', async () => {
    worst = 0;
    await using made = await transform(plant(code, PLANTED), { limits: { timeout: 100 } });
    const result = await made.apply(batchOfIds(COUNT), signal);
    const rows = rowsOf(result);
    expect(rows.filter((_, j) => result.from[j] !== PLANTED)).toEqual(expected);
    for (const { index, error } of result.failed) {
      expect(index).toBe(PLANTED);
      expect(CODES).toContain(error.code);
    }
    const planted = rows.filter((_, j) => result.from[j] === PLANTED);
    expect(result.failed.length + planted.length + result.filtered.length).toBe(1);
    expect(JSON.stringify(planted)).not.toMatch(/HACKED|object.*process|"function"/);

    const start = performance.now();
    const next = await made.apply(batchOfIds(100), signal);
    expect(rowsOf(next)).toEqual(healthy.slice(0, 100));
    expect(performance.now() - start).toBeLessThan(20_000);
    lags.push(worst);
    expect(worst).toBeLessThan(500);
  });
});

test('this process did not grow', () => {
  expect(process.memoryUsage().rss - memoryBefore).toBeLessThan(150 << 20);
});
