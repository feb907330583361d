// Programs that are loaded beside others that end their process: a death counts for what ran when it came, and for nothing that
// only waited behind it.

import { describe, expect, test, vi } from 'vitest';
import { LIFE } from './children.ts';
import { LoadFailure } from './index.ts';
import { createPool } from './pool.ts';
import { ENDLESS, numbers, type ProgramParts, program as programWith, slice } from './test-program.ts';

const program = (body: string, parts: ProgramParts = {}) =>
  programWith(body, { ...parts, limits: { timeout: 50, ...parts.limits } });

describe('a program that waits to be loaded behind a slice', () => {
  test('loads, however often that slice ends the process', async () => {
    await using pool = createPool({ children: 1 });
    const bad = await pool.load(program(`if (main % 2 === 1) ${ENDLESS} return main`));
    const poisoned = bad.run(slice(6));
    const good = await Promise.all([1, 2, 3].map(() => pool.load(program('return main'))));
    for (const one of good) expect((await one.run(slice(3))).answers).toEqual(numbers(3));
    const { answers } = await poisoned;
    const timeout = expect.objectContaining({ why: 'timeout' });
    expect(answers).toEqual(['0', timeout, '2', timeout, '4', timeout]);
  });

  test('has its own time when its turn comes, and ends no process', async () => {
    const said: string[] = [];
    const log = { warn: (_: object, message: string) => void said.push(message) };
    await using pool = createPool({ children: 1, spare: false, log });
    const first = await pool.load(program('return main'));
    await first.run(slice(1));
    const before = pool.processes();
    const running = first.run(slice(100));
    const atLoad = 'let x = 0; for (let i = 0; i < 3e8; i++) x ^= i;'; // many looks of the watchdog long
    const slow = await pool.load(program('return main', { atLoad }));
    expect((await slow.run(slice(2))).answers).toEqual(numbers(2));
    expect((await running).answers).toEqual(numbers(100));
    expect(pool.processes()).toEqual(before);
    expect(said).toEqual([]);
  });
});

test('a slice that waits behind a program that ends the process while it is loaded is not blamed', async () => {
  await using pool = createPool({ children: 1 });
  const good = await pool.load(program('return main', { limits: { deaths: 0 } }));
  await good.run(slice(1));
  const hostile = pool.load(program('return main', { atLoad: ENDLESS, limits: { load: 50 } }));
  const refused = expect(hostile).rejects.toBeInstanceOf(LoadFailure);
  expect((await good.run(slice(10))).answers).toEqual(numbers(10));
  expect(good.parked).toBe(null);
  await refused;
});

test('a pool that has ended loads nothing', async () => {
  const pool = createPool({ children: 1 });
  await pool[Symbol.asyncDispose]();
  await expect(pool.load(program('return main'))).rejects.toThrow('disposed');
  expect(pool.processes()).toEqual([]);
});

test('an isolate that was made ahead belongs to one program, with its own limits, and no other ran in it', async () => {
  const life = { ...LIFE, childIsolates: 2 };
  await using pool = createPool({ children: 1, spare: false, ahead: true, life });
  // counts the programs that were loaded in its isolate
  const guest = '(() => { let loads = 0; return (text) => { loads++; return () => `${text}${loads}`; }; })()';
  const counting = (text: string, limits = {}) => ({ ...program('', { limits }), guest, text });
  const first = await pool.load(counting('a'));
  const [child] = pool.processes();
  // a child that has made two is replaced, and only one was made for a program
  const replaced = async (): Promise<void> => {
    await first.run(slice(1));
    expect(pool.processes()).not.toContain(child);
  };
  await vi.waitFor(replaced, { interval: 100, timeout: 20_000 });
  for (const text of ['b', 'c', 'd']) {
    const next = await pool.load(counting(text));
    expect((await next.run(slice(2))).answers).toEqual([`${text}1`, `${text}1`]);
  }
  const tight = await pool.load(counting('e', { output: 1 }));
  expect((await tight.run(slice(1))).answers).toEqual([expect.objectContaining({ why: 'output' })]);
});
