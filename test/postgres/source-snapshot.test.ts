// Snapshots while others write: nothing goes back, nothing is lost, no ghost stays and nothing that is alive is deleted; what cannot be
// read is parked alone. The target is a model that does to the letter what a keyed sink does, with its state tied to the checkpoint.

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
    slot = `sluice_${db.name}`;
  });

  /** Slot and publication are there, so that every row is read in chunks. */
  async function publish(tables: string): Promise<void> {
    await db.query(`create publication ${slot} for table ${tables}`);
    await db.query(`select pg_create_logical_replication_slot('${slot}', 'pgoutput')`);
  }

  test('four writers, key changes, large values, restarts and repeated snapshots: the target equals the source', async () => {
    await db.query(`create table o (id bigint primary key, uid int not null, v int not null, big text);
      alter table o alter big set storage external;
      insert into o select i, i, 0, repeat(md5(i::text), 150) from generate_series(1, 3000) i; analyze o`);
    await publish('o');
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
    await publish('o');
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

  test('a table that cannot be read is parked with its reason, the others go on, and resumed it begins with its rows', async () => {
    await db.query(`create table bare (id int); create table o (id int primary key); create table secret (id int primary key);
      insert into bare values (1); insert into o values (1); insert into secret values (1)`);
    await publish('o, secret');
    const role = `${slot}_r`;
    await db.query(`create role ${role} login replication password 'x'; grant select on o, bare to ${role}`);
    const url = `postgres://${role}:x@${new URL(db.url).host}/${db.name}`;
    const config = { connection_string: url, create: false };
    const source = at.source(config);
    await using reading = startReading(source);
    await reading.until(settled);
    expect(reading.read.lines).toEqual(['r public.o {"id":1} {"id":1}']);
    const parked = reading.read.items.findLast((item) => item.parked !== undefined)!.parked!;
    expect(parked.map(({ table }) => table)).toEqual(['public.bare', 'public.secret']);
    expect(parked[0]!.reason).toMatch(/no primary key.*add primary key/);
    expect(parked[1]!.reason).toMatch(/permission denied/);
    await db.query('insert into secret values (2); insert into o values (2)');
    await reading.until(count(2));
    expect(reading.read.lines[1]).toBe('c public.o {"id":2} {"id":2}');
    await expect(source.control!({ number: 1, type: 'resume', table: 'bare' })).rejects.toMatchObject({
      code: 'E_REQUEST_FAILED',
    });
    await db.query(`grant select on secret to ${role}`);
    await source.control!({ number: 2, type: 'resume', table: 'secret' });
    await reading.until((read) => settled(read) && read.lines.length === 4);
    expect(reading.read.lines.slice(2)).toEqual([
      'r public.secret {"id":1} {"id":1}',
      'r public.secret {"id":2} {"id":2}',
    ]);
    expect(reading.read.items.findLast((item) => item.parked !== undefined)!.parked!.map(({ table }) => table)).toEqual(
      ['public.bare'],
    );
    await source.control!({ number: 3, type: 'park', table: 'secret', reason: 'too many rejects' });
    await reading.until(({ items }) => items.some(({ taken }) => taken === 3));
    await db.query('insert into secret values (3); insert into o values (3)');
    await reading.until(count(5));
    expect(reading.read.lines[4]).toBe('c public.o {"id":3} {"id":3}');
    // and a restart keeps it parked
    const { position } = reading.read;
    await reading[Symbol.asyncDispose]();
    await db.query('insert into secret values (4); insert into o values (4)');
    const next = await readUntil(at.source(config), position, count(1));
    expect(next.lines).toEqual(['c public.o {"id":4} {"id":4}']);
    expect(next.position!.parked!.map(({ table }) => table)).toEqual(['public.bare', 'public.secret']);
  });

  test('a table that is made anew, or taken out of the publication, or new, is noticed and read whole', async () => {
    await db.query('create schema s; create table s.o (id int primary key); insert into s.o values (1)');
    const source = at.source({ tables: ['s.*'], heartbeat: '100ms' });
    await using reading = startReading(source);
    await reading.until(settled);
    await db.query('drop table s.o; create table s.o (id int primary key, n int); insert into s.o values (2, 2)');
    await reading.until((read) => settled(read) && read.lines.length >= 2);
    expect(reading.read.lines[1]).toBe('r s.o {"id":2} {"id":2,"n":2}');
    await db.query('create table s.p (id int primary key); insert into s.p values (3)');
    await reading.until((read) => settled(read) && read.lines.length >= 3);
    expect(reading.read.lines[2]).toBe('r s.p {"id":3} {"id":3}');
    await db.query(`alter publication ${slot} drop table s.p; insert into s.p values (4)`);
    await reading.until((read) => settled(read) && read.lines.length >= 5);
    expect(reading.read.lines.slice(3)).toEqual(['r s.p {"id":3} {"id":3}', 'r s.p {"id":4} {"id":4}']);
    // and while nobody looks
    const { position } = reading.read;
    await reading[Symbol.asyncDispose]();
    await db.query('drop table s.o; create table s.o (id int primary key); insert into s.o values (5)');
    const next = await readUntil(
      at.source({ tables: ['s.*'] }),
      position,
      (read) => settled(read) && read.lines.length > 0,
    );
    expect(next.lines).toEqual(['r s.o {"id":5} {"id":5}']);
  });

  test('rows of a table without a key come all at once, as of one place of the log: with a new slot, asked for, resumed, added', async () => {
    await db.query(
      `create table k (v int, n int default 0); alter table k replica identity full; insert into k (v) values (1), (1)`,
    );
    const source = at.source({ heartbeat: '100ms' });
    await using reading = startReading(source);
    // what a sink of tables does: the range takes everything, an update or delete takes one row that is equal
    const rows: string[] = [];
    let taken = 0;
    let resumed = false; // until the rows come, changes are of rows that nobody has told of
    const apply = ({ batches }: Read): void => {
      for (; taken < batches.length; taken++) {
        const batch = batches[taken]!;
        for (const range of batch.ranges ?? []) {
          expect(range).toEqual({ table: 'public.k', from: null, to: null, keep: [] });
          expect(batch.length).toBe(0);
          rows.length = 0;
          resumed = false;
        }
        for (const { op, before, after } of batch.events()) {
          if (before !== null) {
            const found = rows.indexOf(JSON.stringify(before));
            if (!resumed) expect(found).toBeGreaterThanOrEqual(0);
            if (found >= 0) rows.splice(found, 1);
          }
          if (after !== null && op !== 's') rows.push(JSON.stringify(after));
        }
      }
    };
    const equals = async (): Promise<boolean> =>
      rows.toSorted().join() ===
      (await db.query(`select json_build_object('v', v, 'n', n)::text as row from k`))
        .map(({ row }) => JSON.stringify(JSON.parse(row!)))
        .toSorted()
        .join();
    const follow = async (request: number, during: () => Promise<unknown>): Promise<void> => {
      const [, read] = await Promise.all([
        during(),
        reading.until((read) => read.items.some((item) => item.taken === request) && settled(read)),
      ]);
      await db.query('insert into k (v) values (99)');
      await reading.until(({ lines }) => lines.at(-1)?.includes('"v":99') === true);
      apply(read);
      await db.query('delete from k where v = 99');
      await reading.until(({ lines }) => lines.at(-1)?.startsWith('d ') === true);
      apply(reading.read);
      expect(await equals()).toBe(true);
    };
    apply(await reading.until(settled));
    expect(rows.length).toBe(2);

    // several at once, some of them slow, some rolled back
    const work = async (first: number): Promise<void> => {
      const one = async (v: number): Promise<void> => {
        const client = await db.client();
        for (let i = 0; i < 30; i++) {
          const own = `(select ctid from k where v = ${v} limit 1)`;
          const slow = i % 7 === v % 7 ? '; select pg_sleep(0.05)' : '';
          await client.query(
            `begin; insert into k (v) values (${v}), (${v}); update k set n = n + 1 where ctid = ${own}; delete from k where ctid = ${own}${slow}`,
          );
          await client.query(i % 9 === 4 ? 'rollback' : 'commit');
        }
        await client.end();
      };
      await Promise.all([first, first + 1, first + 2].map(one));
    };
    const ask = (number: number, type: 'snapshot' | 'resume') => source.control!({ number, type, table: 'k' });
    await follow(1, () => Promise.all([work(10), ask(1, 'snapshot'), work(20)]));
    await source.control!({ number: 2, type: 'park', table: 'k', reason: 'x' });
    await reading.until(({ items }) => items.some((item) => item.taken === 2));
    apply(reading.read);
    await db.query(`update k set n = n + 1; delete from k where v = 11`); // nobody hears of it
    resumed = true;
    await follow(3, () => Promise.all([work(10), ask(3, 'resume'), work(20)]));

    await expect(source.control!({ number: 4, type: 'snapshot', table: 'k', where: 'v = 1' })).rejects.toMatchObject({
      code: 'E_REQUEST_FAILED',
    });
    const ids = reading.read.batches.flatMap((batch) => batch.events().map(({ id }) => id));
    expect(new Set(ids).size).toBe(ids.length);

    const before = reading.read.lines.length;
    await db.query('create table l (v int); alter table l replica identity full; insert into l values (7), (7)');
    await reading.until((read) => read.lines.length >= before + 2 && settled(read));
    expect(reading.read.lines.slice(before)).toEqual(['r public.l null {"v":7}', 'r public.l null {"v":7}']);
    expect(
      await db.query(
        `select from pg_replication_slots where slot_name like 'sluice_now_%' and database = '${db.name}'`,
      ),
    ).toEqual([]);
  });

  test('a table without a key whose rows are too many is parked, and a transaction that stays open holds up no other', async () => {
    await db.query(`create table k (v int, t text); alter table k alter t set storage plain; alter table k replica identity full;
      insert into k select i, repeat('x', 7000) from generate_series(1, 2400) i;
      create table o (id int primary key); insert into o values (1)`);
    const source = at.source({ heartbeat: '100ms' });
    await using reading = startReading(source);
    const { lines, items } = await reading.until(settled);
    expect(lines).toEqual(['r public.o {"id":1} {"id":1}']);
    expect(items.at(-1)!.position!.parked![0]!.reason).toMatch(/without|no primary key.*too many/);

    const writer = await db.client();
    await writer.query('begin; insert into o values (2)');
    await db.query(`create table l (v int); alter table l replica identity full; insert into l values (7)`);
    await db.query('insert into o values (3)');
    expect((await reading.until(count(2))).lines.at(-1)).toBe('c public.o {"id":3} {"id":3}');
    const late = reading.until(({ lines: all }) => all.includes('r public.l null {"v":7}'));
    await until(
      'it says what it waits for',
      () => at.logged.some((line) => / waits since .*process \d+/.test(line)),
      40_000,
    );
    await db.query('insert into o values (4)');
    await until('the stream goes on', () => reading.read.lines.includes('c public.o {"id":4} {"id":4}'));
    await writer.query('commit');
    await late;

    // one that was not there when the table was published is in the way of the slot itself
    at.logged.length = 0;
    await writer.query('begin; insert into o values (5)');
    await source.control!({ number: 1, type: 'snapshot', table: 'l' });
    const again = reading.until(({ lines: all }) => all.filter((line) => line.startsWith('r public.l')).length === 2);
    await until('it says so', () => at.logged.some((line) => / waits since .*process \d+/.test(line)), 40_000);
    await db.query('insert into o values (6)');
    await until('the stream goes on', () => reading.read.lines.includes('c public.o {"id":6} {"id":6}'));
    await writer.query('commit');
    await writer.end();
    await again;
    expect(
      await db.query(`select from pg_stat_activity where backend_type = 'walsender' and datname = '${db.name}'`),
    ).toHaveLength(1);
  }, 90_000);

  test('a table that is named and not there is parked alone, and read whole once it is made', async () => {
    await db.query(
      'create table o (id int primary key); insert into o values (1); create table p (id int primary key)',
    );
    const config = { tables: ['o', 'p'], heartbeat: '100ms' };
    const { position } = await readUntil(at.source(config), null, settled);
    await db.query('drop table p; insert into o values (2)');
    const source = at.source(config);
    await using reading = startReading(source, position);
    await reading.until(count(1));
    expect(reading.read.lines).toEqual(['c public.o {"id":2} {"id":2}']);
    expect(reading.read.position!.parked).toMatchObject([
      { table: 'public.p', reason: expect.stringContaining('no such table') },
    ]);
    await expect(source.control!({ number: 1, type: 'resume', table: 'p' })).rejects.toMatchObject({
      code: 'E_REQUEST_FAILED',
      fix: expect.stringContaining('read whole by itself'),
    });
    await db.query('create table p (id int primary key, n int); insert into p values (3, 3)');
    await reading.until((read) => settled(read) && read.lines.length >= 2);
    expect(reading.read.lines[1]).toBe('r public.p {"id":3} {"id":3,"n":3}');
    expect(reading.read.position!.parked).toBeUndefined();
    // and a column that is added tells the operator what to do
    await db.query('alter table p add extra int default 7; insert into p values (4, 4)');
    await reading.until(count(4));
    expect(at.logged.some((line) => line.includes('sluice snapshot --table public.p'))).toBe(true);
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
