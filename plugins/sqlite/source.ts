// The sqlite source. Rounds: one read transaction says up to where changes are visible (`end`) and, while a snapshot runs,
// reads one chunk of rows as of that same moment. The round then gives all changes up to `end`, and the chunk after them.
//
// Why this is right: a chunk's row is as it is after the last change up to `end`, and all of those were given before it,
// all later ones come after it. So no row ever goes back, and nothing is lost: a change before the chunk is in the chunk
// or was given itself. Only rows without a key, which sinks append, would come twice: their changes are left out until the
// snapshot has passed them (`skips`).
//
// A round ends where committed transactions end, because a read sees whole transactions only. SQLite says nothing about
// transactions within it, so with respectSourceTx the parts of a round are `open` up to its last one.

import {
  type Context,
  type EventBatch,
  messageOf,
  type Phase,
  pause,
  type Source,
  type SourceItem,
  type SourceRequest,
  sluiceError,
} from 'sluice/sdk';
import { lastSeq, prunedSeq, readLogState } from './change-log.ts';
import { type ChangeReader, changeReader, type KindOf, type Page } from './changes.ts';
import type { SourceSettings } from './config.ts';
import { batchOfDrafts } from './drafts.ts';
import { type Connection, connect, dataVersion, inTransaction, schemaVersion, turns } from './driver.ts';
import { faultOf, sourceFault } from './faults.ts';
import { kindOf, quoted } from './kinds.ts';
import { goneError, type SqlitePosition, type TodoTable, toPosition } from './position.ts';
import { addTodo, isParked, type Progress, park, position, progressFrom, unpark, verified } from './progress.ts';
import { acknowledge, checkFits, register } from './readers.ts';
import { sameFile } from './same-file.ts';
import { type Chunk, hasPassed, readChunk } from './snapshot.ts';
import { columnsOf, readTable, type Table } from './tables.ts';
import { resolveTables, syncTriggers, type Wish } from './triggers.ts';

type Item = SourceItem<SqlitePosition>;

interface Round {
  readonly end: number;
  readonly todo: TodoTable | null;
  readonly chunk: Chunk | null;
  readonly table: Table | null;
}

