// What happens around a stream from PostgreSQL to PostgreSQL, with the real command line: servers that go away, a network that says
// nothing, passwords that change, a slot or a publication that is dropped. Each shows its state and its message, goes on without
// hands where that is possible, and burns no processor while it waits.

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { type RunningSluice, startSluice, until } from '../cli.ts';
import { type Bench, newBench } from '../crash/bench.ts';
import { long } from '../long.ts';
import { type PostgresDatabase, type PostgresServer, startPostgres } from '../services/postgres.ts';
import { newWire } from '../services/wire.ts';

let near: PostgresServer;
let far: PostgresServer;
let source: PostgresDatabase;
let target: PostgresDatabase;

vi.setConfig({ testTimeout: long ? 240_000 : 120_000 });

beforeAll(async () => {
  [near, far] = await Promise.all([startPostgres(18, { wal_sender_timeout: '5s' }), startPostgres(18)]);
});
afterAll(async () => {
  await near[Symbol.asyncDispose]();
  await far[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await Promise.all([near.start(), far.start()]); // where a test that failed has left them stopped
  [source, target] = [await near.database(), await far.database()];
  await source.query(
    'create table o (id int primary key, n text); insert into o select i, i from generate_series(1, 10) i',
  );
});

function benchOf(from = source.url, to = target.url, more = ''): Bench {
  return newBench({
    'sluice.yaml': `version: 1
streams:
  - id: s
    source: { type: postgres, connection_string: "${from}", tables: [public.o], slot: ${source.name}, heartbeat: 500ms }
    sinks: [{ id: copy, type: postgres, connection_string: "${to}", statement_timeout: 1s }]
    retry_policy: { initial_delay: 100ms, max_delay: 500ms }
${more}`,
  });
}

function start(bench: Bench): RunningSluice {
  const running = startSluice(['run'], { cwd: bench.path('.'), deadlineMs: long ? 240_000 : 110_000 });
  onTestFinished(() => void running.child.kill('SIGKILL')); // also of a test that fails
  return running;
}

const rows = async (): Promise<number> => {
  const [there] = await target.query(`select to_regclass('o') is not null as yes`);
  return there!['yes'] === 't' ? Number((await target.query('select count(*) as n from o'))[0]!['n']) : 0;
};
const arrive = (n: number, running: RunningSluice) =>
  until(
    `${n} rows arrive`,
    async () => {
      if (running.child.exitCode !== null || running.child.signalCode !== null)
        throw new Error(`it ended by itself:\n${running.said().stderr}`);
      return (await rows()) === n;
    },
    60_000,
  );

/** Until the log says that the stream waits, with this in its reason; gives the line. */
function waits(running: RunningSluice, what: RegExp): Promise<string> {
  const from = running.said().stderr.length;
  return until(
    `it says that it waits: ${what}`,
    () =>
      running
        .said()
        .stderr.slice(from)
        .split('\n')
        .find((line) => line.includes(' waits: ') && what.test(line)),
    60_000,
  );
}

/** Seconds of processor time that a process has used, and its resident size in MiB. */
function usage(running: RunningSluice): { seconds: number; mebibytes: number } {
  const { pid } = running.child;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  const resident = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1];
  return { seconds: (Number(stat[11]) + Number(stat[12])) / 100, mebibytes: Number(resident) / 1024 };
}

async function isIdle(running: RunningSluice, forMs: number): Promise<void> {
  const before = usage(running);
  await sleep(forMs); // what is measured is a span of time
  const after = usage(running);
  expect(after.seconds - before.seconds).toBeLessThan((0.3 * forMs) / 1000);
  expect(after.mebibytes).toBeLessThan(400);
  console.log(
    `waiting: ${(after.seconds - before.seconds).toFixed(2)} s of processor in ${forMs} ms, ${after.mebibytes.toFixed(0)} MiB`,
  );
}

test('a target that goes away is waited for, and the stream goes on when it is back', async () => {
  using bench = benchOf();
  const running = start(bench);
  await arrive(10, running);
  await far.stop('immediate');
  await source.query('insert into o select i, i from generate_series(11, 3000) i');
  expect(await waits(running, /the server is not there/)).toContain('E_SINK_CONNECT');
  await until('status shows it', async () => (await bench.status()).state === 'waiting');
  await isIdle(running, long ? 60_000 : 3_000);
  await far.start();
  await arrive(3000, running);
  expect((await running.kill('SIGTERM')).code).toBe(143);
});

test('a source that goes away is waited for, and the stream goes on when it is back', async () => {
  using bench = benchOf();
  const running = start(bench);
  await arrive(10, running);
  await near.stop('fast');
  expect(await waits(running, /the server is not there/)).toContain('E_SOURCE_CONNECT');
  await isIdle(running, long ? 60_000 : 3_000);
  await near.start();
  await source.query(`insert into o values (11, 'x')`);
  await arrive(11, running);
  expect((await running.kill('SIGTERM')).code).toBe(143);
});

