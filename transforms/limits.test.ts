// Every limit of a transform, tripped: only the event at fault fails, with the code of its limit, and all others come out
// right and in order.

import { describe, expect, test } from 'vitest';
import { batchOfIds, bench, failuresOf, recorder, rowsOf } from './test-rule.ts';

const { run, transform } = bench();
const { signal } = new AbortController();
const all = (count: number, but: readonly number[]): number[] =>
  Array.from({ length: count }, (_, i) => i).filter((i) => !but.includes(i));

describe('timeout', () => {
  test('of a thousand events the three that never end fail, and 997 are kept in order', async () => {
    const result = await run(
      'export default (row) => { if (row.id === 0 || row.id === 500 || row.id === 999) for (;;); return { ...row, ok: 1 } }',
      batchOfIds(1000),
      { limits: { timeout: 50 } },
    );
    expect(failuresOf(result)).toEqual([0, 500, 999].map((i) => [i, 'E_TRANSFORM_TIMEOUT']));
    expect([...result.from]).toEqual(all(1000, [0, 500, 999]));
    expect(rowsOf(result).map((row) => row!['id'])).toEqual(all(1000, [0, 500, 999]));
  });

  test('a loop in a try/catch and a loop in a microtask are the events of their own', async () => {
    const result = await run(
      `export default (row) => {
        if (row.id === 3) { for (;;) { try { for (;;); } catch {} } }
        if (row.id === 30) return (async () => { for (;;) await null; })();
        if (row.id === 60) { Promise.resolve().then(function f() { return Promise.resolve().then(f); }); return row; }
        return row;
      }`,
      batchOfIds(100),
      { limits: { timeout: 50 } },
    );
    expect(failuresOf(result)).toEqual([3, 30, 60].map((i) => [i, 'E_TRANSFORM_TIMEOUT']));
    expect([...result.from]).toEqual(all(100, [3, 30, 60]));
  });

  test('many events that together take longer than the limit are nobody’s fault', async () => {
    // each a fortieth of the limit, all of them ten times the limit
    const busy =
      'export default (row) => { let x = 0; for (let i = 0; i < 5e5; i++) x = (x * 31 + i) | 0; return { id: row.id, x } }';
    const result = await run(busy, batchOfIds(400), { limits: { timeout: 100 } });
    expect(result.failed).toEqual([]);
    expect([...result.from]).toEqual(all(400, []));
  });

  test('an isolate that V8 cannot stop is ended with its process, and only its event fails', async () => {
    const result = await run(
      'export default (row) => { if (row.id === 120) Array.prototype.reverse.call({ length: 2 ** 53 - 1 }); return row }',
      batchOfIds(200),
      { limits: { timeout: 50 } },
    );
    expect(failuresOf(result)).toEqual([[120, 'E_TRANSFORM_TIMEOUT']]);
    expect([...result.from]).toEqual(all(200, [120]));
  });
});

describe('memory', () => {
  test('an event that takes more than its memory fails alone', async () => {
    const result = await run(
      'export default (row) => { if (row.id === 77) { const a = []; for (;;) a.push({ a: [1, 2, 3] }); } return row }',
      batchOfIds(200),
      { limits: { timeout: 20_000, memory: 32 << 20 } },
    );
    expect(failuresOf(result)).toEqual([[77, 'E_TRANSFORM_MEMORY']]);
    expect([...result.from]).toEqual(all(200, [77]));
  });

  test('an event that makes V8 give up costs its process, and only its event fails', async () => {
    const result = await run(
      'export default (row) => { if (row.id === 77) { const s = new Set(); for (let i = 0; ; i++) s.add(i); } return row }',
      batchOfIds(200),
      { limits: { timeout: 20_000, memory: 64 << 20 } },
    );
    expect(failuresOf(result)).toEqual([[77, 'E_TRANSFORM_MEMORY']]);
    expect([...result.from]).toEqual(all(200, [77]));
  });

  test('memory that V8 does not count is seen by the watchdog', async () => {
    const result = await run(
      `export default (row) => {
        if (row.id === 5) {
          const kept = [];
          for (let i = 0; ; i++) {
            const f = new Intl.DateTimeFormat('en-US', { timeZone: 'America/New_York', dateStyle: 'full' });
            f.format(0);
            kept.push(f);
          }
        }
        return row;
      }`,
      batchOfIds(20),
      { limits: { timeout: 30_000, memory: 64 << 20 } },
    );
    expect(failuresOf(result)).toEqual([[5, 'E_TRANSFORM_MEMORY']]);
    expect([...result.from]).toEqual(all(20, [5]));
  });
});

