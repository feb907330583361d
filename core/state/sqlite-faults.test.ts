// The SQLite store when something is wrong with its file, its folder or its disk: one clear error each, with what to do,
// nothing half-written, and a store that works again when the fault is gone.

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { openSqliteStore } from './sqlite.ts';
import { openTables } from './sqlite-tables.ts';
import type { StateStore } from './store.ts';
import { checkpointOf, letterOf, tempFolder } from './test-samples.ts';
import { toWire } from './wire.ts';

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);
const error = (code: string, message: RegExp) => ({
  code,
  message: expect.stringMatching(message),
  fix: expect.stringMatching(/.{10}/),
});

async function storeWith(path: string, checkpoints: number): Promise<void> {
  await using store = await openSqliteStore({ path });
  for (let n = 1; n <= checkpoints; n++) {
    await store.write({ checkpoint: checkpointOf('orders', n), deadLetters: [letterOf('orders', `e${n}`)] });
  }
}

function sql(path: string, text: string): void {
  using db = new DatabaseSync(path);
  db.exec(text);
}

describe('files', () => {
  test('folder, database, log and lock are made on demand and readable by their owner only', async () => {
    using folder = tempFolder();
    const path = folder.file('a/b/state.db');
    await using store = await openSqliteStore({ path });
    await store.write({ checkpoint: checkpointOf('orders', 1) });
    await using _ = await store.lock('orders');
    expect([modeOf(folder.file('a')), modeOf(folder.file('a/b'))]).toEqual(['700', '700']);
    const names = readdirSync(folder.file('a/b')).sort();
    expect(names.map((name) => name.replace(/[0-9a-f]{16}/, '<hash>'))).toEqual([
      'state.db',
      'state.db-shm',
      'state.db-wal',
      'state.db.<hash>.lock',
    ]);
    for (const name of names) expect([name, modeOf(folder.file(`a/b/${name}`))]).toEqual([name, '600']);
  });

  test('every commit is synced: the log is on, and no connection is left with weaker settings', () => {
    using folder = tempFolder();
    for (let time = 0; time < 2; time++) {
      const { db, close } = openTables(folder.file('state.db'));
      const settings = ['journal_mode', 'synchronous', 'foreign_keys'].map((name) =>
        db.prepare(`pragma ${name}`).get(),
      );
      expect(settings).toEqual([{ journal_mode: 'wal' }, { synchronous: 2 }, { foreign_keys: 1 }]);
      close();
    }
  });

  test('rights that others have on an existing store are taken away', async () => {
    using folder = tempFolder();
    const path = folder.file('state.db');
    await storeWith(path, 1);
    chmodSync(path, 0o644);
    await using _ = await openSqliteStore({ path });
    expect(['', '-wal', '-shm'].map((end) => modeOf(path + end))).toEqual(['600', '600', '600']);
  });

  test.each([
    ['a folder', (path: string) => mkdirSync(path)],
    ['below a file', (path: string) => writeFileSync(join(path, '..'), 'a file')],
  ])('a path that is %s cannot be opened', async (what, make) => {
    using folder = tempFolder();
    const path = folder.file(what === 'a folder' ? 'state.db' : 'file/state.db');
    make(path);
    const opened = openSqliteStore({ path });
    await expect(opened).rejects.toMatchObject(error('E_STATE_OPEN', /cannot be opened/));
    await expect(opened).rejects.not.toThrow(folder.path); // a configuration value
  });

  test.each([
    ['the store itself', 'state.db'],
    ['the lock of a stream', '.lock'],
  ])('%s that is deleted while it is open fails the next write, and every one after it', async (_, ending) => {
    using folder = tempFolder();
    await using store = await openSqliteStore({ path: folder.file('state.db') });
    await using lock = await store.lock('orders');
    expect(lock).toBeDefined();
    await store.write({ checkpoint: checkpointOf('orders', 1) });
    const name = readdirSync(folder.path).find((one) => one.endsWith(ending))!;
    rmSync(folder.file(name));
    for (const n of [2, 3]) {
      const write = store.write({ checkpoint: checkpointOf('orders', n) });
      await expect(write).rejects.toMatchObject(error('E_STATE_GONE', /was deleted or replaced/));
    }
  });

  test('a database of something else is refused and not touched', async () => {
    using folder = tempFolder();
    const path = folder.file('shop.db');
    sql(path, 'create table orders (id integer primary key); insert into orders values (1)');
    const before = readFileSync(path);
    await expect(openSqliteStore({ path })).rejects.toMatchObject(error('E_STATE_OPEN', /something else/));
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test('a store of a newer Sluice is refused and not touched', async () => {
    using folder = tempFolder();
    const path = folder.file('state.db');
    await storeWith(path, 1);
    sql(path, 'pragma user_version = 99');
    await expect(openSqliteStore({ path })).rejects.toMatchObject(error('E_STATE_VERSION', /version 99/));
    sql(path, 'pragma user_version = 1');
    await using store = await openSqliteStore({ path });
    expect(await store.loadCheckpoint('orders')).toEqual(checkpointOf('orders', 1));
  });
});

describe('damage', () => {
  test('a file that is no database is damaged, and stays as it is', async () => {
    using folder = tempFolder();
    const path = folder.file('state.db');
    const text = 'this is a text and no database\n'.repeat(500);
    writeFileSync(path, text);
    await expect(openSqliteStore({ path })).rejects.toMatchObject(error('E_STATE_CORRUPT', /no SQLite database/));
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  test.each([
    ['a table', 'drop table dead_letter'],
    ['a column', 'alter table request drop column result'],
  ])('one that lost %s is damaged', async (_what, change) => {
    using folder = tempFolder();
    const path = folder.file('state.db');
    await storeWith(path, 1);
    sql(path, change);
    await expect(openSqliteStore({ path })).rejects.toMatchObject(error('E_STATE_CORRUPT', /damaged: no such/));
  });

  test('a file that was cut off is damaged, and no answer is empty', async () => {
    using folder = tempFolder();
    const path = folder.file('state.db');
    await storeWith(path, 50);
    const bytes = readFileSync(path);
    let errors = 0;
    for (let part = 1; part < 8; part++) {
      writeFileSync(path, bytes.subarray(0, Math.floor((bytes.length * part) / 8)));
      const read = async () => {
        await using store = await openSqliteStore({ path });
        return [await store.loadCheckpoint('orders'), (await store.listDeadLetters({})).length];
      };
      await read().then(
        (whole) => expect(whole).toEqual([checkpointOf('orders', 50), 50]),
        (thrown) => {
          expect(thrown).toMatchObject(error('E_STATE_CORRUPT', /damaged/));
          errors++;
        },
      );
    }
    expect(errors).toBeGreaterThan(0);
  });

  test('bytes changed in the current checkpoint are found, and the newest intact one is named and not taken', async () => {
    using folder = tempFolder();
    const path = folder.file('state.db');
    await storeWith(path, 5);
    sql(path, `update checkpoint set text = replace(text, '"in":5', '"in":6')`);
    sql(path, `update checkpoint set text = substr(text, 1, 100) where text like '%"in":4,%'`);
    await using store = await openSqliteStore({ path });
    const load = store.loadCheckpoint('orders');
    await expect(load).rejects.toMatchObject({
      ...error('E_STATE_CORRUPT', /stream orders is damaged/),
      fix: expect.stringMatching(/saved at 2026-01-01T00:00:03\.000Z.*"n":3/),
      permanent: true,
    });
    await expect(store.history('orders', 10)).rejects.toMatchObject({ code: 'E_STATE_CORRUPT' });

    await store.write({ checkpoint: checkpointOf('orders', 3) });
    expect(await store.loadCheckpoint('orders')).toEqual(checkpointOf('orders', 3));
  });

  test('with no intact checkpoint left the error says so', async () => {
    using folder = tempFolder();
    const path = folder.file('state.db');
    await storeWith(path, 3);
    sql(path, `update checkpoint set text = 'x' || text`);
    await using store = await openSqliteStore({ path });
    await expect(store.loadCheckpoint('orders')).rejects.toMatchObject({
      ...error('E_STATE_CORRUPT', /damaged/),
      fix: expect.stringMatching(/no intact one/),
    });
  });

  test.each([
    ['a dead letter', `update dead_letter set error = '{"cut'`, (store: StateStore) => store.listDeadLetters({})],
    ['a request', `update request set body = '{"cut'`, (store: StateStore) => store.getRequest(1)],
    ['a live status', `update status set text = '{"cut'`, (store: StateStore) => store.statuses()],
  ])('%s that cannot be read is an error', async (_, damage, read) => {
    using folder = tempFolder();
    const path = folder.file('state.db');
    await storeWith(path, 1);
    await using store = await openSqliteStore({ path });
    await store.addRequest({ stream: 'orders', type: 'replay', body: {} });
    await store.saveStatus({
      stream: 'orders',
      state: 'streaming',
      pending: 0,
      covered: 0,
      lag_ms: 0,
      reason: null,
      pid: 1,
      details: null,
      written_at: '2026-01-01T00:00:00.000Z',
    });
    sql(path, damage);
    await expect(read(store)).rejects.toMatchObject({ code: 'E_STATE_CORRUPT' });
  });
});

describe('the disk', () => {
  test('a full one fails the write as a whole, and the store goes on when there is room', () => {
    using folder = tempFolder();
    const tables = openTables(folder.file('state.db'));
    tables.write(toWire({ checkpoint: checkpointOf('orders', 1), deadLetters: [letterOf('orders', 'e1')] }));
    const bytes = tables.deadLetterBytes('orders');
    const { page_count } = tables.db.prepare('pragma page_count').get() as { page_count: number };
    tables.db.exec(`pragma max_page_count = ${page_count + 2}`);
    const large = { event: 'x'.repeat(5_000) };
    const many = Array.from({ length: 50 }, (_, i) => letterOf('orders', `f${i}`, large));
    const change = toWire({
      checkpoint: checkpointOf('orders', 2),
      deadLetters: many,
      marks: [{ status: 'resolved', ids: [1] }],
    });
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(() => tables.write(change)).toThrow(expect.objectContaining(error('E_STATE_WRITE', /the disk is full/)));
      expect(tables.loadCheckpoint('orders')).toEqual(checkpointOf('orders', 1));
      expect(tables.listDeadLetters({}).map((l) => [l.event_id, l.status])).toEqual([['e1', 'pending']]);
      expect(tables.deadLetterBytes('orders')).toBe(bytes);
    }
    tables.write(toWire({ checkpoint: checkpointOf('orders', 3) })); // what still has room is still written

    tables.db.exec('pragma max_page_count = 1000000');
    tables.write(change);
    expect(tables.loadCheckpoint('orders')).toEqual(checkpointOf('orders', 2));
    expect(tables.listDeadLetters({ status: 'pending' })).toHaveLength(50);
    tables.close();
  });

  const disks = canMount();

  test.skipIf(!disks)(
    'a real one that is full: an error, nothing half-written, and on with it when there is room',
    async () => {
      using folder = tempFolder();
      using disk = mount(folder.path, 'size=2m');
      await using store = await openSqliteStore({ path: disk.file('state.db') });
      const large = { event: 'x'.repeat(20_000) };
      writeFileSync(disk.file('ballast'), Buffer.alloc(900_000));
      let written = 0;
      const more = async (): Promise<void> => {
        const deadLetters = [0, 1].map((i) => letterOf('orders', `${written + 1}/${i}`, large));
        await store.write({ checkpoint: checkpointOf('orders', written + 1), deadLetters });
        written++;
      };
      const untilFull = async (): Promise<unknown> => {
        for (;;) await more();
      };
      const whole = async (of: StateStore): Promise<void> => {
        expect(await of.loadCheckpoint('orders')).toEqual(checkpointOf('orders', written));
        expect(await of.listDeadLetters({})).toHaveLength(written * 2);
      };
      await expect(untilFull()).rejects.toMatchObject(error('E_STATE_WRITE', /full|disk gave an error/));
      expect(written).toBeGreaterThan(3);
      await whole(store);
      await expect(more()).rejects.toMatchObject({ code: 'E_STATE_WRITE' });

      rmSync(disk.file('ballast'));
      await more();
      await whole(store);
      await using other = await openSqliteStore({ path: disk.file('state.db') });
      await whole(other);
    },
  );

  test.skipIf(!disks)(
    'one that has no room for a new store: an error, and nothing is left that stops the next',
    async () => {
      using folder = tempFolder();
      using disk = mount(folder.path, 'size=100k');
      writeFileSync(disk.file('ballast'), Buffer.alloc(88_000));
      await expect(openSqliteStore({ path: disk.file('state.db') })).rejects.toMatchObject(
        error('E_STATE_OPEN', /cannot be/),
      );
      rmSync(disk.file('ballast'));
      mountAgain(disk.path, 'size=2m');
      await storeWith(disk.file('state.db'), 1);
    },
  );

  test('a folder that is read-only cannot get a store', async () => {
    using folder = tempFolder();
    using disk = readOnlyFolder(folder.path);
    for (const name of ['state.db', 'new/state.db']) {
      const opened = openSqliteStore({ path: disk.file(name) });
      await expect(opened).rejects.toMatchObject(error('E_STATE_OPEN', /cannot be opened/));
    }
  });

  test.skipIf(!disks)(
    'one that becomes read-only fails the write, and the store works when it is writable again',
    async () => {
      using folder = tempFolder();
      using disk = mount(folder.path, 'size=4m');
      const path = disk.file('state.db');
      await storeWith(path, 1);
      mountAgain(disk.path, 'ro');
      await expect(openSqliteStore({ path })).rejects.toMatchObject(error('E_STATE_OPEN', /cannot be opened/));
      mountAgain(disk.path, 'rw');
      await using store = await openSqliteStore({ path });
      expect(await store.loadCheckpoint('orders')).toEqual(checkpointOf('orders', 1));
    },
  );
});

interface Disk extends Disposable {
  readonly path: string;
  file(name: string): string;
}

function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  using folder = tempFolder();
  if (spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', folder.path]).status !== 0) return false;
  return spawnSync('umount', [folder.path]).status === 0;
}

function mount(path: string, options: string): Disk {
  const done = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(done.stderr);
  return {
    path,
    file: (name) => join(path, name),
    [Symbol.dispose]: () => void spawnSync('umount', ['--lazy', path]),
  };
}

function mountAgain(path: string, options: string): void {
  const done = spawnSync('mount', ['-o', `remount,${options}`, path], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(done.stderr);
}

// Root may write to any folder, except on a disk that is read-only.
function readOnlyFolder(path: string): Disk {
  if (process.getuid?.() === 0) return mount(path, 'ro');
  chmodSync(path, 0o555);
  return { path, file: (name) => join(path, name), [Symbol.dispose]: () => chmodSync(path, 0o755) };
}