test('a network that says nothing, to the target or to the source, is noticed, and nothing is lost or hangs', async () => {
  await using toTarget = await newWire(far.port);
  await using toSource = await newWire(near.port);
  const through = (url: string, wire: { port: number }) => url.replace(/:\d+\//, `:${wire.port}/`);
  using bench = benchOf(through(source.url, toSource), through(target.url, toTarget));
  const running = start(bench);
  await arrive(10, running);
  toTarget.hold();
  await source.query('insert into o select i, i from generate_series(11, 500) i');
  expect(await waits(running, /E_SINK_(CONNECT|TIMEOUT)/)).toMatch(/did not answer|not there|timeout/i);
  await isIdle(running, 2_000);
  toTarget.release();
  await arrive(500, running);
  toSource.hold();
  await source.query(`insert into o values (501, 'x')`);
  await sleep(6_000); // longer than the server waits for its client (wal_sender_timeout)
  toSource.release();
  await arrive(501, running);
  expect((await running.kill('SIGTERM')).code).toBe(143);
});

test('a password that is changed is waited for at both ends, and never shown', async () => {
  const user = `reader_${source.name}`;
  for (const db of [source, target]) await db.query(`create role ${user} superuser login password 'hunter2-sesam'`);
  const auth = `authentication:\n  - { id: me, type: username_password, config: { username: ${user}, password: hunter2-sesam } }\n`;
  for (const [db, code] of [
    [source, 'E_SOURCE_CONNECT'],
    [target, 'E_SINK_CONNECT'],
  ] as const) {
    using bench = benchOf(source.url, target.url, auth);
    bench.write('sluice.yaml', bench.read('sluice.yaml').replaceAll('type: postgres,', 'type: postgres, auth_id: me,'));
    const running = start(bench);
    await until('it runs', () => running.said().stderr.includes('starts'));
    const before = Number((await source.query('select max(id) as n from o'))[0]!['n']);
    await arrive(before, running);
    await db.query(`alter role ${user} password 'other'`);
    await db.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${user}'`);
    await source.query(`insert into o values (${before + 1}, 'x')`);
    expect(await waits(running, /refuses the user or the password/)).toContain(code);
    await db.query(`alter role ${user} password 'hunter2-sesam'`);
    await arrive(before + 1, running);
    const { stdout, stderr } = await running.kill('SIGTERM');
    expect(stdout + stderr).not.toContain('hunter2');
    // the next round begins anew with its own checkpoint, and the same slot
    await source.query(`select pg_drop_replication_slot('${source.name}')`);
    await target.query('drop schema _sluice cascade');
  }
});

test('a slot that is dropped ends the stream with a message that says the way out, and the way out works', async () => {
  using bench = benchOf();
  const running = start(bench);
  await arrive(10, running);
  expect((await running.kill('SIGTERM')).code).toBe(143);
  await source.query(`select pg_drop_replication_slot('${source.name}')`);
  await source.query(`delete from o where id = 3; insert into o values (11, 'x')`);
  const end = await bench.run('run');
  expect(end.code).not.toBe(0);
  expect(end.stderr).toContain('E_SOURCE_SLOT_MISSING');
  expect(end.stderr).toContain('sluice checkpoint clear');
  expect((await bench.run('checkpoint', 'clear', '--stream', 's', '--yes')).code).toBe(0);
  const again = await bench.run('run', '--until-idle', '1s');
  expect(again.code, again.stderr).toBe(0);
  // the row that was deleted meanwhile is gone here too
  expect(await target.query('select id from o where id in (3, 11)')).toEqual([{ id: '11' }]);
});

test('a slot whose log the server has thrown away ends the stream and says so', async () => {
  await using small = await startPostgres(18, {
    max_slot_wal_keep_size: '1MB',
    max_wal_size: '32MB',
    min_wal_size: '32MB',
  });
  const db = await small.database();
  await db.query('create table o (id int primary key, n text); insert into o values (1); create table other (t text)');
  using bench = benchOf(db.url);
  const first = await bench.run('run', '--until-idle', '1s');
  expect(first.code, first.stderr).toBe(0);
  await until('the slot is lost', async () => {
    await db.query(`insert into other select repeat('x', 1000) from generate_series(1, 20000)`);
    await db.query('select pg_switch_wal()');
    await db.query('checkpoint');
    const [slot] = await db.query('select wal_status from pg_replication_slots');
    return slot!['wal_status'] === 'lost';
  });
  const lost = await bench.run('run');
  expect(lost.code).not.toBe(0);
  expect(lost.stderr).toContain('E_SOURCE_SLOT_LOST');
});

test('a publication that is dropped ends the stream and says so', async () => {
  using bench = benchOf();
  expect((await bench.run('run', '--until-idle', '1s')).code).toBe(0);
  const [publication] = await source.query('select pubname from pg_publication');
  await source.query(`drop publication "${publication!['pubname']}"`);
  const dropped = await bench.run('run');
  expect(dropped.code).not.toBe(0);
  expect(dropped.stderr).toContain('E_SOURCE_PUBLICATION');
});