export function createSource(config: SourceSettings, context: Context): Source<SqlitePosition> {
  const { path } = config;
  const reader = config.reader ?? context.stream;
  const wish: Wish = { reader, tables: config.tables ?? null };
  const kinds = kindRule(config);
  const turn = turns(); // the reading and the acks share one connection, and a connection has one transaction
  const file = sameFile(path, 'E_SOURCE_READ');
  let db: Connection | null = null;
  let acked = -1;
  let disposed = false;
  let seenVersion = -1; // as this connection counts
  let reading: { readonly progress: Progress; readonly requests: SourceRequest[] } | null = null;

  async function open(): Promise<Connection> {
    if (disposed) throw sluiceError('E_SOURCE_READ', { message: 'the source was closed' });
    file.check();
    db ??= await connect(path, context.tap ? 'read' : 'write', config.busy_timeout);
    file.keep();
    return db;
  }

  async function drop(): Promise<void> {
    const old = db;
    db = null;
    seenVersion = -1;
    await old?.close().catch(() => undefined);
  }

  /** Runs `work` alone on the connection. After a failure the next turn has a new one. */
  function withDb<T>(work: (db: Connection) => Promise<T>): Promise<T> {
    return turn(async () => {
      try {
        return await work(await open());
      } catch (thrown) {
        if (faultOf(thrown) !== 'busy') await drop();
        throw sourceFault(thrown, path);
      }
    });
  }

  async function* read(from: SqlitePosition | null, signal: AbortSignal): AsyncGenerator<Item> {
    const saved = from === null ? null : toPosition(from);
    const progress = await withDb((open) => (context.tap ? startTap(open, wish, saved) : start(open, wish, saved)));
    if (saved === null && config.snapshot === 'initial') addTodo(progress, progress.tables);
    else if (saved !== null) meetTables(progress, saved.tables);
    if (context.tap && !progress.log && config.snapshot === 'never') throw noTap();
    // requests belong to a reading: what its items have not answered is asked again of the next
    const mine = { progress, requests: [] as SourceRequest[] };
    reading = mine;
    try {
      yield* follow(progress, mine.requests, saved, signal);
    } finally {
      if (reading === mine) reading = null;
    }
  }

  async function* follow(
    progress: Progress,
    requests: SourceRequest[],
    saved: SqlitePosition | null,
    signal: AbortSignal,
  ): AsyncGenerator<Item> {
    const changes = changeReader(progress.tag, kinds);
    let told = saved?.seq ?? -1; // the seq of the last position that was given
    let toldAt = performance.now();
    let phase: Phase | undefined; // of the last item that was given
    seenVersion = -1;
    for (;;) {
      if (signal.aborted) return;
      for (let request = requests.shift(); request !== undefined; request = requests.shift()) {
        await carryOut(request, progress);
        yield { batch: nothing(), position: position(progress), taken: request.number, parked: progress.parked };
      }
      const version = await withDb(dataVersion);
      const last = progress.todo.length === 0 && !config.follow;
      if (version === seenVersion && progress.todo.length === 0 && !last) {
        await pause(config.poll, signal);
      } else {
        if (await schemaMoved(progress)) continue;
        const round = await withDb((open) => beginRound(open, progress));
        if (round === null) continue;
        seenVersion = version;
        for await (const item of giveRound(round, progress, changes, signal)) {
          if (item.open !== true) {
            told = item.position.seq;
            toldAt = performance.now();
          }
          phase = item.phase;
          yield item;
        }
        if (signal.aborted) return;
      }
      const ends = progress.todo.length === 0 && (last || (context.tap && !progress.log));
      // The rows are read: said at once, or whoever looks would see a snapshot until the next change.
      const over = phase === 'snapshot' && progress.todo.length === 0 && !ends;
      const due = told !== progress.seq && (ends || performance.now() - toldAt >= config.heartbeat);
      if (over || due) {
        told = progress.seq;
        toldAt = performance.now();
        phase = 'streaming';
        yield { batch: nothing(), position: position(progress), phase: 'streaming' }; // a heartbeat
      }
      if (!ends) continue;
      if (!progress.log)
        context.log.warn(
          {},
          'the rows were read; their changes cannot be followed, because no stream has set up this database yet',
        );
      return;
    }
  }

  /** Gives what a round covers; the progress moves with what was given. */
  async function* giveRound(
    round: Round,
    progress: Progress,
    changes: ChangeReader,
    signal: AbortSignal,
  ): AsyncGenerator<Item> {
    const phase = progress.todo.length > 0 ? 'snapshot' : 'streaming';
    while (progress.seq < round.end) {
      if (signal.aborted) return;
      const page = await withDb((open) => readPage(open, progress, round.end, changes));
      progress.seq = page.last;
      for (const { table, keyed } of page.refill) refill(progress, table, keyed);
      if (page.drafts.length === 0) continue;
      const batch = batchOfDrafts(page.drafts, page.columns, { stream: context.stream, path });
      if (page.done || !context.batch.respectSourceTx) yield { batch, position: position(progress), phase };
      else yield { batch, open: true, phase };
    }
    const { chunk, table } = round;
    if (chunk === null || signal.aborted) return;
    const [head, ...rest] = progress.todo;
    // Within this round the table may have been put on the list anew: then it starts again, and this chunk is extra.
    if (head === round.todo) progress.todo = chunk.next === null ? rest : [chunk.next, ...rest];
    const columns = new Map(table === null ? [] : [[table.name, columnsOf(table.columns)]]);
    const ranges = chunk.range === null ? [] : [chunk.range];
    const batch = batchOfDrafts(chunk.drafts, columns, { stream: context.stream, path }, ranges);
    yield { batch, position: position(progress), phase: 'snapshot' };
  }

  async function beginRound(open: Connection, progress: Progress): Promise<Round | null> {
    return inTransaction(open, 'read', async () => {
      if ((await schemaVersion(open)) !== progress.schema) return null; // noticed before anything of it is read
      const end = progress.log ? await lastSeq(open) : progress.seq;
      const [todo] = progress.todo;
      if (todo === undefined) return { end: verified(progress, end), todo: null, chunk: null, table: null };
      const table = await readTable(open, todo.table, (column, declared) => kinds(todo.table, column, declared));
      const request = {
        tag: progress.tag,
        number: progress.number,
        maxEvents: context.batch.maxEvents,
        maxBytes: context.batch.maxBytes,
        now: progress.since,
      };
      // a table that is gone has no rows left to read
      const gone = { drafts: [], next: null, range: null };
      const chunk = table === null ? gone : await readChunk(open, table, todo, request);
      return { end: verified(progress, end), todo, chunk, table };
    });
  }

  function readPage(open: Connection, progress: Progress, end: number, changes: ChangeReader): Promise<Page> {
    const wanted = new Set(progress.tables);
    return inTransaction(open, 'read', async () => {
      const pruned = await prunedSeq(open);
      if (progress.seq < pruned) {
        if (!context.tap) throw goneError('the changes after the position were pruned');
        context.log.warn({}, 'changes were pruned before this tap could read them');
        progress.seq = pruned;
      }
      return changes.page(open, {
        after: progress.seq,
        end,
        maxEvents: context.batch.maxEvents,
        maxBytes: context.batch.maxBytes,
        wants: (table) => wanted.has(table) && !isParked(progress, table),
        skips:
          progress.todo.length === 0
            ? null
            : (table, rid, keyless) => {
                const todo = progress.todo.find((one) => one.table === table);
                return todo !== undefined && keyless() && !hasPassed(todo, rid);
              },
      });
    });
  }

  /** Brings the triggers in step when the schema has changed; true when it had. */
  async function schemaMoved(progress: Progress): Promise<boolean> {
    return withDb(async (open) => {
      if ((await schemaVersion(open)) === progress.schema) return false;
      if (progress.log && !context.tap) {
        const before = progress.tables;
        const synced = await syncTriggers(open, wish, progress.verified);
        for (const table of synced.missing) {
          context.log.warn({ table }, `table ${table} is gone; its changes up to then were read`);
        }
        progress.tables = synced.tables;
        meetTables(progress, before);
      }
      progress.schema = await schemaVersion(open);
      return true;
    });
  }

  function refill(progress: Progress, table: string, keyed: boolean): void {
    // Rows without a key would only come twice: a sink appends them.
    if (config.snapshot === 'never' || !keyed) {
      const why = keyed ? '`snapshot: never`' : 'it has no key';
      context.log.warn({ table }, `table ${table} was altered: rows that do not change keep what they had (${why})`);
      return;
    }
    context.log.info({ table }, `table ${table} was altered or made anew: all of its rows are read again`);
    addTodo(progress, [table]);
  }

  /** Tables that are new since `known` are read whole. */
  function meetTables(progress: Progress, known: readonly string[]): void {
    const fresh = progress.tables.filter((table) => !known.includes(table));
    if (config.snapshot === 'initial') addTodo(progress, fresh);
    progress.todo = progress.todo.filter((todo) => progress.tables.includes(todo.table));
  }

  async function carryOut(request: SourceRequest, progress: Progress): Promise<void> {
    if (request.type === 'park') return park(progress, await tableOf(request.table), request.reason);
    if (request.type === 'resume') return unpark(progress, await tableOf(request.table));
    const tables = request.table === undefined ? progress.tables : [await tableOf(request.table)];
    addTodo(progress, tables, request.where);
  }

  /** The table as the database writes its name. @throws SluiceError E_REQUEST_FAILED when this stream reads none of that name */
  async function tableOf(name: string): Promise<string> {
    const { found } = await withDb((open) => resolveTables(open, wish.tables));
    const table = found.find((one) => one.toLowerCase() === name.toLowerCase());
    if (table !== undefined) return table;
    throw sluiceError('E_REQUEST_FAILED', {
      message: 'this stream reads no table of that name',
      fix: 'name one of the `tables` of its source',
    });
  }

  return {
    read,
    async ack({ seq }) {
      if (context.tap || seq <= acked) return;
      try {
        // Invariant 1: the engine calls this after the checkpoint; only what it names may be pruned.
        await withDb((open) => acknowledge(open, reader, seq));
        acked = seq;
      } catch (thrown) {
        // An ack that is late costs disk and nothing else, and the next one covers it; what is broken, the next read finds.
        context.log.debug({ error: messageOf(thrown) }, 'the ack waits for the next one');
      }
    },
    async control(request: SourceRequest) {
      const now = reading;
      if (now === null) throw sluiceError('E_SOURCE_READ', { message: 'the source is not reading' });
      const table = request.table === undefined ? null : await tableOf(request.table);
      const parked = table !== null && isParked(now.progress, table);
      if (request.type === 'resume' && !parked) {
        throw sluiceError('E_REQUEST_FAILED', { message: 'the table is not parked', fix: 'see `sluice status`' });
      }
      if (request.type === 'snapshot' && parked) {
        throw sluiceError('E_REQUEST_FAILED', {
          message: 'the table is parked',
          fix: 'run `sluice resume --table`: it begins with a snapshot',
        });
      }
      if (request.type === 'snapshot' && request.where !== undefined) await checkCondition(table, request.where);
      now.requests.push(request);
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
      await turn(drop);
    },
  };

  /** Lets SQLite compile the condition, so that a wrong one is the answer of the verb and not the end of the stream. */
  async function checkCondition(table: string | null, where: string): Promise<void> {
    if (table === null) {
      throw sluiceError('E_REQUEST_FAILED', { message: 'a condition is of one table', fix: 'name it with `--table`' });
    }
    await turn(async () => {
      try {
        await (await open()).all(`SELECT 1 FROM ${quoted(table)} AS src WHERE (${where}\n) LIMIT 0`);
      } catch (thrown) {
        throw sluiceError('E_REQUEST_FAILED', {
          message: `SQLite does not take the condition: ${messageOf(thrown)}`,
          fix: 'write what may stand after WHERE, with columns of the table',
          cause: thrown,
        });
      }
    });
  }

  function nothing(): EventBatch {
    return batchOfDrafts([], new Map(), { stream: context.stream, path });
  }
}

