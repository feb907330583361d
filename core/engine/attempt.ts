// One group at one sink, by the two ways of waiting: hold() waits as long as it takes, attempt() is given up when its time
// is over and somebody says that there is enough. Two writes at one sink never overlap.

import { isSluiceError, type SluiceError, sluiceError, toSluiceError } from '../errors.ts';
import type { EventBatch } from '../event.ts';
import type { ErrorHandling } from '../manifest/model.ts';
import { isPermanent, usedUp } from './absence.ts';
import { endProbe, goAway } from './away.ts';
import { aborted, backoffDelay, pause } from './backoff.ts';
import type { DeliverParts, SlotOutcome } from './deliver.ts';
import { duplicateOutputs } from './duplicates.ts';
import { Interrupted, RequestWaits, SessionLost, StreamFailed } from './ends.ts';
import { noProgress, type Progress, settle } from './settle.ts';
import { flushSlot, limited, occupy, refreshSlot, type Slot, timeoutError } from './slot.ts';
import type { Group } from './work.ts';

/** How often a wait looks for requests. */
const REQUESTS_EVERY_MS = 1_000;

/** How the absence of a sink is taken. */
interface Waiting {
  /** The stream waits for this sink now: its absence is shown, and ends the stream when it is permanent or lasts too long. */
  holds(): boolean;
  /** A request that comes is carried out first. */
  givesWay(): boolean;
  /** It answered. */
  present?(): void;
  /** Of the last absence. */
  sawAbsence?(error: SluiceError): void;
}

/** The sink is needed: its absence holds the stream. Throws when the stream ends over it. */
export async function hold(slot: Slot, group: Group, parts: DeliverParts): Promise<SlotOutcome> {
  const progress = noProgress();
  await endProbe(slot);
  if (parts.replay === true) {
    await tryOnce(slot, group, parts, progress);
  } else {
    const late = setTimeout(() => parts.waiting(slot.id, timeoutError(slot)), slot.config.write_timeout);
    try {
      if (slot.busy !== null) await Promise.race([slot.busy, aborted(parts.hard)]);
      await settleAt(
        slot,
        group.out,
        parts,
        progress,
        parts.hard,
        holdsStream(slot, parts),
        duplicateOutputs(slot, group),
      );
    } finally {
      clearTimeout(late);
    }
    slot.dirty = true;
  }
  slot.answered = true;
  return { slot, progress, missed: [], error: null };
}

// A replay: durable at once, because the next group may pass without this sink; and nobody waits for it.
async function tryOnce(slot: Slot, group: Group, parts: DeliverParts, progress: Progress): Promise<void> {
  try {
    await limited(slot, async (givenUp) => {
      const signal = AbortSignal.any([givenUp, parts.hard]);
      await settleAt(slot, group.out, parts, progress, signal, holdsStream(slot, parts), duplicateOutputs(slot, group));
      if (slot.needed) slot.dirty = true;
      else await flushNow(slot);
    });
  } catch (thrown) {
    if (!isSluiceError(thrown)) throw thrown;
    slot.stale = slot.sink.state !== undefined && !slot.needed;
    throw new StreamFailed(thrown);
  }
}

export function holdsStream(slot: Slot, parts: DeliverParts): Waiting {
  return { holds: () => true, givesWay: () => parts.replay !== true, present: () => parts.waiting(slot.id, null) };
}

/** When an attempt is given up. */
export interface GivenUp {
  /** Aborted: nobody waits for this sink beyond its write_timeout. */
  readonly enough: AbortSignal;
  /** Its write_timeout is over, and there is not enough yet. */
  overdue(error: SluiceError): void;
  /** Too few are there or in time: the stream waits for this one. */
  isShort(): boolean;
  /** It was said that the stream waits. */
  isWaiting(): boolean;
  /** A stop ended its waiting. Resolves when it is known whether there is enough without it. */
  interrupted(): Promise<void>;
}

/**
 * Settled here and durable, or given up: then the sink is away, and `missed` says which outputs it did not take. It is
 * flushed at once: when it goes away, the next checkpoint cannot wait for that.
 */
export async function attempt(slot: Slot, group: Group, parts: DeliverParts, until: GivenUp): Promise<SlotOutcome> {
  const before = await endProbe(slot);
  const progress = noProgress();
  const error = await withinTimeout(slot, group, parts, progress, until);
  if (error === null) {
    slot.answered = true;
    return { slot, progress, missed: [], error: null };
  }
  if (slot.sink.state !== undefined) startAgain(slot, progress);
  const missed = progress.open === null ? all(group) : [...progress.open];
  goAway(slot, { group, indices: missed, entered: parts.entered() }, parts, error, before?.since);
  return { slot, progress, missed, error };
}

/** The outcome at a sink that is away and is not asked. */
export function passedBy(slot: Slot, group: Group, parts: DeliverParts, error: SluiceError): SlotOutcome {
  const missed = all(group);
  if (slot.away !== null && missed.length > 0) slot.away.missed = { group, indices: missed, entered: parts.entered() };
  return { slot, progress: noProgress(), missed, error };
}

