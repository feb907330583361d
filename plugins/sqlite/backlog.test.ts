// A backlog that one transaction left behind, moved by the real process: in one commit where source transactions are
// respected; else in steps, so that a process that is killed again and again gets on.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Connection } from './driver.ts';
import { type Bench, bench } from './fixture.ts';

const MAIN = fileURLToPath(new URL('../../core/cli/main.ts', import.meta.url));
const ROWS = 25_000;
const DEADLINE = 30_000;

let at: Bench;
let source: Connection;
let target: Connection;
const running = new Set<ChildProcess>();
beforeEach(async () => {
  at = await bench();
  source = await at.open('source.db');
  target = await at.open('target.db');
  await source.exec('CREATE TABLE o (id INTEGER PRIMARY KEY, t TEXT)');
});
afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  await at[Symbol.asyncDispose]();
});

/** Starts the stream; it ends when nothing has come for a while. */
function run(): { child: ChildProcess; ended: Promise<number | NodeJS.Signals> } {
  const args = ['--no-warnings', '--conditions=source', MAIN, 'run', at.path('sluice.yaml'), '--until-idle', '300ms'];
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  running.add(child);
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(child);
    return (signal ?? code) as number | NodeJS.Signals;
  });
  return { child, ended };
}

async function backlog(respect: boolean): Promise<void> {
  await writeFile(
    at.path('sluice.yaml'),
    `version: 1
service: { state: { type: sqlite, path: ./state.db }, log_level: error }
streams:
  - id: s
    source: { type: sqlite, path: ./source.db }
    sinks: [{ id: out, type: sqlite, path: ./target.db }]
    batch: { max_events: 500, respect_source_tx: ${respect} }
`,
  );
  expect(await run().ended).toBe(0); // from here on changes are logged
  await source.exec(
    `WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < ${ROWS})
     INSERT INTO o SELECT id, printf('%0500d', id) FROM n`,
  );
}

/** How many rows the target has. */
async function rows(): Promise<number> {
  const [there] = await target.all(`SELECT 1 FROM sqlite_master WHERE name = 'o'`);
  if (there === undefined) return 0;
  return (await target.all<{ n: number }>('SELECT count(*) AS n FROM o'))[0]!.n;
}

test('is one commit by default', { timeout: 2 * DEADLINE }, async () => {
  await backlog(true);
  const seen = new Set<number>();
  const { ended } = run();
  let over = false;
  void ended.then(() => {
    over = true;
  });
  while (!over) {
    seen.add(await rows());
    await sleep(1);
  }
  expect(await ended).toBe(0);
  expect([...seen]).toEqual([0, ROWS]);
});

test('is moved in steps with `respect_source_tx: false`, however often the process is killed', {
  timeout: 4 * DEADLINE,
}, async () => {
  await backlog(false);
  let before = 0;
  let kills = 0;
  for (; kills < 3; kills++) {
    const { child, ended } = run();
    for (const from = Date.now(); (await rows()) === before && Date.now() - from < DEADLINE; ) await sleep(1);
    child.kill('SIGKILL'); // after its first commit
    expect(await ended).toBe('SIGKILL');
    const now = await rows();
    expect(now).toBeGreaterThan(before);
    expect(now).toBeLessThan(ROWS);
    before = now;
  }
  expect(await run().ended).toBe(0);
  expect(await rows()).toBe(ROWS);
  const wrong = `SELECT count(*) AS n FROM o WHERE t <> printf('%0500d', id)`;
  expect(await target.all(wrong)).toEqual([{ n: 0 }]);
});
