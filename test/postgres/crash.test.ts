// Invariant 7 on real servers: PostgreSQL to PostgreSQL and to SQLite, each the home of its checkpoint, while four writers change
// the source; Sluice is killed again and again, also during the snapshot, and the server goes away and comes back. The targets
// become the source, row by row, and nothing is written twice.

import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type RunningSluice, sluice, startSluice, until } from '../cli.ts';
import { newBench, sumOf } from '../crash/bench.ts';
import { randomOf, seed } from '../crash/random.ts';
import { long, scaled } from '../long.ts';
import { startPostgres } from '../services/postgres.ts';
import {
  makePostgresTarget,
  makeShop,
  makeSqliteTarget,
  postgresRows,
  sqliteRows,
  startWriters,
  TWICE,
} from './shop.ts';

const ROWS = long ? 200_000 : 6_000;
const KILLS = scaled(30) + (long ? 0 : 3);
const RESTARTS = long ? 5 : 1;

test(
  'killed and restarted at any moment, both targets become the source, and nothing is written twice',
  async () => {
    console.log(`seed ${seed}`);
    const random = randomOf(seed);
    await using server = await startPostgres(18, { max_wal_size: '512MB' });
    const [source, target] = [await server.database(), await server.database()];
    await makeShop(source, ROWS);
    await makePostgresTarget(target);
    using bench = newBench({
      'sluice.yaml': `version: 1
streams:
  - id: copy
    source: { type: postgres, connection_string: "${source.url}", tables: [public.orders, public.places] }
    sinks: [{ id: warehouse, type: postgres, connection_string: "${target.url}" }]
    retry_policy: { initial_delay: 50ms, max_delay: 500ms }
  - id: lite
    source: { type: postgres, connection_string: "${source.url}", tables: [public.orders, public.places] }
    sinks: [{ id: file, type: sqlite, path: ./target.db }]
    retry_policy: { initial_delay: 50ms, max_delay: 500ms }
`,
    });
    makeSqliteTarget(bench.path('target.db'));
    await using writers = startWriters(source, 4, long ? 400_000 : 12_000);

    const saved = async (): Promise<string> => {
      const there = await target.query(`select to_regclass('_sluice.checkpoint') is not null as yes`);
      if (there[0]?.['yes'] !== 't') return '';
      const rows = await target.query('select saved_at::text as at from _sluice.checkpoint');
      return rows[0]?.['at'] ?? '';
    };
    const moves = async (running: RunningSluice, what: string): Promise<void> => {
      const before = await saved();
      await until(
        what,
        async () => {
          writers.check();
          const end = running.child.exitCode ?? running.child.signalCode;
          if (end !== null) throw new Error(`it ended by itself with ${end}:\n${running.said().stderr}`);
          return (await saved()) !== before;
        },
        120_000,
      );
    };
    let restarts = 0;
    for (let kill = 1; kill <= KILLS; kill++) {
      const running = startSluice(['run'], { cwd: bench.path('.'), deadlineMs: 300_000 });
      onTestFinished(() => void running.child.kill('SIGKILL')); // also of a test that fails
      if (random.chance(0.15)) await sleep(random.below(800));
      else {
        await moves(running, 'the position moves');
        // the moment is the random thing here, nothing is waited for
        await sleep(random.below(300));
      }
      if (restarts < RESTARTS && kill > (restarts * KILLS) / RESTARTS) {
        restarts++;
        await server.stop(random.chance(0.5) ? 'fast' : 'immediate');
        await sleep(random.below(1000));
        await server.start();
        await moves(running, 'the position moves again, without hands');
      }
      const end = await running.kill('SIGKILL');
      expect(end.signal, end.stderr).toBe('SIGKILL');
      expect(await target.query(TWICE)).toEqual([]);
    }
    await writers[Symbol.asyncDispose]();
    writers.check();
    const end = await sluice(['run', '--until-idle', '3s'], {
      cwd: bench.path('.'),
      deadlineMs: long ? 1_200_000 : 110_000,
    });
    expect(end.code, end.stderr).toBe(0);

    const wanted = await postgresRows(source);
    expect(differences(await postgresRows(target), wanted)).toEqual([]);
    expect(differences(await sqliteRows(bench.path('target.db')), wanted)).toEqual([]);
    expect(
      new Set((await bench.letters()).map(({ place, error }) => `${place.id}: ${error.code} ${error.message}`)),
    ).toEqual(new Set());
    expect(await target.query(TWICE)).toEqual([]);
    using lite = new DatabaseSync(bench.path('target.db'), { readOnly: true });
    expect(lite.prepare(TWICE).all()).toEqual([]);
    const [writes] = await target.query('select count(*) as n from audit');
    const { ledger } = await bench.status();
    expect(ledger.in).toBe(sumOf(ledger));
    expect(ledger.dead_lettered).toBe(0);
    console.log(
      `${wanted.length} rows, ${writers.changes} changes, ${KILLS} kills, ${restarts} restarts of the server; ` +
        `${ledger.in} events, ${writes!['n']} writes, none twice`,
    );
  },
  long ? 3_000_000 : 240_000,
);

/** The first rows that differ. */
function differences(got: readonly string[], wanted: readonly string[]): string[] {
  const [a, b] = [new Set(got), new Set(wanted)];
  return [
    ...wanted.filter((row) => !a.has(row)).map((row) => `missing ${row}`),
    ...got.filter((row) => !b.has(row)).map((row) => `wrong ${row}`),
  ].slice(0, 6);
}
