// One stream from its start to its end: takes the lock, opens its parts, and runs sessions until the source has ended, a
// stop, or a failure. What is not there (source, home, state store, a sink that cannot be opened) is waited for with
// back-off; every wait ends in the same place: sinks restored, reading from the checkpoint. So recovery is exercised daily.

import type { Checkpoint, Parked } from '../checkpoint.ts';
import { type SluiceError, sluiceError, toSluiceError } from '../errors.ts';
import type { StreamConfig } from '../manifest/model.ts';
import type { Source } from '../plugin.ts';
import type { StoredRequest } from '../state/store.ts';
import { isPermanent, usedUp } from './absence.ts';
import { backoffDelay, pause } from './backoff.ts';
import { type Chain, lastTransformOf } from './chain.ts';
import { Interrupted, RequestWaits, SessionLost, StreamFailed } from './ends.ts';
import { openLetterBook } from './letter-book.ts';
import {
  atHome,
  destinationOf,
  loadCheckpoint,
  type Opening,
  openChain,
  openSlots,
  openSource,
  takeOver,
} from './open.ts';
import { parkAgain, parkedNow } from './parking.ts';
import { answerAnew, answerCovered, carryOut, Reposition, type RunningParts, refuse } from './requests.ts';
import { runSession } from './session.ts';
import { restoreSlot, type Slot } from './slot.ts';
import type { StreamStatus } from './status.ts';
import { type BudgetOfTables, budgetOfTables } from './table-budget.ts';
import { sourceRequestOf, tableRequests } from './table-requests.ts';
import { openWriter, type Writer } from './writer.ts';

export interface StreamParts extends Opening {
  /** The stream as the files on disk say it now (a replay runs the current files). */
  readonly reload?: () => Promise<StreamConfig>;
  readonly status: StreamStatus;
  /** Stop: nothing more is read, what is in flight is finished. */
  readonly soft: AbortSignal;
  /** The drain's time is up. */
  readonly hard: AbortSignal;
}

export type StreamEnd =
  | { readonly state: 'ended' }
  /** `left`: a plugin did not let go after a hard stop, so something of the stream still runs. */
  | { readonly state: 'stopped'; readonly left?: true }
  | { readonly state: 'failed'; readonly error: SluiceError };

const REQUESTS_EVERY_MS = 1_000;

/** Never throws: how it ended is its result. */
export async function runStream(parts: StreamParts): Promise<StreamEnd> {
  const { status, config, store } = parts;
  const opened: { source: Source | null; slots: readonly Slot[]; chain: Chain | null } = {
    source: null,
    slots: [],
    chain: null,
  };
  let lock: AsyncDisposable | null = null;
  try {
    lock = await store.lock(config.id);
    opened.slots = await whenThere(parts, () => openSlots(parts));
    status.slots = opened.slots;
    opened.chain = await openChain(parts, opened.slots);
    status.steps = opened.chain.steps;
    const source = await whenThere(parts, () => openSource(parts, opened.chain!));
    opened.source = source;
    status.isBusy = () => source.isBusy?.() === true;
    status.state = await sessions(parts, source, opened.chain, opened.slots);
    return { state: status.state as 'ended' | 'stopped' };
  } catch (thrown) {
    if (thrown instanceof Interrupted || parts.hard.aborted) {
      status.state = 'stopped';
      return { state: 'stopped' };
    }
    const error =
      thrown instanceof StreamFailed || thrown instanceof SessionLost ? thrown.error : toSluiceError(thrown);
    status.state = 'failed';
    status.reason = error;
    parts.log.error({ stream: config.id, error: error.toJSON() }, `stream ${config.id} failed: ${error.message}`);
    return { state: 'failed', error };
  } finally {
    for (const transform of opened.chain?.steps ?? []) await quietly(parts, transform.transform);
    if (opened.source !== null) await quietly(parts, opened.source);
    for (const slot of opened.slots) await quietly(parts, slot.sink);
    if (lock !== null) await quietly(parts, lock); // a failed stream releases its lock too
  }
}

