// The SQLite sink: upserts, key changes, evolution, values, and what it refuses.

import { existsSync } from 'node:fs';
import { readFile, rename, unlink, writeFile } from 'node:fs/promises';
import type { Checkpoint, Column, Row } from 'sluice/sdk';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Connection } from './driver.ts';
import { type Bench, batch, bench, dump, never, statuses } from './fixture.ts';

let at: Bench;
let db: Connection;
beforeEach(async () => {
  at = await bench();
  db = await at.open('target.db');
});
afterEach(() => at[Symbol.asyncDispose]());

const columns: readonly Column[] = [
  { name: 'id', type: 'int', native: 'INTEGER', key: 1 },
  { name: 'n', type: 'text', native: 'TEXT' },
  { name: 'big', type: 'bigint', native: 'bigint' },
];

describe('rows with a key', () => {
  test('of which not all is known change a row that is there, and make none', async () => {
    const sink = at.sink();
    await db.exec(
      "CREATE TABLE o (id INTEGER PRIMARY KEY, n TEXT, big TEXT NOT NULL); INSERT INTO o VALUES (1, 'a', 'B')",
    );
    const part = (id: number, n: string) =>
      ({ op: 'u', after: { id, n }, source: { unchanged: ['big'] } as never }) as const;
    expect(statuses(await sink.write(batch([part(1, 'b'), part(2, 'c')]), never))).toBe('ok ok');
    expect(await dump(db, 'o')).toEqual(['i:1 t:b t:B']);
    // within one batch the whole row comes first
    const whole = { op: 'c', after: { id: 3, n: 'x', big: 'Y' } } as const;
    expect(statuses(await sink.write(batch([whole, part(3, 'z')]), never))).toBe('ok ok');
    expect(await dump(db, 'o')).toEqual(['i:1 t:b t:B', 'i:3 t:z t:Y']);
  });

  test('are upserted and deleted, in a table that is made for them', async () => {
    const sink = at.sink();
    const results = await sink.write(
      batch(
        [
          { op: 'c', after: { id: 1, n: 'a', big: '9223372036854775807' } },
          { op: 'c', after: { id: 2, n: 'b', big: '-9223372036854775808' } },
          { op: 'u', before: { id: 1, n: 'a', big: '9223372036854775807' }, after: { id: 1, n: 'A', big: null } },
          { op: 'd', before: { id: 2, n: 'b', big: '-9223372036854775808' } },
          { op: 'c', after: { id: 3, n: '', big: '9007199254740993' } },
        ],
        { o: columns },
      ),
      never,
    );
    expect(statuses(results)).toBe('ok ok ok ok ok');
    expect(await dump(db, 'o')).toEqual(['i:1 t:A n', 'i:3 t: i:9007199254740993']);
  });

  test('keep what an event does not mention, also within one batch', async () => {
    await db.exec(`CREATE TABLE o (id INTEGER PRIMARY KEY, a, b); INSERT INTO o VALUES (1, 'old', 'kept')`);
    await at.sink().write(
      batch([
        { op: 'u', after: { id: 1, a: 'new' } },
        { op: 'c', after: { id: 2, a: 'x', b: 'y' } },
        { op: 'u', after: { id: 2, b: 'z' } },
      ]),
      never,
    );
    expect(await dump(db, 'o')).toEqual(['i:1 t:new t:kept', 'i:2 t:x t:z']);
  });

  test('keep nothing of the row before, once it was deleted', async () => {
    await db.exec(`CREATE TABLE o (id INTEGER PRIMARY KEY, a, b); INSERT INTO o VALUES (1, 'old', 'gone')`);
    await at.sink().write(
      batch([
        { op: 'd', before: { id: 1 } },
        { op: 'c', after: { id: 1, a: 'new' } },
      ]),
      never,
    );
    expect(await dump(db, 'o')).toEqual(['i:1 t:new n']);
  });

  test('move with their key, and keep the columns that are not there', async () => {
    await db.exec(
      `CREATE TABLE o (id INTEGER PRIMARY KEY, a, b); INSERT INTO o VALUES (1, 'a', 'kept'), (7, 'stale', 'stale')`,
    );
    const moved = { op: 'u', before: { id: 1 }, after: { id: 7, a: 'A' } } as const;
    const sink = at.sink();
    expect(statuses(await sink.write(batch([moved, { op: 'u', after: { id: 7, a: 'B' } }]), never))).toBe('ok ok');
    expect(await dump(db, 'o')).toEqual(['i:7 t:B t:kept']);
    await sink.write(batch([moved]), never); // delivered again
    expect(await dump(db, 'o')).toEqual(['i:7 t:A t:kept']);
  });

  test('move when two keys are swapped by way of a third', async () => {
    await db.exec(`CREATE TABLE o (id INTEGER PRIMARY KEY, a); INSERT INTO o VALUES (1, 'one'), (2, 'two')`);
    const move = (from: number, to: number, a: string) =>
      ({ op: 'u', before: { id: from, a }, after: { id: to, a } }) as const;
    await at.sink().write(batch([move(1, 3, 'one'), move(2, 1, 'two'), move(3, 2, 'one')]), never);
    expect(await dump(db, 'o')).toEqual(['i:1 t:two', 'i:2 t:one']);
  });

  test('of more columns than one statement has variables are written all the same', async () => {
    const row = (id: number) =>
      Object.fromEntries([['id', id], ...Array.from({ length: 400 }, (_, i) => [`c${i}`, i])]);
    const results = await at
      .sink()
      .write(batch(Array.from({ length: 300 }, (_, id) => ({ op: 'c', after: row(id) }))), never);
    expect(results.every((result) => result.status === 'ok')).toBe(true);
    expect(await db.all('SELECT count(*) AS n, sum(c399) AS s FROM o')).toEqual([{ n: 300, s: 300 * 399 }]);
  });

  test('with a key of several columns are deleted by all of it', async () => {
    await db.exec(`CREATE TABLE o (a BIGINT, b TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
      INSERT INTO o VALUES (9007199254740993, 'x'), (9007199254740992, 'x'), (9007199254740993, 'y')`);
    await at.sink().write(batch([{ op: 'd', keys: ['a', 'b'], before: { a: '9007199254740993', b: 'x' } }]), never);
    expect(await dump(db, 'o', 'a, b')).toEqual(['i:9007199254740992 t:x', 'i:9007199254740993 t:y']);
  });

  test('are written by other columns when `key` says so', async () => {
    const sink = at.sink({ key: ['sku'], table: 'goods' });
    await sink.write(
      batch([
        { op: 'c', after: { id: 1, sku: 'a', n: 1 } },
        { op: 'c', after: { id: 2, sku: 'a', n: 2 } },
      ]),
      never,
    );
    expect(await dump(db, 'goods')).toEqual(['t:a i:2 i:2']);
    const mapped = at.sink({ key: { customer_id: 'id' }, table: { o: 'customers' } });
    await mapped.write(batch([{ op: 'u', after: { n: 5 }, key: { id: 9 } }]), never);
    expect(await db.all('SELECT * FROM customers')).toEqual([{ n: 5, customer_id: 9 }]);
  });
});

