// The sandbox's own door, with programs written directly for it: which process loads what, deaths of children from outside,
// the end of everything, and what a child has at hand.

import { execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { until } from '../test/cli.ts';
import { createSandbox, isRefused, LoadFailure } from './index.ts';
import { nodeArgs, numbers, type ProgramParts, program as programWith, slice } from './test-program.ts';

const LIMITS = { timeout: 200, memory: 128 << 20, fan_out: 100, load: 2000, deaths: 30 };
const linux = process.platform === 'linux';

const program = (body: string, parts: ProgramParts = {}) =>
  programWith(body, { ...parts, limits: { ...LIMITS, ...parts.limits } });

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('answers', () => {
  test('a text, none, several and a refusal come back in order, with their log lines', async () => {
    await using sandbox = createSandbox({ children: 1 });
    const loaded = await sandbox.load(
      program(`
        const n = Number(main);
        if (n === 1) return null;
        if (n === 2) return ['a', 'b'];
        if (n === 3) throw host.refuse('why', 'because');
        if (n === 4) { host.log('warn', ['said', n]); return Promise.resolve('later'); }
        return main;`),
    );
    const { answers, logs, dropped } = await loaded.run(slice(6));
    expect(answers).toEqual(['0', null, ['a', 'b'], { why: 'why', message: 'because', place: null }, 'later', '5']);
    expect(logs).toEqual([{ index: 4, level: 'warn', place: null, text: 'said 4' }]);
    expect(dropped).toBe(0);
  });

  test('an empty slice gives no answers, and starts nothing', async () => {
    await using sandbox = createSandbox();
    expect(sandbox.processes()).toEqual([]);
    expect(sandbox.children).toBeGreaterThan(0);
  });

  test('texts of any length and of all of Unicode cross unchanged', async () => {
    await using sandbox = createSandbox({ children: 1 });
    const loaded = await sandbox.load(
      program('return main === null ? null : JSON.stringify(main)', { limits: { output: 64 << 20 } }),
    );
    const texts = ['', '\n\r\n', '\u2028\0\x1e', '🙂漢é', 'x'.repeat(5 << 20), 'é'.repeat(3 << 20)];
    const { answers } = await loaded.run(slice(texts.length, (i) => texts[i]!));
    expect(answers.map((answer) => JSON.parse(answer as string) as string)).toEqual(texts);
    const small = await loaded.run(slice(3));
    expect(small.answers).toEqual(['"0"', '"1"', '"2"']);
  });

  test('heads are sent once the program asks, and it starts the event anew', async () => {
    await using sandbox = createSandbox({ children: 1 });
    const loaded = await sandbox.load(
      program('return main === "2" && host.needHeads() ? head + "," + new Date().getTime() : String(head)'),
    );
    expect((await loaded.run(slice(4))).answers).toEqual(['null', 'null', '{"head":2},2', '{"head":3}']);
  });

  test('a program that does not load says why', async () => {
    await using sandbox = createSandbox({ children: 1 });
    await expect(sandbox.load(program('', { guest: '(() => { throw new TypeError("no") })()' }))).rejects.toThrow(
      'TypeError: no',
    );
    await expect(sandbox.load(program('', { guest: 'for (;;);', limits: { load: 50 } }))).rejects.toBeInstanceOf(
      LoadFailure,
    );
    const loaded = await sandbox.load(program('return main'));
    expect((await loaded.run(slice(1))).answers).toEqual(['0']);
  });
});

describe('processes', () => {
  test('this process never loads isolated-vm', async () => {
    const code = `
      const sandbox = createSandbox({ children: 1 });
      const loaded = await sandbox.load(program('return main'));
      await loaded.run(slice(1, () => 'x'));
      const maps = process.report.getReport().sharedObjects.filter((path) => path.includes('isolated'));
      console.log(JSON.stringify(maps));
      await sandbox[Symbol.asyncDispose]();`;
    const { stdout } = await promisify(execFile)(process.execPath, nodeArgs(code));
    expect(stdout.trim()).toBe('[]');
  });

  test('a child that is killed from outside costs nothing but time', async () => {
    await using sandbox = createSandbox({ children: 2 });
    const loaded = await sandbox.load(program('let x = 0; for (let i = 0; i < 2e5; i++) x += i; return main'));
    const runs = Array.from({ length: 6 }, () => loaded.run(slice(300)));
    const killed = new Set<number>();
    for (let kills = 0; kills < 4; kills++) {
      await new Promise((resolve) => setTimeout(resolve, 30)); // a kill at no moment in particular
      const [pid] = sandbox.processes();
      if (pid !== undefined && !killed.has(pid)) {
        killed.add(pid);
        process.kill(pid, 'SIGKILL');
      }
    }
    for (const { answers } of await Promise.all(runs)) expect(answers).toEqual(numbers(300));
    expect(killed.size).toBeGreaterThan(0);
  });

  test('an event is not blamed for kills from outside while it runs alone, until they do not end', async () => {
    await using sandbox = createSandbox({ children: 1 });
    const loaded = await sandbox.load(
      program('for (let i = 0; i < 5e8; i++); return main', { limits: { timeout: 10_000 } }),
    );
    const killed = new Set<number>();
    const killNext = async (): Promise<void> => {
      const pid = await until('a child that was not killed yet', () =>
        sandbox.processes().find((one) => !killed.has(one)),
      );
      killed.add(pid);
      process.kill(pid, 'SIGKILL');
    };
    const spared = loaded.run(slice(1));
    for (let kills = 0; kills < 3; kills++) await killNext();
    expect((await spared).answers).toEqual(['0']);

    let over = false;
    const blamed = loaded.run(slice(1)).finally(() => {
      over = true;
    });
    while (!over) await Promise.race([killNext(), blamed]);
    expect((await blamed).answers).toMatchObject([{ why: 'crash' }]);
    expect(killed.size).toBeLessThan(15);
  });

  test('work is shared by as many children as there are', async () => {
    await using sandbox = createSandbox({ children: 3 });
    const loaded = await sandbox.load(program('let x = 0; for (let i = 0; i < 1e5; i++) x += i; return main'));
    await Promise.all(Array.from({ length: 9 }, () => loaded.run(slice(100))));
    expect(sandbox.processes().length).toBe(3);
  });

  test('after dispose no child is left, and what was running is refused', async () => {
    const sandbox = createSandbox({ children: 2 });
    const loaded = await sandbox.load(program('for (;;);', { limits: { timeout: 60_000 } }));
    const running = loaded.run(slice(3));
    const refused = expect(running).rejects.toThrow('disposed');
    const pids = [...sandbox.processes()];
    expect(pids.length).toBeGreaterThan(0);
    await sandbox[Symbol.asyncDispose]();
    await refused;
    expect(pids.filter(alive)).toEqual([]);
    await expect(loaded.run(slice(1))).rejects.toThrow('disposed');
  });

  test('an idle sandbox does not keep its process alive', async () => {
    const code = `
      const sandbox = createSandbox({ children: 1 });
      const loaded = await sandbox.load(program('return main'));
      const { answers } = await loaded.run(slice(1, () => 'x'));
      console.log(answers[0]);`;
    const { stdout } = await promisify(execFile)(process.execPath, nodeArgs(code));
    expect(stdout.trim()).toBe('x');
  });

  test.runIf(linux)('a child has no environment, no folder, and only the descriptors it needs', async () => {
    await using sandbox = createSandbox({ children: 1 });
    await sandbox.load(program('return main'));
    const [pid] = sandbox.processes();
    const names = readFileSync(`/proc/${pid}/environ`, 'latin1')
      .split('\0')
      .filter(Boolean)
      .map((entry) => entry.split('=')[0]);
    expect(names.sort()).toEqual(['LANG', 'MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_', 'TZ']);
    const folder = readlinkSync(`/proc/${pid}/cwd`);
    expect(folder).toMatch(/\(deleted\)$/);
    expect(existsSync(folder.replace(' (deleted)', ''))).toBe(false);
    const open = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    const files = open.filter((path) => path.startsWith('/') && !path.startsWith('/dev/null'));
    expect(files.length).toBe(3);
    for (const file of files) expect(file).toContain('(deleted)');
  });

  test.runIf(linux)('a child ends with its parent, however that ends', async () => {
    const code = `
      const sandbox = createSandbox({ children: 1 });
      const loaded = await sandbox.load(program('for (;;);', { limits: { timeout: 600_000 } }));
      console.log(sandbox.processes().join());
      await loaded.run(slice(1, () => 'x'));`;
    const parent = spawn(process.execPath, nodeArgs(code), { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await createInterface(parent.stdout)[Symbol.asyncIterator]().next()).value!.split('\n');
    const pid = Number(line);
    expect(alive(pid)).toBe(true);
    parent.kill('SIGKILL');
    while (alive(pid)) await new Promise((resolve) => setTimeout(resolve, 5)); // the test's own limit ends this
  });

  test('slices of another program are not blamed, and a refusal names its reason', async () => {
    await using sandbox = createSandbox({ children: 1 });
    const bad = await sandbox.load(
      program('if (main === "5") Array.prototype.reverse.call({ length: 2 ** 53 - 1 }); return main', {
        limits: { timeout: 50 },
      }),
    );
    const good = await sandbox.load(program('return main'));
    const [first, second] = await Promise.all([bad.run(slice(10)), good.run(slice(10))]);
    expect(second.answers).toEqual(numbers(10));
    expect(first.answers.map((answer) => (isRefused(answer) ? answer.why : answer))).toEqual(
      numbers(10).map((n) => (n === '5' ? 'timeout' : n)),
    );
  });
});
