// The identity of a file, and that asking for it disturbs nobody's locks.

import { spawnSync } from 'node:child_process';
import { linkSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, expect, test } from 'vitest';
import { fileIdentity } from './file-identity.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-identity-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const at = (name: string): string => join(dir, name);

test('a file is the same by every name, and another once it was replaced', () => {
  writeFileSync(at('a'), 'one');
  linkSync(at('a'), at('hard'));
  symlinkSync(at('a'), at('soft'));
  const was = fileIdentity(at('a'));
  expect(was).toMatch(/^\d+ \d+$/);
  expect(fileIdentity(at('hard'))).toBe(was);
  expect(fileIdentity(at('soft'))).toBe(was);
  writeFileSync(at('a'), 'written to');
  expect(fileIdentity(at('a'))).toBe(was);
  writeFileSync(at('b'), 'one');
  renameSync(at('b'), at('a'));
  expect(fileIdentity(at('a'))).not.toBe(was);
  expect(fileIdentity(at('none'))).toBeNull();
});

test('asking for it frees no lock of this process', () => {
  using holder = new DatabaseSync(at('db'), { timeout: 0 });
  holder.exec('begin exclusive');
  fileIdentity(at('db'));
  // another process: SQLite itself keeps connections of one process apart, with or without the system's lock
  const code = `new (require('node:sqlite').DatabaseSync)(${JSON.stringify(at('db'))}, { timeout: 0 }).exec('begin exclusive')`;
  const other = spawnSync(process.execPath, ['--no-warnings', '-e', code], { encoding: 'utf8' });
  expect(other.stderr).toContain('database is locked');
});
