// One attack through the real engine: `sluice run` as a process of its own follows a file; 100 healthy rows, then 200 with the
// attack planted in one, then 100 more. Beside it runs an idle process, for what this machine does to a process that does nothing.
// Gives what was seen; the tests judge it.

import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openStateStore } from '../../core/state/index.ts';
import { startSluice, until } from '../cli.ts';
import { knowSandbox } from '../known-sandbox.ts';
import { plant } from './planted.ts';

const PROBE = fileURLToPath(new URL('./probe.mjs', import.meta.url));
export const PLANTED = 237;
const WARM = 100;
const ATTACKED = 300; // rows until the end of the batch that holds the attack
const ALL = 400;

export interface Seen {
  /** The rows at the sink, without what the planted one became. */
  readonly healthy: readonly string[];
  readonly planted: readonly string[];
  /** Codes of dead letters, and the `id` of the rows that they are of. */
  readonly letters: readonly { readonly row: unknown; readonly code: string }[];
  readonly ledger: {
    readonly in: number;
    readonly delivered: number;
    readonly filtered: number;
    readonly dead_lettered: number;
  };
  /** ms from the first row after the attack being there to be read, until the last was at the sink. */
  readonly next: number;
  /** Worst lateness of a timer in ms: the engine, and a process that does nothing. */
  readonly lag: number;
  readonly idle: number;
  /** Bytes of resident memory that the engine's process took at most beyond what it had before the attack. */
  readonly grew: number;
  readonly exit: number | null;
  readonly stderr: string;
}

export const healthyRow = (id: number): string => JSON.stringify({ id, name: `n${id}`, ok: true });
export const expectedRows = Array.from({ length: ALL }, (_, id) => id)
  .filter((id) => id !== PLANTED)
  .map(healthyRow);

const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => `{"id":${from + i},"name":"n${from + i}"}\n`).join('');

/** `code` defines transform(event), as in test/cases/sandbox-attacks.json. */
export async function underAttack(code: string): Promise<Seen> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-attack-'));
  const at = (name: string): string => join(dir, name);
  const rows = (): string[] => read(at('out.ndjson')).split('\n').filter(Boolean);
  knowSandbox(at('state.db'));
  writeFileSync(at('in.ndjson'), lines(0, WARM));
  writeFileSync(at('transform.js'), plant(code, PLANTED));
  writeFileSync(at('sluice.json'), JSON.stringify(MANIFEST));
  const idle = startIdle(at('idle.probe'));
  const engine = startSluice(['run', at('sluice.json')], {
    cwd: dir,
    env: { NODE_OPTIONS: `--import=${PROBE}`, SLUICE_PROBE: at('engine.probe') },
  });
  const over = engine.exited.then(({ stderr }) => {
    throw new Error(`sluice run ended before its time: ${stderr}`);
  });
  over.catch(() => undefined); // looked at only while something is waited for
  const wait = <T>(what: string, ask: () => T | false, ms?: number): Promise<T> =>
    Promise.race([until(what, ask, ms), over]) as Promise<T>;
  const measured = async (): Promise<{ engine: Probe; idle: Probe }> => {
    const before = [probes(at('engine.probe')).length, probes(at('idle.probe')).length];
    engine.child.kill('SIGUSR2');
    idle.kill('SIGUSR2');
    const [a, b] = await wait('both probes answer', () => {
      const found = [probes(at('engine.probe')), probes(at('idle.probe'))] as const;
      return found[0].length > before[0]! && found[1].length > before[1]! && found;
    });
    return { engine: a.at(-1)!, idle: b.at(-1)! };
  };
  try {
    await wait('the first rows are there', () => rows().length === WARM);
    const before = await measured();
    appendFileSync(at('in.ndjson'), lines(WARM, ATTACKED));
    await wait('the rows around the attack are there', () => rows().length >= ATTACKED - 1, 90_000);
    const start = performance.now();
    appendFileSync(at('in.ndjson'), lines(ATTACKED, ALL));
    await wait('the next rows are there', () => rows().at(-1) === healthyRow(ALL - 1), 60_000);
    const next = performance.now() - start;
    const after = await measured();
    const { code: exit, stderr } = await engine.kill('SIGTERM');
    await using store = await openStateStore({ type: 'sqlite', path: at('state.db') });
    const letters = await store.listDeadLetters({});
    const planted = (row: string): boolean => !expectedSet.has(row);
    return {
      healthy: rows().filter((row) => !planted(row)),
      planted: rows().filter(planted),
      letters: letters.map(({ event, error }) => ({
        row: (JSON.parse(event) as { after: { id: unknown } }).after.id,
        code: error.code,
      })),
      ledger: (await store.loadCheckpoint('s'))!.ledger,
      next,
      lag: after.engine.lag,
      idle: after.idle.lag,
      grew: after.engine.peak - before.engine.rss,
      exit,
      stderr,
    };
  } finally {
    await engine.kill('SIGKILL');
    idle.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
}

const expectedSet = new Set(expectedRows);

const MANIFEST = {
  version: 1,
  service: { state: { type: 'sqlite', path: './state.db' } },
  transformations: [
    {
      id: 'attacked',
      type: 'javascript',
      file: './transform.js',
      limits: { timeout: '100ms', load: '5s' },
      error_handling: { on_error: 'dead_letter' },
    },
  ],
  streams: [
    {
      id: 's',
      source: { type: 'file', path: './in.ndjson', key: ['id'], follow: true, poll: '20ms' },
      transformations: ['attacked'],
      sinks: [{ id: 'out', type: 'file', path: './out.ndjson' }],
    },
  ],
};

interface Probe {
  readonly lag: number;
  readonly rss: number;
  readonly peak: number;
}

function startIdle(file: string): ChildProcess {
  return spawn(process.execPath, ['--import', PROBE, '-e', 'setInterval(() => {}, 1e6)'], {
    env: { SLUICE_PROBE: file },
    stdio: 'ignore',
  });
}

function probes(file: string): Probe[] {
  return read(file)
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Probe);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
