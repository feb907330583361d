// Where there is no shared memory, or no room left in it, texts pass through the pipes: the same answers for the same events.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { isRefused } from './index.ts';
import { createPool } from './pool.ts';
import { nodeArgs, program as programWith, slice } from './test-program.ts';

const LIMITS = { timeout: 200, memory: 128 << 20, output: 64 << 20, load: 2000, deaths: 30 };
const program = (body: string) => programWith(body, { limits: LIMITS });

describe('through pipes', () => {
  test('texts of any length and of all of Unicode cross unchanged, several slices at a time', async () => {
    await using pool = createPool({ children: 1, pipes: true });
    const loaded = await pool.load(program('return JSON.stringify(main)'));
    const texts = ['', '\n\r\n', '\u2028\0\x1e', '🙂漢é', '🙂'.repeat(1 << 20), 'é'.repeat(3 << 20)];
    const runs = Array.from({ length: 5 }, (_, i) => loaded.run(slice(texts.length + 1, (j) => texts[j] ?? String(i))));
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
    const { answers } = await loaded.run(slice(10));
    expect(answers.map((answer) => (isRefused(answer) ? answer.why : answer))).toEqual(
      ['0', '1', '2', '3', '4', 'timeout', '6', '7', '8', '9'], // the time of event 7 is 7
    );
  });
});

test.runIf(process.platform === 'linux')('when shared memory is full, the pipe takes over', async () => {
  // files of this process may not grow beyond 64 KiB: a full disk in small
  const code = `
    const sandbox = createSandbox({ children: 1 });
    const loaded = await sandbox.load(program('return main + main.length', { limits: ${JSON.stringify(LIMITS)} }));
    const text = 'x'.repeat(300_000);
    const { answers } = await loaded.run(slice(2, (i) => i + text));
    console.log(JSON.stringify(answers.map((answer) => answer === 0 + text + '300001' || answer === 1 + text + '300001')));
    await sandbox[Symbol.asyncDispose]();`;
  const { stdout } = await promisify(execFile)('prlimit', ['--fsize=65536', process.execPath, ...nodeArgs(code)]);
  expect(stdout.trim()).toBe('[true,true]');
});
