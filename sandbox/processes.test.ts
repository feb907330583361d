// How children come, are kept ready, are replaced when they are old, and what the system takes away from them.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { childrenOf, until } from '../test/cli.ts';
import { type Measure, measuresOf } from './measures.ts';
import { createPool } from './pool.ts';
import { nodeArgs, program, slice } from './test-program.ts';

const linux = process.platform === 'linux';
/** Counts the calls of one isolate. */
const counting = program('return String(++calls)', { atLoad: 'let calls = 0;' });
const HOUR = 3_600_000;
const YOUNG = { slices: 1e9, age: HOUR, heap: 1 };

describe.runIf(linux)('the spare', () => {
  test('is there after the first answers, and takes the place of a child that is killed', async () => {
    await using pool = createPool({ children: 1 });
    const loaded = await pool.load(program('return main'));
    await loaded.run(slice(1));
    const [first] = pool.processes();
    const own = (): number[] => childrenOf(process.pid).filter((pid) => isSandbox(pid));
    const spare = await until('there is a spare', () => own().find((pid) => !pool.processes().includes(pid)));
    process.kill(first!, 'SIGKILL');
    await until('the child is gone', () => !pool.processes().includes(first!));
    expect((await loaded.run(slice(2))).answers).toEqual(['0', '1']);
    expect(pool.processes()).toEqual([spare]);
    await until('there is a new spare', () => own().some((pid) => pid !== spare && pid !== first));
  });

  test('is one, and ends with the pool', async () => {
    const pool = createPool({ children: 1 });
    const loaded = await pool.load(program('return main'));
    const sandboxes = (): number[] => childrenOf(process.pid).filter((pid) => isSandbox(pid));
    await loaded.run(slice(10));
    await until('there is a spare', () => sandboxes().length > 1); // when the start is over
    for (let i = 0; i < 5; i++) await loaded.run(slice(10));
    const own = sandboxes();
    expect(own.length).toBe(2);
    await pool[Symbol.asyncDispose]();
    expect(childrenOf(process.pid).filter((pid) => own.includes(pid))).toEqual([]);
  });
});

describe('what is old is replaced', () => {
  test('an isolate after so many slices, and what its module kept is gone', async () => {
    const life = { isolate: { ...YOUNG, slices: 3 }, childIsolates: 1e9, childAge: HOUR };
    await using pool = createPool({ children: 1, life });
    const loaded = await pool.load(counting);
    const seen: unknown[] = [];
    for (let i = 0; i < 7; i++) seen.push(...(await loaded.run(slice(1))).answers);
    expect(seen).toEqual(['1', '2', '3', '1', '2', '3', '1']);
  });

  test('an isolate that is too old', async () => {
    const life = { isolate: { ...YOUNG, age: 0 }, childIsolates: 1e9, childAge: HOUR };
    await using pool = createPool({ children: 1, life });
    const loaded = await pool.load(counting);
    for (let i = 0; i < 3; i++) expect((await loaded.run(slice(2))).answers).toEqual(['1', '2']);
  });

  test('an isolate whose heap is nearly full, before it fails an event', async () => {
    const life = { isolate: { ...YOUNG, heap: 0.5 }, childIsolates: 1e9, childAge: HOUR };
    await using pool = createPool({ children: 1, life });
    const body = 'kept.push(new Array(1e5).fill(0).map((_, i) => ({ i }))); return String(kept.length)';
    const loaded = await pool.load(program(body, { atLoad: 'const kept = [];' }));
    const seen: string[] = [];
    for (let i = 0; i < 40; i++) seen.push(...((await loaded.run(slice(1))).answers as string[]));
    expect(seen.every((text) => /^\d+$/.test(text))).toBe(true); // no event failed
    expect(seen.filter((text) => text === '1').length).toBeGreaterThan(1); // it began anew
  });

  test('a child that has made many isolates, with no answer lost', async () => {
    const life = { isolate: { ...YOUNG, slices: 1 }, childIsolates: 4, childAge: HOUR };
    await using pool = createPool({ children: 1, life });
    const loaded = await pool.load(program('return main'));
    const pids = new Set<number>();
    const runs = Array.from({ length: 20 }, async () => {
      const { answers } = await loaded.run(slice(3));
      for (const pid of pool.processes()) pids.add(pid);
      return answers;
    });
    for (const answers of await Promise.all(runs)) expect(answers).toEqual(['0', '1', '2']);
    expect(pids.size).toBeGreaterThanOrEqual(3);
  });
});

