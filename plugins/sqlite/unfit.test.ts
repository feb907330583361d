// Events that the SQLite sink can never write: texts that are no Unicode, rows without the key that their table has.

import { type Column, pick } from 'sluice/sdk';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Connection } from './driver.ts';
import { type Bench, batch, bench, dump, lineOf, never, readAll, statuses } from './fixture.ts';

let at: Bench;
let db: Connection;
beforeEach(async () => {
  at = await bench();
  db = await at.open('target.db');
});
afterEach(() => at[Symbol.asyncDispose]());

type Given = Parameters<typeof batch>[0];
const write = (events: Given, columns: Readonly<Record<string, readonly Column[]>> = {}) =>
  at.sink().write(batch(events, columns), never);

describe('a text that is no well-formed Unicode', () => {
  const refused = (where: string) => ({
    status: 'reject',
    error: { code: 'E_SINK_REJECT', message: expect.stringMatching(where) },
  });

  test.each(['TEXT', '', 'BLOB', 'INTEGER', 'DATE', 'DECIMAL(9, 2)', 'JSON'])(
    'is rejected in a column that is declared "%s", and no other row is',
    async (type) => {
      await db.exec(`CREATE TABLE o (id INTEGER PRIMARY KEY, t ${type})`);
      const sink = at.sink({ columns: { t: 'text' } });
      const rows = ['a\ud800z', '\udc00', 'ü😀\ufffd'].map((t, id) => ({ op: 'c', after: { id, t } }) as const);
      const results = await sink.write(batch(rows), never);
      expect(results).toMatchObject([refused('"t"'), refused('"t"'), { status: 'ok' }]);
      expect(JSON.stringify(results)).not.toContain('ud800');
      expect(await dump(db, 'o')).toEqual(['i:2 t:ü😀\ufffd']);
    },
  );

  test('is rejected as a key, and two such keys are never one row', async () => {
    const results = await write([
      { op: 'c', after: { id: '\ud800' } },
      { op: 'c', after: { id: '\ud801' } },
      { op: 'd', before: { id: '\ud802' } },
      { op: 'c', after: { id: '\ufffd' } },
    ]);
    expect(results).toMatchObject([refused('"id"'), refused('"id"'), refused('"id"'), { status: 'ok' }]);
    expect(await dump(db, 'o')).toEqual(['t:\ufffd']);
  });

  test('as the key that a row had before is no row here, so the row is written under its new key', async () => {
    await db.exec(`CREATE TABLE o (id TEXT PRIMARY KEY, n); INSERT INTO o VALUES ('\ufffd', 'another')`);
    expect(statuses(await write([{ op: 'u', before: { id: '\ud800' }, after: { id: 'x', n: 'mended' } }]))).toBe('ok');
    expect(await dump(db, 'o')).toEqual(['t:x t:mended', 't:\ufffd t:another']);
  });

  test('is rejected as the name of a column or of a table', async () => {
    const results = await write([
      { op: 'c', after: { id: 1, 'a\ud800': 1 } },
      { op: 'c', table: 't\ud800', after: { id: 1 } },
      { op: 'c', after: { id: 2 } },
    ]);
    expect(results).toMatchObject([refused('column'), refused('table'), { status: 'ok' }]);
    expect(await db.all(`SELECT name FROM sqlite_master WHERE type = 'table'`)).toEqual([{ name: 'o' }]);
  });

  test('within nested JSON is written as JSON says it, with an escape', async () => {
    expect(statuses(await write([{ op: 'c', after: { id: 1, j: { a: '\ud800' } } }]))).toBe('ok');
    expect(await dump(db, 'o')).toEqual(['i:1 t:{"a":"\\ud800"}']);
  });
});

test('bytes are taken at any length, and what is no base64 is rejected at any', async () => {
  await db.exec('CREATE TABLE o (id INTEGER PRIMARY KEY, b BLOB)');
  const b = Buffer.alloc(6 << 20, 0xfb).toString('base64');
  const sink = at.sink({ columns: { b: 'bytes' } });
  const rows = [b, `${b}!===`, `${b}QQ`].map((text, id) => ({ op: 'c', after: { id, b: text } }) as const);
  expect(statuses(await sink.write(batch(rows), never))).toBe('ok reject reject');
  expect(await db.all('SELECT id, length(b) AS n, hex(substr(b, -1)) AS last FROM o')).toEqual([
    { id: 0, n: 6 << 20, last: 'FB' },
  ]);
});

