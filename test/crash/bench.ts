// What the crash tests share: a temporary folder with a manifest in it, the verbs over it, and the writer's clock.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Ledger, SinkCounts } from '../../core/checkpoint.ts';
import { type RunningSluice, type SluiceResult, sluice, startSluice } from '../cli.ts';
import { knowSandbox } from '../known-sandbox.ts';

export interface Bench extends Disposable {
  path(name: string): string;
  write(name: string, text: string): void;
  read(name: string): string;
  start(...args: readonly string[]): RunningSluice;
  run(...args: readonly string[]): Promise<SluiceResult>;
  /** `status --json` of the only stream. */
  status(): Promise<{
    readonly state: string;
    readonly position: unknown;
    readonly ledger: Ledger & { pending: number };
    readonly sinks: Readonly<Record<string, SinkCounts>>;
  }>;
  letters(): Promise<readonly Letter[]>;
}

export interface Letter {
  readonly id: number;
  readonly event_id: string;
  readonly status: string;
  readonly place: { readonly kind: string; readonly id: string };
  readonly event: string;
  readonly error: { readonly code: string; readonly message: string };
}

export function newBench(files: Readonly<Record<string, string>>): Bench {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-crash-'));
  const path = (name: string): string => join(folder, name);
  const run = async (...args: readonly string[]): Promise<SluiceResult> => await sluice(args, { cwd: folder });
  const json = async (...args: readonly string[]): Promise<unknown> => {
    const { code, stdout, stderr } = await run(...args, '--json');
    if (code !== 0) throw new Error(`sluice ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`);
    return JSON.parse(stdout);
  };
  const bench: Bench = {
    path,
    write: (name, text) => writeFileSync(path(name), text),
    read: (name) => readFileSync(path(name), 'utf8'),
    start: (...args) => startSluice(args, { cwd: folder }),
    run,
    async status() {
      const { streams } = (await json('status')) as { streams: Awaited<ReturnType<Bench['status']>>[] };
      return streams[0]!;
    },
    letters: async () => ((await json('dead-letters', 'list')) as { dead_letters: Letter[] }).dead_letters,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
  };
  for (const [name, text] of Object.entries(files)) bench.write(name, text);
  knowSandbox(path('.sluice/state.db'));
  return bench;
}

/** Calls `write` every few milliseconds until it is disposed. What it throws comes out of `check`. */
export function keepWriting(everyMs: number, write: () => void): Disposable & { check(): void } {
  let failed: unknown = null;
  const timer = setInterval(() => {
    try {
      write();
    } catch (thrown) {
      failed ??= thrown;
      clearInterval(timer);
    }
  }, everyMs);
  return {
    check() {
      if (failed !== null) throw failed;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

export function sumOf(ledger: Ledger): number {
  return ledger.delivered + ledger.filtered + ledger.skipped + ledger.dead_lettered;
}
