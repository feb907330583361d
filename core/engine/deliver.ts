// The third stage: one group of outputs to all sinks, until the commit policy is satisfied.
// The sinks write side by side, the home after them (DESIGN.md, section 5). A sink that is needed holds the group for as
// long as it takes; one that is not has write_timeout, and then the group goes on without it: it is away, is probed with
// back-off by the last batch that it missed, and is back when a probe is taken (DELIVERY.md, section 3).

import { pick } from '../batch.ts';
import { isSluiceError, type SluiceError, sluiceError, toSluiceError } from '../errors.ts';
import type { EventBatch } from '../event.ts';
import type { ErrorHandling, RetryPolicy } from '../manifest/model.ts';
import type { HomeTransaction, WriteResult } from '../plugin.ts';
import { sinkKey } from '../sink-key.ts';
import { canonical } from '../values.ts';
import { isPermanent, usedUp } from './absence.ts';
import { backoffDelay, pause } from './backoff.ts';
import type { CommitPolicy } from './commit-policy.ts';
import { Interrupted, RequestWaits, SessionLost, StreamFailed } from './ends.ts';
import { noProgress, type Progress, settle } from './settle.ts';
import { type Away, flushSlot, type Missed, refreshSlot, type Slot } from './slot.ts';
import type { Group } from './work.ts';

export interface DeliverParts {
  readonly slots: readonly Slot[];
  readonly policy: CommitPolicy;
  readonly retry: RetryPolicy;
  /** Stop was asked for: waiting for something absent ends. */
  readonly soft: AbortSignal;
  /** Everything ends. */
  readonly hard: AbortSignal;
  /** A replay: an event that fails is a dead letter again, whatever the sink's policy. */
  readonly replay?: boolean;
  /** The home's open transaction. */
  transaction(): Promise<HomeTransaction>;
  /** True when a request waits to be carried out. Asked while a sink is away. */
  requestWaits(): Promise<boolean>;
  /** The stream waits for a sink (or, with null, does no longer). */
  waiting(error: SluiceError | null): void;
  /** Where the group that is delivered stands in the order of the session's source events. */
  order(): number;
  /** A sink that was away took its probe: it is back, and these of the outputs that it had missed are delivered. */
  returned(slot: Slot, missed: Missed, delivered: ReadonlySet<number>): void;
}

/** What became of the group at one sink. */
export interface SlotOutcome {
  readonly slot: Slot;
  readonly progress: Progress;
  readonly missed: readonly number[];
  /** Why they were missed. */
  readonly error: SluiceError | null;
}

/** `only`: the sinks that a replay writes to; absent: all that take data. */
export async function deliver(group: Group, given: DeliverParts, only?: ReadonlySet<string>): Promise<SlotOutcome[]> {
  const parts = only === undefined ? given : { ...given, replay: true, retry: { ...given.retry, max_attempts: 1 } };
  const slots = parts.slots.filter((slot) => slot.role !== 'letters' && (only === undefined || only.has(slot.id)));
  const others = slots.filter((slot) => slot.role === 'data');
  const home = slots.find((slot) => slot.role === 'home');
  const live = others.filter((slot) => slot.away === null && slot.parked === null);
  const quorum = typeof parts.policy === 'object' ? parts.policy.quorum - (home === undefined ? 0 : 1) : 0;
  // A quorum that the sinks which are there cannot make needs the others back: then everyone holds the stream.
  const all = quorum > live.length;

  let settled = 0;
  const enough = new AbortController();
  const outcomes = await allOrFirstError(
    others.map(async (slot) => {
      const needed = slot.needed || all || parts.replay === true;
      const outcome = await deliverAt(slot, group, parts, needed, quorum > 0 ? enough.signal : null);
      if (outcome.missed.length === 0) settled++;
      if (settled >= quorum) enough.abort();
      return outcome;
    }),
  );
  if (home !== undefined) outcomes.push(await deliverHome(home, group, parts));
  return outcomes;
}

// Waits for all, so that no write is under way when an error is seen; a failed stream wins over an interruption.
async function allOrFirstError<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises);
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  if (errors.length > 0) throw errors.find((error) => error instanceof StreamFailed) ?? errors[0];
  return results.map((result) => (result as PromiseFulfilledResult<T>).value);
}