describe('a row without the key that its table has', () => {
  const columns: readonly Column[] = [
    { name: 'a', type: 'text', native: 'TEXT', key: 1 },
    { name: 'b', type: 'int', native: 'INTEGER', key: 2 },
    { name: 'v', type: 'text', native: 'TEXT' },
  ];
  const good = { op: 'c', keys: ['a', 'b'], after: { a: 'x', b: 1, v: 'ok' } } as const;
  const bad = { op: 'c', keys: [], after: { a: null, b: 1, v: 'no key' } } as const;
  const refused = { status: 'reject', error: { code: 'E_SINK_KEY', message: 'the key column "a" is null' } };
  const ok = { status: 'ok' };

  test.each([
    ['first', [bad, good]],
    ['last', [good, bad]],
  ])('is rejected, also when it comes %s, and the table is made with its key', async (_, events) => {
    const sink = at.sink();
    for (const one of events) {
      expect(await sink.write(batch([one], { o: columns }), never)).toMatchObject([one === bad ? refused : ok]);
    }
    expect(await dump(db, 'o')).toEqual(['t:x i:1 t:ok']);
    expect(await db.all(`SELECT name FROM pragma_table_info('o') WHERE pk > 0 ORDER BY pk`)).toEqual([
      { name: 'a' },
      { name: 'b' },
    ]);
  });

  test('of a source that knows no types is rejected too, and the columns are declared by their values', async () => {
    const known: readonly Column[] = [{ name: 'id', type: 'any', key: 1 }];
    const results = await write(
      [
        { op: 'c', keys: [], after: { v: 1 } },
        { op: 'c', after: { id: 'x', v: 2 } },
      ],
      { o: known },
    );
    expect(statuses(results)).toBe('reject ok');
    expect(await db.all(`SELECT name, type, pk FROM pragma_table_info('o')`)).toEqual([
      { name: 'id', type: 'TEXT', pk: 1 },
      { name: 'v', type: 'NUMERIC', pk: 0 },
    ]);
  });

  test('is rejected whatever it asks for, and whatever the table looks like', async () => {
    await db.exec(
      `CREATE TABLE o (a TEXT, b INTEGER, v TEXT, PRIMARY KEY (a, b)); INSERT INTO o VALUES (NULL, 1, 'own')`,
    );
    const sink = at.sink();
    const image = { a: null, b: 1, v: 'own' };
    for (const one of [
      { op: 'r', keys: [], after: image },
      { op: 'u', keys: [], before: image, after: { ...image, v: 'changed' } },
      { op: 'd', keys: [], before: image },
    ] as const) {
      expect(await sink.write(batch([one], { o: columns }), never)).toMatchObject([refused]);
    }
    expect(await dump(db, 'o')).toEqual(['n i:1 t:own']);
  });

  test('holds nothing back: what comes after it is written at once, with what came before it', async () => {
    const many = Array.from({ length: 50 }, (_, n) => [bad, { ...good, after: { a: 'x', b: n } }]).flat();
    const results = await write(many, { o: columns });
    expect(results.map((result) => result.status)).toEqual(many.map((one) => (one === bad ? 'reject' : 'ok')));
    expect(await db.all('SELECT count(*) AS n FROM o')).toEqual([{ n: 50 }]);
  });

  test('holds its old key back when it had one', async () => {
    await db.exec(`CREATE TABLE o (id TEXT PRIMARY KEY, n); INSERT INTO o VALUES ('x', 1)`);
    const moved = { op: 'u', before: { id: 'x' }, after: { id: null, n: 2 } } as const;
    const results = await write([moved, { op: 'c', after: { id: 'x', n: 3 } }, { op: 'c', after: { id: 'y', n: 4 } }]);
    expect(statuses(results)).toBe('reject held ok');
  });

  test('is rejected also when a transform took the key away, or when `key` is made of the key that it lacks', async () => {
    const whole = { op: 'c', keys: [], after: { a: 'x', b: 1 } } as const;
    expect(await write([whole], { o: columns })).toMatchObject([
      { status: 'reject', error: { code: 'E_SINK_KEY', message: expect.stringContaining('(a, b)') } },
    ]);
    expect(await at.sink({ key: { id: 'a' } }).write(batch([whole]), never)).toMatchObject([
      { status: 'reject', error: { code: 'E_SINK_KEY', message: expect.stringContaining('`key`') } },
    ]);
  });

  test('of a SQLite database is refused alone, with its changes, while the rest of the table goes on', async () => {
    const source = await at.open('source.db');
    await source.exec(`CREATE TABLE k (a TEXT, b INTEGER, v, PRIMARY KEY (a, b));
      INSERT INTO k VALUES (NULL, 1, 'n1'), ('x', 1, 'ok')`);
    const sink = at.sink();
    const fates: string[] = [];
    const pass = async (from: Awaited<ReturnType<typeof readAll>>['position']) => {
      const read = await readAll(at.source(), from);
      for (const some of read.batches) {
        let open = Array.from({ length: some.length }, (_, i) => i);
        while (open.length > 0) {
          const results = await sink.write(pick(some, open), never);
          open.forEach((i, n) => {
            if (results[n]!.status !== 'held') fates.push(`${results[n]!.status} ${lineOf(some, i)}`);
          });
          open = open.filter((_, n) => results[n]!.status === 'held');
        }
      }
      return read.position;
    };
    const position = await pass(null);
    await source.exec(`UPDATE k SET v = 'n2' WHERE a IS NULL; INSERT INTO k VALUES ('y', 2, 'new');
      UPDATE k SET a = 'named' WHERE a IS NULL`);
    await pass(position);
    expect(fates).toEqual([
      'reject r k null {"a":null,"b":1,"v":"n1"}',
      'ok r k {"a":"x","b":1} {"a":"x","b":1,"v":"ok"}',
      'reject u k null {"a":null,"b":1,"v":"n2"}',
      'ok c k {"a":"y","b":2} {"a":"y","b":2,"v":"new"}',
      'ok u k {"a":"named","b":1} {"a":"named","b":1,"v":"n2"}',
    ]);
    expect(await dump(db, 'k')).toEqual(['t:named i:1 t:n2', 't:x i:1 t:ok', 't:y i:2 t:new']);
  });
});
