// Where there is no shared memory, or no room left in it, texts pass through the pipes: the same answers for the same events.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { isRefused, type Slice } from './index.ts';
import { createPool } from './pool.ts';

const LIMITS = {
  timeout: 200,
  memory: 128 << 20,
  output: 64 << 20,
  fan_out: 100,
  logs: 1000,
  load: 2000,
  depth: 100,
  deaths: 30,
};

function slice(texts: readonly string[]): Slice {
  return {
    length: texts.length,
    main: (i) => texts[i]!,
    second: () => null,
    seconds: false,
    head: (i) => `{"head":${i}}`,
    id: (i) => `id${i}`,
    time: (i) => i,
  };
}

const program = (body: string) => ({
  guest: `(text, host) => (main) => { ${body} }`,
  text: '',
  limits: LIMITS,
  heads: 'on_demand' as const,
});

describe('through pipes', () => {
  test('texts of any length and of all of Unicode cross unchanged, several slices at a time', async () => {
    await using pool = createPool({ children: 1, pipes: true });
    const loaded = await pool.load(program('return JSON.stringify(main)'));
    const texts = ['', '\n\r\n', '\u2028\0\x1e', '🙂漢é', '🙂'.repeat(1 << 20), 'é'.repeat(3 << 20)];
    const runs = Array.from({ length: 5 }, (_, i) => loaded.run(slice([...texts, String(i)])));
    for (const [i, { answers }] of (await Promise.all(runs)).entries()) {
      expect(answers.map((answer) => JSON.parse(answer as string) as string)).toEqual([...texts, String(i)]);
    }
  });

  test('a death costs its own event, heads are sent on demand, and all others are kept', async () => {
    await using pool = createPool({ children: 2, pipes: true });
    const loaded = await pool.load(
      program(`
        if (main === '5') Array.prototype.reverse.call({ length: 2 ** 53 - 1 });
        if (main === '7') return String(host.needHeads() && Date.now());
        return main;`),
    );
    const { answers } = await loaded.run(slice(Array.from({ length: 10 }, (_, i) => String(i))));
    expect(answers.map((answer) => (isRefused(answer) ? answer.why : answer))).toEqual(
      ['0', '1', '2', '3', '4', 'timeout', '6', '7', '8', '9'], // the time of event 7 is 7
    );
  });
});

test.runIf(process.platform === 'linux')('when shared memory is full, the pipe takes over', async () => {
  // files of this process may not grow beyond 64 KiB: a full disk in small
  const code = `
    import { createSandbox } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
    const sandbox = createSandbox({ children: 1 });
    const loaded = await sandbox.load(${JSON.stringify(program('return main + main.length'))});
    const text = 'x'.repeat(300_000);
    const slice = { length: 2, main: (i) => i + text, second: () => null, seconds: false, head: () => '', id: () => '', time: () => 0 };
    const { answers } = await loaded.run(slice);
    console.log(JSON.stringify(answers.map((answer) => answer === 0 + text + '300001' || answer === 1 + text + '300001')));
    await sandbox[Symbol.asyncDispose]();`;
  const node = [process.execPath, '--no-warnings', '--input-type=module', '-e', code];
  const { stdout } = await promisify(execFile)('prlimit', ['--fsize=65536', ...node]);
  expect(stdout.trim()).toBe('[true,true]');
});
