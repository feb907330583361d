// The lock of a stream between real processes: one holder, freed by SIGKILL, not disturbed by who looks.

import { symlinkSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { openSqliteStore } from './sqlite.ts';
import { tempFolder } from './test-samples.ts';
import { otherProcess } from './test-spawn.ts';

test('a second process is refused while the first lives, and has the lock once SIGKILL has ended it', async () => {
  using folder = tempFolder();
  const path = folder.file('state.db');
  await using store = await openSqliteStore({ path });
  await using holder = otherProcess('lock', path, 'orders');
  expect(await holder.next()).toBe('locked');

  expect(await store.isLocked('orders')).toBe(true);
  await expect(store.lock('orders')).rejects.toMatchObject({ code: 'E_STATE_LOCKED' });
  await (await store.lock('items'))[Symbol.asyncDispose]();

  await holder.kill();
  expect(await store.isLocked('orders')).toBe(false);
  await using _ = await store.lock('orders');
  await using second = otherProcess('lock', path, 'orders');
  expect(await second.next()).toBe('E_STATE_LOCKED');
});

test('the refusal names the process that wrote the last status of the stream', async () => {
  using folder = tempFolder();
  await using store = await openSqliteStore({ path: folder.file('state.db') });
  await using _ = await store.lock('orders');
  await store.saveStatus({
    stream: 'orders',
    state: 'streaming',
    pending: 0,
    covered: 0,
    lag_ms: null,
    reason: null,
    pid: 4711,
    details: null,
    written_at: new Date().toISOString(),
  });
  await expect(store.lock('orders')).rejects.toThrow(/stream orders .*process 4711/);
});

test('closing the store frees its locks', async () => {
  using folder = tempFolder();
  const path = folder.file('state.db');
  const store = await openSqliteStore({ path });
  await store.lock('orders');
  await store[Symbol.asyncDispose]();
  await using other = otherProcess('lock', path, 'orders');
  expect(await other.next()).toBe('locked');
});

test('one file by two paths is one store with one lock', async () => {
  using folder = tempFolder();
  await using store = await openSqliteStore({ path: folder.file('state.db') });
  symlinkSync(folder.path, folder.file('folder'));
  symlinkSync(folder.file('state.db'), folder.file('folder/link.db'));
  await using _ = await store.lock('orders');
  for (const path of ['folder/state.db', 'link.db']) {
    await using same = await openSqliteStore({ path: folder.file(path) });
    await expect(same.lock('orders')).rejects.toMatchObject({ code: 'E_STATE_LOCKED' });
  }
});

test('of several processes that ask at once, exactly one gets it', async () => {
  using folder = tempFolder();
  const path = folder.file('state.db');
  await (await openSqliteStore({ path }))[Symbol.asyncDispose]();
  await using all = new AsyncDisposableStack();
  const others = [1, 2, 3].map(() => all.use(otherProcess('lock', path, 'orders')));
  const said = await Promise.all(others.map((other) => other.next()));
  expect(said.sort()).toEqual(['E_STATE_LOCKED', 'E_STATE_LOCKED', 'locked']);
});

test('looking at a lock neither frees it nor refuses it to anybody', async () => {
  using folder = tempFolder();
  const path = folder.file('state.db');
  await using store = await openSqliteStore({ path });
  await (await store.lock('orders'))[Symbol.asyncDispose]();
  await using looker = otherProcess('look', path, 'orders');
  expect(await looker.next()).toBe(false);

  for (let n = 0; n < 300; n++) await (await store.lock('orders'))[Symbol.asyncDispose]();

  await using lock = await store.lock('orders');
  // From outside, and from the holder's own process: closing a file there may drop its POSIX locks.
  expect(await looker.next()).toBe(true);
  for (let n = 0; n < 100; n++) expect(await store.isLocked('orders')).toBe(true);
  await using other = otherProcess('lock', path, 'orders');
  expect(await other.next()).toBe('E_STATE_LOCKED');

  await lock[Symbol.asyncDispose]();
  expect(await looker.end()).toMatchObject({ code: 0 });
});

test('a lock that nobody refers to any more is still held', async () => {
  using folder = tempFolder();
  await using store = await openSqliteStore({ path: folder.file('state.db') });
  await store.lock('orders');
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let n = 0; n < 5; n++) {
    collect();
    await new Promise(setImmediate);
  }
  expect(await store.isLocked('orders')).toBe(true);
});
