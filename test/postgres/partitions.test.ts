// What is done to a partition by its own name does not come in the stream. Each way to bring rows or to take them away, on real
// servers, while the source reads and while it does not: afterwards a keyed target has what the source has.

import type { Row } from 'sluice/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { addressOf } from '../../plugins/postgres/address.ts';
import { connect } from '../../plugins/postgres/connection.ts';
import { readTables } from '../../plugins/postgres/tables.ts';
import { type PostgresDatabase, type PostgresServer, postgresVersions, startPostgres } from '../services/postgres.ts';
import { type Read, readUntil, type SourceBench, settled, sourceBench, startReading } from './source-bench.ts';
import { newTarget } from './source-target.ts';

describe.each(postgresVersions())('PostgreSQL %i', (version) => {
  let server: PostgresServer;
  let db: PostgresDatabase;
  let at: SourceBench;
  beforeAll(async () => {
    server = await startPostgres(version);
  });
  afterAll(() => server[Symbol.asyncDispose]());
  beforeEach(async () => {
    db = await server.database();
    at = sourceBench(db);
    await db.query(`create table o (id int primary key, n text) partition by range (id);
      create table o1 partition of o for values from (0) to (100);
      create table o2 partition of o for values from (100) to (200) partition by range (id);
      create table o2a partition of o2 for values from (100) to (200);
      insert into o select i * 30, 'old' from generate_series(1, 6) i`);
  });

  const ways: readonly (readonly [string, string])[] = [
    ['truncated', 'truncate o1'],
    ['truncated, below another one, and filled again', `truncate o2a; insert into o values (101, 'new')`],
    ['detached', 'alter table o detach partition o2'],
    ['detached without a lock', 'alter table o detach partition o1 concurrently'],
    ['dropped', 'drop table o1'],
    [
      'attached with rows',
      `create table o3 (like o including all); insert into o3 select i, 'loaded' from generate_series(200, 210) i;
       alter table o attach partition o3 for values from (200) to (300)`,
    ],
    [
      'made, filled and attached in one transaction',
      `begin; create table o3 (like o including all); insert into o3 values (250, 'loaded');
       alter table o attach partition o3 for values from (200) to (300); commit`,
    ],
    [
      'attached with partitions of its own',
      `create table o3 (like o including all) partition by range (id);
       create table o3a partition of o3 for values from (200) to (300); insert into o3 values (250, 'loaded');
       alter table o attach partition o3 for values from (200) to (300)`,
    ],
  ];

  const rows = (): Promise<readonly Row[]> =>
    db.query('select id::int, n from o order by id') as Promise<readonly Row[]>;
  const plain = (list: readonly Row[]): string[] => list.map(({ id, n }) => `${id} ${n}`);

  test.each(ways)('a partition that is %s has its table read again', async (_, sql) => {
    const target = newTarget();
    const source = () => at.source({ tables: ['o'], heartbeat: '100ms' });
    let taken = 0;
    const apply = ({ items }: Read): void => {
      for (; taken < items.length; taken++) {
        const { batch, open, position } = items[taken]!;
        target.take(batch, open === true ? undefined : position);
      }
    };
    // one statement after the other: some may not stand in a transaction that nobody asked for
    const run = async (): Promise<void> => {
      if (sql.startsWith('begin')) await db.query(sql);
      else for (const one of sql.split(';')) await db.query(one);
    };
    const first = await readUntil(source(), null, settled);
    apply(first);
    expect(plain(target.rows())).toEqual(plain(await rows()));
    taken = 0;

    // while it does not read
    await run();
    const second = await readUntil(source(), first.position, (read) => settled(read) && read.lines.length > 0);
    apply(second);
    expect(plain(target.rows())).toEqual(plain(await rows()));
    expect(at.logged.join('\n')).toMatch(/table public\.o: .*partition.*the table is read again/);

    // while it reads
    taken = 0;
    at.logged.length = 0;
    await db.query(`drop table o; drop table if exists o1, o2, o2a, o3;
      create table o (id int primary key, n text) partition by range (id);
      create table o1 partition of o for values from (0) to (100);
      create table o2 partition of o for values from (100) to (200) partition by range (id);
      create table o2a partition of o2 for values from (100) to (200);
      insert into o select i * 30, 'again' from generate_series(1, 6) i`);
    await using reading = startReading(source(), second.position);
    const has = async (): Promise<void> => {
      const wanted = plain(await rows());
      await reading.until((read) => {
        apply(read);
        return settled(read) && JSON.stringify(plain(target.rows())) === JSON.stringify(wanted);
      });
    };
    await has();
    await run();
    await has();
    expect(at.logged.join('\n')).toMatch(/table public\.o: .*partition.*the table is read again/);
    await db.query(`insert into o values (199, 'last')`).catch(() => undefined); // there may be no partition for it any more
    await has();
  });

  test('a partition that is made as one, or attached empty, is nothing new', async () => {
    const first = await readUntil(at.source({ tables: ['o'] }), null, settled);
    await db.query(`create table o3 partition of o for values from (200) to (300);
      insert into o values (201, 'x'); create table o4 (like o including all);
      alter table o attach partition o4 for values from (300) to (400)`);
    const second = await readUntil(at.source({ tables: ['o'] }), first.position, ({ lines }) => lines.length >= 1);
    await db.query(`insert into o values (301, 'y')`);
    const third = await readUntil(at.source({ tables: ['o'] }), second.position, ({ lines }) => lines.length >= 1);
    expect([...second.lines, ...third.lines]).toEqual([
      'c public.o {"id":201} {"id":201,"n":"x"}',
      'c public.o {"id":301} {"id":301,"n":"y"}',
    ]);
    expect(at.logged.join('\n')).not.toContain('read again');
  });

  test('a partition that is named beside its table is parked, and its rows come once', async () => {
    const { lines, items } = await readUntil(at.source({ tables: ['o', 'o1'] }), null, settled);
    expect(lines.length).toBe(6);
    expect(lines.every((line) => line.startsWith('r public.o '))).toBe(true);
    expect(items.at(-1)!.position!.parked).toMatchObject([
      { table: 'public.o1', reason: expect.stringContaining('as those of public.o:') },
    ]);
    const alone = at.source({ tables: ['o1'], slot: `${db.name}_b`, publication: `${db.name}_b` });
    expect((await readUntil(alone, null, settled)).lines).toHaveLength(3);
  });

  test('with `partition_changes: log` it is said, and nothing is read', async () => {
    const config = { tables: ['o'], partition_changes: 'log', heartbeat: '100ms' };
    const first = await readUntil(at.source(config), null, settled);
    await db.query('truncate o1');
    await db.query(`insert into o values (150, 'x') on conflict do nothing; insert into o values (151, 'x')`);
    const second = await readUntil(at.source(config), first.position, ({ lines }) => lines.length >= 1);
    expect(second.lines).toEqual(['c public.o {"id":151} {"id":151,"n":"x"}']);
    expect(at.logged.join('\n')).toMatch(/partition public\.o1 was truncated.*sluice snapshot --table public\.o/);
  });

  test('with `snapshot: never` it is said too, and nothing is read', async () => {
    const first = await readUntil(at.source({ tables: ['o'] }), null, settled);
    await db.query(`truncate o1; insert into o values (151, 'x')`);
    const never = at.source({ tables: ['o'], snapshot: 'never' });
    const second = await readUntil(never, first.position, ({ lines }) => lines.length >= 1);
    expect(second.lines).toEqual(['c public.o {"id":151} {"id":151,"n":"x"}']);
    expect(second.position!.todo).toBeUndefined();
    expect(at.logged.join('\n')).toMatch(/partition public\.o1 was truncated.*sluice snapshot --table public\.o/);
  });

  test('a publication that gives partitions under their own names is refused, with the statement that mends it', async () => {
    await db.query(`create publication sluice_${db.name} for table o`);
    const refused = await readUntil(at.source({ tables: ['o'] }), null, settled).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(refused).toMatchObject({ code: 'E_SOURCE_PUBLICATION', permanent: true });
    const [statement] = /alter publication [^`]*/.exec((refused as { fix: string }).fix)!;
    await db.query(statement);
    expect((await readUntil(at.source({ tables: ['o'] }), null, settled)).lines.length).toBe(6);
  });

  test('the size of a partitioned table is that of its partitions, also while somebody has locked one', async () => {
    await db.query(`insert into o2 select 150, repeat(md5(i::text), 100) from generate_series(1, 1) i on conflict do nothing;
      insert into o1 select i, repeat(md5(i::text), 200) from generate_series(1, 99) i on conflict do nothing; analyze o`);
    const sql = await connect(addressOf({ connection_string: db.url, connect_timeout: 5_000 } as never, null), {
      name: 'test',
      settings: { lock_timeout: '200ms' },
    });
    const locker = await db.client();
    try {
      const [table] = await readTables(sql, ['o']);
      const [own] = await db.query(`select pg_table_size('o1') + pg_table_size('o2a') as size`);
      expect(table!.size).toBe(Number(own!['size']));
      expect(table!.size).toBeGreaterThan(16_384);
      await locker.query('begin; lock table o1 in access exclusive mode');
      const [locked] = await readTables(sql, ['o']);
      expect(locked!.size).toBeGreaterThan(0);
    } finally {
      await locker.end();
      await sql.end();
    }
  });
});