async function deliverAt(
  slot: Slot,
  group: Group,
  parts: DeliverParts,
  needed: boolean,
  enough: AbortSignal | null,
): Promise<SlotOutcome> {
  const indices = (): number[] => Array.from({ length: group.out.length }, (_, j) => j);
  if (slot.parked !== null) {
    return {
      slot,
      progress: noProgress(),
      missed: indices(),
      error: sluiceError('E_SINK_PARKED', { message: `sink ${slot.id} is parked: ${slot.parked.reason}` }),
    };
  }
  if (slot.away !== null && !needed) {
    if (group.out.length > 0) slot.away.missed = { group, indices: indices(), order: parts.order() };
    return { slot, progress: noProgress(), missed: indices(), error: slot.away.error };
  }
  const progress = noProgress();
  if (needed) {
    await endProbe(slot);
    await settleAt(slot, group.out, parts, progress, parts.hard, true, { rejected: duplicateOutputs(slot, group) });
    slot.dirty = true;
    if (!slot.needed) await flushNow(slot); // a quorum or a replay needs it now, the next batch may not

    return { slot, progress, missed: [], error: null };
  }
  let error = await withinTimeout(slot, group, parts, progress, enough);
  let missed = error === null ? [] : progress.open === null ? indices() : [...progress.open];
  // What it took must be durable there at once: when it goes away, the next checkpoint cannot wait for its flush.
  if (missed.length < group.out.length) {
    await flushSlot(slot).catch((thrown: unknown) => {
      error = toSluiceError(thrown, 'E_SINK_WRITE');
      missed = indices();
      progress.exceptions.clear();
    });
  }
  if (error === null) return { slot, progress, missed: [], error: null };
  goAway(slot, { group, indices: missed, order: parts.order() }, parts, error);
  return { slot, progress, missed, error };
}

/** null: all settled in time; else why not. Whatever still runs then is aborted, and waited for by the slot's next write. */
async function withinTimeout(
  slot: Slot,
  group: Group,
  parts: DeliverParts,
  progress: Progress,
  enough: AbortSignal | null,
): Promise<SluiceError | null> {
  const limit = new AbortController();
  const signal = AbortSignal.any([limit.signal, parts.hard]);
  const running = { exceptions: new Map(progress.exceptions), open: progress.open };
  let last: SluiceError | null = null;
  const work = settleAt(slot, group.out, parts, running, signal, false, {
    rejected: duplicateOutputs(slot, group),
    sawAbsence(error) {
      last = error;
    },
  }).then(
    () => 'settled' as const,
    (thrown: unknown) => {
      if (thrown instanceof Interrupted) return 'interrupted' as const;
      throw thrown;
    },
  );
  slot.busy = work.then(
    () => undefined,
    () => undefined,
  );
  const over = new AbortController(); // the timer must not outlive the batch
  const timer = pauseUntilDue(slot.config.write_timeout, enough, AbortSignal.any([parts.hard, over.signal]));
  const winner = await Promise.race([work, timer.then(() => 'late' as const)]).finally(() => over.abort());
  if (winner !== 'settled') limit.abort();
  for (const [j, exception] of running.exceptions) progress.exceptions.set(j, exception);
  progress.open = running.open;
  if (winner === 'settled') return null;
  if (parts.hard.aborted) throw new Interrupted();
  return (
    last ??
    sluiceError('E_SINK_TIMEOUT', {
      message: `sink ${slot.id} did not settle a batch within ${slot.config.write_timeout} ms`,
    })
  );
}