async function sessions(
  parts: StreamParts,
  source: Source,
  chain: Chain,
  slots: readonly Slot[],
): Promise<'ended' | 'stopped'> {
  const { status, config } = parts;
  let owned = false; // the home's epoch was raised by this run
  let absences = 0;
  let delay = 0;
  for (;;) {
    const beside = new AbortController(); // ends what goes on beside a session: probes of sinks that are away
    let writer: Writer | null = null; // once there is one, requests can be served while we wait
    try {
      let saved = await loadCheckpoint(config, slots, parts.store);
      if (!owned) {
        for (const slot of slots) {
          if (slot.role === 'home') await atHome(slot.sink.transactional!.open(config.id)); // fences out an older writer
        }
        // Again: until now that writer, on another machine, could still commit.
        saved = await loadCheckpoint(config, slots, parts.store);
      }
      const checkpoint = takeOver(config, saved, !owned);
      owned = true;
      const parked = { saved: checkpoint.parked };
      const budget = config.park_after === undefined ? null : budgetOfTables(config.park_after);
      const tables = tableRequests({
        source,
        store: parts.store,
        parked,
        parkedTable({ id, reason }) {
          parts.log.warn({ stream: config.id, table: id, reason }, `table ${id} is parked: ${reason}`);
        },
        resumedTable(table) {
          budget?.resumed(table);
          parts.log.info({ stream: config.id, table }, `table ${table} is resumed`);
        },
      });
      const start: Start = { checkpoint, first: saved === null, parked, budget, end: beside.signal };
      const open = await startWriter(parts, slots, chain, start);
      writer = open;
      const running: RunningParts & { readonly parts: StreamParts } = {
        parts,
        writer: open,
        slots,
        chain,
        parked,
        tables,
      };
      await waitOut(parts, delay, requestPoller(running, false));
      status.read = 0;
      status.covered = 0;
      status.lastActivity = performance.now(); // the time that the start took is not idle time
      return await runSession({
        source,
        chain,
        writer: open,
        soft: parts.soft,
        hard: parts.hard,
        between: requestPoller(running, true),
        tables,
        observe: {
          read(events, bytes, phase) {
            status.phase = phase;
            status.read += events;
            status.bytesRead += bytes;
            if (events > 0) status.lastActivity = performance.now();
            if (status.waitsForSink) return;
            status.state = phase;
            status.reason = null;
          },
          leftBehind() {
            parts.log.warn(
              { stream: config.id },
              'the source did not end within 5 s after it was told to, and is left behind',
            );
          },
          quiet() {
            if (status.waitsForSink) return;
            status.state = status.phase ?? 'streaming';
            status.reason = null;
          },
          committed(events, lastTs) {
            absences = 0;
            status.covered += events;
            status.checkpoint = open.checkpoint;
            status.lastTs = lastTs || status.lastTs;
            status.state = status.phase ?? 'streaming';
            status.reason = null;
            status.waitsForSink = false;
            if (events > 0) status.lastActivity = performance.now();
          },
        },
      });
    } catch (thrown) {
      status.waitsForSink = false;
      if (thrown instanceof Reposition) {
        delay = 0;
        continue;
      }
      if (thrown instanceof RequestWaits) {
        delay = 1; // long enough to look for the request, with the sinks restored
        continue;
      }
      if (thrown instanceof StreamFailed || thrown instanceof Interrupted) throw thrown;
      const error = thrown instanceof SessionLost ? thrown.error : toSluiceError(thrown);
      if (parts.soft.aborted || parts.hard.aborted) {
        const told = `stream ${config.id} stops with events pending: ${error.message}`;
        parts.log.warn({ stream: config.id, error: error.toJSON() }, told);
        throw new Interrupted();
      }
      if (!(thrown instanceof SessionLost) && !isAbsenceClass(error)) throw new StreamFailed(error);
      absences++;
      waitOrFail(parts, error, absences);
      delay = backoffDelay(config.retry_policy, absences);
      if (writer === null) {
        await pause(delay, parts.soft); // waitOut() is not reached as long as this fails: without a wait here we would spin
        delay = 0;
      }
    } finally {
      beside.abort();
      await writer?.abandon();
      for (const slot of slots) await slot.probing;
    }
  }
}

/** What a session starts with. */
interface Start {
  readonly checkpoint: Checkpoint;
  /** There was no checkpoint. */
  readonly first: boolean;
  readonly parked: { saved: readonly Parked[] };
  readonly budget: BudgetOfTables | null;
  readonly end: AbortSignal;
}

async function startWriter(
  parts: StreamParts,
  slots: readonly Slot[],
  chain: Chain,
  { checkpoint, first, parked, budget, end }: Start,
): Promise<Writer> {
  const { config, store, status } = parts;
  const tellOfSink = (slot: Slot, error: SluiceError, what: string): void =>
    parts.log.warn({ stream: config.id, sink: slot.id, error: error.toJSON() }, `${what}: ${error.message}`);
  for (const slot of slots) {
    await restoreSlot(slot, checkpoint, (_, error) =>
      tellOfSink(
        slot,
        error,
        `sink ${slot.id} could not go back to its last checkpoint, and gets nothing until it can`,
      ),
    );
  }
  parkAgain(chain, checkpoint);
  const keyed = slots.some((slot) => slot.sink.keyed);
  const waits = new Map<string, SluiceError>(); // by whom
  const writer: Writer = openWriter({
    stream: config.id,
    store,
    slots,
    checkpoint,
    book: await openLetterBook(store, config.id, keyed, checkpoint.ledger.in),
    policy: config.commit_policy,
    retry: config.retry_policy,
    maxLetterBytes: config.dead_letters.max_bytes,
    soft: AbortSignal.any([parts.soft, end]),
    hard: parts.hard,
    parked: () => parkedNow(chain, parked.saved),
    lastTransform: lastTransformOf(chain),
    destinationOf: (place) => destinationOf(config, place),
    requestWaits: onceASecond(async () => {
      const next = await store.nextRequest(config.id, writer.checkpoint.request);
      return next !== null && sourceRequestOf(next) === null; // nothing is given up for what only the source can do
    }, false),
    rejected(table) {
      const reason = budget?.rejected(table);
      if (reason == null) return;
      // As a request, so that a crash does not forget it.
      void store.addRequest({ stream: config.id, type: 'park', body: { table, reason } }).catch((thrown: unknown) => {
        budget?.resumed(table); // counted anew
        parts.log.warn(
          { stream: config.id, table, error: toSluiceError(thrown).toJSON() },
          'a table could not be parked',
        );
      });
    },
    lettersRefused: (slot, count, error) =>
      tellOfSink(slot, error, `sink ${slot.id} rejected ${count} dead letters, which are in the state store only`),
    waiting(whom, error) {
      if (error === null) waits.delete(whom);
      else waits.set(whom, error);
      const reason = [...waits.values()].at(-1) ?? null;
      status.waitsForSink = reason !== null;
      status.reason = reason;
      if (reason !== null) status.state = 'waiting';
      else if (status.state === 'waiting') status.state = status.phase ?? 'streaming';
      if (error === null) return;
      parts.log.warn({ stream: config.id, error: error.toJSON() }, `stream ${config.id} waits: ${error.message}`);
    },
    left(slot, error) {
      tellOfSink(slot, error, `sink ${slot.id} is away, and the stream goes on without it`);
    },
    sinkReturned(slot) {
      parts.log.info({ stream: config.id, sink: slot.id }, `sink ${slot.id} is back`);
    },
  });
  await answerAnew(store, config.id, checkpoint.request);
  await answerCovered(store, config.id, checkpoint.request);
  // A first checkpoint (no position, all sink states) is saved before the first write (DELIVERY.md, section 2.6).
  if (first) await writer.commit({});
  status.checkpoint = writer.checkpoint;
  return writer;
}