describe('a row that is there and equal', () => {
  test('is not written again', async () => {
    await db.exec(`CREATE TABLE o (id INTEGER PRIMARY KEY, n TEXT, big BIGINT, p REAL, z BLOB); CREATE TABLE audit (id, n);
      INSERT INTO o VALUES (1, 'a', 9007199254740993, 2, x'00ff'), (2, 'b', NULL, NULL, NULL);
      CREATE TRIGGER watch AFTER UPDATE ON o BEGIN INSERT INTO audit VALUES (NEW.id, NEW.n); END`);
    await at.sink().write(
      batch([
        { op: 'r', after: { id: 1, n: 'a', big: '9007199254740993', p: 2, z: 'AP8=' } },
        { op: 'r', after: { id: 2, n: 'B', big: null, p: null, z: null } },
      ]),
      never,
    );
    expect(await dump(db, 'audit')).toEqual(['i:2 t:B']);
  });
});

describe('rows without a key', () => {
  test('are appended, and changed by what they were', async () => {
    const keys: string[] = [];
    const write = at.sink();
    const row = (a: number, b: string | null) => ({ a, b });
    await write.write(
      batch([
        { op: 'c', keys, after: row(1, 'x') },
        { op: 'c', keys, after: row(1, 'x') },
        { op: 'c', keys, after: row(2, null) },
        { op: 'u', keys, before: row(2, null), after: row(3, 'y') },
        { op: 'd', keys, before: row(1, 'x') },
      ]),
      never,
    );
    expect(await dump(db, 'o')).toEqual(['i:1 t:x', 'i:3 t:y']);
  });

  test('are rejected when nothing tells which row is meant', async () => {
    const results = await at.sink().write(batch([{ op: 'd', keys: [], key: null, before: null }]), never);
    expect(results).toMatchObject([{ status: 'reject', error: { code: 'E_SINK_KEY' } }]);
  });
});

