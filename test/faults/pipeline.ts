// A pipeline in a temporary folder, driven by the real command line: for the tests of bad input and faults.
// Guarantees: a folder of its own for each, removed with everything in it; at most two verbs at a time in one test file, so
// that tests side by side do not starve each other; a process that was started and not ended is ended with the folder.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, vi } from 'vitest';
import type { Ledger as StoredLedger } from '../../core/checkpoint.ts';
import { type RunningSluice, type SluiceOptions, type SluiceResult, sluice, startSluice, until } from '../cli.ts';
import { knowSandbox } from '../known-sandbox.ts';

export interface Ledger extends StoredLedger {
  readonly pending: number;
}

export interface StreamShown {
  readonly id: string;
  readonly enabled: boolean;
  readonly state: string;
  readonly reason: ErrorShown | null;
  readonly position: unknown;
  readonly ledger: Ledger;
  readonly gaps: readonly { readonly sink: string; readonly events: number; readonly to: unknown }[];
  readonly sinks: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export interface ErrorShown {
  readonly code: string;
  readonly message: string;
  readonly fix?: string | null;
  readonly at?: { readonly file?: string; readonly line?: number; readonly column?: number; readonly pointer?: string };
}

export interface Letter {
  readonly id: number;
  readonly stream: string;
  readonly place: { readonly kind: string; readonly id: string };
  readonly event_id: string;
  readonly source_event_id: string;
  readonly table: string;
  readonly event: string;
  readonly input: string | null;
  readonly status: string;
  readonly note: string | null;
  readonly attempts: number;
  readonly error: ErrorShown;
}

export interface Replayed {
  readonly dry_run: boolean;
  readonly results: readonly {
    readonly id: number;
    readonly event_id: string;
    readonly outcome: string;
    readonly message?: string;
    readonly error?: ErrorShown;
    readonly code_changed: boolean;
    readonly before: string | null;
    readonly after: readonly string[];
  }[];
}

type Extra = Omit<SluiceOptions, 'cwd'>;

export interface Pipeline extends AsyncDisposable {
  readonly dir: string;
  path(name: string): string;
  write(name: string, text: string | Uint8Array): string;
  read(name: string): string;
  /** The lines of an NDJSON file; none when it is not there. */
  rows<T = Record<string, unknown>>(name: string): T[];
  /** What a query gives from an SQLite file. */
  query(name: string, sql: string): Record<string, unknown>[];
  /** Writes sluice.json, which every verb below is given. */
  manifest(value: object): void;
  /** Any verb, with no manifest added. */
  sluice(args: readonly string[], extra?: Extra): Promise<SluiceResult>;
  run(...args: string[]): Promise<SluiceResult>;
  start(args: readonly string[], extra?: Extra): RunningSluice;
  /** A verb of the manifest with --json: what it printed. */
  json<T>(verb: readonly string[], ...args: string[]): Promise<T>;
  status(): Promise<readonly StreamShown[]>;
  letters(...filters: string[]): Promise<readonly Letter[]>;
  replay(...args: string[]): Promise<Replayed>;
}

/**
 * Each test starts several processes, and all take turns: most of a test's time is waiting for its turn, which grows with
 * every test of the file and with the load of the machine. What hangs is ended by the deadline of its own process (cli.ts).
 */
vi.setConfig({ testTimeout: 900_000 });

export const MANIFEST = 'sluice.json';

const AT_ONCE = 2;
let free = AT_ONCE;
const waiting: (() => void)[] = [];

// First come, first served: whoever ends hands its turn over, so that a test of many steps is not passed by all others.
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (free > 0) free--;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) free++;
    else next();
  }
}