/** null: all settled and durable; else why not. What still runs then is aborted, and waited for by the slot's next write. */
async function withinTimeout(
  slot: Slot,
  group: Group,
  parts: DeliverParts,
  progress: Progress,
  until: GivenUp,
): Promise<SluiceError | null> {
  const limit = new AbortController();
  const signal = AbortSignal.any([limit.signal, parts.hard]);
  const running = noProgress(); // a write that was given up must not change what was decided about it
  let last: SluiceError | null = null;
  const before = slot.busy;
  const waiting: Waiting = {
    holds: until.isShort,
    givesWay: until.isWaiting,
    sawAbsence(error) {
      last = error;
    },
  };
  const writing = settleDurably(before, slot, group, parts, running, signal, waiting);
  const work = writing.then(
    () => 'settled' as const,
    (thrown: unknown) => {
      if (thrown instanceof Interrupted) return 'interrupted' as const;
      throw thrown;
    },
  );
  occupy(slot, writing);
  const why = (): SluiceError => last ?? timeoutError(slot);
  const over = new AbortController(); // the timer must not outlive the group
  const late = pause(slot.config.write_timeout, AbortSignal.any([parts.hard, over.signal])).then(async () => {
    if (!until.enough.aborted && !over.signal.aborted && !parts.hard.aborted) until.overdue(why());
    await aborted(until.enough, parts.hard, over.signal);
    return 'late' as const;
  });
  const winner = await Promise.race([work, late]).finally(() => over.abort());
  if (winner !== 'settled') limit.abort();
  for (const [j, exception] of running.exceptions) progress.exceptions.set(j, exception);
  progress.open = running.open;
  if (winner === 'settled') return null;
  if (winner === 'interrupted' && !until.enough.aborted && !parts.hard.aborted) await until.interrupted();
  // A stop gives nobody up who was still needed: the group is read again.
  if (parts.hard.aborted || !until.enough.aborted) throw new Interrupted();
  return why();
}

async function settleDurably(
  before: Promise<void> | null,
  slot: Slot,
  group: Group,
  parts: DeliverParts,
  progress: Progress,
  signal: AbortSignal,
  waiting: Waiting,
): Promise<void> {
  if (before !== null) await Promise.race([before, aborted(signal)]); // a write that was given up may still be under way
  for (;;) {
    await settleAt(slot, group.out, parts, progress, signal, waiting, duplicateOutputs(slot, group));
    try {
      await flushSlot(slot, signal);
      if (signal.aborted) throw new Interrupted();
      return;
    } catch (thrown) {
      if (signal.aborted) throw new Interrupted();
      startAgain(slot, progress);
      await waitOut(slot, parts, signal, waiting, toSluiceError(thrown, 'E_SINK_WRITE'), 0);
    }
  }
}

// Nobody knows what is durable of the group: the sink goes back to its last state, and all of the group is written again.
function startAgain(slot: Slot, progress: Progress): void {
  slot.stale = slot.sink.state !== undefined;
  progress.exceptions.clear();
  progress.open = null;
}

/** Settles a batch at one sink, whose `busy` was waited for. `rejected` are settled without being tried. */
export async function settleAt(
  slot: Slot,
  batch: EventBatch,
  parts: DeliverParts,
  progress: Progress,
  signal: AbortSignal,
  waiting: Waiting,
  rejected?: ReadonlyMap<number, SluiceError>,
): Promise<void> {
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
        waiting.present?.();
      },
      absent: (error, leastMs) => waitOut(slot, parts, signal, waiting, error, leastMs),
    },
    rejected,
  );
}

async function waitOut(
  slot: Slot,
  parts: DeliverParts,
  signal: AbortSignal,
  waiting: Waiting,
  error: SluiceError,
  leastMs: number,
): Promise<void> {
  slot.absences++;
  waiting.sawAbsence?.(error);
  if (waiting.holds()) {
    if (isPermanent(error, parts.retry)) throw new StreamFailed(error);
    if (usedUp(slot.absences, parts.retry)) throw new StreamFailed(attemptsError(slot, error));
    parts.waiting(slot.id, error);
  }
  const until = performance.now() + Math.max(leastMs, backoffDelay(parts.retry, slot.absences));
  for (let left = 1; left > 0; ) {
    left = until - performance.now();
    await pause(Math.min(left, REQUESTS_EVERY_MS), AbortSignal.any([signal, parts.soft]));
    if (signal.aborted || parts.soft.aborted) throw new Interrupted();
    if (waiting.givesWay() && (await parts.requestWaits())) throw new RequestWaits();
    left = until - performance.now();
  }
}

export function policyOf(slot: Slot, parts: DeliverParts): ErrorHandling {
  const policy = slot.config.error_handling;
  return parts.replay === true ? { ...policy, on_error: 'dead_letter' } : policy;
}

async function flushNow(slot: Slot): Promise<void> {
  try {
    await flushSlot(slot);
  } catch (thrown) {
    throw new SessionLost(toSluiceError(thrown, 'E_SINK_WRITE'));
  }
}

function all(group: Group): number[] {
  return Array.from({ length: group.out.length }, (_, j) => j);
}

function attemptsError(slot: Slot, cause: SluiceError): SluiceError {
  return sluiceError('E_STREAM_ATTEMPTS', {
    message: `sink ${slot.id} was not there ${slot.absences} times in a row: ${cause.message}`,
    fix: 'bring it back and run again, or leave out retry_policy.max_attempts to wait for ever',
    cause,
  });
}
