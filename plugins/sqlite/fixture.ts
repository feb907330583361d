// For tests only: databases in a temporary folder, a context that records its log, and what a source gives as plain events.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type BatchLimits,
  batchOf,
  type ChangeEvent,
  type Column,
  type Context,
  type EventBatch,
  type Sink,
  type Source,
} from 'sluice/sdk';
import type { SinkSettings, SourceSettings } from './config.ts';
import { type Connection, connect, type Param } from './driver.ts';
import type { SqlitePosition } from './position.ts';
import { createSink } from './sink.ts';
import { createSource } from './source.ts';

export interface Bench extends AsyncDisposable {
  readonly folder: string;
  path(name: string): string;
  /** A connection of its own, as another process would have one. */
  open(name: string): Promise<Connection>;
  source(config?: Partial<SourceSettings>, context?: Partial<Context>): Source<SqlitePosition>;
  sink(config?: Partial<SinkSettings>, context?: Partial<Context>): Sink;
}

export const limits: BatchLimits = { maxEvents: 1000, maxBytes: 1 << 20, maxWait: 0, respectSourceTx: true };

export function contextOf(given: Partial<Context> = {}, logged: string[] = []): Context {
  const record = (_: object, message: string): void => {
    logged.push(message);
  };
  const log = { debug: record, info: record, warn: record, error: record };
  return {
    stream: 'orders',
    log,
    signal: new AbortController().signal,
    batch: limits,
    auth: null,
    tap: false,
    ...given,
  };
}

export async function bench(): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-sqlite-'));
  const toClose: (() => Promise<void>)[] = [];
  const path = (name: string): string => join(folder, name);
  return {
    folder,
    path,
    async open(name) {
      const db = await connect(path(name), 'create', 5000);
      toClose.push(() => db.close().catch(() => undefined));
      await db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF');
      return db;
    },
    source(config = {}, context = {}) {
      const settings = {
        snapshot: 'initial',
        follow: false,
        poll: 5,
        heartbeat: 10_000,
        integers: 'exact',
        busy_timeout: 2000,
      } as const;
      const source = createSource({ path: path('source.db'), ...settings, ...config }, contextOf(context));
      toClose.push(async () => source[Symbol.asyncDispose]());
      return source;
    },
    sink(config = {}, context = {}) {
      const settings = { auto_create: true, auto_evolve: true, busy_timeout: 2000 } as const;
      const sink = createSink({ path: path('target.db'), ...settings, ...config }, contextOf(context));
      toClose.push(async () => sink[Symbol.asyncDispose]());
      return sink;
    },
    async [Symbol.asyncDispose]() {
      for (const close of toClose.reverse()) await close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Values as SQLite holds them, integers exact: `i:5`, `r:1.5`, `t:abc`, `b:00FF`, `n`. */
export async function dump(db: Connection, table: string, order = '1'): Promise<string[]> {
  const columns = await db.all<{ name: string }>(`SELECT name FROM pragma_table_info(?)`, [table]);
  const cells = columns.map(({ name }) => {
    const ref = `"${name.replaceAll('"', '""')}"`;
    return `CASE typeof(${ref}) WHEN 'null' THEN 'n' WHEN 'blob' THEN 'b:' || hex(${ref}) ELSE substr(typeof(${ref}), 1, 1) || ':' || ${ref} END`;
  });
  const rows = await db.all<{ row: string }>(
    `SELECT ${cells.join(` || ' ' || `)} AS row FROM "${table.replaceAll('"', '""')}" ORDER BY ${order}`,
  );
  return rows.map((row) => row.row);
}

export async function rowsOf(
  db: Connection,
  sql: string,
  params: readonly Param[] = [],
): Promise<Record<string, unknown>[]> {
  return db.all(sql, params);
}

export interface Read {
  readonly batches: EventBatch[];
  readonly position: SqlitePosition | null;
  /** One line an event: `c o {"id":1} {"id":1,"n":"a"}`. */
  readonly lines: string[];
}

/** Reads until the source ends (or `stop` says so), acking each position. */
export async function readAll(
  source: Source<SqlitePosition>,
  from: SqlitePosition | null = null,
  stop: (lines: readonly string[]) => boolean = () => false,
): Promise<Read> {
  const batches: EventBatch[] = [];
  const lines: string[] = [];
  let position = from;
  const abort = new AbortController();
  for await (const item of source.read(from, abort.signal)) {
    batches.push(item.batch);
    for (let i = 0; i < item.batch.length; i++) lines.push(lineOf(item.batch, i));
    if (item.open !== true) {
      position = item.position;
      await source.ack(item.position);
    }
    if (stop(lines)) break;
  }
  return { batches, position, lines };
}

export function lineOf(batch: EventBatch, i: number): string {
  const bad = batch.unreadable?.get(i);
  if (bad !== undefined) return `! ${bad.table} ${bad.error.code}`;
  const old = batch.oldKey(i);
  const image = batch.op(i) === 'd' ? batch.before(i) : batch.after(i);
  return `${batch.op(i)} ${batch.table(i)} ${JSON.stringify(batch.key(i))}${old === null ? '' : ` was ${JSON.stringify(old)}`} ${image}`;
}

const source = { plugin: 'test', stream: 'orders', db: 'shop', table: 'o', snapshot: false, ts_ms: 0 };
let made = 0;

/** An event with only what matters to the test; `key` columns are taken out of the row. */
export function event(given: Partial<ChangeEvent> & { table?: string; keys?: readonly string[] }): ChangeEvent {
  const { table = 'o', keys = ['id'], ...rest } = given;
  const image = rest.op === 'd' ? rest.before : rest.after;
  const key = keys.length === 0 || image == null ? null : Object.fromEntries(keys.map((name) => [name, image[name]!]));
  made++;
  return {
    id: `e${made}`,
    op: 'c',
    key,
    before: null,
    after: null,
    ts_ms: 0,
    ...rest,
    source: { ...source, table, ...rest.source },
  };
}

export function batch(
  events: readonly Parameters<typeof event>[0][],
  columns: Readonly<Record<string, readonly Column[]>> = {},
): EventBatch {
  return batchOf(events.map(event), { columns: new Map(Object.entries(columns)) });
}

export const never = new AbortController().signal;

export function statuses(results: readonly { readonly status: string }[]): string {
  return results.map((result) => result.status).join(' ');
}