test('output: the bytes of all results of an event count', async () => {
  const result = await run(
    `export default (row) => {
      if (row.id === 1) return { text: 'x'.repeat(1000) };
      if (row.id === 2) return { text: 'é'.repeat(600) };
      if (row.id === 3) return [{ text: 'x'.repeat(600) }, { text: 'x'.repeat(600) }];
      if (row.id === 4) return { text: 'x'.repeat(900) };
      return row;
    }`,
    batchOfIds(6),
    { limits: { output: 1000 } },
  );
  expect(failuresOf(result)).toEqual([1, 2, 3].map((i) => [i, 'E_TRANSFORM_OUTPUT']));
  expect([...result.from]).toEqual([0, 4, 5]);
});

test('output: far too much is said to be so, not to take too long', async () => {
  const result = await run('export default () => ({ text: "x".repeat(2 ** 24) })', batchOfIds(1), {
    limits: { timeout: 1000 },
  });
  expect(failuresOf(result)).toEqual([[0, 'E_TRANSFORM_OUTPUT']]);
});

test('fan_out: as many results as the limit, and not one more', async () => {
  const result = await run('export default (row) => Array.from({ length: row.id }, () => ({}))', batchOfIds(7), {
    limits: { fan_out: 5 },
  });
  expect(failuresOf(result)).toEqual([[6, 'E_TRANSFORM_FAN_OUT']]);
  expect(result.from.filter((i) => i === 5).length).toBe(5);
});

test('logs: what goes beyond is dropped and counted', async () => {
  const { log, entries } = recorder();
  await run(
    "export default (row) => { for (let i = 0; i < 50; i++) console.log('line', i, 'x'.repeat(80)); return row }",
    batchOfIds(1),
    { limits: { logs: 1000 } },
    log,
  );
  const lines = entries.filter((entry) => entry.text.startsWith('line'));
  expect(lines.length).toBeGreaterThan(3);
  expect(lines.reduce((sum, entry) => sum + entry.text.length, 0)).toBeLessThanOrEqual(1001);
  const dropped = entries.find((entry) => entry.fields['dropped'] !== undefined);
  // one line stands in both: its end was cut off
  expect(Number(dropped?.fields['dropped']) + lines.length).toBe(51);
  expect(dropped?.level).toBe('warn');
});

test('logs: an event that floods the log takes no line from the others', async () => {
  const { log, entries } = recorder();
  await run(
    "export default (row) => { for (let i = 0; i < (row.id % 10 === 0 ? 50 : 2); i++) console.log('line', i, 'x'.repeat(80)); return row }",
    batchOfIds(100),
    { limits: { logs: 1000 } },
    log,
  );
  const of = (id: number): number => entries.filter((entry) => entry.fields['event'] === `e${id}`).length;
  expect([1, 9, 11, 99].map(of)).toEqual([2, 2, 2, 2]);
  expect(of(90)).toBe(of(0));
  const dropped = entries.filter((entry) => entry.fields['dropped'] !== undefined);
  expect(dropped.reduce((sum, entry) => sum + Number(entry.fields['dropped']), 0)).toBe(10 * (51 - of(0)));
});

describe('load', () => {
  test('a module that never ends does not load', async () => {
    await expect(transform('for (;;);\nexport default (row) => row', { limits: { load: 100 } })).rejects.toMatchObject({
      code: 'E_TRANSFORM_LOAD',
      message: expect.stringContaining('100 ms') as string,
    });
  });

  test('a module that hangs its isolate for good does not load, and the next one does', async () => {
    const hangs = 'Array.prototype.reverse.call({ length: 2 ** 53 - 1 });\nexport default (row) => row';
    await expect(transform(hangs, { limits: { load: 100 } })).rejects.toMatchObject({ code: 'E_TRANSFORM_LOAD' });
    const result = await run('export default (row) => row', batchOfIds(2));
    expect(result.from.length).toBe(2);
  });

  test('a module that throws says where', async () => {
    await expect(
      transform('const a = 1;\n\n  throw new TypeError("not today");\nexport default (row) => row'),
    ).rejects.toMatchObject({
      code: 'E_TRANSFORM_LOAD',
      message: 'TypeError: not today',
      at: { file: 'transform.js', line: 3, column: 9 },
    });
  });

  test('a default export that is no function does not load', async () => {
    await expect(transform('export default { a: 1 }')).rejects.toMatchObject({ code: 'E_TRANSFORM_LOAD' });
  });
});

test('input: a row that is larger never reaches the function', async () => {
  const result = await run(
    'export default (row) => { if (row.big) throw new Error("seen"); return row }',
    batchOfIds(3, (i) => (i === 1 ? { big: 'é'.repeat(600) } : { id: i })),
    { limits: { input: 1000 } },
  );
  expect(failuresOf(result)).toEqual([[1, 'E_TRANSFORM_INPUT']]);
});

