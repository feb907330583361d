// The sqlite sink: one connection, one transaction at a time. As the checkpoint's home, rows and checkpoint share it;
// otherwise each write is one of its own.
// Guarantees: WAL and synchronous=FULL, so what was committed survives kill -9 and a power cut; after a throw nothing of
// the transaction is there, and the next begin() or write() works with a new connection if the old one is of no use.

import { existsSync } from 'node:fs';
import { type Context, type HomeTransaction, type Sink, sluiceError, tableRule, type WriteResult } from 'sluice/sdk';
import type { TargetCache, WriteSettings } from './apply.ts';
import type { SinkSettings } from './config.ts';
import { type Connection, connect, turns } from './driver.ts';
import { sinkFault } from './faults.ts';
import { forgetCheckpoint, loadCheckpoint, saveCheckpoint, takeOver } from './home.ts';
import { sameFile } from './same-file.ts';
import { writeBatch } from './write.ts';

/**
 * Measured with rows of 770 bytes: a sixth less processor time than with SQLite's own pages of 4 KiB and log of 4 MiB. The size of
 * pages has no effect on a database that has some.
 */
const SETTINGS =
  'PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 2000';

export function createSink(config: SinkSettings, context: Context): Sink {
  const { path } = config;
  const settings: WriteSettings = {
    autoCreate: config.auto_create,
    autoEvolve: config.auto_evolve,
    kinds: new Map(Object.entries(config.columns ?? {})),
    key: config.key,
    table: config.table,
    tableOf: tableRule(config.table),
  };
  const cache: TargetCache = { tables: new Map(), schema: -1 };
  const epochs = new Map<string, number>();
  const turn = turns();
  const file = sameFile(path, 'E_SINK_WRITE');
  let db: Connection | null = null;

  async function open(): Promise<Connection> {
    file.check(); // also before a new connection, which would make a new file
    if (db !== null) return db;
    const made = await connect(path, 'create', config.busy_timeout);
    try {
      await made.exec(SETTINGS);
    } catch (thrown) {
      await made.close().catch(() => undefined);
      throw thrown;
    }
    file.keep();
    db = made;
    return made;
  }

  /** After a failure nothing is known of the connection: closing it rolls back whatever was open. */
  async function drop(): Promise<void> {
    cache.tables.clear();
    const old = db;
    db = null;
    await old
      ?.close()
      .catch((thrown: unknown) => context.log.debug({ error: String(thrown) }, 'the connection did not close'));
  }

  async function guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (thrown) {
      await drop();
      throw sinkFault(thrown, path);
    }
  }

  async function begin(stream: string): Promise<HomeTransaction> {
    const epoch = epochs.get(stream) ?? (await takeOver(await open(), stream));
    epochs.set(stream, epoch);
    const own = await open();
    await own.exec('BEGIN IMMEDIATE');
    let over = false;
    const step = async <T>(work: () => Promise<T>): Promise<T> => {
      if (over || db !== own) throw sluiceError('E_SINK_WRITE', { message: 'the transaction is over' });
      return turn(() =>
        guarded(work).catch((thrown: unknown) => {
          over = true;
          throw thrown;
        }),
      );
    };
    return {
      write: (batch, signal) => step(() => writeBatch(own, batch, settings, cache, signal, context.log)),
      commit: (checkpoint) =>
        step(async () => {
          await saveCheckpoint(own, stream, epoch, checkpoint);
          file.check();
          await own.exec('COMMIT');
          over = true;
        }),
      async rollback() {
        if (over || db !== own) return; // lost already, or committed: there is nothing to undo
        over = true;
        cache.tables.clear(); // tables that were made in it are gone
        await turn(() => guarded(() => own.exec('ROLLBACK')));
      },
    };
  }

  return {
    keyed: true,
    ...(config.key === undefined ? {} : { key: config.key }),
    write: (batch, signal) =>
      turn(() =>
        guarded(async (): Promise<readonly WriteResult[]> => {
          const own = await open();
          await own.exec('BEGIN IMMEDIATE');
          const results = await writeBatch(own, batch, settings, cache, signal, context.log); // a throw drops the connection, and all of it
          file.check();
          await own.exec('COMMIT');
          return results;
        }),
      ),
    transactional: {
      async load(stream) {
        if (!existsSync(path)) return null; // to load is to read: no file is made
        try {
          const reading = await connect(path, 'read', config.busy_timeout);
          try {
            return await loadCheckpoint(reading, stream);
          } finally {
            await reading.close();
          }
        } catch (thrown) {
          throw sinkFault(thrown, path);
        }
      },
      open: (stream) =>
        turn(() =>
          guarded(async () => {
            epochs.set(stream, await takeOver(await open(), stream));
          }),
        ),
      begin: (stream) => turn(() => guarded(() => begin(stream))),
      clear: (stream) => turn(() => guarded(async () => forgetCheckpoint(await open(), stream))),
    },
    async [Symbol.asyncDispose]() {
      await turn(drop);
    },
  };
}
