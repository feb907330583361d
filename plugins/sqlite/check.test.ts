// What `check` finds out without leaving anything behind.

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CheckResult } from 'sluice/sdk';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { contextOf } from './fixture.ts';
import plugin from './index.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-sqlite-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const checkSink = (path: string): Promise<readonly CheckResult[]> =>
  plugin.sink!.check!({ path, auto_create: true, auto_evolve: true, busy_timeout: 100 }, contextOf());

test('a sink whose database does not exist yet is fine, and none is made', async () => {
  expect(await checkSink(join(folder, 'new.db'))).toMatchObject([{ ok: true }]);
  expect(await readdir(folder)).toEqual([]);
});

test('a sink whose folder does not exist is not fine', async () => {
  expect(await checkSink(join(folder, 'no', 'new.db'))).toMatchObject([
    { ok: false, message: expect.stringContaining('folder') },
  ]);
});