test('depth: of the row and of the result, exactly', async () => {
  const nested = (depth: number): string => `${'{"a":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`;
  const result = await run(
    `export default (row) => {
      if (row.make) { let a = {}; for (let i = 1; i < row.make; i++) a = i % 2 ? [a] : { a }; return { a }; }
      return { id: row.id };
    }`,
    batchOfIds(
      6,
      (i) =>
        [
          { ...(JSON.parse(nested(10)) as object) },
          JSON.parse(nested(11)),
          { id: 2 },
          { make: 9 },
          { make: 10 },
          { s: '{'.repeat(50) },
        ][i] as never,
    ),
    { limits: { depth: 10 } },
  );
  expect(failuresOf(result)).toEqual([
    [1, 'E_TRANSFORM_DEPTH'],
    [4, 'E_TRANSFORM_DEPTH'],
  ]);
  const deep = await run(
    'export default (row) => { let a = {}; for (let i = 0; i < 1e5; i++) a = { a }; return row.id === 1 ? a : row }',
    batchOfIds(3),
  );
  expect(failuresOf(deep)).toEqual([[1, 'E_TRANSFORM_DEPTH']]);
});

test('what is too deep or too long to be written as JSON at all is told apart, and so is what a toJSON throws', async () => {
  const result = await run(
    `export default (row) => {
      if (row.id === 1) { let deep = null; for (let i = 0; i < 1e5; i++) deep = [deep]; return { deep } }
      if (row.id === 2) { const sparse = []; sparse[4294967294] = 1; return { sparse } }
      if (row.id === 3) return { toJSON() { throw new RangeError('out of stock') } };
      return row;
    }`,
    batchOfIds(5),
    { limits: { timeout: 2000 } },
  );
  expect(result.failed.map(({ index, error }) => [index, error.code, error.message])).toEqual([
    [1, 'E_TRANSFORM_DEPTH', 'the result is nested too deep to be written as JSON'],
    [2, 'E_TRANSFORM_OUTPUT', 'the result cannot be written as JSON: Invalid string length'],
    [3, 'E_TRANSFORM_OUTPUT', 'the result cannot be written as JSON: out of stock'],
  ]);
  expect(rowsOf(result).map((row) => row!['id'])).toEqual([0, 4]);
});

test('an event is not blamed for what another program did to the process they shared', async () => {
  await using bad = await transform(
    'export default (row) => { if (row.id === 1) Array.prototype.reverse.call({ length: 2 ** 53 - 1 }); return row }',
    { limits: { timeout: 50 } },
  );
  await using good = await transform('export default (row) => ({ ...row, good: true })');
  const [first, second, third] = await Promise.all([
    good.apply(batchOfIds(300), signal),
    bad.apply(batchOfIds(3), signal),
    good.apply(batchOfIds(300), signal),
  ]);
  expect(failuresOf(second)).toEqual([[1, 'E_TRANSFORM_TIMEOUT']]);
  expect([first.from.length, third.from.length]).toEqual([300, 300]);
});

describe('deaths', () => {
  const dies = (which: string): string =>
    `export default (row) => { if (${which}) { const a = []; for (;;) a.push({ a: [1, 2, 3] }); } return row }`;
  const limits = { timeout: 20_000, memory: 16 << 20 };

  test('a transform whose isolates die too often is parked with its reason, and others do not notice', async () => {
    await using bad = await transform(dies('row.id % 2 === 0'), { limits: { ...limits, deaths: 3 } });
    await using good = await transform('export default (row) => row');
    const [result, other] = await Promise.all([bad.apply(batchOfIds(40), signal), good.apply(batchOfIds(40), signal)]);
    expect(failuresOf(other)).toEqual([]);
    const codes = new Map(failuresOf(result));
    expect([0, 2, 4].map((i) => codes.get(i))).toEqual(new Array(3).fill('E_TRANSFORM_MEMORY'));
    expect([...codes.values()].filter((code) => code === 'E_TRANSFORM_PARKED').length).toBe(
      40 - result.from.length - 3,
    );
    expect(bad.parked!.reason).toMatch(/died 4 times in a minute \(memory 4\), and limits.deaths is 3/);
    expect(Date.parse(bad.parked!.since)).toBeGreaterThan(0);
    expect(good.parked).toBeNull();

    const next = await bad.apply(batchOfIds(3), signal);
    expect(failuresOf(next)).toEqual([0, 1, 2].map((i) => [i, 'E_TRANSFORM_PARKED']));
    expect(next.failed[0]!.error.message).toContain('limits.deaths is 3');

    bad.resume();
    expect(bad.parked).toBeNull();
    const again = await bad.apply(
      batchOfIds(2, () => ({ id: 1 })),
      signal,
    );
    expect(failuresOf(again)).toEqual([]);
  });

  test('a handful of poison events among many parks nothing', async () => {
    await using made = await transform(dies('row.id % 100 === 50'), { limits });
    const result = await made.apply(batchOfIds(1000), signal);
    expect(failuresOf(result)).toEqual(Array.from({ length: 10 }, (_, i) => [i * 100 + 50, 'E_TRANSFORM_MEMORY']));
    expect(made.parked).toBeNull();
  });
});