function kindRule(config: SourceSettings): KindOf {
  const given = new Map(Object.entries(config.columns ?? {}).map(([name, kind]) => [name.toLowerCase(), kind]));
  return (table, column, declared) => {
    const kind = given.get(`${table}.${column}`.toLowerCase()) ?? kindOf(declared);
    return kind === 'int' && config.integers === 'text' ? 'bigint' : kind;
  };
}

async function start(db: Connection, wish: Wish, from: SqlitePosition | null): Promise<Progress> {
  const registered = await register(db, wish, from);
  if (registered.missing.length > 0) throw missingTables(registered.missing);
  return progressFrom(registered.tag, registered.seq, registered.tables, from, await schemaVersion(db), true);
}

/** Reads without registering: nothing of it is left behind, and nothing waits for it. */
async function startTap(db: Connection, wish: Wish, from: SqlitePosition | null): Promise<Progress> {
  return inTransaction(db, 'read', async () => {
    const state = await readLogState(db);
    if (from !== null) checkFits(state, from);
    const { found, missing } = await resolveTables(db, wish.tables);
    if (missing.length > 0) throw missingTables(missing);
    const tag = state?.tag ?? 'tap';
    return progressFrom(tag, from?.seq ?? state?.last ?? 0, found, from, await schemaVersion(db), state !== null);
  });
}

function missingTables(tables: readonly string[]): Error {
  return sluiceError('E_SOURCE_READ', {
    message: `the database has no table ${tables.join(', ')}`,
    fix: 'check `tables`, or make the table',
  });
}

function noTap(): Error {
  return sluiceError('E_SOURCE_TAP', {
    message: 'no stream has set up a change table in this database, so there are no changes to look at',
    fix: 'run a stream of this source once, or use `capture:` in the stream, or `snapshot: initial` to see its rows',
  });
}