describe('barriers', () => {
  test('a truncate takes what came before it and nothing that comes after', async () => {
    await at.sink().write(batch([{ op: 'c', after: { id: 1 } }, { op: 't' }, { op: 'c', after: { id: 2 } }]), never);
    expect(await dump(db, 'o')).toEqual(['i:2']);
  });

  test('a schema change adds its columns', async () => {
    const sink = at.sink();
    await sink.write(batch([{ op: 'c', after: { id: 1 } }], { o: columns.slice(0, 1) }), never);
    const after = { columns: columns.map(({ name, type }) => ({ name, type })) };
    await sink.write(batch([{ op: 's', keys: [], after }]), never);
    expect((await db.all<{ name: string }>(`SELECT name FROM pragma_table_info('o')`)).map((one) => one.name)).toEqual([
      'id',
      'n',
      'big',
    ]);
  });

  test('a new column of a row is added, unless auto_evolve is off', async () => {
    await db.exec('CREATE TABLE o (id INTEGER PRIMARY KEY)');
    const strict = await at
      .sink({ auto_evolve: false })
      .write(batch([{ op: 'c', after: { id: 1, extra: 'x' } }]), never);
    expect(strict).toMatchObject([
      { status: 'reject', error: { code: 'E_SINK_REJECT', message: expect.stringContaining('"extra"') } },
    ]);
    await at.sink().write(batch([{ op: 'c', after: { id: 1, extra: 'x' } }]), never);
    expect(await dump(db, 'o')).toEqual(['i:1 t:x']);
  });

  test('a missing table is a rejection when auto_create is off', async () => {
    const results = await at.sink({ auto_create: false }).write(batch([{ op: 'c', after: { id: 1 } }]), never);
    expect(results).toMatchObject([{ status: 'reject', error: { code: 'E_SINK_REJECT' } }]);
  });
});

test('tables and columns may be named like what every object has', async () => {
  const sink = at.sink({ table: { other: 'unused' }, columns: { id: 'int' } });
  const row = JSON.parse('{ "id": 2, "constructor": "a", "toString": 3, "__proto__": "b" }') as Row;
  const rows = [{ id: 1 }, row].map((after) => ({ op: 'c', table: 'constructor', after }) as const);
  expect(statuses(await sink.write(batch(rows), never))).toBe('ok ok');
  expect(await dump(db, 'constructor', 'id')).toEqual(['i:1 n n n', 'i:2 t:a i:3 t:b']);
});

test('a row without the column `constructor` has no key where that is the key', async () => {
  const sink = at.sink({ key: ['constructor'] });
  const rows = [{ id: 1 }, { id: 2, constructor: 'a' }].map((after) => ({ op: 'c', after }) as const);
  expect(statuses(await sink.write(batch(rows), never))).toBe('reject ok');
  expect(await dump(db, 'o')).toEqual(['t:a i:2']);
});

describe('a row that does not fit', () => {
  test('is rejected alone, its later events are held, and the message has no value in it', async () => {
    await db.exec(`CREATE TABLE o (id INTEGER PRIMARY KEY, n TEXT NOT NULL, CHECK (length(n) < 20))`);
    const secret = 'a-secret-that-is-much-too-long';
    const many = Array.from({ length: 500 }, (_, i) => ({ op: 'c', after: { id: i + 10, n: 'ok' } }) as const);
    const results = await at
      .sink()
      .write(
        batch([
          ...many.slice(0, 250),
          { op: 'c', after: { id: 1, n: secret } },
          { op: 'c', after: { id: 2, n: null } },
          ...many.slice(250),
          { op: 'u', after: { id: 1, n: 'fine' } },
          { op: 'u', after: { id: 10, n: 'changed' } },
        ]),
        never,
      );
    expect(results[250]).toMatchObject({
      status: 'reject',
      error: { code: 'E_SINK_REJECT', message: expect.stringContaining('"o"') },
    });
    expect(results[251]).toMatchObject({ status: 'reject', error: { message: expect.stringContaining('o.n') } });
    expect(results[502]).toEqual({ status: 'held' });
    expect(results[503]).toEqual({ status: 'ok' });
    expect(results.filter((result) => result.status === 'ok')).toHaveLength(501);
    expect(JSON.stringify(results)).not.toContain(secret);
    expect(await db.all('SELECT count(*) AS n FROM o')).toEqual([{ n: 500 }]);
    expect(await db.all('SELECT n FROM o WHERE id = 10')).toEqual([{ n: 'changed' }]);
  });

  test('holds its whole table behind it when it has no key', async () => {
    await db.exec(`CREATE TABLE o (a INTEGER NOT NULL); CREATE TABLE p (a INTEGER)`);
    const results = await at.sink().write(
      batch([
        { op: 'c', keys: [], after: { a: 1 } },
        { op: 'c', keys: [], after: { a: null } },
        { op: 'c', keys: [], after: { a: 2 } },
        { op: 'c', keys: [], table: 'p', after: { a: 3 } },
      ]),
      never,
    );
    expect(statuses(results)).toBe('ok reject held ok');
    expect(await dump(db, 'o')).toEqual(['i:1']);
  });

  test('is rejected when SQLite would change what it means', async () => {
    await db.exec(`CREATE TABLE o (id INTEGER PRIMARY KEY, price NUMERIC, code STRING, pic BLOB, any)`);
    const results = await at.sink().write(
      batch([
        { op: 'c', after: { id: 1, price: '12345678901234567890.12' } },
        { op: 'c', after: { id: 2, price: '10.50', code: 'A7', pic: 'AP8=', any: 4294967296 } },
        { op: 'c', after: { id: 3, code: '007' } },
        { op: 'c', after: { id: 4, pic: 'not base64!' } },
        { op: 'c', after: { id: 5, price: '9223372036854775808' } },
      ]),
      never,
    );
    expect(statuses(results)).toBe('reject ok reject reject ok');
    expect(await dump(db, 'o')).toEqual(['i:2 r:10.5 t:A7 b:00FF i:4294967296', 'i:5 r:9.2233720368547758e+18 n n n']);
  });

  test('a unique value may pass from one row to another within a batch', async () => {
    await db.exec(`CREATE TABLE o (id INTEGER PRIMARY KEY, mail TEXT UNIQUE); INSERT INTO o VALUES (1, 'x'), (2, 'y')`);
    const results = await at.sink().write(
      batch([
        { op: 'u', after: { id: 2, mail: 'z' } },
        { op: 'u', after: { id: 1, mail: 'y' } },
        { op: 'c', after: { id: 3, mail: 'x' } },
        { op: 'u', after: { id: 2, mail: 'w' } },
      ]),
      never,
    );
    expect(statuses(results)).toBe('ok ok ok ok');
    expect(await dump(db, 'o')).toEqual(['i:1 t:y', 'i:2 t:w', 'i:3 t:x']);
  });
});

