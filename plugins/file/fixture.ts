// What the tests of this plugin share: a folder that is removed afterwards, contexts, and reading a source to its end.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BatchLimits, batchOfText, type Context, type EventBatch, type Logger, type Sink } from 'sluice/sdk';
import type { SinkConfig, SourceConfig } from './config.ts';
import type { FilePosition } from './position.ts';
import { fileSink } from './sink.ts';
import { fileSource } from './source.ts';

export interface Folder extends AsyncDisposable {
  at(name: string): string;
}

export async function newFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-file-'));
  return {
    at: (name) => join(path, name),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

export interface Logged {
  readonly level: string;
  readonly message: string;
}

export function context(limits: Partial<BatchLimits> = {}, logged: Logged[] = []): Context {
  const to = (level: string) => (_fields: object, message: string) => void logged.push({ level, message });
  const log: Logger = { debug: to('debug'), info: to('info'), warn: to('warn'), error: to('error') };
  return {
    stream: 'test',
    log,
    signal: new AbortController().signal,
    batch: { maxEvents: 1000, maxBytes: 1 << 20, maxWait: 50, respectSourceTx: true, ...limits },
    auth: null,
    tap: false,
  };
}

export function sourceOf(config: Partial<SourceConfig> & { path: string }, from: Context = context()) {
  const defaults = {
    format: 'row',
    numbers: 'exact',
    follow: false,
    poll: 20,
    max_line: 8 << 20,
    encoding: 'utf-8',
  } as const;
  return fileSource({ ...defaults, ...config }, from);
}

export function sinkOf(config: Partial<SinkConfig> & { path: string }, from: Context = context()): Sink {
  return fileSink({ format: 'row', ...config }, from);
}

/** One event as the tests compare it, with the position after its batch. */
export interface Got {
  readonly id: string;
  readonly line: number;
  readonly after?: string | null;
  readonly raw?: string;
  readonly code?: string;
}

export function eventsOf(batch: EventBatch): Got[] {
  return Array.from({ length: batch.length }, (_, i) => {
    const bad = batch.unreadable?.get(i);
    if (bad !== undefined) return { id: bad.id, line: bad.error.at!.line!, raw: bad.raw, code: bad.error.code };
    return { id: batch.id(i), line: JSON.parse(batch.head(i)).source.line as number, after: batch.after(i) };
  });
}

export async function readAll(
  config: Partial<SourceConfig> & { path: string },
  from: FilePosition | null = null,
  limits: Partial<BatchLimits> = {},
): Promise<{ events: Got[]; steps: { position: FilePosition; events: Got[] }[] }> {
  await using source = sourceOf(config, context(limits));
  const steps: { position: FilePosition; events: Got[] }[] = [];
  for await (const item of source.read(from, new AbortController().signal)) {
    steps.push({ position: item.position!, events: eventsOf(item.batch) });
  }
  return { events: steps.flatMap((step) => step.events), steps };
}

/** Rows without a key, as texts. */
export function rowsOf(...texts: string[]): EventBatch {
  return batchOfText({
    length: texts.length,
    bytes: texts.join('').length,
    typed: true,
    readAt: 0,
    id: (i) => String(i),
    op: () => 'c',
    key: () => null,
    source: () => ({ plugin: 'test', stream: 's', db: 'd', table: 't', snapshot: false, ts_ms: 0 }),
    before: () => null,
    after: (i) => texts[i]!,
  });
}
