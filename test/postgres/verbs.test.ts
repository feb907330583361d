// Verbs that name tables of a PostgreSQL source, with the real command line, and what a stream that begins again does to rows that no
// key tells apart.

import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { type RunningSluice, startSluice, until } from '../cli.ts';
import { type Bench, newBench } from '../crash/bench.ts';
import { type PostgresDatabase, type PostgresServer, startPostgres } from '../services/postgres.ts';

let server: PostgresServer;
let source: PostgresDatabase;
let target: PostgresDatabase;
beforeAll(async () => {
  server = await startPostgres(18);
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  [source, target] = [await server.database(), await server.database()];
});

function benchOf(tables: string, sink: string): Bench {
  return newBench({
    'sluice.yaml': `version: 1
streams:
  - id: s
    source: { type: postgres, connection_string: "${source.url}", ${tables} slot: ${source.name}, heartbeat: 300ms }
    sinks: [${sink}]
`,
  });
}
const toPostgres = (table = '{ none: none }'): string =>
  `{ id: copy, type: postgres, connection_string: "${target.url}", table: ${table} }`;

function start(bench: Bench): RunningSluice {
  const running = startSluice(['run'], { cwd: bench.path('.') });
  onTestFinished(() => void running.child.kill('SIGKILL')); // also of a test that fails
  return running;
}

test('a table is named without its schema, unless several are called so', async () => {
  await source.query(`create schema sales; create table sales.orders (id int primary key); create schema more;
    create table public.items (id int primary key); create table more.items (id int primary key);
    insert into sales.orders values (1); insert into public.items values (1)`);
  using bench = benchOf('tables: [sales.orders, items, more.items],', toPostgres('{ more.items: more }'));
  const running = start(bench);
  const orders = async (): Promise<number> => Number((await target.query('select count(*) as n from orders'))[0]!['n']);
  await until('the rows are there', () => running.said().stderr.includes('the rows are read'));
  await until('they are written', async () => (await bench.status()).ledger.in >= 2);
  await target.query('truncate orders');
  const snapshot = await bench.run('snapshot', '--stream', 's', '--table', 'orders');
  expect(snapshot.code, snapshot.stderr).toBe(0);
  await until('it is read again', async () => (await orders()) === 1);
  const unclear = await bench.run('snapshot', '--stream', 's', '--table', 'items');
  expect(unclear.code).not.toBe(0);
  expect(unclear.stderr).toContain('several tables are called items: more.items, public.items');
  await running.kill('SIGTERM');
});

test('of several parked tables one that cannot be read yet holds up no other', async () => {
  await source.query(`create schema more; create table a (id int); create table b (id int); create table more.b (id int);
    create table o (id int primary key); insert into b values (1)`);
  using bench = benchOf('tables: [a, b, more.b, o],', toPostgres('{ more.b: more }'));
  const running = start(bench);
  await until('they are parked', async () => (await parkedOf(bench)).length === 3);
  const unclear = await bench.run('resume', '--stream', 's', '--table', 'b');
  expect(unclear.stderr).toContain('several tables are called b: more.b, public.b');
  const unfit = await bench.run('resume', '--stream', 's', '--table', 'a');
  expect(unfit.code).toBe(1);
  expect(unfit.stderr).toContain('it has no primary key');
  await source.query('alter table b add primary key (id); alter table more.b add primary key (id)');
  const all = await bench.run('resume', '--stream', 's');
  expect(all.code, all.stderr).toBe(1);
  expect(all.stderr).toMatch(/table public\.a stays parked: the table cannot be read yet/);
  expect(all.stderr).toMatch(/table public\.b is resumed/);
  await until('the others go on', async () => (await parkedOf(bench)).join() === 'public.a');
  await running.kill('SIGTERM');
});

async function parkedOf(bench: Bench): Promise<string[]> {
  const { streams } = JSON.parse((await bench.run('status', '--json')).stdout) as {
    streams: { parked?: { id: string }[] }[];
  };
  return (streams[0]!.parked ?? []).map(({ id }) => id);
}

test.each([
  ['postgres', () => toPostgres(), async () => target.query('select v from k order by v')],
  ['sqlite', () => '{ id: copy, type: sqlite, path: ./target.db }', null],
])('a stream that begins again does not double the rows of a table without a key: %s', async (_, sink, query) => {
  await source.query(`create table k (v int); alter table k replica identity full; insert into k values (1), (1), (2)`);
  using bench = benchOf('tables: [k],', sink());
  const rows = async (): Promise<unknown> => {
    if (query !== null) return (await query()).map((row) => Number(row['v']));
    const { DatabaseSync } = await import('node:sqlite');
    using db = new DatabaseSync(bench.path('target.db'), { readOnly: true });
    return db
      .prepare('select v from k order by v')
      .all()
      .map((row) => Number(row['v']));
  };
  // not until it is idle: so it is too while a server that is busy makes the slot
  const runUntil = async (wanted: readonly number[]): Promise<void> => {
    const running = start(bench);
    const is = async (): Promise<boolean> => JSON.stringify(await rows().catch(() => null)) === JSON.stringify(wanted);
    await until(`the rows are ${wanted}`, is);
    const end = await running.kill('SIGTERM');
    expect(end.code, end.stderr).toBe(143);
    expect(await rows()).toEqual(wanted);
  };
  await runUntil([1, 1, 2]);
  await source.query(`select pg_drop_replication_slot('${source.name}')`);
  await source.query('delete from k where v = 2; insert into k values (3)');
  expect((await bench.run('checkpoint', 'clear', '--stream', 's', '--yes')).code).toBe(0);
  await runUntil([1, 1, 3]);
});

test('a run until it is idle waits for a transaction that holds up the slot', async () => {
  await source.query('create table o (id int primary key); insert into o values (1)');
  using bench = benchOf('', toPostgres());
  const writer = await source.client();
  await writer.query('begin; insert into o values (2)');
  const running = startSluice(['run', '--until-idle', '300ms'], { cwd: bench.path('.') });
  await until('it says what it waits for', () => running.said().stderr.includes('waits since'));
  await writer.query('commit');
  const end = await running.exited;
  expect(end.code, end.stderr).toBe(0);
  expect((await target.query('select id from o order by id')).map(({ id }) => Number(id))).toEqual([1, 2]);
});

test('unlogged tables are named in the log and by check', async () => {
  await source.query('create table o (id int primary key); create unlogged table fast (id int primary key)');
  using bench = benchOf('', toPostgres());
  const running = start(bench);
  await until('the log names it', () => running.said().stderr.includes('unlogged tables are not read: public.fast'));
  await running.kill('SIGTERM');
  expect((await bench.run('check')).stderr).toContain('public.fast');
});
