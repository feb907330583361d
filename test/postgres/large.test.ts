// A transaction of 2,000,000 rows passes in bounded memory, and arrives as one transaction: nobody sees a part of it.

import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { startSluice, until } from '../cli.ts';
import { newBench } from '../crash/bench.ts';
import { long } from '../long.ts';
import { startPostgres } from '../services/postgres.ts';

const ROWS = long ? 2_000_000 : 60_000;
/** What the process may take over what it took before, in MiB: what is in flight, however many rows follow. */
const MORE = 500;

test(
  'a large transaction passes in bounded memory, and its rows are seen all at once',
  async () => {
    await using server = await startPostgres(18, { max_wal_size: '4GB', logical_decoding_work_mem: '16MB' });
    const [source, target] = [await server.database(), await server.database()];
    await source.query('create table o (id bigint primary key, n text, at timestamptz)');
    await target.query('create table o (id bigint primary key, n text, at timestamptz)');
    using bench = newBench({
      'sluice.yaml': `version: 1
streams:
  - id: s
    source: { type: postgres, connection_string: "${source.url}", tables: [public.o] }
    sinks: [{ id: copy, type: postgres, connection_string: "${target.url}" }]
`,
    });
    const running = startSluice(['run'], { cwd: bench.path('.'), deadlineMs: long ? 1_100_000 : 170_000 });
    onTestFinished(() => void running.child.kill('SIGKILL')); // also of a test that fails
    await source.query(`insert into o values (0, 'first', now())`);
    const count = async (): Promise<number> => Number((await target.query('select count(*) as n from o'))[0]!['n']);
    await until('the first row arrives', async () => (await count()) === 1, 60_000);
    const before = resident(running.child.pid!, 'VmRSS');
    const started = performance.now();
    await source.query(`insert into o select i, md5(i::text), now() from generate_series(1, ${ROWS}) i`);
    const seen = new Set<number>();
    await until(
      'all rows arrive',
      async () => {
        const { exitCode, signalCode } = running.child;
        if (exitCode !== null || signalCode !== null) throw new Error(`it ended: ${running.said().stderr}`);
        const n = await count();
        seen.add(n);
        return n === ROWS + 1;
      },
      long ? 900_000 : 100_000,
    );
    const seconds = (performance.now() - started) / 1000;
    const peak = resident(running.child.pid!, 'VmHWM');
    expect([...seen].toSorted((a, b) => a - b)).toEqual([1, ROWS + 1]);
    expect(peak - before).toBeLessThan(MORE);
    console.log(
      `${ROWS} rows in one transaction: ${seconds.toFixed(1)} s, at most ${peak.toFixed(0)} MiB (${before.toFixed(0)} before)`,
    );
    expect((await running.kill('SIGTERM')).code).toBe(143);
  },
  long ? 1_200_000 : 180_000,
);

/** In MiB. */
function resident(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}
