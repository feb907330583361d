// One reading of the source, from a position to its end. It has two connections: one asks (catalog, rows of a snapshot), one is the
// stream. What comes is decoded only as the engine takes it; what is not taken waits at the server. Between transactions the reading
// answers requests and reads chunks of snapshots.
// Guarantees: only what a checkpoint covers is acked (invariant 1); source transactions stay together, large ones as parts; a reading
// that the engine blocks for long lets go of the stream, so that the server can be shut down, and takes it up again where it was.

import type { Client } from 'pg';
import { type Context, pause, type SourceRequest, sluiceError } from 'sluice/sdk';
import type { SourceSettings } from './config.ts';
import { type Address, close, destroy } from './connection.ts';
import { newDecoder } from './decoder.ts';
import { freeze } from './frozen.ts';
import { lsnText } from './lsn.ts';
import { type Item, Pile } from './pile.ts';
import type { PostgresPosition } from './position.ts';
import { type Progress, position } from './progress.ts';
import { refreshTables } from './refresh.ts';
import { type ReplicationStream, startReplication } from './replication.ts';
import { applyRequest, checkRequest } from './requests.ts';
import { newSnapshotter } from './snapshotter.ts';
import { connectReplication, connectSql, namesOf, type Started, slotFree, start } from './start.ts';

/** Blocked for so long, a reading lets go of the stream. The server's own tools wait for a minute for it to end. */
const LET_GO_MS = 10_000;
/** Tables of so many bytes together are read in one go with the snapshot that comes with a new slot. */
const SMALL_BYTES = 16 * 1024 * 1024;

export interface Reading {
  items(saved: PostgresPosition | null, signal: AbortSignal): AsyncGenerator<Item>;
  ack(lsn: bigint): void;
  ask(request: SourceRequest): Promise<void>;
  /** It starts, or has rows to read. */
  isBusy(): boolean;
  end(): Promise<void>;
}