export async function pipeline(manifest?: object, files: Readonly<Record<string, string>> = {}): Promise<Pipeline> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-faults-'));
  const started = new Set<RunningSluice>();
  const path = (name: string): string => join(dir, name);
  const write = (name: string, text: string | Uint8Array): string => {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), text);
    return path(name);
  };
  const read = (name: string): string => readFileSync(path(name), 'utf8');
  const start = (args: readonly string[], extra: Extra = {}): RunningSluice => {
    const running = startSluice(args, { cwd: dir, ...extra });
    started.add(running);
    void running.exited.finally(() => started.delete(running)).catch(() => undefined);
    return running;
  };
  const call = (args: readonly string[], extra: Extra = {}): Promise<SluiceResult> =>
    inTurn(() => sluice(args, { cwd: dir, ...extra }));
  const json = async <T>(verb: readonly string[], ...args: string[]): Promise<T> => {
    const result = await call([...verb, MANIFEST, '--json', ...args]);
    return parsed<T>(result);
  };

  for (const [name, text] of Object.entries(files)) write(name, text);
  if (manifest !== undefined && 'transformations' in manifest) knowSandbox(path('.sluice/state.db'));
  const made: Pipeline = {
    dir,
    path,
    write,
    read,
    rows<T>(name: string): T[] {
      let text: string;
      try {
        text = read(name);
      } catch {
        return [];
      }
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as T);
    },
    query(name, sql) {
      using db = new DatabaseSync(path(name), { readOnly: true });
      return db
        .prepare(sql)
        .all()
        .map((row) => ({ ...row }));
    },
    manifest(value) {
      write(MANIFEST, JSON.stringify({ version: 1, ...value }, null, 2));
    },
    sluice: call,
    run: (...args) => call(['run', MANIFEST, ...args]),
    start,
    json,
    status: async () => (await json<{ streams: StreamShown[] }>(['status'])).streams,
    letters: async (...filters) =>
      (await json<{ dead_letters: Letter[] }>(['dead-letters', 'list'], ...filters)).dead_letters,
    replay: (...args) => json<Replayed>(['dead-letters', 'replay'], ...args),
    async [Symbol.asyncDispose]() {
      for (const running of started) await running.kill('SIGKILL');
      await rm(dir, { recursive: true, force: true });
    },
  };
  if (manifest !== undefined) made.manifest(manifest);
  return made;
}

/** One stream from ./in.ndjson to ./out.ndjson; `of` replaces any of its parts. */
export function fileToFile(of: {
  readonly source?: object;
  readonly transformations?: readonly object[];
  readonly sinks?: readonly object[];
  readonly stream?: object;
  readonly service?: object;
}): object {
  return {
    ...(of.service === undefined ? {} : { service: of.service }),
    ...(of.transformations === undefined ? {} : { transformations: of.transformations }),
    streams: [
      {
        id: 's',
        source: { type: 'file', path: './in.ndjson', table: 'items', key: ['id'], ...of.source },
        ...(of.transformations === undefined
          ? {}
          : { transformations: of.transformations.map((rule) => (rule as { id: string }).id) }),
        sinks: of.sinks ?? [{ id: 'out', type: 'file', path: './out.ndjson' }],
        ...of.stream,
      },
    ],
  };
}

export function javascript(
  code: string,
  more: object = {},
): Readonly<Record<string, unknown>> & { readonly id: string } {
  return { id: 'code', type: 'javascript', code, ...more };
}

export function ndjson(rows: readonly unknown[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}

export function numbered(n: number): { id: number }[] {
  return Array.from({ length: n }, (_, i) => ({ id: i + 1 }));
}

export function parsed<T>(result: SluiceResult): T {
  try {
    return JSON.parse(result.stdout) as T;
  } catch {
    throw new Error(`no JSON on stdout (exit ${result.code}): ${result.stdout}\n${result.stderr}`);
  }
}

/** How an error is told on a terminal: `✗ CODE`, the message, and `→ mend`. */
export function expectTold(result: SluiceResult, code: string, exit: number): void {
  expect({ exit: result.code, stderr: result.stderr }).toMatchObject({
    exit,
    stderr: expect.stringMatching(new RegExp(`✗ ${code}\\b[\\s\\S]*→ \\S`)),
  });
}

/** Invariant 4, of a stream that is not running. */
export function expectSum(ledger: Ledger): void {
  expect(ledger.delivered + ledger.filtered + ledger.skipped + ledger.dead_lettered).toBe(ledger.in);
}

export { type RunningSluice, type SluiceResult, until };
