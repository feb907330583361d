// A sink as the engine holds it: the plugin's sink, its settings, its counts, and what is known of its absence.

import { type Checkpoint, emptyCounts, type Gap, type SinkCounts } from '../checkpoint.ts';
import { type SluiceError, sluiceError, toSluiceError } from '../errors.ts';
import type { SinkConfig } from '../manifest/model.ts';
import type { Sink } from '../plugin.ts';
import type { Json } from '../values.ts';
import { aborted, pause } from './backoff.ts';
import type { Group } from './work.ts';

/** home: the checkpoint lives there; data: writes events; letters: gets dead letters only (dead_letter_destination). */
export type Role = 'home' | 'data' | 'letters';

export interface Slot {
  readonly id: string;
  readonly config: SinkConfig;
  readonly sink: Sink;
  readonly role: Role;
  /** The commit policy always needs it: absence holds the stream. */
  readonly needed: boolean;
  counts: SinkCounts;
  /** What the sink keeps in the checkpoint, as of its last flush. */
  state: Json;
  /** `state` was not given back to the sink yet: done before its next write. */
  stale: boolean;
  /** Something was written that `state` does not cover: the next checkpoint waits for its flush. */
  dirty: boolean;
  /** Set while a sink that is not needed is away. */
  away: Away | null;
  /** It took a group since this session began, and since it was away. */
  answered: boolean;
  /** Open: it closes at the first checkpoint after the sink answered. */
  gap: Gap | null;
  /** How often in a row it was not there. */
  absences: number;
  /** Set while a write is under way that may be given up, or was: nothing is written beside it. */
  busy: Promise<void> | null;
  /** Set while it is probed. Resolves soon after the probe's end is asked for, whatever its write does. */
  probing: Promise<void> | null;
}

export interface Away {
  readonly since: string;
  readonly error: SluiceError;
  /** What it missed last: what it is probed with. */
  missed: Missed;
  probes: number;
  /** Ends the probing: somebody needs the sink now. */
  readonly end: AbortController;
}

/** Outputs of a group that a sink missed. */
export interface Missed {
  readonly group: Group;
  readonly indices: readonly number[];
  /** How many source events had entered before the group. */
  readonly entered: number;
}

export function slotOf(config: SinkConfig, sink: Sink, role: Role, needed: boolean): Slot {
  return {
    id: config.id,
    config,
    sink,
    role,
    needed,
    counts: emptyCounts,
    state: null,
    dirty: false,
    stale: false,
    away: null,
    answered: false,
    gap: null,
    absences: 0,
    busy: null,
    probing: null,
  };
}

/**
 * Back to what the checkpoint says, the sink itself too: what is not covered is read again. A sink that is not needed and
 * cannot be restored now does not hold the stream: `refused` is told, and it is restored before its next write.
 */
export async function restoreSlot(
  slot: Slot,
  saved: Checkpoint,
  refused: (slot: Slot, error: SluiceError) => void,
): Promise<void> {
  const kept = saved.sinks[slot.id];
  slot.counts = kept?.counts ?? emptyCounts;
  slot.state = kept?.state ?? null;
  slot.gap = saved.gaps.find((gap) => gap.sink === slot.id && gap.to === null) ?? null;
  slot.away = null;
  slot.answered = false;
  slot.dirty = true;
  slot.absences = 0;
  slot.stale = slot.sink.state !== undefined;
  try {
    await limited(slot, () => refreshSlot(slot)); // it may hang in what the last session asked of it
  } catch (thrown) {
    const error = toSluiceError(thrown, 'E_SINK_WRITE');
    if (slot.needed) throw error;
    refused(slot, error);
  }
}

/** Keeps `work` as under way at the sink, beside what may still be under way there. */
export function occupy(slot: Slot, work: Promise<unknown>): void {
  const busy = Promise.allSettled([slot.busy, work]).then(() => undefined);
  slot.busy = busy;
  void busy.then(() => {
    if (slot.busy === busy) slot.busy = null;
  });
}

/**
 * Does something at a sink, once it is free, and waits for it no longer than write_timeout, whatever the sink does.
 * @throws SluiceError E_SINK_TIMEOUT; it may then still be under way
 */
export async function limited(slot: Slot, work: (givenUp: AbortSignal) => Promise<void>): Promise<void> {
  const limit = new AbortController();
  const over = new AbortController(); // the timer must not outlive the work
  const before = slot.busy;
  const working = (async () => {
    if (before !== null) await Promise.race([before, aborted(limit.signal)]);
    if (!limit.signal.aborted) await work(limit.signal);
  })();
  occupy(slot, working);
  const late = pause(slot.config.write_timeout, over.signal).then(() => {
    if (over.signal.aborted) return;
    limit.abort();
    throw timeoutError(slot);
  });
  await Promise.race([working, late]).finally(() => over.abort());
}

export function timeoutError(slot: Slot): SluiceError {
  return sluiceError('E_SINK_TIMEOUT', {
    message: `sink ${slot.id} did not settle a batch within ${slot.config.write_timeout} ms`,
  });
}

/** Gives the saved state back to the sink, if that was not done yet. @throws whatever the sink throws */
export async function refreshSlot(slot: Slot): Promise<void> {
  if (!slot.stale) return;
  const { state } = slot;
  await slot.sink.state!.restore(state);
  if (slot.state === state) slot.stale = false; // else it was late, and the next session has another
}

export function addCounts(counts: SinkCounts, more: Partial<SinkCounts>): SinkCounts {
  return {
    out: counts.out + (more.out ?? 0),
    delivered: counts.delivered + (more.delivered ?? 0),
    skipped: counts.skipped + (more.skipped ?? 0),
    dead_lettered: counts.dead_lettered + (more.dead_lettered ?? 0),
    missed: counts.missed + (more.missed ?? 0),
  };
}

/**
 * Makes durable what the sink took, so that the next checkpoint covers it. One that was given up meanwhile covers nothing.
 * @throws whatever the sink throws
 */
export async function flushSlot(slot: Slot, givenUp?: AbortSignal): Promise<void> {
  const state = slot.sink.state === undefined ? slot.state : await slot.sink.state.flush();
  if (givenUp?.aborted === true) return;
  slot.state = state;
  slot.dirty = false;
}
