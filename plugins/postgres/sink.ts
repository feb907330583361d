// The postgres sink: one connection, one transaction at a time. As the checkpoint's home, rows and checkpoint share it;
// otherwise each write is one of its own.
// Guarantees: after a throw nothing of the transaction is there, and the next begin() or write() works with a new connection if
// the old one is of no use; a stop that cannot wait ends the statement that runs.

import {
  type Context,
  type EventBatch,
  type HomeTransaction,
  type Sink,
  sluiceError,
  tableRule,
  type WriteResult,
} from 'sluice/sdk';
import { addressOf } from './address.ts';
import type { SinkSettings } from './config.ts';
import type { WriteSettings } from './sink-apply.ts';
import { failsConstraint, type Refused, writeKept } from './sink-deferred.ts';
import { sinkFault } from './sink-faults.ts';
import { forgetCheckpoint, homeTable, loadCheckpoint, saveCheckpoint, takeOver } from './sink-home.ts';
import { namesOf } from './sink-names.ts';
import { openSession, type Session } from './sink-session.ts';
import { type TargetCache, writeBatch } from './sink-write.ts';
import { turns } from './turns.ts';

export function createSink(config: SinkSettings, context: Context): Sink {
  const address = addressOf(config, context.auth);
  const settings: WriteSettings = {
    autoCreate: config.auto_create,
    autoEvolve: config.auto_evolve,
    kinds: new Map(Object.entries(config.columns ?? {})),
    key: config.key,
    table: config.table,
    tableOf: tableRule(config.table),
    sqlOf: namesOf(config),
  };
  const cache: TargetCache = { tables: new Map(), shapes: new Map() };
  const home = homeTable(config.state_schema);
  const epochs = new Map<string, string>();
  const turn = turns();
  let session: Session | null = null;
  /** A commit failed of a deferred constraint: the next write finds out of which event. */
  let distrusts = false;

  async function open(): Promise<Session> {
    if (session !== null && !session.broken) return session;
    await drop();
    session = await openSession(address, `sluice ${context.stream}`, config.statement_timeout);
    return session;
  }

  /** After a failure nothing is known of the connection: ending it rolls back whatever was open. */
  async function drop(): Promise<void> {
    cache.tables.clear();
    const old = session;
    session = null;
    await old?.close();
  }

  async function guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (thrown) {
      await drop();
      throw sinkFault(thrown);
    }
  }

  /** Runs `work`; when the signal comes, the connection ends, and with it the statement that somebody waits for. */
  async function endedBy<T>(signal: AbortSignal, own: Session, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const end = (): void => own.destroy();
    signal.addEventListener('abort', end, { once: true });
    try {
      return await work();
    } finally {
      signal.removeEventListener('abort', end);
    }
  }

  const write = (own: Session, batch: EventBatch, signal: AbortSignal): Promise<readonly WriteResult[]> =>
    endedBy(signal, own, () => {
      const once = (refused?: Refused) => writeBatch(own, batch, settings, cache, signal, context.log, refused);
      if (!distrusts) return once();
      const tableOf = (i: number): string => settings.tableOf(batch, i);
      return writeKept({ session: own, length: batch.length, tableOf, write: once });
    });

  /** Commits; a deferred constraint that fails then is looked at by the write that comes next, where this one was `alone`. */
  async function commit(own: Session, alone: boolean): Promise<void> {
    try {
      await own.exec('commit');
    } catch (thrown) {
      if (alone && failsConstraint(thrown)) distrusts = true;
      throw thrown;
    }
    distrusts = false;
  }

  async function begin(stream: string): Promise<HomeTransaction> {
    const epoch = epochs.get(stream) ?? (await takeOver(await open(), home, config.state_schema, stream));
    epochs.set(stream, epoch);
    const own = await open();
    await own.exec('begin');
    let over = false;
    let writes = 0;
    const step = async <T>(work: () => Promise<T>): Promise<T> => {
      if (over || session !== own) throw sluiceError('E_SINK_WRITE', { message: 'the transaction is over' });
      return turn(() =>
        guarded(work).catch((thrown: unknown) => {
          over = true;
          throw thrown;
        }),
      );
    };
    return {
      write: (batch, signal) => {
        writes++;
        if (writes > 1) distrusts = false; // a part of a transaction may wait for another part
        return step(() => write(own, batch, signal));
      },
      commit: (checkpoint) =>
        step(async () => {
          await saveCheckpoint(own, home, stream, epoch, checkpoint);
          await commit(own, writes === 1);
          over = true;
        }),
      async rollback() {
        if (over || session !== own) return; // lost already, or committed: there is nothing to undo
        over = true;
        cache.tables.clear(); // tables that were made in it are gone
        await turn(() => guarded(() => own.exec('rollback')));
      },
    };
  }

  return {
    keyed: true,
    text: true,
    ...(config.key === undefined ? {} : { key: config.key }),
    write: (batch, signal) =>
      turn(() =>
        guarded(async (): Promise<readonly WriteResult[]> => {
          const whole = async (): Promise<readonly WriteResult[]> => {
            const own = await open();
            await own.exec('begin');
            const results = await write(own, batch, signal); // a throw drops the connection, and all of it
            await commit(own, true);
            return results;
          };
          try {
            return await whole();
          } catch (thrown) {
            if (!distrusts || !failsConstraint(thrown)) throw thrown;
            return await whole(); // nothing of it is there: once more, to find the events at fault
          }
        }),
      ),
    transactional: {
      load: (stream) => turn(() => guarded(async () => loadCheckpoint(await open(), home, stream))),
      open: (stream) =>
        turn(() =>
          guarded(async () => {
            epochs.set(stream, await takeOver(await open(), home, config.state_schema, stream));
          }),
        ),
      begin: (stream) => turn(() => guarded(() => begin(stream))),
      clear: (stream) => turn(() => guarded(async () => forgetCheckpoint(await open(), home, stream))),
    },
    async [Symbol.asyncDispose]() {
      await turn(drop);
    },
  };
}
