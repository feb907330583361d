// PostgreSQL to SQLite through the command line of the built package, against `pg_recvlogical` draining the same slot content to
// /dev/null. For each candidate a slot of its own was made before the rows were written, so that all of them read the same log. The
// clock of pg_recvlogical ends with its process; ours begins when the slot is read (the start of the process is told apart) and ends
// with the ack of the last commit, when rows and checkpoint are durable in SQLite.
//   300 transactions of 1000 rows, one transaction, and many small ones; rows of about 770 bytes.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type PostgresDatabase, startPostgres } from '../services/postgres.ts';
import { checkSandbox } from './processes.ts';
import { type Figure, median } from './table.ts';

const RECVLOGICAL = '/usr/lib/postgresql/15/bin/pg_recvlogical';

/** How the rows are divided into transactions. */
interface Shape {
  readonly name: string;
  readonly perTransaction: number;
  /** Of all rows, so many. */
  readonly part: number;
}

const SHAPES: readonly Shape[] = [
  { name: 'transactions of 1000', perTransaction: 1000, part: 1 },
  { name: 'one transaction', perTransaction: Number.POSITIVE_INFINITY, part: 1 },
  { name: 'transactions of 5', perTransaction: 5, part: 0.2 },
];

/** In seconds. */
interface Time {
  /** From the start of the process. */
  readonly whole: number;
  /** From when it reads from the slot. */
  readonly streaming: number;
}

const CANDIDATES = ['drain', 'again', 'none', 'js'] as const;
type Candidate = (typeof CANDIDATES)[number];

