// For tests: starts the real command line as a process of its own, exactly as `npm run -s sluice -- …` does.
// Guarantees: everything the process says is collected; it does not outlive the test process, nor `deadlineMs`: one that
// hangs is killed, and shows as the signal SIGKILL. Refuses nothing: a process that fails is a result, not an error.

import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface SluiceOptions {
  readonly cwd: string;
  /** Added to the environment of the test; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Its standard input, which ends after it; without one, it is empty; null: the test writes it. */
  readonly input?: string | null;
  /** Longer than this is a hang. */
  readonly deadlineMs?: number;
}

export interface SluiceResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningSluice {
  readonly child: ChildProcess;
  readonly exited: Promise<SluiceResult>;
  /** What it has said until now. */
  said(): { readonly stdout: string; readonly stderr: string };
  /** Sends the signal and waits for the end. */
  kill(signal: NodeJS.Signals): Promise<SluiceResult>;
}

const MAIN = fileURLToPath(new URL('../core/cli/main.ts', import.meta.url));
const DEADLINE_MS = 110_000;

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Runs one verb to its end. */
export async function sluice(args: readonly string[], options: SluiceOptions): Promise<SluiceResult> {
  return await startSluice(args, options).exited;
}

export function startSluice(args: readonly string[], options: SluiceOptions): RunningSluice {
  const child = spawn(process.execPath, ['--conditions=source', '--no-warnings', MAIN, ...args], {
    cwd: options.cwd,
    env: environment(options.env ?? {}),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  running.add(child);
  const deadline = setTimeout(() => child.kill('SIGKILL'), options.deadlineMs ?? DEADLINE_MS);
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on('error', () => undefined); // it may end without reading what it was given
  if (options.input !== null) child.stdin.end(options.input ?? '');
  const said = (): { stdout: string; stderr: string } => ({
    stdout: Buffer.concat(stdout).toString('utf8'),
    stderr: Buffer.concat(stderr).toString('utf8'),
  });
  const exited = new Promise<SluiceResult>((resolve, reject) => {
    const done = (): void => {
      clearTimeout(deadline);
      running.delete(child);
    };
    child.once('error', (error) => {
      done();
      reject(error);
    });
    // 'close' comes when its pipes have ended too; what it left behind (a child that holds them) must not keep us waiting.
    child.once('exit', (code, signal) => {
      done();
      const finish = (): void => resolve({ code, signal, ...said() });
      const enough = setTimeout(finish, 1_000);
      child.once('close', () => {
        clearTimeout(enough);
        finish();
      });
    });
  });
  return {
    child,
    exited,
    said,
    kill: (signal) => {
      child.kill(signal);
      return exited;
    },
  };
}

/** The processes that this one started and that still run, found in /proc (Linux only): its sandbox children. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(parent) === pid && state !== 'Z' ? [Number(name)] : [];
    } catch {
      return []; // it has ended meanwhile
    }
  });
}

/** Waits for a condition, asked again and again until the deadline. Never waits for a time. */
export async function until<T>(
  what: string,
  ask: () => T | null | undefined | false | Promise<T | null | undefined | false>,
  deadlineMs = 30_000,
): Promise<T> {
  for (const end = Date.now() + deadlineMs; ; ) {
    const answer = await ask();
    if (answer !== null && answer !== undefined && answer !== false) return answer;
    if (Date.now() > end) throw new Error(`this did not happen in ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Where the command line keeps its compiled modules itself; told from outside, its first modules are among them. */
const COMPILED = join(tmpdir(), 'node-compile-cache');

/** The environment of the test, without what would change a child's output or Node's behaviour. */
function environment(extra: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, NODE_ENV: __, ...rest } = process.env;
  const env = { ...rest, NO_COLOR: '1', NODE_COMPILE_CACHE: COMPILED, ...extra };
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));
}
