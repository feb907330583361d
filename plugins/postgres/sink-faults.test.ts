// What a batch meets beyond its rows, on real servers: constraints that fail at the commit, outages, and what check says before.

import { type Context, type SluiceError, seal } from 'sluice/sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { emptyLedger } from '../../core/checkpoint.ts';
import { type PostgresServer, postgresVersions, startPostgres } from '../../test/services/postgres.ts';
import { checkSink } from './sink-check.ts';
import { batch, never, sinkBench, statuses } from './sink-fixture.ts';

describe.each(postgresVersions())('the sink on PostgreSQL %i', (version) => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres(version);
  });
  afterAll(() => server[Symbol.asyncDispose]());

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