/** Figures as they are known. @throws when a target does not have all rows */
export async function* postgresFigures(cli: string, options: { rows: number; rounds: number }): AsyncGenerator<Figure> {
  if (!existsSync(RECVLOGICAL)) throw new Error("this figure needs pg_recvlogical of Debian's postgresql-15");
  await using server = await startPostgres(15, {
    max_replication_slots: '100',
    max_wal_size: '8GB',
    autovacuum: 'off',
  });
  const dir = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  try {
    checkSandbox(cli, dir);
    for (const shape of SHAPES) {
      const db = await server.database();
      const rows = Math.round(options.rows * shape.part);
      const slots = await fill(db, rows, Math.min(shape.perTransaction, rows), options.rounds);
      // the commit of one row more is the end: what a server writes by itself after it would wait for a heartbeat
      const end = (await db.query('select pg_current_wal_insert_lsn() as lsn'))[0]!['lsn']!;
      await db.query(
        `insert into rows values (0, 0, 'shipped', 0, now(), now(), 'last@shop.example', 'Last', true, '')`,
      );
      const times: Record<Candidate, Time[]> = { drain: [], again: [], none: [], js: [] };
      for (let round = 0; round < options.rounds; round++) {
        for (const name of CANDIDATES) {
          const slot = slots[round]![name];
          const drains = name === 'drain' || name === 'again';
          const time = drains
            ? await recvlogical(db, slot, end)
            : await sluice(cli, dir, db, slot, end, name === 'js', rows + 1);
          times[name].push(time);
          await db.query(`select pg_drop_replication_slot('${slot}')`);
        }
      }
      const ratios = (name: Candidate): number[] =>
        times[name].map(({ streaming }, round) => times.drain[round]!.streaming / streaming);
      const perSecond = (name: Candidate, what: keyof Time): number =>
        Math.round(rows / median(times[name].map((time) => time[what])));
      const note = (name: Candidate): string =>
        `${perSecond(name, 'streaming')} rows/s, ${perSecond(name, 'whole')} with the start of the process`;
      yield {
        name: `    pg_recvlogical against itself (A/A), ${shape.name}`,
        ratios: ratios('again'),
        note: note('again'),
      };
      yield { name: `(p) PostgreSQL to SQLite, ${shape.name}`, ratios: ratios('none'), least: 1, note: note('none') };
      yield {
        name: `(p) with a JavaScript transform, ${shape.name}`,
        ratios: ratios('js'),
        least: 0.65,
        note: note('js'),
      };
      await db.drop();
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function fill(db: PostgresDatabase, rows: number, perTransaction: number, rounds: number) {
  await db.query(`create table rows (id bigint primary key, customer int, status text, price numeric(10,2), created timestamptz,
    updated timestamptz, email text, name text, active boolean, note text)`);
  await db.query('create publication bench for table rows');
  const slots: Record<Candidate, string>[] = [];
  for (let round = 0; round < rounds; round++) {
    const names = CANDIDATES.map((name) => [name, `${db.name}_${name}_${round}`] as const);
    for (const [, slot] of names) await db.query(`select pg_create_logical_replication_slot('${slot}', 'pgoutput')`);
    slots.push(Object.fromEntries(names) as Record<Candidate, string>);
  }
  await db.query(`create procedure fill(total int, size int) language plpgsql as $$ begin
    for i in 0 .. (total - 1) / size loop
      insert into rows select n, n % 1000, 'shipped', n * 1.01, '2024-02-29 12:00:00.123456+00', '2024-03-01 08:00:00+00',
        'customer' || n % 1000 || '@shop.example', 'Customer ' || n, n % 2 = 0, repeat(md5(n::text), 19)
        from generate_series(i * size + 1, least((i + 1) * size, total)) n;
      commit;
    end loop;
  end $$`);
  await db.query(`call fill(${rows}, ${perTransaction})`);
  return slots;
}

async function recvlogical(db: PostgresDatabase, slot: string, end: string): Promise<Time> {
  const { hostname, port } = new URL(db.url);
  const where = ['-h', hostname, '-p', port, '-U', 'postgres', '-d', db.name, '-S', slot];
  const how = ['-o', 'proto_version=1', '-o', 'publication_names=bench', '--endpos', end, '--no-loop'];
  const began = performance.now();
  const ran = spawnSync(RECVLOGICAL, [...where, '--start', '-f', '/dev/null', ...how], { encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(ran.stderr);
  const whole = (performance.now() - began) / 1000; // it starts in a few ms
  return { whole, streaming: whole };
}

async function sluice(
  cli: string,
  dir: string,
  db: PostgresDatabase,
  slot: string,
  end: string,
  transforms: boolean,
  rows: number,
): Promise<Time> {
  const own = join(dir, slot);
  await mkdir(own);
  const code = 'export default (row) => ({ ...row, total: Number(row.price) * 1.19, email: row.email.toUpperCase() });';
  const manifest = {
    version: 1,
    service: { state: { type: 'sqlite', path: join(dir, 'state.db') }, log_level: 'error' },
    ...(transforms ? { transformations: [{ id: 'mutate', type: 'javascript', code }] } : {}),
    streams: [
      {
        id: slot, // the proof of the sandbox is beside the state, so all runs share it
        source: {
          type: 'postgres',
          connection_string: db.url,
          tables: ['rows'],
          slot,
          publication: 'bench',
          snapshot: 'never',
        },
        ...(transforms ? { transformations: ['mutate'] } : {}),
        sinks: [{ id: 'out', type: 'sqlite', path: join(own, 'out.db') }],
      },
    ],
  };
  const file = join(own, 'sluice.json');
  await writeFile(file, JSON.stringify(manifest));
  const began = performance.now();
  const child = spawn(process.execPath, [cli, 'run', file, '--quiet'], { stdio: 'inherit' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  let reads = 0;
  try {
    for (;;) {
      const sql = `select active, confirmed_flush_lsn > '${end}' as there from pg_replication_slots where slot_name = '${slot}'`;
      const [now] = await db.query(sql);
      if (now!['active'] === 't' && reads === 0) reads = performance.now();
      if (now!['there'] === 't') break;
      if (child.exitCode !== null) throw new Error('sluice ended before it had everything');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  } finally {
    child.kill('SIGTERM');
  }
  const now = performance.now();
  await ended;
  using target = new DatabaseSync(join(own, 'out.db'), { readOnly: true });
  const found = target.prepare('select count(*) as n, count(distinct id) as ids from rows').get() as {
    n: number;
    ids: number;
  };
  if (found.n !== rows || found.ids !== rows) throw new Error(`the target has ${found.n} of ${rows} rows`);
  await rm(own, { recursive: true });
  return { whole: (now - began) / 1000, streaming: (now - reads) / 1000 };
}