// The time-out counts from the beginning of the batch, but under a quorum nobody is given up before the quorum is there.
async function pauseUntilDue(ms: number, enough: AbortSignal | null, hard: AbortSignal): Promise<void> {
  await pause(ms, hard);
  if (enough === null || enough.aborted || hard.aborted) return;
  await new Promise<void>((resolve) => {
    enough.addEventListener('abort', () => resolve(), { once: true });
    hard.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Settles a batch at one sink. `holds`: the sink is needed, so its absence holds the stream and is shown. */
export async function settleAt(
  slot: Slot,
  batch: EventBatch,
  parts: DeliverParts,
  progress: Progress,
  signal: AbortSignal,
  holds: boolean,
  extra: { readonly rejected?: ReadonlyMap<number, SluiceError>; sawAbsence?(error: SluiceError): void } = {},
): Promise<void> {
  await slot.busy; // a write that was given up may still be under way: two writes at one sink never overlap
  await settle(
    batch,
    {
      sinkId: slot.id,
      policy: policyOf(slot, parts),
      signal,
      progress,
      async write(some, s) {
        await refreshSlot(slot);
        return await slot.sink.write(some, s);
      },
      present() {
        slot.absences = 0;
        if (holds) parts.waiting(null);
      },
      async absent(error, leastMs) {
        slot.absences++;
        extra.sawAbsence?.(error);
        if (holds) {
          if (isPermanent(error, parts.retry)) throw new StreamFailed(error);
          if (usedUp(slot.absences, parts.retry)) throw new StreamFailed(attemptsError(slot, error));
          parts.waiting(error);
        }
        await pause(Math.max(leastMs, backoffDelay(parts.retry, slot.absences)), AbortSignal.any([signal, parts.soft]));
        if (signal.aborted || parts.soft.aborted) throw new Interrupted();
        if (holds && parts.replay !== true && (await parts.requestWaits())) throw new RequestWaits();
      },
    },
    extra.rejected,
  );
}

async function deliverHome(slot: Slot, group: Group, parts: DeliverParts): Promise<SlotOutcome> {
  const progress = noProgress();
  const lost = (thrown: unknown): never => {
    if (parts.hard.aborted) throw new Interrupted();
    const error = toSluiceError(thrown, 'E_SINK_WRITE');
    throw error.permanent ? new StreamFailed(error) : new SessionLost('sink', error);
  };
  const transaction = await parts.transaction().catch(lost);
  await settle(
    group.out,
    {
      sinkId: slot.id,
      policy: policyOf(slot, parts),
      signal: parts.hard,
      progress,
      write: (batch, signal) => transaction.write(batch, signal),
      present() {},
      // A throw from the home's transaction means that it is lost (DELIVERY.md, section 2.5).
      absent: async (error) => lost(error),
    },
    duplicateOutputs(slot, group),
  );
  return { slot, progress, missed: [], error: null };
}

/** Two outputs of one event with one key and one op are both rejected, at keyed sinks only (DELIVERY.md, section 4). */
export function duplicateOutputs(slot: Slot, group: Group): Map<number, SluiceError> {
  const rejected = new Map<number, SluiceError>();
  if (!slot.sink.keyed || !group.hasFanOut) return rejected;
  let from = 0;
  for (let j = 1; j <= group.out.length; j++) {
    if (j < group.out.length && group.originOf(j) === group.originOf(from)) continue;
    if (j - from > 1) markDuplicates(slot, group, from, j, rejected);
    from = j;
  }
  return rejected;
}

function markDuplicates(slot: Slot, group: Group, from: number, to: number, rejected: Map<number, SluiceError>): void {
  const seen = new Map<string, number>();
  for (let j = from; j < to; j++) {
    const key = sinkKey(group.out, j, slot.sink.key);
    if (key === null || isSluiceError(key)) continue;
    const name = `${group.out.op(j)} ${group.out.table(j)} ${canonical(key.key)}`;
    const other = seen.get(name);
    seen.set(name, j);
    if (other === undefined) continue;
    const error = sluiceError('E_SINK_DUPLICATE', {
      message: `two outputs of event ${group.sourceOf(j).batch.id(group.sourceOf(j).index)} have the same key at sink ${slot.id}`,
      fix: 'give each output of the fan-out its own key, and the sink a `key` that holds it',
    });
    rejected.set(other, error);
    rejected.set(j, error);
  }
}

function goAway(slot: Slot, missed: Missed, parts: DeliverParts, error: SluiceError): void {
  slot.away = { since: new Date().toISOString(), error, missed, probes: 0, end: new AbortController() };
  slot.probing = probe(slot, slot.away, parts).finally(() => {
    slot.probing = null;
  });
}

/** Nobody but the caller writes at the sink from here on. */
async function endProbe(slot: Slot): Promise<void> {
  slot.away?.end.abort();
  slot.away = null;
  await slot.probing;
}

async function probe(slot: Slot, away: Away, parts: DeliverParts): Promise<void> {
  await slot.busy;
  const ended = AbortSignal.any([parts.soft, parts.hard, away.end.signal]);
  while (!ended.aborted) {
    away.probes++;
    await pause(backoffDelay(parts.retry, away.probes), ended);
    if (ended.aborted) return;
    const { missed } = away;
    const batch = pick(missed.group.out, missed.indices);
    const writing = writeAndFlush(
      slot,
      batch,
      AbortSignal.any([ended, AbortSignal.timeout(slot.config.write_timeout)]),
    );
    const answered = writing.catch((): readonly WriteResult[] => []);
    slot.busy = answered.then(() => undefined);
    const results = await answered;
    if (!results.some((result) => result.status === 'ok' || result.status === 'reject')) continue;
    slot.away = null;
    slot.absences = 0;
    const delivered = missed.indices.filter((_, k) => results[k]?.status === 'ok');
    parts.returned(slot, missed, new Set(delivered));
    return;
  }
}

async function flushNow(slot: Slot): Promise<void> {
  try {
    await flushSlot(slot);
  } catch (thrown) {
    throw new SessionLost('sink', toSluiceError(thrown, 'E_SINK_WRITE'));
  }
}

async function writeAndFlush(slot: Slot, batch: EventBatch, signal: AbortSignal): Promise<readonly WriteResult[]> {
  await refreshSlot(slot);
  const results = await slot.sink.write(batch, signal);
  await flushSlot(slot);
  return results;
}

function policyOf(slot: Slot, parts: DeliverParts): ErrorHandling {
  const policy = slot.config.error_handling;
  return parts.replay === true ? { ...policy, on_error: 'dead_letter' } : policy;
}

function attemptsError(slot: Slot, cause: SluiceError): SluiceError {
  return sluiceError('E_STREAM_ATTEMPTS', {
    message: `sink ${slot.id} was not there ${slot.absences} times in a row: ${cause.message}`,
    fix: 'bring it back and run again, or leave out retry_policy.max_attempts to wait for ever',
    cause,
  });
}
