// What `check` finds out without leaving anything behind.

import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { CheckResult } from 'sluice/sdk';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inAChild } from '../in-a-child.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-sqlite-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const plugin = JSON.stringify(new URL('./index.ts', import.meta.url).href);

/** Checks a sink in a process of its own, because a driver that was loaded once stays loaded. */
async function checkSink(path: string, driver: 'there' | 'missing'): Promise<readonly CheckResult[]> {
  const child = inAChild(
    `import { registerHooks } from 'node:module';
     registerHooks({ resolve(name, context, next) {
       if (name === 'sqlite3' && ${JSON.stringify(driver)} === 'missing') throw new Error('no such module');
       return next(name, context);
     } });
     const { default: plugin } = await import(${plugin});
     const config = { path: process.argv.at(-1), auto_create: true, auto_evolve: true, busy_timeout: 100 };
     console.log(JSON.stringify(await plugin.sink.check(config, {})));`,
    [path],
  );
  const [out, errors] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'close')]);
  expect(errors).toBe('');
  return JSON.parse(out) as CheckResult[];
}

test('a sink whose database does not exist yet is fine, and none is made', async () => {
  expect(await checkSink(join(folder, 'new.db'), 'there')).toMatchObject([{ ok: true }]);
  expect(await readdir(folder)).toEqual([]);
});

test('a sink whose database does not exist yet is not fine without the driver', async () => {
  expect(await checkSink(join(folder, 'new.db'), 'missing')).toMatchObject([
    { ok: false, message: expect.stringContaining('sqlite3'), fix: expect.stringContaining('npm install') },
  ]);
});

test('a sink whose folder does not exist is not fine', async () => {
  expect(await checkSink(join(folder, 'no', 'new.db'), 'there')).toMatchObject([
    { ok: false, message: expect.stringContaining('folder') },
  ]);
});
