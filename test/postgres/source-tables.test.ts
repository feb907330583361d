// Which tables are read, and how: parked with a reason, made anew, new, taken out of the publication, without a key, not there.

import type { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { addressOf } from '../../plugins/postgres/address.ts';
import type { SourceSettings } from '../../plugins/postgres/config.ts';
import { close, connect } from '../../plugins/postgres/connection.ts';
import { codeOf } from '../../plugins/postgres/source-faults.ts';
import { until } from '../cli.ts';
import { type PostgresDatabase, type PostgresServer, postgresVersions, startPostgres } from '../services/postgres.ts';
import { count, type Read, readUntil, type SourceBench, settled, sourceBench, startReading } from './source-bench.ts';

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

  test('a table that cannot be read is parked with its reason, the others go on, and resumed it begins with its rows', async () => {
    await db.query(`create table bare (id int); create table o (id int primary key); create table secret (id int primary key);
      insert into bare values (1); insert into o values (1); insert into secret values (1)`);
    await at.publish('o, secret');
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

  test('a table without a key waits for a connection that its slot needs, and the stream goes on', async () => {
    await db.query(`create table o (id int primary key); create table k (v int); alter table k replica identity full`);
    const source = at.source({ heartbeat: '100ms' });
    await using reading = startReading(source);
    await reading.until(settled);
    await db.query('insert into k values (7)');
    await reading.until(count(1));
    await using taken = await allConnectionsForReplication(db);
    await source.control!({ number: 1, type: 'snapshot', table: 'k' });
    const rows = reading.until(count(3));
    await until('it says what it waits for', () => at.logged.some((line) => line.includes('max_wal_senders')), 40_000);
    await db.query('insert into o values (2)');
    await until('the stream goes on', () => reading.read.lines.includes('c public.o {"id":2} {"id":2}'));
    await taken[Symbol.asyncDispose]();
    expect((await rows).lines.slice(1).toSorted()).toEqual(['c public.o {"id":2} {"id":2}', 'r public.k null {"v":7}']);
  }, 60_000);

  test('a table without a key that has grown too large while the stream ran is not read at once', async () => {
    await db.query(
      `create table k (v int, t text); alter table k alter t set storage plain; alter table k replica identity full`,
    );
    const source = at.source({ heartbeat: '100ms' });
    await using reading = startReading(source);
    await reading.until(settled);
    await db.query(`insert into k select i, repeat('x', 7000) from generate_series(1, 2400) i`);
    await db.query('create table l (id int primary key); insert into l values (1)');
    await reading.until(({ lines }) => lines.includes('r public.l {"id":1} {"id":1}')); // it has looked at the tables since
    await expect(source.control!({ number: 1, type: 'snapshot', table: 'k' })).rejects.toMatchObject({
      code: 'E_REQUEST_FAILED',
      message: expect.stringContaining('too many'),
    });
  });

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

  test('a table that was taken out of the publication while nobody read is read whole at the next start', async () => {
    await db.query(
      'create table o (id int primary key); create table p (id int primary key); insert into p values (1)',
    );
    const { position } = await readUntil(at.source({ tables: ['o', 'p'] }), null, settled);
    // as a stream does whose `tables` does not name it, and which ends before its first checkpoint
    await db.query(`alter publication ${slot} drop table p`);
    await db.query('delete from p; insert into p values (2)');
    const next = await readUntil(
      at.source({ tables: ['o', 'p'] }),
      position,
      (read) => settled(read) && count(1)(read),
    );
    expect(next.lines).toEqual(['r public.p {"id":2} {"id":2}']);
    expect(at.logged).toContain('the publication did not have public.p any more: they are read whole');
  });

  test('a change that was made before its table was published, in a transaction that goes on, is in its snapshot', async () => {
    await db.query('create table o (id int primary key); create table p (id int primary key)');
    const { position } = await readUntil(at.source({ tables: ['o'] }), null, settled);
    const [holder, writer] = [await db.client(), await db.client()];
    await holder.query('begin; lock table p in share update exclusive mode'); // what publishing it waits for
    await using reading = startReading(at.source({ tables: ['o', 'p'] }), position);
    const read = reading.until((now) => settled(now) && count(2)(now));
    await until('the source publishes it', async () => {
      const waiting = await db.query(`select from pg_locks where not granted and relation = 'p'::regclass`);
      return waiting.length > 0;
    });
    await writer.query('begin; insert into p values (1)');
    await holder.query('commit');
    await until('it waits for the writer', () =>
      at.logged.some((line) => line.startsWith('reading the rows of tables waits')),
    );
    await db.query('insert into o values (2)');
    await until('the stream goes on', () => reading.read.lines.includes('c public.o {"id":2} {"id":2}'));
    await writer.query('commit');
    expect((await read).lines.toSorted()).toEqual(['c public.o {"id":2} {"id":2}', 'r public.p {"id":1} {"id":1}']);
    await Promise.all([holder.end(), writer.end()]);
  }, 30_000);
});

/** Takes what the server has of them, until it refuses one more. */
async function allConnectionsForReplication(db: PostgresDatabase): Promise<AsyncDisposable> {
  const address = addressOf({ connection_string: db.url } as SourceSettings, null);
  const taken: Client[] = [];
  for (;;) {
    const one = await connect(address, { name: 'another reader', replication: true }).catch((thrown: unknown) => {
      expect(codeOf(thrown)).toBe('53300');
      return null;
    });
    if (one === null) break;
    taken.push(one);
  }
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(taken.splice(0).map((client) => close(client)));
    },
  };
}
