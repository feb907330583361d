// The file plugin's memory bound, measured in a child process on files of 200 MiB.

import { spawnSync } from 'node:child_process';
import { open, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { newFolder } from './fixture.ts';

const SCRIPT = fileURLToPath(new URL('./children/drain.ts', import.meta.url));
const SIZE = 200 << 20;

function drain(path: string): { events: number; peak: number } {
  const child = spawnSync(process.execPath, ['--no-warnings', SCRIPT, path, String(1 << 20)], { encoding: 'utf8' });
  expect(child.stderr).toBe('');
  return JSON.parse(child.stdout);
}

async function bigFile(path: string, first: string, piece: string, last: string): Promise<number> {
  await using file = await open(path, 'w');
  await file.write(first);
  const count = Math.ceil(SIZE / (piece.length * 100));
  for (let i = 0; i < count; i++) await file.write(piece.repeat(100));
  await file.write(last);
  return count * 100;
}

const element = `{"text":"${'x'.repeat(1000)}"}`;

test.each([
  ['lines', '', `${element}\n`, '', (pieces: number) => pieces],
  ['an array', '[', `${element},\n`, `${element}]`, (pieces: number) => pieces + 1],
  ['one endless line', '{"text":"', 'x'.repeat(1000), '"}\n{}', () => 2],
  ['an array of one endless element', '[{"text":"', 'x'.repeat(1000), '"},{}]', () => 2],
])('200 MiB of %s are read in little memory', async (_, first, piece, last, events) => {
  await using folder = await newFolder();
  await writeFile(folder.at('small'), '{}\n');
  const pieces = await bigFile(folder.at('big'), first, piece, last);
  const small = drain(folder.at('small'));
  const big = drain(folder.at('big'));
  expect(big.events).toBe(events(pieces));
  expect(big.peak - small.peak).toBeLessThan(100 << 20);
});
