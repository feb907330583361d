// The lock of a file: one holder among processes and within one, until it is freed or its process ends.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, expect, test } from 'vitest';
import { tryLockFile } from './file-lock.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-lock-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const at = (name: string): string => join(dir, name);

/** Another process takes the lock, says whether it has it, and ends without freeing it. */
function fromAnotherProcess(file: string): string {
  const code = `
    import { tryLockFile } from ${JSON.stringify(new URL('./file-lock.ts', import.meta.url).href)};
    console.log(tryLockFile(${JSON.stringify(file)}) === null ? 'refused' : 'taken');
    process.kill(process.pid, 'SIGKILL');`;
  return spawnSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', code], { encoding: 'utf8' }).stdout;
}

test('a file that is locked is refused to everybody else until it is freed', () => {
  const lock = tryLockFile(at('a'));
  expect(tryLockFile(at('a'))).toBeNull();
  expect(fromAnotherProcess(at('a'))).toBe('refused\n');
  lock![Symbol.dispose]();
  lock![Symbol.dispose](); // twice is once
  expect(fromAnotherProcess(at('a'))).toBe('taken\n');
  using again = tryLockFile(at('a')); // its holder was killed
  expect(again).not.toBeNull();
  expect(readdirSync(dir)).toEqual(['a']); // and nothing stands beside it
});

test('a lock that nobody refers to any more is still held', async () => {
  tryLockFile(at('b'));
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let n = 0; n < 5; n++) {
    collect();
    await new Promise(setImmediate);
  }
  expect(tryLockFile(at('b'))).toBeNull();
});

test('where no lock can be had, SQLite says why', () => {
  mkdirSync(at('folder'));
  expect(() => tryLockFile(at('folder'))).toThrow(expect.objectContaining({ errcode: 14 })); // CANTOPEN
  expect(() => tryLockFile(at('none/file'))).toThrow(expect.objectContaining({ errcode: 14 }));
});
