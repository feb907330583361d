// Snapshots while others write: nothing goes back, nothing is lost, no ghost stays and nothing that is alive is deleted. The target is a
// model that does to the letter what a keyed sink does, with its state tied to the checkpoint.

import type { Client } from 'pg';
import type { SourceRequest } from 'sluice/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../cli.ts';
import { type PostgresDatabase, type PostgresServer, postgresVersions, startPostgres } from '../services/postgres.ts';
import { count, type Read, readUntil, type SourceBench, settled, sourceBench, startReading } from './source-bench.ts';
import { dice, newTarget, writer } from './source-target.ts';

describe.each(postgresVersions())('PostgreSQL %i', (version) => {
  let server: PostgresServer;
  let db: PostgresDatabase;
  let at: SourceBench;
  let slot: string;
  beforeAll(async () => {
    server = await startPostgres(version);
  });
  afterAll(() => server[Symbol.asyncDispose]());
  beforeEach(async () => {
    db = await server.database();
    at = sourceBench(db);
    slot = at.slot;
  });

  test('four writers, key changes, large values, restarts and repeated snapshots: the target equals the source', async () => {
    await db.query(`create table o (id bigint primary key, uid int not null, v int not null, big text);
      alter table o alter big set storage external;
      insert into o select i, i, 0, repeat(md5(i::text), 150) from generate_series(1, 3000) i; analyze o`);
    await at.publish('o');
    const target = newTarget();
    for (let id = 0; id < 4000; id += 40) target.plant({ id: String(id), uid: -id, v: 0, big: 'a ghost' });
    const random = dice(7);
    let kills = 0;
    let writersBefore = 0;
    let number = 0;
    /** Reads for a while, again and again, each time from the last position that the target has. */
    const rounds = async (count: number, snapshotIn: number | null): Promise<void> => {
      const writers = await Promise.all([0, 1, 2, 3].map((n) => writer(db, writersBefore + n)));
      writersBefore += 4; // their rows are others than those of the writers before
      for (let round = 0; round < count; round++) {
        const source = at.source();
        await using reading = startReading(source, target.position);
        const enough = 1 + Math.floor(random() * 25);
        let asked = round !== snapshotIn;
        let seen = 0;
        await reading.until(({ items }) => {
          for (; seen < items.length; seen++) target.take(items[seen]!.batch, items[seen]!.position);
          if (!asked && items.length > 1) {
            asked = true;
            number++;
            void source.control!({ number, type: 'snapshot', table: 'o' });
          }
          return items.length > enough;
        });
        target.crash();
        kills++;
      }
      await Promise.all(writers.map((one) => one.stop()));
    };
    /** Reads to the end of the log and of the snapshot; then the target is the source. */
    const compare = async (): Promise<void> => {
      const [end] = await db.query('select pg_current_wal_insert_lsn() as lsn');
      const rows = await db.query('select id::text, uid, v, big from o order by o.id');
      await using reading = startReading(at.source({ heartbeat: '200ms' }), target.position);
      let seen = 0;
      await reading.until(({ items, position }) => {
        for (; seen < items.length; seen++) target.take(items[seen]!.batch, items[seen]!.position);
        return position!.todo === undefined && lsn(position!.lsn) >= lsn(end!['lsn']!);
      });
      const expected = rows.map(({ id, uid, v, big }) => ({ id, uid: Number(uid), v: Number(v), big }));
      expect(target.rows()).toEqual(expected);
    };
    await rounds(6, null); // nothing mends what the first snapshot leaves out
    await compare();
    await rounds(8, 1);
    await compare();
    expect(kills).toBe(14);
    expect(target.backwards).toEqual([]);
    expect(target.changes).toBeGreaterThan(1000);
  }, 120_000);

  test('a commit that others do not see yet does not let its row go back', async () => {
    await db.query(`create table o (id int primary key, v int); insert into o values (1, 1), (2, 1);
      create table probe (n int)`);
    await at.publish('o');
    const source = at.source({ snapshot: 'never', tables: ['o'] });
    await using reading = startReading(source);
    const waiting = await db.client();
    const free = await db.client();
    await free.query('set synchronous_commit = local');
    const standby = async (sql: string): Promise<void> => {
      await free.query(sql);
      await free.query('select pg_reload_conf()');
    };
    await standby(`alter system set synchronous_standby_names = 'nobody'`);
    try {
      await until('commits wait for a standby', () => waits(waiting, free));
      const stuck = waiting.query('update o set v = 2 where id = 1');
      await reading.until(count(1)); // in the log, and streamed
      expect(reading.read.lines).toEqual(['u public.o {"id":1} {"id":1,"v":2}']);
      expect((await free.query('select v from o where id = 1')).rows[0].v).toBe('1'); // and nobody sees it
      await source.control!({ number: 1, type: 'snapshot', table: 'o' });
      await reading.until(({ items }) => items.some(({ taken }) => taken === 1));
      const rest = reading.until(count(3));
      await until('the chunk was tried in vain', async () => {
        const { rows } = await free.query(
          `select count(*) from pg_stat_activity where application_name = 'sluice ${db.name}' and query like '%rollback%'`,
        );
        return Number(rows[0].count) > 0;
      });
      expect(reading.read.lines.length).toBe(1);
      await standby('alter system reset synchronous_standby_names');
      await stuck;
      expect((await rest).lines.slice(1).toSorted()).toEqual([
        'r public.o {"id":1} {"id":1,"v":2}',
        'r public.o {"id":2} {"id":2,"v":1}',
      ]);
    } finally {
      await standby('alter system reset synchronous_standby_names');
    }
  });

  test('a repeated snapshot has ids of its own, a condition leaves out rows and says nothing about those that are gone', async () => {
    await db.query(
      'create table o (id int primary key, v int); insert into o select i, i from generate_series(1, 9) i',
    );
    const source = at.source();
    await using reading = startReading(source);
    const first = idsOf((await reading.until(settled)).batches);
    await source.control!({ number: 1, type: 'snapshot', table: 'public.o' });
    await reading.until((read) => settled(read) && read.lines.length === 18);
    expect(idsOf(reading.read.batches).filter((id) => first.includes(id)).length).toBe(9);
    expect(reading.read.batches.flatMap((batch) => batch.ranges ?? []).at(-1)).toEqual({
      table: 'public.o',
      from: null,
      to: null,
      keep: Array.from({ length: 9 }, (_, i) => [i + 1]),
    });
    const before = reading.read.batches.length;
    await source.control!({ number: 2, type: 'snapshot', table: 'o', where: 'v > 7' });
    await reading.until((read) => settled(read) && read.lines.length === 20);
    expect(reading.read.lines.slice(18)).toEqual([
      'r public.o {"id":8} {"id":8,"v":8}',
      'r public.o {"id":9} {"id":9,"v":9}',
    ]);
    expect(reading.read.batches.slice(before).flatMap((batch) => batch.ranges ?? [])).toEqual([]);
    expect(reading.read.items.map(({ taken }) => taken).filter((n) => n !== undefined)).toEqual([1, 2]);
    const wrong = [
      { number: 3, type: 'snapshot', table: 'nope' },
      { number: 3, type: 'snapshot', table: 'o', where: 'no_column = 1' },
      { number: 3, type: 'snapshot', table: 'o', where: 'true) or (true' },
      { number: 3, type: 'snapshot', table: 'o', where: '1=1); commit; create table evil (id int); --' },
      { number: 3, type: 'resume', table: 'o' },
    ] as const satisfies SourceRequest[];
    for (const request of wrong) {
      await expect(source.control!(request)).rejects.toMatchObject({ code: 'E_REQUEST_FAILED' });
    }
    expect(await db.query(`select from pg_class where relname = 'evil'`)).toEqual([]);
    // What fails only when it runs ends its snapshot, and not the table.
    await source.control!({ number: 4, type: 'snapshot', table: 'o', where: '1 / (v - v) = 1' });
    await reading.until(() => at.logged.some((line) => /snapshot of public.o ends.*division by zero/.test(line)));
    await db.query('insert into o values (10, 10)');
    await reading.until(count(21));
    expect(reading.read.lines[20]).toBe('c public.o {"id":10} {"id":10,"v":10}');
    expect(reading.read.position!.parked).toBeUndefined();
  });

  test('a table that row security cuts, or of which a column may not be read, is parked within the first snapshot', async () => {
    await db.query(`create table cut (id int primary key, owner text); create table part (id int primary key, secret text);
      create table whole (id int primary key); insert into cut values (1, 'me'), (2, 'other'); insert into part values (1, 'x');
      insert into whole values (1); insert into whole select 100 + i from generate_series(1, 500) i;
      alter table cut enable row level security; create policy mine on cut using (owner = 'me')`);
    const role = `${slot}_r`;
    await db.query(`create role ${role} login replication password 'x'; grant select on cut, whole to ${role};
      grant select (id) on part to ${role}; create publication ${slot} for table cut, part, whole`);
    const url = `postgres://${role}:x@${new URL(db.url).host}/${db.name}`;
    const { lines, items } = await readUntil(at.source({ connection_string: url, create: true }), null, settled);
    expect(lines.length).toBe(501);
    expect(lines.every((line) => line.startsWith('r public.whole'))).toBe(true);
    const parked = items.findLast((item) => item.parked !== undefined)!.parked!;
    expect(parked.map(({ table }) => table)).toEqual(['public.cut', 'public.part']);
    expect(parked[0]!.reason).toMatch(/row-level security/);
    expect(parked[1]!.reason).toMatch(/permission denied/);
  });

  test('an emptied table says so in a range, and texts are read in the order of their bytes', async () => {
    await db.query(`create table e (id int primary key); create table t (k text collate "en-x-icu", n bigint, primary key (k, n));
      insert into t values ('b', 1), ('B', 2), ('ä', 3), ('a', 10), ('a', 9)`);
    const { batches, lines } = await readUntil(at.source(), null, settled);
    const ranges = batches.flatMap((batch) => batch.ranges ?? []);
    expect(ranges.find(({ table }) => table === 'public.e')).toEqual({
      table: 'public.e',
      from: null,
      to: null,
      keep: [],
    });
    expect(lines.map((line) => line.split(' ')[2])).toEqual([
      '{"k":"B","n":"2"}',
      '{"k":"a","n":"9"}',
      '{"k":"a","n":"10"}',
      '{"k":"b","n":"1"}',
      '{"k":"ä","n":"3"}',
    ]);
  });

  test('a tap gives rows and changes, and leaves nothing at the server', async () => {
    await db.query('create table o (id int primary key); insert into o values (1)');
    const before = await readUntil(at.source({}, { tap: true }), null, () => false); // no publication: rows only
    expect(before.lines).toEqual(['r public.o {"id":1} {"id":1}']);
    await db.query(`create publication ${slot} for table o`);
    {
      await using reading = startReading(at.source({}, { tap: true }), null);
      await reading.until(settled);
      await db.query('insert into o values (2)');
      expect((await reading.until(count(2))).lines).toEqual([
        'r public.o {"id":1} {"id":1}',
        'c public.o {"id":2} {"id":2}',
      ]);
    }
    await until('its slot is gone', async () => {
      const slots = await db.query(`select slot_name from pg_replication_slots where database = '${db.name}'`);
      return slots.length === 0;
    });
  });
});

/** True when the commit of a probe waits for a standby; it is then let go. The setting comes to the server's processes one by one. */
async function waits(waiting: Client, free: Client): Promise<boolean> {
  const { rows } = await waiting.query('select pg_backend_pid() as pid');
  let over = false;
  const probe = waiting.query('insert into probe values (1)').then(() => {
    over = true;
  });
  const held = await until('the probe waits or is over', async () => {
    if (over) return 'over';
    const sql = `select from pg_stat_activity where pid = ${rows[0].pid} and wait_event = 'SyncRep'`;
    return (await free.query(sql)).rowCount === 0 ? null : 'waits';
  });
  if (held === 'over') return false;
  await free.query(`select pg_cancel_backend(${rows[0].pid})`);
  await probe;
  return true;
}

function lsn(text: string): bigint {
  return BigInt(
    `0x${text
      .split('/')
      .map((part) => part.padStart(8, '0'))
      .join('')}`,
  );
}

function idsOf(batches: Read['batches']): string[] {
  return batches.flatMap((batch) => Array.from({ length: batch.length }, (_, i) => batch.id(i)));
}