export function newReading(address: Address, config: SourceSettings, context: Context): Reading {
  const { stream: id, log, batch: limits } = context;
  let sql: Client | null = null;
  let replication: Client | null = null;
  let stream: ReplicationStream | null = null;
  const begun = Promise.withResolvers<Started>();
  begun.promise.catch(() => undefined); // nobody may have asked
  const requests: SourceRequest[] = [];
  /** Requests that were done, and whose answer waits to be given: done again where it is lost with the stream. */
  const done: SourceRequest[] = [];
  let acked = 0n;
  /** What was given last: up to where an ack can come, and where reading goes on after the stream was let go. */
  let given: Progress | null = null;
  let moved = performance.now(); // when something was last taken, or acked
  let suspended = false; // an item was given, and the next one was not asked for yet
  let letGo = false;
  let isBusy = (): boolean => true;
  let wakeUp = (): void => undefined;

  const blocked = (): boolean =>
    given !== null && (suspended || given.lsn > acked) && performance.now() - moved > LET_GO_MS;
  const watch = setInterval(() => {
    if (stream === null || letGo || context.tap || !blocked()) return;
    log.info({}, 'the stream is let go: nothing was taken for a while, and the server could not be shut down');
    letGo = true;
    stream[Symbol.dispose]();
    wakeUp();
  }, 1_000);
  watch.unref();

  async function* items(saved: PostgresPosition | null, signal: AbortSignal): AsyncGenerator<Item> {
    // What is asked of the server is not waited for any more.
    const onAbort = (): void => {
      stream?.wake();
      wakeUp();
      if (sql !== null) destroy(sql);
      if (replication !== null) destroy(replication);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      sql = await beforeAbort(connectSql(address, id), signal);
      replication = await beforeAbort(connectReplication(address, id), signal);
      const started = await start(sql, replication, config, context, saved);
      begun.resolve(started);
      yield* all(sql, started, signal);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async function* all(sql: Client, now: Started, signal: AbortSignal): AsyncGenerator<Item> {
    const { facts, progress, suspects, xid } = now;
    isBusy = () => progress.todo.length > 0;
    acked = progress.lsn;
    given = { ...progress };
    const pile = new Pile(limits, { stream: id, database: facts.database }, progress);
    const snapshotter = newSnapshotter({
      sql,
      log,
      jsonb: config.jsonb,
      version: facts.version,
      limits,
      progress,
      pile,
      tables: now.tables,
      published: () => now.published,
      freeze: () => freeze(sql, address, id),
      suspects,
      xid,
    });
    const decoder = newDecoder({ sql, log, jsonb: config.jsonb, progress, pile, tables: now.tables, snapshotter });
    const give = async function* (): AsyncGenerator<Item> {
      for (let next = pile.ready.shift(); next !== undefined && !signal.aborted; next = pile.ready.shift()) {
        // first, because the ack of it may come before the next item is asked for
        given = next.after;
        if (next.item.taken === done[0]?.number) done.shift();
        moved = performance.now();
        suspended = true;
        yield next.item;
        suspended = false;
        moved = performance.now();
        if (letGo) return;
      }
    };

    if (now.snapshot !== null) await readSmall(now, snapshotter, signal);
    if (now.published === null || config.snapshot === 'only') {
      // There is nothing to follow: each chunk is of its own time.
      while (progress.todo.length > 0 && !signal.aborted) {
        await sql.query('begin transaction isolation level repeatable read, read only');
        await snapshotter.readNow().finally(() => sql.query('rollback'));
        yield* give();
      }
      return;
    }
    stream = follow(now);
    const scope = { sql, config, context, started: now, progress, suspects };
    let told = performance.now();
    let looked = told;
    let asked = 0;
    /** What is done between two transactions. */
    const attend = async (): Promise<void> => {
      const request = requests.shift();
      if (request !== undefined) {
        pile.close(null);
        await applyRequest(request, scope);
        done.push(request);
        pile.add({ batch: pile.nothing(), position: position(progress), taken: request.number });
        return;
      }
      if (snapshotter.due() === 0) {
        await snapshotter.read();
        stream?.ask();
      }
      await snapshotter.prune();
      if (performance.now() - looked < config.heartbeat || context.tap) return;
      looked = performance.now();
      if (!(await refreshTables(scope))) return;
      pile.close(null);
      pile.add({ batch: pile.nothing(), position: position(progress) });
    };
    /** A heartbeat, if the position has moved. */
    const beat = (): boolean => {
      if (progress.lsn <= given!.lsn || pile.ready.length > 0) return false;
      pile.add({ batch: pile.nothing(), position: position(progress) });
      return true;
    };
    /** Decodes what is there, until something can be given or is to be done. True: nothing is there any more. */
    const decode = async (from: ReplicationStream): Promise<boolean> => {
      for (let message = from.next(); message !== null; message = from.next()) {
        const asking = decoder.take(message);
        if (asking !== undefined) await asking;
        // A server that is being shut down waits for the ack of all that it has read.
        if (message.urgent && !decoder.open && pile.length === 0) beat();
        if (pile.ready.length > 0) return false;
        if (!decoder.open && (requests.length > 0 || snapshotter.due() === 0 || snapshotter.crowded)) return false;
      }
      if (decoder.open) return true;
      if (pile.length > 0) {
        // An idle stream gives each small batch at once; a busy one waits for more.
        const wait = pile.since - told < limits.maxWait ? limits.maxWait - (performance.now() - pile.since) : 0;
        if (wait > 0) {
          await from.wait(wait);
          return false;
        }
        pile.close(null);
        told = performance.now();
      } else if (performance.now() - told >= config.heartbeat) {
        told = performance.now();
        if (progress.lsn > given!.lsn)
          pile.add({ batch: pile.nothing(), position: position(progress) }); // a heartbeat
        else from.ask();
      }
      return true;
    };
    for (;;) {
      if (pile.ready.length > 0) yield* give();
      if (signal.aborted) return;
      if (letGo) {
        await resume(now, signal);
        pile.clear();
        decoder.reset();
        snapshotter.reset();
        continue;
      }
      if (!decoder.open) await attend();
      if (pile.ready.length > 0) continue;
      const idle = await decode(stream);
      if (!idle || pile.ready.length > 0) continue;
      if (snapshotter.waiting && performance.now() - asked >= ASK_MS) {
        asked = performance.now();
        await snapshotter.help();
        stream.ask();
      }
      await stream.wait(snapshotter.waiting ? ASK_MS : Math.min(snapshotter.due() ?? 1_000, config.heartbeat));
    }
  }

  /**
   * Small tables, as of the snapshot that came with the slot: every change after it comes in the stream. All of them are read before
   * any is given, because the transaction must not stay open for as long as a sink takes.
   */
  async function readSmall(
    { progress, tables, snapshot }: Started,
    snapshotter: ReturnType<typeof newSnapshotter>,
    signal: AbortSignal,
  ): Promise<void> {
    const sizeOf = (table: string): number => tables.get(table)?.size ?? 0;
    progress.todo = progress.todo.toSorted((a, b) => sizeOf(a.table) - sizeOf(b.table));
    let bytes = 0;
    const large = progress.todo.findIndex(({ table }) => {
      bytes += sizeOf(table);
      return bytes > SMALL_BYTES;
    });
    const rest = large < 0 ? 0 : progress.todo.length - large;
    if (progress.todo.length === rest) return;
    await sql!.query('begin transaction isolation level repeatable read, read only');
    try {
      await sql!.query(`set transaction snapshot '${snapshot}'`);
      while (progress.todo.length > rest && !signal.aborted) await snapshotter.readNow();
    } finally {
      await sql!.query('rollback').catch(() => undefined);
    }
  }

  function follow(now: Started): ReplicationStream {
    const { senderTimeout } = now.facts;
    const beat = Math.min(10_000, config.heartbeat, senderTimeout > 0 ? senderTimeout / 3 : 10_000);
    return startReplication(replication!, {
      slot: now.slot,
      publication: namesOf(config, id).publication,
      start: lsnText(now.progress.lsn),
      confirmed: context.tap ? 0n : acked,
      messages: config.messages,
      beat,
    });
  }

  /** Takes the stream up again after it was let go: where the last item ended that was given. */
  async function resume(now: Started, signal: AbortSignal): Promise<void> {
    stream = null;
    // Taken again, or acked: then there is room. Else whoever blocks us is still blocked.
    while (blocked() && !signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        wakeUp = resolve;
      });
      await Promise.race([woken, pause(1_000, signal)]);
    }
    letGo = false;
    if (signal.aborted) return;
    Object.assign(now.progress, given);
    requests.unshift(...done.splice(0));
    await slotFree(sql!, now.slot);
    replication = await beforeAbort(connectReplication(address, id), signal);
    stream = follow(now);
  }

  return {
    items,
    ack(lsn) {
      if (lsn <= acked) return;
      acked = lsn;
      moved = performance.now();
      stream?.confirm(lsn); // Invariant 1: the engine calls this after the checkpoint
      wakeUp();
    },
    async ask(request) {
      if (config.snapshot === 'only') {
        throw sluiceError('E_REQUEST_FAILED', { message: 'with `snapshot: only` the source takes no requests' });
      }
      await checkRequest(request, address, context, config, await begun.promise);
      requests.push(request);
      stream?.wake();
    },
    isBusy: () => isBusy(),
    async end() {
      clearInterval(watch);
      begun.reject(sluiceError('E_SOURCE_READ', { message: 'the source is not reading' }));
      stream?.[Symbol.dispose]();
      if (replication !== null) destroy(replication);
      if (sql !== null) await close(sql);
    },
  };
}

/** How often to ask the server how far it has read, while a chunk waits for it. */
const ASK_MS = 10;

/** A connection, unless the signal aborts first; one that comes too late is ended. */
async function beforeAbort(connecting: Promise<Client>, signal: AbortSignal): Promise<Client> {
  const late = Promise.withResolvers<never>();
  const onAbort = (): void => {
    connecting.then(destroy, () => undefined);
    late.reject(signal.reason);
  };
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([connecting, late.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
