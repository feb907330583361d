// The sink on real servers: what becomes of rows and of tables, of snapshots, and of what is away.

import { type Context, type Row, type SluiceError, seal } from 'sluice/sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { emptyLedger } from '../../core/checkpoint.ts';
import { type PostgresServer, postgresVersions, startPostgres } from '../../test/services/postgres.ts';
import { checkSink } from './sink-check.ts';
import { batch, columns, never, sinkBench, statuses } from './sink-fixture.ts';

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

  describe('a deferred constraint', () => {
    const FAMILY = `create table p (id int primary key);
      create table o (id int primary key, p int references p deferrable initially deferred, n text)`;
    const child = (id: number, p: number) => ({ after: { id, p, n: 'x' } });
    const given = [
      child(1, 1), // before its parent
      { table: 'p', after: { id: 1 } },
      ...Array.from({ length: 40 }, (_, i) => child(10 + i, i === 7 || i === 31 ? 999 : 1)),
      { op: 'u', after: { id: 17, p: 1, n: 'later' } },
    ] as const;
    const wanted = [
      'ok',
      'ok',
      ...Array.from({ length: 40 }, (_, i) => (i === 7 || i === 31 ? 'reject:E_SINK_REJECT' : 'ok')),
      'held',
    ].join(' ');

    test('that fails when the batch commits rejects the rows at fault, and no others', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query(FAMILY);
      expect(await bench.write(given)).toBe(wanted);
      expect(await bench.rows('select count(*), min(id), count(*) filter (where p = 999) as bad from o')).toEqual([
        '39,1,0',
      ]);
      expect(await bench.write([child(1000, 1), child(1001, 1)])).toBe('ok ok');
      const [error] = (await bench.sink().write(batch([child(2000, 12_345)]), never)) as unknown as [{ error: Error }];
      expect(error.error.message).toContain('o_p_fkey');
      expect(error.error.message).not.toContain('12345');
    });

    test('that fails when the checkpoint commits throws once, and the next write knows the rows at fault', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query(FAMILY);
      const home = bench.sink().transactional!;
      await home.open('orders');
      const checkpoint = seal({
        stream: 'orders',
        epoch: 1,
        position: null,
        position_version: 1,
        ledger: emptyLedger,
        sinks: {},
        gaps: [],
        parked: [],
        request: 0,
        saved_at: '2024-01-01T00:00:00.000Z',
      });
      const first = await home.begin('orders');
      await first.write(batch(given), never);
      await expect(first.commit(checkpoint)).rejects.toMatchObject({ code: 'E_SINK_WRITE', permanent: false });
      expect(await bench.rows('select count(*) from o')).toEqual(['0']);
      const second = await home.begin('orders');
      expect(statuses(await second.write(batch(given), never))).toBe(wanted);
      await second.commit(checkpoint);
      expect(await bench.rows('select count(*) from o')).toEqual(['39']);

      // the parts of one transaction may wait for each other
      const third = await home.begin('orders');
      await third.write(batch([child(500, 2)]), never);
      await third.write(batch([{ table: 'p', after: { id: 2 } }]), never);
      await third.commit(checkpoint);
      expect(await bench.rows('select p from o where id = 500')).toEqual(['2']);
    });
  });

  describe('an outage', () => {
    test('by a role whose transactions are read only says so, and ends when it is mended', async () => {
      await using bench = await sinkBench(server);
      const role = `${bench.db.name}_ro`;
      await bench.db.query(`create table o (id int primary key); create role ${role} superuser login password 'x';
        alter role ${role} set default_transaction_read_only = on`);
      const connection_string = `postgres://${role}:x@127.0.0.1:${server.port}/${bench.db.name}`;
      bench.sink({ connection_string });
      const error = await bench.write([{ after: { id: 1 } }]).then(
        () => null,
        (thrown: unknown) => thrown as SluiceError,
      );
      expect(error).toMatchObject({ code: 'E_SINK_WRITE', permanent: false });
      expect(error!.message).toContain('default_transaction_read_only');
      const settings = { connection_string, connect_timeout: 5000, schema: 'public', state_schema: '_sluice' };
      const found = await checkSink({ ...settings, auto_create: true, auto_evolve: true, statement_timeout: 5000 }, {
        auth: null,
      } as Context);
      const [bad] = found.filter(({ ok }) => !ok);
      expect(bad!.fix).toBe(`alter role ${role} set default_transaction_read_only = off`);
      await bench.db.query(bad!.fix!);
      expect(await bench.write([{ after: { id: 1 } }])).toBe('ok');
    });

    test('in the middle of a write is a throw, nothing is there, and the next write is whole', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query('create table o (id int primary key)');
      const lock = await bench.db.client();
      await lock.query('begin; lock table o');
      bench.sink();
      const writing = bench.write([{ after: { id: 1 } }]).then(
        () => null,
        (error: unknown) => error,
      );
      for (let ended = 0; ended === 0; ) {
        const rows = await bench.rows(
          `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sluice orders' and wait_event_type = 'Lock'`,
        );
        ended = rows.length;
      }
      expect(await writing).toMatchObject({ code: 'E_SINK_CONNECT' });
      await lock.query('commit');
      expect(await bench.rows('select * from o')).toEqual([]);
      expect(await bench.write([{ after: { id: 1 } }])).toBe('ok');
    });

    test('by a lock that is not given ends after its time-out, as something that may pass', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query('create table o (id int primary key)');
      const lock = await bench.db.client();
      await lock.query('begin; lock table o');
      bench.sink({ statement_timeout: 100 });
      await expect(bench.write([{ after: { id: 1 } }])).rejects.toMatchObject({
        code: 'E_SINK_WRITE',
        permanent: false,
      });
      await lock.query('commit');
      expect(await bench.write([{ after: { id: 1 } }])).toBe('ok');
    });

    test('by a stop ends the statement that runs', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query('create table o (id int primary key)');
      const lock = await bench.db.client();
      await lock.query('begin; lock table o');
      const stop = new AbortController();
      const sink = bench.sink();
      const writing = sink.write(batch([{ after: { id: 1 } }]), stop.signal);
      const ended = expect(writing).rejects.toMatchObject({ code: 'E_SINK_CONNECT' });
      for (;;) {
        const [waits] = await bench.rows(`select count(*) from pg_locks where not granted`);
        if (waits !== '0') break;
      }
      stop.abort();
      await ended;
      await lock.query('rollback');
    });
  });

  describe('check', () => {
    test('says what the role lacks, with the statement that mends it', async () => {
      const { checkSink } = await import('./sink-check.ts');
      await using bench = await sinkBench(server);
      const role = `poor_${bench.db.name}`;
      await bench.db.query(
        `create role ${role} login password 'pw'; create table o (id int); grant select on o to ${role}; revoke create on schema public from public`,
      );
      const auth = { type: 'username_password', config: { username: role, password: 'pw' } } as const;
      const context = { stream: 's', signal: never, batch: {} as never, tap: false, log: {} as never };
      const config = {
        connection_string: bench.db.url,
        connect_timeout: 5000,
        schema: 'public',
        auto_create: true,
        auto_evolve: true,
        state_schema: '_sluice',
        statement_timeout: 5000,
        table: 'o',
        key: ['id'],
      };
      const told = async () =>
        (await checkSink(config, { ...context, auth })).filter((one) => !one.ok).map((one) => one.fix);
      const fixes = [
        `grant create on schema "public" to ${role}, or set \`auto_create: false\``,
        `create schema "_sluice" authorization ${role}, or set \`state_schema\` to a schema of the role's own`,
        `grant insert, update, delete on "public"."o" to ${role}`,
      ];
      expect(await told()).toEqual(fixes);
      await bench.db.query(
        `grant create on schema public to ${role}; create schema _sluice authorization ${role}; grant insert, update, delete on o to ${role}`,
      );
      expect(await told()).toEqual(['alter table "public"."o" add unique ("id")']);
      await bench.db.query('alter table o add unique (id)');
      expect(await told()).toEqual([]);
      const wrong = { type: 'username_password', config: { username: role, password: 'hunter2' } } as const;
      const [found] = await checkSink(config, { ...context, auth: wrong });
      expect(found).toMatchObject({
        ok: false,
        name: 'connect',
        message: 'the server refuses the user or the password',
      });
      await bench.db.query(`drop owned by ${role}; drop role ${role}`);
    });
  });
});
