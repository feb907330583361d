// What is wrong with the source's slot, publication, position or rights, each on a real server: the code says what, the fix says what to do,
// and what may pass by itself is not permanent.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeConfig } from '../../core/manifest/config.ts';
import { kitContext } from '../../core/testkit.ts';
import { checkSource } from '../../plugins/postgres/check.ts';
import { type SourceSettings, sourceConfig } from '../../plugins/postgres/config.ts';
import { until } from '../cli.ts';
import { type PostgresDatabase, type PostgresServer, postgresVersions, startPostgres } from '../services/postgres.ts';
import {
  count,
  failure,
  type Read,
  readUntil,
  type SourceBench,
  settled,
  sourceBench,
  startReading,
} from './source-bench.ts';

describe.each(postgresVersions())('PostgreSQL %i', (version) => {
  let server: PostgresServer;
  let db: PostgresDatabase;
  let at: SourceBench;
  let slot: string;
  beforeAll(async () => {
    server = await startPostgres(version, {
      max_slot_wal_keep_size: '8MB',
      min_wal_size: '32MB',
      max_wal_size: '48MB',
    });
  });
  afterAll(() => server[Symbol.asyncDispose]());
  beforeEach(async () => {
    db = await server.database();
    at = sourceBench(db);
    slot = at.slot;
    await db.query('create table o (id int primary key, n text); insert into o values (1)');
  });

  const first = (): Promise<Read> => readUntil(at.source(), null, settled);

  test('a slot that was dropped ends the stream, and a new beginning makes it anew', async () => {
    const { position } = await first();
    await at.slotIsFree();
    await db.query(`select pg_drop_replication_slot('${slot}')`);
    const error = await failure(readUntil(at.source(), position, count(1)));
    expect(error).toMatchObject({ code: 'E_SOURCE_SLOT_MISSING', permanent: true });
    expect(error.fix).toMatch(/checkpoint clear/);
    expect((await first()).lines).toEqual(['r public.o {"id":1} {"id":1,"n":null}']);
  });

  test('a slot whose log the server threw away ends the stream, and a new beginning makes it anew', async () => {
    const { position } = await first();
    await at.slotIsFree();
    await db.query('create table junk (t text)');
    await until('the slot is lost', async () => {
      await db.query(`insert into junk select repeat('x', 1000) from generate_series(1, 20000)`);
      await db.query('select pg_switch_wal()');
      await db.query('checkpoint');
      const [row] = await db.query(`select wal_status from pg_replication_slots where slot_name = '${slot}'`);
      return row!['wal_status'] === 'lost';
    });
    const error = await failure(readUntil(at.source(), position, count(1)));
    expect(error).toMatchObject({ code: 'E_SOURCE_SLOT_LOST', permanent: true });
    expect(error.fix).toMatch(/max_slot_wal_keep_size/);
    expect((await first()).lines.length).toBe(1);
  });

  test.runIf(version >= 18)(
    'a slot that nobody read for too long ends the stream, and the setting is named',
    async () => {
      const { position } = await first();
      await at.slotIsFree();
      await db.query(`alter system set idle_replication_slot_timeout = '1s'`);
      await db.query('select pg_reload_conf()');
      try {
        await until('the slot is lost', async () => {
          await db.query('insert into o select coalesce(max(id), 0) + 1 from o');
          await db.query('checkpoint');
          const [row] = await db.query(`select wal_status from pg_replication_slots where slot_name = '${slot}'`);
          return row!['wal_status'] === 'lost';
        });
      } finally {
        await db.query('alter system reset idle_replication_slot_timeout');
        await db.query('select pg_reload_conf()');
      }
      const error = await failure(readUntil(at.source(), position, count(1)));
      expect(error).toMatchObject({ code: 'E_SOURCE_SLOT_LOST', permanent: true });
      expect(error.message).toContain('idle_replication_slot_timeout');
      expect(error.fix).toContain('idle_replication_slot_timeout');
      expect(error.fix).not.toContain('max_slot_wal_keep_size');
      expect((await first()).lines.length).toBeGreaterThan(1);
      expect(at.logged.join('\n')).toMatch(
        /slot was lost \(nobody read from it for longer than idle_replication_slot_timeout/,
      );
    },
  );

  test('a new slot that waits for an open transaction says for which, and so does a snapshot', async () => {
    const writer = await db.client();
    await writer.query(`set application_name = 'nightly load'; begin; insert into o values (77)`);
    const [[own] = []] = [(await writer.query('select pg_backend_pid() as pid')).rows as { pid: string }[]];
    await using reading = startReading(at.source({ heartbeat: '100ms' }));
    const rows = reading.until(settled);
    const line = await until(
      'it says what it waits for',
      () => at.logged.find((one) => / waits since /.test(one)),
      20_000,
    );
    expect(line).toMatch(/^making the replication slot waits since \d+ s for the transaction of process \d+ /);
    expect(line).toContain(`process ${own!.pid} of postgres (nightly load), open for`);
    expect(line).not.toContain('77');
    await writer.query('commit');
    expect((await rows).lines.length).toBe(2);

    at.logged.length = 0;
    await db.query('create table later (id int primary key)');
    await writer.query('begin; insert into later values (78)');
    const more = reading.until(count(3));
    const again = await until('it says so', () => at.logged.find((one) => / waits since /.test(one)), 20_000);
    expect(again).toMatch(/^reading the rows of tables waits since \d+ s for the transaction of process /);
    expect(again).toContain(`process ${own!.pid} of postgres (nightly load), open for`);
    await writer.query('commit');
    expect((await more).lines.at(-1)).toBe('r public.later {"id":78} {"id":78}');
    await writer.end();
  });

  test('a role whose transactions are read only by default reads rows, changes and added tables', async () => {
    const role = `${slot}_ro`;
    await db.query(
      `create role ${role} superuser login password 'x'; alter role ${role} set default_transaction_read_only = on`,
    );
    const url = `postgres://${role}:x@${new URL(db.url).host}/${db.name}`;
    await using reading = startReading(at.source({ connection_string: url, heartbeat: '100ms' }));
    await reading.until(settled);
    await db.query('insert into o values (2); create table p (id int primary key); insert into p values (3)');
    const { lines } = await reading.until((read) => settled(read) && count(3)(read));
    expect(lines.toSorted()).toEqual([
      'c public.o {"id":2} {"id":2,"n":null}',
      'r public.o {"id":1} {"id":1,"n":null}',
      'r public.p {"id":3} {"id":3}',
    ]);
  });

  test('a slot that another reader holds is waited for, and free again it goes on', async () => {
    const { position } = await first();
    await at.slotIsFree();
    let after = position;
    {
      await using other = startReading(at.source(), position);
      const pending = other.until(count(1));
      await until('the other one reads', async () => {
        const [row] = await db.query(`select active from pg_replication_slots where slot_name = '${slot}'`);
        return row!['active'] === 't';
      });
      const error = await failure(readUntil(at.source(), position, count(1)));
      expect(error).toMatchObject({ code: 'E_SOURCE_SLOT_ACTIVE', permanent: false });
      await db.query('insert into o values (2)');
      after = (await pending).position;
    }
    await db.query('insert into o values (3)');
    const next = await readUntil(at.source(), after, count(1));
    expect(next.lines.at(-1)).toBe('c public.o {"id":3} {"id":3,"n":null}');
  });

  test('a slot that somebody else has read ends the stream: what they took is gone', async () => {
    const { position } = await first();
    await at.slotIsFree();
    await db.query('insert into o values (2)');
    await db.query(
      `select count(*) from pg_logical_slot_get_binary_changes('${slot}', null, null, 'proto_version', '1', 'publication_names', '${slot}')`,
    );
    const error = await failure(readUntil(at.source(), position, count(1)));
    expect(error).toMatchObject({ code: 'E_SOURCE_SLOT_ADVANCED', permanent: true });
  });

  test('a publication that was dropped, or made anew, ends the stream, while it runs and at a start', async () => {
    const { position } = await first();
    await at.slotIsFree();
    await db.query(`drop publication ${slot}`);
    const gone = await failure(readUntil(at.source(), position, count(1)));
    expect(gone).toMatchObject({ code: 'E_SOURCE_PUBLICATION', permanent: true });
    await db.query(`create publication ${slot} for table o`);
    const anew = await failure(readUntil(at.source(), position, count(1)));
    expect(anew).toMatchObject({ code: 'E_SOURCE_PUBLICATION', permanent: true });
    expect(anew.fix).toMatch(/pg_drop_replication_slot/);

    await db.query(`select pg_drop_replication_slot('${slot}')`);
    await using reading = startReading(at.source());
    await reading.until(settled);
    const during = failure(reading.until(count(5)));
    await db.query(`drop publication ${slot}`);
    await db.query('insert into o values (2)');
    expect(await during).toMatchObject({ code: 'E_SOURCE_PUBLICATION', permanent: true });
  });

  test('a publication that leaves out a kind of changes ends the stream, while it runs and at a start', async () => {
    await using reading = startReading(at.source({ heartbeat: '100ms' }));
    await reading.until(settled);
    const during = failure(reading.until(count(5)));
    await db.query(`alter publication ${slot} set (publish = 'insert')`);
    expect(await during).toMatchObject({ code: 'E_SOURCE_PUBLICATION', permanent: true });
    await at.slotIsFree();
    const error = await failure(readUntil(at.source(), reading.read.position, count(1)));
    expect(error).toMatchObject({ code: 'E_SOURCE_PUBLICATION', permanent: true });
    expect(error.fix).toMatch(/set \(publish = 'insert, update, delete, truncate'\).*sluice snapshot/);
  });

  test('a position of another server or database is refused, and so is one that the server has not reached', async () => {
    const { position } = await first();
    const other = { ...position!, server: '1' };
    expect(await failure(readUntil(at.source(), other, count(1)))).toMatchObject({ code: 'E_SOURCE_POSITION' });
    const elsewhere = { ...position!, database: 'other' };
    expect(await failure(readUntil(at.source(), elsewhere, count(1)))).toMatchObject({ code: 'E_SOURCE_POSITION' });
    const ahead = { ...position!, lsn: 'FF/0' };
    expect(await failure(readUntil(at.source(), ahead, count(1)))).toMatchObject({
      code: 'E_SOURCE_FAILOVER',
      permanent: true,
    });
  });

  test('check finds what is missing, each with the statement that mends it, and those statements mend it', async () => {
    const role = `${slot}_c`;
    await db.query(`create role ${role} login password 'x'; create table bare (id int);
      create schema "S"; create table "S".part (id int primary key, secret text); grant select (id) on "S".part to ${role};
      alter table "S".part enable row level security`);
    const url = `postgres://${role}:x@${new URL(db.url).host}/${db.name}`;
    const settings = { connection_string: url, tables: ['o', 'bare', 'S.part'], slot, publication: slot };
    const { config } = decodeConfig(sourceConfig, settings, { dir: '/' });
    const look = async () => (await checkSource(config as SourceSettings, kitContext())).filter(({ ok }) => !ok);
    const found = await look();
    expect(found.map(({ name }) => name)).toEqual([
      'tables',
      'row security',
      'replication',
      'replica identity',
      'publication',
    ]);
    expect(found[0]!.message).toContain('S.part (secret)');
    expect(found[1]!.fix).toBe(`alter role "${role}" bypassrls`);
    expect(found[2]!.fix).toBe(`alter role "${role}" replication`);
    expect(found[3]!.message).toContain('alter table "public"."bare" replica identity full');
    await db.query(`${found[0]!.fix}; ${found[1]!.fix}; ${found[2]!.fix}; alter table bare replica identity full`);
    const [left] = await look();
    expect(left!.name).toBe('publication');
    await db.query(`create publication ${slot} for table o, bare, "S".part`);
    expect(await look()).toEqual([]);
  });
});