describe('a table that the sink cannot write by its key', () => {
  test('stops the stream with a message, rather than dead-lettering every event', async () => {
    await db.exec('CREATE TABLE o (id INTEGER, n TEXT)');
    await expect(at.sink().write(batch([{ op: 'c', after: { id: 1, n: 'a' } }]), never)).rejects.toMatchObject({
      code: 'E_SINK_WRITE',
      permanent: true,
      message: expect.stringContaining('(id)'),
    });
  });
});

describe('a sink that is not there', () => {
  test('throws while another process holds the lock, and writes once it is free', async () => {
    const sink = at.sink({ busy_timeout: 20 });
    await sink.write(batch([{ op: 'c', after: { id: 1 } }]), never);
    await db.exec('BEGIN IMMEDIATE');
    await expect(sink.write(batch([{ op: 'c', after: { id: 2 } }]), never)).rejects.toMatchObject({
      code: 'E_SINK_WRITE',
      permanent: false,
      message: expect.stringContaining('lock'),
    });
    await db.exec('COMMIT');
    expect(statuses(await sink.write(batch([{ op: 'c', after: { id: 2 } }]), never))).toBe('ok');
    expect(await dump(db, 'o')).toEqual(['i:1', 'i:2']);
  });

  test('says that a file is no database, and does not try again', async () => {
    const { writeFile } = await import('node:fs/promises');
    await writeFile(at.path('junk.db'), 'this is no database, and long enough to be looked at '.repeat(30));
    await expect(
      at.sink({ path: at.path('junk.db') }).write(batch([{ op: 'c', after: { id: 1 } }]), never),
    ).rejects.toMatchObject({
      code: 'E_SINK_CONNECT',
      permanent: true,
    });
  });

  test('says that the folder does not exist', async () => {
    const sink = at.sink({ path: at.path('no/such/folder/x.db') });
    await expect(sink.write(batch([{ op: 'c', after: { id: 1 } }]), never)).rejects.toMatchObject({
      code: 'E_SINK_CONNECT',
      message: expect.stringContaining('folder'),
    });
  });
});

describe('a database file that is deleted or replaced while it is open', () => {
  const row = (id: number) => batch([{ op: 'c', after: { id } }]);
  const gone = { code: 'E_SINK_WRITE', permanent: true, message: expect.stringContaining('deleted or replaced') };

  test('fails each write from then on, and no new file is begun', async () => {
    const path = at.path('other.db');
    const sink = at.sink({ path });
    await sink.write(row(1), never);
    await unlink(path);
    await expect(sink.write(row(2), never)).rejects.toMatchObject(gone);
    await expect(sink.write(row(3), never)).rejects.toMatchObject(gone);
    expect(existsSync(path)).toBe(false);
  });

  test('fails the commit of a home whose rows were written before', async () => {
    const path = at.path('other.db');
    const home = at.sink({ path }).transactional!;
    await home.open('orders');
    const transaction = await home.begin('orders');
    await transaction.write(row(1), never);
    await rename(path, at.path('moved.db'));
    await writeFile(path, 'the file of somebody else');
    await expect(transaction.commit({ stream: 'orders' } as Checkpoint)).rejects.toMatchObject(gone);
    expect(await readFile(path, 'utf8')).toBe('the file of somebody else');
  });
});
