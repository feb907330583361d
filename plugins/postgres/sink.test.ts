// The sink on real servers: what becomes of rows, of tables and of snapshots.

import type { Row } from 'sluice/sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PostgresServer, postgresVersions, startPostgres } from '../../test/services/postgres.ts';
import { columns, sinkBench } from './sink-fixture.ts';

describe.each(postgresVersions())('the sink on PostgreSQL %i', (version) => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres(version);
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const o = (text: string) => ({ columns: { 'public.o': columns(text) } });

  describe('rows', () => {
    test('of one key come to one row: the last wins, and columns that are absent keep what they had', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query('create table o (id int primary key, n text not null, big text not null)');
      const wrote = await bench.write([
        { after: { id: 1, n: 'a', big: 'B' } },
        { op: 'u', after: { id: 1, n: 'b' }, unchanged: ['big'] },
        { after: { id: 2, n: 'x', big: 'X' } },
        { op: 'd', before: { id: 2 } },
        { after: { id: 3, n: 'y', big: 'Y' } },
        { op: 'd', before: { id: 3 } },
        { after: { id: 3, n: 'z', big: 'Z' } },
      ]);
      expect(wrote).toBe('ok ok ok ok ok ok ok');
      expect(await bench.rows('select * from o order by id')).toEqual(['1,b,B', '3,z,Z']);
      // in a batch of its own too, where the column takes no null
      expect(await bench.write([{ op: 'u', after: { id: 1, n: 'c' }, unchanged: ['big'] }])).toBe('ok');
      expect(await bench.rows('select * from o where id = 1')).toEqual(['1,c,B']);
      // what is not known of a row that is not there cannot be made up: a snapshot brings it whole
      expect(await bench.write([{ op: 'u', after: { id: 9, n: 'c' }, unchanged: ['big'] }])).toBe('ok');
      expect(await bench.rows('select count(*) from o where id = 9')).toEqual(['0']);
    });

    test('that are there and equal are not written again, also of types that know no equality', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query('create table o (id int primary key, j json, p point, x xml, n numeric)');
      const rows = [{ after: { id: 1, j: '{"a": 1}', p: '(1,2)', x: '<a/>', n: '1.0' } }] as const;
      await bench.write(rows);
      const before = await bench.rows('select xmin, n from o');
      expect(
        await bench.write([
          { op: 'r', ...rows[0] },
          { op: 'u', after: { id: 1, j: '{"a": 1}' } },
        ]),
      ).toBe('ok ok');
      expect(await bench.rows('select xmin, n from o')).toEqual(before);
      await bench.write([{ op: 'u', after: { id: 1, n: '1.00' } }]); // equal as a number, another value
      expect(await bench.rows('select n from o')).toEqual(['1.00']);
    });

    test('move when their key changes, with the columns that the event does not have', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query('create table o (id int primary key, n text, big text)');
      await bench.write([{ after: { id: 1, n: 'a', big: 'B' } }, { after: { id: 5, n: 'in the way', big: 'C' } }]);
      const move = { op: 'u', before: { id: 1 }, after: { id: 5, n: 'b' }, unchanged: ['big'] } as const;
      expect(await bench.write([move])).toBe('ok');
      expect(await bench.rows('select * from o')).toEqual(['5,b,B']);
      expect(await bench.write([move])).toBe('ok'); // delivered again
      expect(await bench.rows('select * from o')).toEqual(['5,b,B']);
    });

    test('move also where the server makes the key itself', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query(
        'create table o (id int generated always as identity primary key, n text, twice text generated always as (n || n) stored)',
      );
      await bench.write([{ after: { id: 7, n: 'a', twice: 'ignored' } }]);
      expect(await bench.write([{ op: 'u', before: { id: 7 }, after: { id: 8 }, unchanged: ['n'] }])).toBe('ok');
      expect(await bench.rows('select * from o')).toEqual(['8,a,aa']);
    });

    test('are gone after a truncate, and nothing passes it', async () => {
      await using bench = await sinkBench(server);
      expect(await bench.write([{ after: { id: 1 } }, { op: 't', keys: [] }, { after: { id: 2 } }])).toBe('ok ok ok');
      expect(await bench.rows('select id from o')).toEqual(['2']);
    });

    test('without a key are appended, and found again by all that they were', async () => {
      await using bench = await sinkBench(server);
      const row = { a: 1, j: [1, { b: null }], t: null };
      const wrote = await bench.write([
        { keys: [], after: row },
        { keys: [], after: row },
        { op: 'u', keys: [], before: row, after: { ...row, a: 2 } },
        { op: 'd', keys: [], before: row },
      ]);
      expect(wrote).toBe('ok ok ok ok');
      expect(await bench.rows('select a, j from o')).toEqual(['2,[1, {"b": null}]']);
    });

    test('of a table with foreign keys are written in the order of the source', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query(
        'create table customer (id int primary key); create table o (id int primary key, customer int references customer)',
      );
      const wrote = await bench.write([
        { table: 'customer', after: { id: 1 } },
        { after: { id: 1, customer: 1 } },
        { table: 'customer', after: { id: 2 } },
        { after: { id: 2, customer: 2 } },
        { op: 'd', before: { id: 1 } },
        { op: 'd', table: 'customer', before: { id: 1 } },
      ]);
      expect(wrote).toBe('ok ok ok ok ok ok');
      expect(await bench.rows('select * from o')).toEqual(['2,2']);
    });

    test('with composite, text and uuid keys are found, deleted and moved', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query('create table o (a text, b uuid, n int, primary key (a, b))');
      const b = '00000000-0000-0000-0000-00000000000a';
      const keys = ['a', 'b'];
      await bench.write([1, 2, 3].map((n) => ({ keys, after: { a: `k"\\,{}${n}`, b, n } })));
      expect(await bench.write([{ op: 'd', keys, before: { a: 'k"\\,{}2', b } }])).toBe('ok');
      const move = { op: 'u' as const, keys, before: { a: 'k"\\,{}3', b }, after: { a: 'NULL', b, n: 4 } };
      expect(await bench.write([move])).toBe('ok');
      expect(await bench.rows('select a, n from o order by n')).toEqual(['k"\\,{}1,1', 'NULL,4']);
    });
  });

  describe('tables', () => {
    test('are made with the types of the source, where this server knows them', async () => {
      await using bench = await sinkBench(server);
      const given = o(
        'id bigint key, n character varying(20), p numeric(10,2), tags text[], e mood, d timestamp(3) without time zone',
      );
      expect(
        await bench.write([{ after: { id: '1', n: 'a', p: '1.50', tags: ['x'], e: 'sad', d: null } }], given),
      ).toBe('ok');
      const types = await bench.rows(
        `select format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'o'::regclass and attnum > 0 order by attnum`,
      );
      expect(types).toEqual([
        'bigint',
        'character varying(20)',
        'numeric(10,2)',
        'text[]',
        'text',
        'timestamp(3) without time zone',
      ]);
    });

    test('take the names of things that this server need not have as texts', async () => {
      await using bench = await sinkBench(server);
      const types = columns('id bigint key, c regclass, t regtype, f regproc[]');
      const after = { id: 1, c: 'shop.orders', t: 'shop.kind', f: ['shop.f'] };
      expect(await bench.write([{ after: { ...after, id: '1' } }], { columns: { 'public.o': types } })).toBe('ok');
      expect(await bench.rows('select c, t, pg_typeof(c) tc, pg_typeof(t) tt, pg_typeof(f) tf from o')).toEqual([
        'shop.orders,shop.kind,text,text,text[]',
      ]);
    });

    test('get the columns that rows bring, and wider types where the source has widened them', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query('create table o (id int primary key, n varchar(5), p numeric(5,2), small varchar(9))');
      expect(await bench.write([{ after: { id: 1, more: [1] } }])).toBe('ok');
      const now = [...columns('id bigint key, n text, p numeric(8,4), small character varying(4), extra integer')];
      const change = { op: 's', keys: [], after: { columns: now as never } } as const;
      expect(await bench.write([change], { columns: { 'public.o': now } })).toBe('ok');
      const types = await bench.rows(
        `select attname || ' ' || format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'o'::regclass and attnum > 0 order by attnum`,
      );
      expect(types).toEqual([
        'id bigint',
        'n text',
        'p numeric(8,4)',
        'small character varying(9)',
        'more jsonb',
        'extra integer',
      ]);
    });

    test('and columns may be named like what every object has', async () => {
      await using bench = await sinkBench(server);
      bench.sink({ table: { other: 'unused' }, columns: { id: 'bigint' } });
      const row = JSON.parse('{ "id": 2, "constructor": "a", "toString": 3, "__proto__": "b" }') as Row;
      expect(
        await bench.write([
          { table: 'constructor', after: { id: 1 } },
          { table: 'constructor', after: row },
        ]),
      ).toBe('ok ok');
      expect(await bench.rows('select * from constructor order by id')).toEqual(['1,,,', '2,a,3,b']);
    });

    test('are left as they are without auto_create and auto_evolve: their events are rejected', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query('create table o (id int primary key)');
      bench.sink({ auto_create: false, auto_evolve: false });
      expect(
        await bench.write([{ after: { id: 1, n: 1 } }, { table: 'p', after: { id: 1 } }, { after: { id: 2 } }]),
      ).toBe('reject:E_SINK_REJECT reject:E_SINK_REJECT ok');
    });

    test('that somebody changes between two batches are read anew', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query('create table o (id int primary key, n int)');
      expect(await bench.write([{ after: { id: 1, n: 1 } }])).toBe('ok');
      await bench.db.query('alter table o alter n type text; alter table o add m int');
      expect(await bench.write([{ after: { id: 2, n: 'text', m: 5 } }])).toBe('ok');
      await bench.db.query('drop table o');
      expect(await bench.write([{ after: { id: 3, n: 'again' } }])).toBe('ok');
      expect(await bench.rows('select * from o')).toEqual(['3,again']);
    });

    test('are found in the schema that the settings name', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query('create schema sales; create schema "a.b"');
      bench.sink({ schema: 'sales', table: { o: 'orders', p: 'public.q' } });
      await bench.write([
        { after: { id: 1 } },
        { table: 'p', after: { id: 2 } },
        { table: 'dot.ted', after: { id: 3 } },
      ]);
      const found = await bench.rows(
        `select schemaname, tablename from pg_tables where schemaname in ('sales', 'public') order by 1, 2`,
      );
      expect(found).toEqual(['public,q', 'sales,dot.ted', 'sales,orders']);
    });

    test('without an index on the key stop the stream with a message', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query('create table o (id int, n int)');
      await expect(bench.write([{ after: { id: 1 } }])).rejects.toMatchObject({
        code: 'E_SINK_WRITE',
        permanent: true,
      });
    });
  });

  describe('a snapshot', () => {
    const rows = (n: number, text = 'x') =>
      Array.from({ length: n }, (_, i) => ({ op: 'r' as const, after: { id: i, n: `${text}\t\\\n${i}` } }));

    test('is copied into an empty table, and upserted where rows are in the way', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query('create table o (id int primary key, n text)');
      await bench.db.query(`create table seen (id int); create function saw() returns trigger language plpgsql as
        $$ begin insert into seen values (new.id); return new; end $$; create trigger saw after insert or update on o for each row execute function saw()`);
      expect(new Set((await bench.write(rows(500))).split(' '))).toEqual(new Set(['ok']));
      expect(await bench.rows('select count(*) from seen')).toEqual(['500']);
      await bench.write(rows(500)); // the same again: nothing is written
      expect(await bench.rows('select count(*) from seen')).toEqual(['500']);
      await bench.write([...rows(500).slice(0, 400), ...rows(700, 'y').slice(400)]);
      expect(await bench.rows('select count(*) as n, count(*) filter (where n like $$y%$$) as y from o')).toEqual([
        '700,300',
      ]);
      expect(await bench.rows('select count(*) from seen')).toEqual(['800']);
    });

    test('with one bad row rejects that row only', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query('create table o (id int primary key, n text check (n not like $$%250$$))');
      const wrote = (await bench.write(rows(500))).split(' ');
      expect(wrote.flatMap((status, i) => (status === 'ok' ? [] : [i]))).toEqual([250]);
      expect(await bench.rows('select count(*) from o')).toEqual(['499']);
    });

    test.each([
      ['integers', 'bigint', ['-5', '3', '20', '100'], '3', '100'],
      ['texts by their bytes', 'text', ['B', 'a', 'é', '𝒳'], 'B', '𝒳'],
    ])('deletes what lies in its range and was not seen, %s', async (_, type, keys, from, to) => {
      await using bench = await sinkBench(server);
      await bench.db.query(`create table o (id ${type} ${type === 'text' ? 'collate "und-x-icu"' : ''} primary key)`);
      await bench.write(keys.map((id) => ({ after: { id } })));
      const given = {
        ...o(`id ${type} key`),
        ranges: [{ table: 'public.o', from: [from], to: [to], keep: [[keys[2]!]] }],
      };
      expect(await bench.write([], given)).toBe('');
      const left = keys.filter((key) => key !== to && (type === 'text' ? key !== 'a' : true));
      expect((await bench.rows('select id from o')).toSorted()).toEqual(
        (type === 'text' ? left : ['-5', '3', '20']).toSorted(),
      );
      const all = { ...o(`id ${type} key`), ranges: [{ table: 'public.o', from: null, to: null, keep: [] }] };
      await bench.write([{ op: 'r', after: { id: keys[0]! } }], all);
      expect(await bench.rows('select id from o')).toEqual([keys[0]]);
    });

    test('deletes nothing where the sink writes by a key of its own, and the log says so', async () => {
      await using bench = await sinkBench(server);
      bench.sink({ key: ['id'] });
      await bench.write([{ after: { id: 1 } }]);
      await bench.write([], {
        ...o('id integer key'),
        ranges: [{ table: 'public.o', from: null, to: null, keep: [] }],
      });
      expect(await bench.rows('select id from o')).toEqual(['1']);
      expect(bench.logged.join()).toContain('may stay');
    });
  });
});
