// For tests only: a sink on a database of its own, events with only what matters, and the table as the server shows it.

import {
  batchOf,
  type ChangeEvent,
  type Column,
  type Context,
  type EventBatch,
  type Sink,
  type WriteResult,
} from 'sluice/sdk';
import type { PostgresDatabase, PostgresServer } from '../../test/services/postgres.ts';
import type { SinkSettings } from './config.ts';
import { createSink } from './sink.ts';

export const never = new AbortController().signal;

export interface SinkBench extends AsyncDisposable {
  readonly db: PostgresDatabase;
  readonly logged: string[];
  sink(config?: Partial<SinkSettings>, context?: Partial<Context>): Sink;
  /** Writes with the sink that was made last; one status (and the code of an error) for each event. */
  write(events: readonly Given[], more?: Parameters<typeof batch>[1]): Promise<string>;
  /** The rows of a query, each as its values with commas. */
  rows(sql: string): Promise<readonly string[]>;
}

export async function sinkBench(server: PostgresServer): Promise<SinkBench> {
  const db = await server.database();
  const logged: string[] = [];
  const sinks: Sink[] = [];
  const record = (fields: object, message: string): void => {
    logged.push(`${message} ${JSON.stringify(fields)}`);
  };
  const make = (config: Partial<SinkSettings> = {}, context: Partial<Context> = {}): Sink => {
    const made = createSink(
      {
        connection_string: db.url,
        connect_timeout: 5000,
        schema: 'public',
        auto_create: true,
        auto_evolve: true,
        state_schema: '_sluice',
        statement_timeout: 5000,
        ...config,
      },
      {
        stream: 'orders',
        log: { debug: record, info: record, warn: record, error: record },
        signal: never,
        batch: { maxEvents: 1000, maxBytes: 1 << 20, maxWait: 0, respectSourceTx: true },
        auth: null,
        tap: false,
        ...context,
      },
    );
    sinks.push(made);
    return made;
  };
  return {
    db,
    logged,
    sink: make,
    async write(events, more) {
      return statuses(await (sinks.at(-1) ?? make()).write(batch(events, more), never));
    },
    async rows(sql) {
      const rows = await db.query(sql);
      return rows.map((row) => Object.values(row).join(','));
    },
    async [Symbol.asyncDispose]() {
      for (const sink of sinks) await sink[Symbol.asyncDispose]();
      await db.drop();
    },
  };
}

export function statuses(results: readonly WriteResult[]): string {
  return results.map((one) => ('error' in one ? `${one.status}:${one.error.code}` : one.status)).join(' ');
}

export type Given = Partial<Omit<ChangeEvent, 'source'>> & {
  readonly table?: string;
  readonly keys?: readonly string[];
  readonly unchanged?: readonly string[];
};

let made = 0;

/** `op: c` of table `public.o` with the key `id`, unless it says otherwise. */
export function event({ table = 'o', keys = ['id'], unchanged, ...rest }: Given): ChangeEvent {
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
    source: {
      plugin: 'postgres',
      stream: 'orders',
      db: 'shop',
      schema: 'public',
      table,
      snapshot: rest.op === 'r',
      ts_ms: 0,
      ...(unchanged === undefined ? {} : { unchanged }),
    },
  };
}

export function batch(
  events: readonly Given[],
  more: { readonly columns?: Readonly<Record<string, readonly Column[]>>; readonly ranges?: EventBatch['ranges'] } = {},
): EventBatch {
  const columns = new Map(Object.entries(more.columns ?? {}));
  return batchOf(events.map(event), { columns, ...(more.ranges === undefined ? {} : { ranges: more.ranges }) });
}

/** `id bigint key, n text` as columns. */
export function columns(text: string): readonly Column[] {
  const kinds: Readonly<Record<string, Column['type']>> = {
    bigint: 'bigint',
    integer: 'int',
    jsonb: 'jsonb',
    json: 'json',
    bytea: 'bytes',
  };
  let key = 0;
  return text.split(/, (?![^(]*\))/).map((one) => {
    const [, name, native, isKey] = /^(\w+) (.*?)( key)?$/.exec(one)!;
    const type =
      kinds[native!] ?? (native!.endsWith('[]') ? 'jsonb' : native!.startsWith('numeric') ? 'decimal' : 'text');
    if (isKey) key++;
    return { name: name!, type, native: native!, ...(isKey ? { key } : {}) };
  });
}