describe.runIf(linux)('measures', () => {
  test('each is in force in a child, where this system offers it', async () => {
    const found = Promise.withResolvers<readonly Measure[]>();
    await using pool = createPool({
      children: 1,
      onReady: (process, rights) => found.resolve(measuresOf(process, rights)),
    });
    await pool.load(program('return main'));
    const measures = await found.promise;
    const inForce = (name: string): boolean => measures.find((measure) => measure.name === name)!.in_force;
    for (const always of ['node-permissions', 'memory-watch', 'first-to-go'])
      expect([always, inForce(always)]).toEqual([always, true]);
    const [pid] = pool.processes();
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    expect(/^NoNewPrivs:\s+1$/m.test(status)).toBe(inForce('no-new-privileges'));
    if (inForce('namespaces')) expect(status).toMatch(/^CapEff:\s+0+$/m);
    expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'latin1').trim()).toBe('1000');
  });

  test('a child that is stuck ends with its parent, where the system sees to it', async () => {
    const code = `
      const pool = createPool({ children: 1, spare: false, onReady: (process) => console.log(process.launch.endsWithParent) });
      await pool.load(program('return main'));
      console.log(pool.processes().join());
      setInterval(() => {}, 1e6);`;
    const parent = spawn(process.execPath, nodeArgs(code), { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface(parent.stdout)[Symbol.asyncIterator]();
    const seesToIt = (await lines.next()).value === 'true';
    const pid = Number((await lines.next()).value);
    process.kill(pid, 'SIGSTOP'); // it cannot notice anything any more
    parent.kill('SIGKILL');
    if (seesToIt) await until('the child is gone', () => !isSandbox(pid));
    else process.kill(pid, 'SIGKILL');
  });
});

test.runIf(linux)(
  'a death in a process that ran other things is not held against an event, though it ran alone',
  async () => {
    await using pool = createPool({ children: 2 });
    const slow = 'if (main === "9") { let x = 0; for (let i = 0; i < 4e8; i++) x ^= i; } return main';
    const loaded = await pool.load(program(slow, { limits: { timeout: 30_000 } }));
    await Promise.all(Array.from({ length: 20 }, () => loaded.run(slice(9)))); // both have a past now
    expect(pool.processes().length).toBe(2);
    const run = loaded.run(slice(1, () => '9'));
    for (let kills = 0; kills < 2; kills++) {
      const before = new Map(pool.processes().map((pid) => [pid, ticksOf(pid)]));
      const works = (pid: number): boolean => ticksOf(pid) - (before.get(pid) ?? 0) > 5;
      const pid = await until('one is at work', () => pool.processes().find(works));
      process.kill(pid, 'SIGKILL');
      await until('it is gone', () => !pool.processes().includes(pid));
    }
    expect((await run).answers).toEqual(['9']);
  },
);

/** CPU time of a process, in hundredths of a second. */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

function isSandbox(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('--no-turboshaft-loop-unrolling');
  } catch {
    return false;
  }
}

test.runIf(linux)('large answers to small events do not pile up in the child', async () => {
  await using pool = createPool({ children: 1 });
  const loaded = await pool.load(program('return "x".repeat(100_000)'));
  const [pid] = pool.processes();
  for (let i = 0; i < 60; i++) await loaded.run(slice(50)); // 300 MB in all
  expect(pool.processes()).toEqual([pid]);
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]);
  expect((pages * 4096) / 1e6).toBeLessThan(250);
});

test('what is parked is said by its name', async () => {
  const said: [object, string][] = [];
  const log = { warn: (fields: object, message: string) => void said.push([fields, message]) };
  await using pool = createPool({ children: 1, spare: false, log });
  const hungry = 'const all = []; for (;;) all.push(new Array(1e6).fill(1))';
  const loaded = await pool.load(program(hungry, { label: 'mask-customer', limits: { deaths: 0 } }));
  const { answers } = await loaded.run(slice(2));
  expect(answers).toMatchObject([{ why: 'parked' }, { why: 'parked' }]);
  const parked = said.filter(([, message]) => message.includes('is parked'));
  expect(parked).toEqual([
    [
      { program: 'mask-customer', reason: loaded.parked!.reason, since: loaded.parked!.since },
      'mask-customer is parked: too many of its isolates died',
    ],
  ]);
});
