// For tests: the postgres source on a real server, outside of a stream. What it gives becomes plain lines; positions are acked at once.

import type { Context, EventBatch, SluiceError, Source, SourceItem } from 'sluice/sdk';
import { decodeConfig } from '../../core/manifest/config.ts';
import { type SourceSettings, sourceConfig } from '../../plugins/postgres/config.ts';
import type { PostgresPosition } from '../../plugins/postgres/position.ts';
import { createSource } from '../../plugins/postgres/source.ts';
import { until } from '../cli.ts';
import type { PostgresDatabase } from '../services/postgres.ts';

export type Item = SourceItem<PostgresPosition>;

export interface SourceBench {
  readonly logged: string[];
  /** The name of slot and publication. */
  readonly slot: string;
  /** Slot and publication are there, so that every row is read in chunks. */
  publish(tables: string): Promise<void>;
  /** Until the server knows that the last reader has gone. */
  slotIsFree(): Promise<unknown>;
  source(config?: Record<string, unknown>, context?: Partial<Context>): Source<PostgresPosition>;
}

/** Sources of a database. Slots belong to the server, so each database has its own stream name. */
export function sourceBench(db: PostgresDatabase): SourceBench {
  const logged: string[] = [];
  const keep = (_: object, message: string): void => {
    logged.push(message);
  };
  const slot = `sluice_${db.name}`;
  return {
    logged,
    slot,
    async publish(tables) {
      await db.query(`create publication ${slot} for table ${tables}`);
      await db.query(`select pg_create_logical_replication_slot('${slot}', 'pgoutput')`);
    },
    slotIsFree: () =>
      until('the slot is free', async () => {
        const [row] = await db.query(`select active from pg_replication_slots where slot_name = '${slot}'`);
        return row?.['active'] === 'f';
      }),
    source(config = {}, context = {}) {
      const given = { connection_string: db.url, ...config };
      const { config: settings, findings } = decodeConfig(sourceConfig, given, { dir: process.cwd() });
      if (findings.length > 0) throw new Error(findings[0]!.message);
      return createSource(settings as SourceSettings, {
        stream: db.name,
        log: { debug: keep, info: keep, warn: keep, error: keep },
        signal: new AbortController().signal,
        batch: { maxEvents: 1000, maxBytes: 1 << 20, maxWait: 5, respectSourceTx: true },
        auth: null,
        tap: false,
        ...context,
      });
    },
  };
}

/** What it fails with. @throws when it does not */
export function failure(reading: Promise<unknown>): Promise<SluiceError> {
  return reading.then(
    () => {
      throw new Error('it did not fail');
    },
    (thrown: unknown) => thrown as SluiceError,
  );
}

export interface Read {
  readonly items: readonly Item[];
  readonly batches: readonly EventBatch[];
  /** One line an event: `c public.o {"id":1} {"id":1,"n":"a"}`. */
  readonly lines: readonly string[];
  readonly position: PostgresPosition | null;
}

/** A reading that goes on: takes items until somebody has seen enough. */
export interface Reading extends AsyncDisposable {
  /** Reads on until `enough` says so of all that was read; what is there already counts. */
  until(enough: (read: Read) => boolean): Promise<Read>;
  readonly read: Read;
}

/** Starts reading. With `ack: false` nothing is acked. */
export function startReading(
  source: Source<PostgresPosition>,
  from: PostgresPosition | null = null,
  options: { readonly ack?: boolean } = {},
): Reading {
  const abort = new AbortController();
  const iterator = source.read(from, abort.signal)[Symbol.asyncIterator]();
  const items: Item[] = [];
  const batches: EventBatch[] = [];
  const lines: string[] = [];
  let position = from;
  const read: Read = {
    items,
    batches,
    lines,
    get position() {
      return position;
    },
  };
  return {
    read,
    async until(enough) {
      while (!enough(read)) {
        const step = await iterator.next();
        if (step.done === true) return read;
        const item = step.value;
        items.push(item);
        batches.push(item.batch);
        for (let i = 0; i < item.batch.length; i++) lines.push(lineOf(item.batch, i));
        if (item.open === true) continue;
        position = item.position;
        if (options.ack !== false) await source.ack(item.position);
      }
      return read;
    },
    async [Symbol.asyncDispose]() {
      abort.abort();
      await iterator.return?.(undefined);
    },
  };
}

/** Reads until `enough`, then ends the reading. */
export async function readUntil(
  source: Source<PostgresPosition>,
  from: PostgresPosition | null,
  enough: (read: Read) => boolean,
): Promise<Read> {
  await using reading = startReading(source, from);
  return await reading.until(enough);
}

/** The rows of the first snapshot were given, and the stream follows. */
export const settled = ({ items }: Read): boolean => {
  const last = items.at(-1);
  return last?.open !== true && last?.phase === 'streaming' && last.position.todo === undefined;
};

export const count =
  (n: number) =>
  ({ lines, items }: Read): boolean =>
    lines.length >= n && items.at(-1)?.open !== true;

export function lineOf(batch: EventBatch, i: number): string {
  const bad = batch.unreadable?.get(i);
  if (bad !== undefined) return `! ${bad.table} ${bad.error.code}`;
  const old = batch.oldKey(i);
  const image = batch.op(i) === 'd' ? batch.before(i) : batch.after(i);
  return `${batch.op(i)} ${batch.table(i)} ${JSON.stringify(batch.key(i))}${old === null ? '' : ` was ${JSON.stringify(old)}`} ${image}`;
}