/** Carries out the next request, one at a time, with nothing at the sinks. `reads`: the source can be asked, too. */
function requestPoller(to: RunningParts & { readonly parts: StreamParts }, reads: boolean): () => Promise<void> {
  const { parts, writer, tables } = to;
  return onceASecond(async () => {
    if (parts.hard.aborted) return;
    const refused = tables.refused();
    if (refused !== null) await refuse(refused.number, refused.error, to);
    const next: StoredRequest | null = await parts.store.nextRequest(parts.config.id, writer.checkpoint.request);
    if (next === null || next.number === tables.given) return;
    if (reads || sourceRequestOf(next) === null) await carryOut(next, to);
  }, undefined);
}

/** Calls through at most once a second, the first time at once; in between the answer is `otherwise`. */
function onceASecond<T>(look: () => Promise<T>, otherwise: T): () => Promise<T> {
  let last = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() - last < REQUESTS_EVERY_MS) return otherwise;
    last = performance.now();
    return await look();
  };
}

async function waitOut(parts: StreamParts, delay: number, requests: () => Promise<void>): Promise<void> {
  const until = performance.now() + delay;
  for (let left = delay; left > 0 && !parts.soft.aborted; left = until - performance.now()) {
    await pause(Math.min(left, REQUESTS_EVERY_MS), parts.soft);
    await requests();
  }
  if (parts.soft.aborted) throw new Interrupted();
}

/** Opens something that may not be there yet. What is wrong in itself (a setting, a missing driver) fails at once. */
async function whenThere<T>(parts: StreamParts, open: () => Promise<T>): Promise<T> {
  for (let absences = 1; ; absences++) {
    try {
      return await open();
    } catch (thrown) {
      const error = toSluiceError(thrown, 'E_SOURCE_CONNECT');
      if (!isAbsenceClass(error)) throw new StreamFailed(error);
      waitOrFail(parts, error, absences);
      await pause(backoffDelay(parts.config.retry_policy, absences), parts.soft);
      if (parts.soft.aborted) throw new Interrupted();
    }
  }
}

function waitOrFail(parts: StreamParts, error: SluiceError, absences: number): void {
  const { config, status } = parts;
  if (isPermanent(error, config.retry_policy)) throw new StreamFailed(error);
  if (usedUp(absences, config.retry_policy)) {
    throw new StreamFailed(
      sluiceError('E_STREAM_ATTEMPTS', {
        message: `stream ${config.id} gave up after ${absences} attempts: ${error.message}`,
        fix: 'mend it and run again, or leave out retry_policy.max_attempts to wait for ever',
        cause: error,
      }),
    );
  }
  status.state = 'waiting';
  status.reason = error;
  parts.log.warn(
    { stream: config.id, error: error.toJSON(), attempt: absences },
    `stream ${config.id} waits: ${error.message}`,
  );
}

// Something that is wrong in itself does not get better by waiting; a fault of ours neither.
function isAbsenceClass(error: SluiceError): boolean {
  return error.class === 'environment' && error.code !== 'E_PLUGIN_DRIVER' && error.code !== 'E_STATE_LOCKED';
}

async function quietly(parts: StreamParts, thing: AsyncDisposable): Promise<void> {
  try {
    await thing[Symbol.asyncDispose]();
  } catch (thrown) {
    parts.log.warn(
      { stream: parts.config.id, error: toSluiceError(thrown).toJSON() },
      'something did not close cleanly',
    );
  }
}
