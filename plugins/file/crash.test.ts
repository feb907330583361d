// Exactly once, shown the hard way: a process that copies a file is killed again and again, and the copy is the file.

import { spawn } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { long } from '../../test/long.ts';
import { newFolder } from './fixture.ts';

const SCRIPT = fileURLToPath(new URL('./children/copy.ts', import.meta.url));

/** Runs the copier; kills it after so many checkpoints, if it lives that long. */
async function run(args: string[], killAfter: number): Promise<{ checkpoints: number; killed: boolean }> {
  const child = spawn(process.execPath, ['--no-warnings', SCRIPT, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<NodeJS.Signals | number>((resolve) => {
    child.on('exit', (code, signal) => resolve(signal ?? code ?? -1));
  });
  let checkpoints = 0;
  let done = false;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'done') done = true;
    else if (++checkpoints === killAfter) child.kill('SIGKILL');
  }
  const how = await ended;
  expect(how).toBe(done && how !== 'SIGKILL' ? 0 : 'SIGKILL');
  return { checkpoints, killed: how === 'SIGKILL' };
}

test.each([
  ['one file', '0', long ? 30 : 10],
  ['rotated files', '20000', long ? 12 : 6],
])('into %s: killed at any moment, nothing is lost and nothing is there twice', async (_, size, kills) => {
  await using folder = await newFolder();
  const rows = Array.from({ length: 40_000 }, (_, n) => JSON.stringify({ n, text: 'x'.repeat((n * 7) % 150) }));
  const input = folder.at('in.ndjson');
  await writeFile(input, `${rows.join('\n')}\n`);
  const args = [input, folder.at('out.ndjson'), folder.at('checkpoint.json'), size];
  const positions = new Set<number>();
  let killed = 0;
  for (let i = 0; i < kills; i++) {
    const end = await run(args, 1 + ((i * 13) % 29));
    if (end.killed) killed++;
    const { position } = JSON.parse(await readFile(folder.at('checkpoint.json'), 'utf8'));
    if (position !== null) positions.add(position.offset);
  }
  expect(killed).toBe(kills);
  expect(positions.size).toBe(kills); // each run got further than the one before
  expect((await run(args, -1)).killed).toBe(false);
  const number = (name: string): number => Number(/\.(\d+)\./.exec(name)?.[1] ?? 0);
  const names = (await readdir(folder.at('.'))).filter((name) => name.startsWith('out'));
  const texts = await Promise.all(
    names.toSorted((a, b) => number(a) - number(b)).map((name) => readFile(folder.at(name), 'utf8')),
  );
  expect(texts.join('') === `${rows.join('\n')}\n`).toBe(true);
  expect(names.length).toBeGreaterThan(size === '0' ? 0 : 50);
});
