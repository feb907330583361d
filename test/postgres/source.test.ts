// The postgres source on real servers: rows, changes, transactions, keys, large values, schema changes, messages, idle slots.

import type { Context } from 'sluice/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../cli.ts';
import { type PostgresDatabase, type PostgresServer, postgresVersions, startPostgres } from '../services/postgres.ts';
import { count, readUntil, type SourceBench, settled, sourceBench, startReading } from './source-bench.ts';

describe.each(postgresVersions())('PostgreSQL %i', (version) => {
  let server: PostgresServer;
  let db: PostgresDatabase;
  let at: SourceBench;
  beforeAll(async () => {
    server = await startPostgres(version, { wal_sender_timeout: '3s' });
  });
  afterAll(() => server[Symbol.asyncDispose]());
  beforeEach(async () => {
    db = await server.database();
    at = sourceBench(db);
  });

  /** After the rows: what `sql` makes of it, as lines. */
  async function changes(make: string, sql: string, n: number, config: Record<string, unknown> = {}) {
    await db.query(make);
    const source = at.source(config);
    await using reading = startReading(source);
    const rows = (await reading.until(settled)).lines.length;
    await db.query(sql);
    const read = await reading.until(count(rows + n));
    return { lines: read.lines.slice(rows), batches: read.batches, read };
  }

  test('gives the rows that are there, then each change', async () => {
    const { lines, read } = await changes(
      `create table o (id int primary key, n text); insert into o values (1, 'a'), (2, 'b')`,
      `insert into o values (3, 'c'); update o set n = 'B' where id = 2; update o set id = 9 where id = 1; delete from o where id = 3`,
      4,
    );
    expect(read.lines.slice(0, 2)).toEqual([
      'r public.o {"id":1} {"id":1,"n":"a"}',
      'r public.o {"id":2} {"id":2,"n":"b"}',
    ]);
    expect(lines).toEqual([
      'c public.o {"id":3} {"id":3,"n":"c"}',
      'u public.o {"id":2} {"id":2,"n":"B"}',
      'u public.o {"id":9} was {"id":1} {"id":9,"n":"a"}',
      'd public.o {"id":3} {"id":3}',
    ]);
  });

  test('resumes at a position with the rest under the same ids, rows and changes alike', async () => {
    await db.query(`create table o (id int primary key); insert into o select generate_series(1, 25)`);
    const limits: Context['batch'] = { maxEvents: 4, maxBytes: 1 << 20, maxWait: 0, respectSourceTx: true };
    const ids = (batches: readonly { length: number; id(i: number): string }[]): string[] =>
      batches.flatMap((batch) => Array.from({ length: batch.length }, (_, i) => batch.id(i)));
    const first = await readUntil(at.source({}, { batch: limits }), null, settled);
    const rows = ids(first.batches);
    let before = 0;
    for (const item of first.items) {
      before += item.batch.length;
      if (item.open === true) continue;
      const again = await readUntil(at.source({ snapshot: 'only' }), item.position, () => false);
      expect(ids(again.batches)).toEqual(rows.slice(before));
    }
    await db.query('insert into o select generate_series(26, 35)');
    await db.query('insert into o values (36)');
    await db.query('update o set id = id + 100 where id > 30');
    // nothing is acked, so the server gives it all again
    await using reading = startReading(at.source({}, { batch: limits }), first.position, { ack: false });
    const whole = await reading.until(count(17));
    await reading[Symbol.asyncDispose]();
    let given = 0;
    for (const item of whole.items) {
      given += item.batch.length;
      if (item.open === true) continue;
      await using rest = startReading(at.source({}, { batch: limits }), item.position, { ack: false });
      expect(ids((await rest.until(count(17 - given))).batches)).toEqual(ids(whole.batches).slice(given));
    }
    expect(new Set([...rows, ...ids(whole.batches)]).size).toBe(25 + 17);
  });

  test('keeps a transaction together, gives a large one as parts, and joins small ones', async () => {
    await db.query('create table o (id int primary key)');
    const limits: Context['batch'] = { maxEvents: 10, maxBytes: 1 << 20, maxWait: 50, respectSourceTx: true };
    const source = at.source({}, { batch: limits });
    await using reading = startReading(source);
    await reading.until(settled);
    const from = reading.read.items.length;
    await db.query('begin; insert into o select generate_series(1, 25); commit');
    await reading.until(count(25));
    const parts = reading.read.items.slice(from).filter(({ batch }) => batch.length > 0);
    expect(parts.map(({ batch, open }) => [batch.length, open === true])).toEqual([
      [10, true],
      [10, true],
      [5, false],
    ]);
    const orders = parts.flatMap(({ batch }) => batch.events().map((event) => event.transaction?.order));
    expect(orders).toEqual(Array.from({ length: 25 }, (_, i) => i + 1));
    expect(new Set(parts.flatMap(({ batch }) => batch.events().map((event) => event.transaction?.id))).size).toBe(1);
  });

  test('without respect_source_tx stands and resumes in the middle of a transaction', async () => {
    await db.query('create table o (id int primary key)');
    const batch: Context['batch'] = { maxEvents: 10, maxBytes: 1 << 20, maxWait: 0, respectSourceTx: false };
    const source = at.source({}, { batch });
    const { position } = await readUntil(source, null, settled);
    await db.query('insert into o select generate_series(1, 25)');
    const some = await readUntil(source, position, ({ lines }) => lines.length >= 10);
    expect(some.lines.length).toBe(10);
    const rest = await readUntil(at.source({}, { batch }), some.position, count(15));
    expect(rest.lines[0]).toBe('c public.o {"id":11} {"id":11}');
    expect(rest.lines.length).toBe(15);
  });

  test('leaves out a large value that did not change, names it, and takes it from the old row where that is whole', async () => {
    const make = `create table o (id int primary key, n int, big text); alter table o alter big set storage external;
      insert into o values (1, 1, repeat('x', 20000))`;
    const { read, lines } = await changes(make, 'update o set n = 2', 1);
    expect(lines).toEqual(['u public.o {"id":1} {"id":1,"n":2}']);
    const last = read.batches.at(-1)!.events()[0]!;
    expect(last.source.unchanged).toEqual(['big']);
    await db.query('alter table o replica identity full; update o set n = 3');
    const next = await readUntil(at.source(), read.position, ({ lines }) => lines.some((line) => line.startsWith('u')));
    const event = next.batches.flatMap((batch) => batch.events()).find(({ op }) => op === 'u')!;
    expect(event.after).toEqual({ id: 1, n: 3, big: 'x'.repeat(20_000) });
    expect(event.before).toEqual({ id: 1, n: 2, big: 'x'.repeat(20_000) });
    expect(event.source.unchanged).toBeUndefined();
  });

  test('goes over TLS with both of its connections', async () => {
    await db.query('create table o (id int primary key)');
    await using reading = startReading(at.source({ tls: 'require' }));
    await reading.until(settled);
    await db.query('insert into o values (1)');
    expect((await reading.until(count(1))).lines).toEqual(['c public.o {"id":1} {"id":1}']);
    const encrypted = await db.query(
      `select ssl from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'sluice ${db.name}'`,
    );
    expect(encrypted).toEqual([{ ssl: 't' }, { ssl: 't' }]);
  });

  test('gives truncates, one for each table, and messages, transactional or not', async () => {
    const make = 'create table o (id int primary key); create table p (id int primary key); insert into o values (1)';
    // the second message is in the log before its transaction is
    const sql = `truncate o, p; select pg_logical_emit_message(true, 'app', 'hello'); select pg_logical_emit_message(false, 'app', 'now')`;
    const { lines, read } = await changes(make, sql, 4, { messages: true });
    expect(lines).toEqual([
      'm app null {"prefix":"app","content":"now"}',
      't public.o null null',
      't public.p null null',
      'm app null {"prefix":"app","content":"hello"}',
    ]);
    await db.query(`select pg_logical_emit_message(false, 'app', '\\xff00'::bytea); insert into o values (2)`);
    const next = await readUntil(at.source({ messages: true }), read.position, count(2));
    expect(next.lines).toEqual([
      'm app null {"prefix":"app","content":"/wA=","encoding":"base64"}',
      'c public.o {"id":2} {"id":2}',
    ]);
    await using none = startReading(at.source({ messages: true }), next.position);
    await db.query('insert into o values (3)');
    expect((await none.until(count(1))).lines).toEqual(['c public.o {"id":3} {"id":3}']);
  });

  test('sees a changed schema before the first row that has it, also over a restart, and says it once', async () => {
    const { lines, read } = await changes(
      'create table o (id int primary key, n text)',
      `insert into o values (1, 'a'); alter table o add m numeric(8,2) default 1.5; insert into o values (2, 'b', 2);
       alter table o rename n to name; alter table o drop m; insert into o values (3, 'c')`,
      5,
    );
    expect(lines.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'c public.o',
      's public.o',
      'c public.o',
      's public.o',
      'c public.o',
    ]);
    const first = read.batches.find((batch) => batch.length > 0 && batch.op(0) === 's')!.events()[0]!;
    expect(first.after).toEqual({
      columns: [
        { name: 'id', type: 'int', native: 'integer', key: 1 },
        { name: 'n', type: 'text', native: 'text' },
        { name: 'm', type: 'decimal', native: 'numeric(8,2)' },
      ],
    });
    await db.query(`insert into o values (4, 'd'); alter table o add x int; insert into o values (5, 'e', 1)`);
    const next = await readUntil(at.source(), read.position, count(3));
    expect(next.lines.map((line) => line[0])).toEqual(['c', 's', 'c']);
    expect(new Set(next.batches.flatMap((batch) => batch.events().map(({ id }) => id))).size).toBe(3);
  });

  test('reads partitioned tables under their own name, and added tables with their rows', async () => {
    await db.query(`create table o (id int, d date, primary key (id, d)) partition by range (d);
      create table o1 partition of o for values from ('2024-01-01') to ('2025-01-01');
      create table p (id int primary key); insert into p values (7);
      insert into o values (1, '2024-02-02')`);
    const first = await readUntil(at.source({ tables: ['public.o'] }), null, settled);
    expect(first.lines).toEqual(['r public.o {"id":1,"d":"2024-02-02"} {"id":1,"d":"2024-02-02"}']);
    await db.query(`insert into o values (2, '2024-03-03')`);
    const second = await readUntil(
      at.source({ tables: ['o', 'p'] }),
      first.position,
      (read) => settled(read) && count(2)(read),
    );
    expect(second.lines.toSorted()).toEqual([
      'c public.o {"id":2,"d":"2024-03-03"} {"id":2,"d":"2024-03-03"}',
      'r public.p {"id":7} {"id":7}',
    ]);
  });

  test('takes tables that are named no more out of the publication that it made, and reads them whole when they come back', async () => {
    await db.query(`create schema "S"; create table o (id int primary key); create table "S".p (id int primary key);
      insert into o values (1); insert into "S".p values (2)`);
    const published = async (): Promise<unknown> =>
      (await db.query('select tablename from pg_publication_tables order by 1')).map((row) => row['tablename']);
    const both = { tables: ['o', 'S.p'] };
    const first = await readUntil(at.source(both), null, settled);
    expect(await published()).toEqual(['o', 'p']);
    await db.query('insert into o values (3)');
    const second = await readUntil(at.source({ tables: ['o'] }), first.position, count(1));
    expect(await published()).toEqual(['o']);
    await db.query('insert into "S".p values (4)');
    const third = await readUntil(at.source(both), second.position, (read) => settled(read) && count(2)(read));
    expect(third.lines).toEqual(['r S.p {"id":2} {"id":2}', 'r S.p {"id":4} {"id":4}']);
    // one that somebody else made is theirs
    await db.query('create publication theirs for table o, "S".p');
    const config = { tables: ['o'], publication: 'theirs', slot: `${db.name}_b` };
    await readUntil(at.source(config), null, settled);
    expect(await db.query(`select from pg_publication_tables where pubname = 'theirs'`)).toHaveLength(2);
  });

  test('lets the server forget its log while only other tables change', async () => {
    await db.query('create table o (id int primary key); create table other (id int, t text)');
    const source = at.source({ tables: ['o'], heartbeat: '200ms' });
    await using reading = startReading(source);
    await reading.until(settled);
    await db.query(`insert into other select i, repeat('x', 1000) from generate_series(1, 20000) i`);
    const [end] = await db.query(`select pg_current_wal_lsn() as lsn`);
    await reading.until(({ position }) => position !== null && lsnAtLeast(position.lsn, end!['lsn']!));
    await until('the slot stands at the end', async () => {
      const [slot] = await db.query(
        `select confirmed_flush_lsn >= '${end!['lsn']}' as there from pg_replication_slots where slot_name = 'sluice_${db.name}'`,
      );
      return slot!['there'] === 't';
    });
  });
});

function lsnAtLeast(a: string, b: string): boolean {
  const value = (lsn: string): bigint =>
    BigInt(
      `0x${lsn
        .split('/')
        .map((part) => part.padStart(8, '0'))
        .join('')}`,
    );
  return value(a) >= value(b);
}
