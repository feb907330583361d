// The SQLite store among processes and threads: kills, concurrent writers, a held write lock, a lost worker. (That the built package
// finds its worker: test/package.test.ts.)

import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync, truncateSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { openSqliteStore } from './sqlite.ts';
import { openTables } from './sqlite-tables.ts';
import type { StateStore } from './store.ts';
import { LETTERS } from './test-process.ts';
import { checkpointOf, letterOf, tempFolder } from './test-samples.ts';
import { otherProcess } from './test-spawn.ts';

/** The n of the checkpoint that is stored, after seeing that it and the letters beside it are of one write. */
async function wholeWrite(store: StateStore, stream: string): Promise<number> {
  const checkpoint = await store.loadCheckpoint(stream);
  const n = checkpoint === null ? 0 : (checkpoint.position as { n: number }).n;
  const letters = await store.listDeadLetters({ stream });
  expect(letters.map((l) => l.event_id)).toEqual(
    Array.from({ length: n * LETTERS }, (_, i) => `${Math.floor(i / LETTERS) + 1}/${i % LETTERS}`),
  );
  return n;
}

test('SIGKILL at any moment leaves whole writes only, and all that were confirmed', async () => {
  using folder = tempFolder();
  for (let round = 1; round <= 6; round++) {
    const path = folder.file(`${round}.db`);
    const writer = otherProcess('write', path, 'orders', 100_000);
    let confirmed = 0;
    while (confirmed < round * 7) confirmed = (await writer.next()) as number;
    await writer.kill();
    for (let said = await writer.next(); said !== null; said = await writer.next()) confirmed = said as number;
    await using store = await openSqliteStore({ path });
    expect(await wholeWrite(store, 'orders')).toBeGreaterThanOrEqual(confirmed);
  }
});

test('a log that is cut off anywhere gives an earlier whole write, never half of one', async () => {
  using folder = tempFolder();
  const path = folder.file('state.db');
  const writer = otherProcess('write', path, 'orders', 100_000);
  while (((await writer.next()) as number) < 12);
  await writer.kill();
  const size = statSync(`${path}-wal`).size;
  const seen = new Set<number>();
  for (let cut = 0; cut < 16; cut++) {
    const to = folder.file(`cut-${cut}`);
    mkdirSync(to);
    execFileSync('cp', [path, `${path}-wal`, to]);
    truncateSync(`${to}/state.db-wal`, Math.floor((size * cut) / 15) - (cut % 2));
    await using store = await openSqliteStore({ path: `${to}/state.db` });
    seen.add(await wholeWrite(store, 'orders'));
  }
  expect(seen.size).toBeGreaterThan(3);
});

test('several processes that write at the same time all get all of theirs stored', async () => {
  using folder = tempFolder();
  const path = folder.file('new/state.db'); // made by whoever comes first
  await using all = new AsyncDisposableStack();
  const writers = ['a', 'b', 'c'].map((stream) => all.use(otherProcess('write', path, stream, 150)));
  for (const writer of writers) expect(await writer.end()).toEqual({ code: 0, stderr: '' });
  await using store = await openSqliteStore({ path });
  for (const stream of ['a', 'b', 'c']) {
    expect((await store.listDeadLetters({ stream })).length).toBe(150 * LETTERS);
    expect(await store.loadCheckpoint(stream)).toEqual(checkpointOf(stream, 150));
    expect(await store.history(stream, 3)).toEqual([149, 148, 147].map((n) => checkpointOf(stream, n)));
  }
});

test('an idle store that nobody closed does not keep its process alive, and a write under way does', async () => {
  using folder = tempFolder();
  await using writer = otherProcess('write', folder.file('state.db'), 'orders', 2);
  expect(await writer.next()).toBe(1);
  expect(await writer.next()).toBe(2);
  expect(await writer.next()).toBeNull();
  expect(await writer.end()).toEqual({ code: 0, stderr: '' });
});

test('a write that waits for another process does not hold the event loop', async () => {
  using folder = tempFolder();
  const path = folder.file('state.db');
  await using store = await openSqliteStore({ path });
  using other = new DatabaseSync(path);
  other.exec('begin immediate');
  let settled = false;
  const written = store.write({ checkpoint: checkpointOf('a', 1) }).finally(() => {
    settled = true;
  });
  for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
  expect(settled).toBe(false);
  other.exec('rollback');
  await written;
  expect(await store.loadCheckpoint('a')).toEqual(checkpointOf('a', 1));
});

test('a write lock that never ends is an error that says so, and the store works once it is gone', () => {
  using folder = tempFolder();
  const path = folder.file('state.db');
  const tables = openTables(path, 30);
  const change = { checkpoint: { stream: 'a', text: JSON.stringify(checkpointOf('a', 1)) }, letters: [], marks: [] };
  using other = new DatabaseSync(path);
  other.exec('begin immediate');
  expect(() => tables.write(change)).toThrow(expect.objectContaining({ code: 'E_STATE_WRITE', permanent: false }));
  expect(() => tables.write(change)).toThrow(/another process/);
  expect(tables.loadCheckpoint('a')).toBeNull();
  other.exec('rollback');
  tables.write(change);
  expect(tables.loadCheckpoint('a')).toEqual(checkpointOf('a', 1));
  tables.close();
});

test('when the worker is lost, calls fail and say so, what was confirmed is safe, and the lock stays held', async () => {
  using folder = tempFolder();
  const path = folder.file('state.db');
  let worker: Worker | undefined;
  process.once('worker', (started) => {
    worker = started;
  });
  const said: string[] = [];
  const line = (_: object, message: string): void => void said.push(message);
  await using store = await openSqliteStore({ path, log: { debug: line, info: line, warn: line, error: line } });
  await using _ = await store.lock('a');
  await store.write({ checkpoint: checkpointOf('a', 1) });

  using blocker = new DatabaseSync(path);
  blocker.exec('begin immediate'); // so that the write is under way and cannot be done when the worker goes
  const underWay = store.write({ deadLetters: [letterOf('a', 'e1')] });
  const refused = expect(underWay).rejects.toMatchObject({ code: 'E_STATE_WRITE', permanent: true });
  const ended = worker!.terminate();
  blocker.exec('rollback');
  await refused;
  await ended;
  await expect(store.loadCheckpoint('a')).rejects.toMatchObject({ code: 'E_STATE_WRITE', fix: expect.any(String) });
  expect(said).toEqual(["the state store's thread ended"]);
  await using other = otherProcess('lock', path, 'a');
  expect(await other.next()).toBe('E_STATE_LOCKED');
  await using again = await openSqliteStore({ path });
  expect(await again.loadCheckpoint('a')).toEqual(checkpointOf('a', 1));
});
