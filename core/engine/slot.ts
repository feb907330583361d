// A sink as the engine holds it: the plugin's sink, its settings, its counts, and what is known of its absence.

import { type Checkpoint, emptyCounts, type Gap, type SinkCounts } from '../checkpoint.ts';
import type { SluiceError } from '../errors.ts';
import type { EventBatch } from '../event.ts';
import type { SinkConfig } from '../manifest/model.ts';
import type { Sink } from '../plugin.ts';
import type { Json } from '../values.ts';

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
  /** Something was written that `state` does not cover: the next checkpoint waits for its flush. */
  dirty: boolean;
  /** Set while a sink that is not needed is away. */
  away: Away | null;
  gap: Gap | null;
  /** Why it is parked, or null. */
  parked: { readonly reason: string; readonly since: string } | null;
  /** How often in a row it was not there. */
  absences: number;
  /** Resolves when no write that was given up is still under way. */
  busy: Promise<void>;
  probing: Promise<void> | null;
}

export interface Away {
  readonly since: string;
  readonly error: SluiceError;
  /** The last batch that it missed: what it is probed with. */
  missed: EventBatch;
  probes: number;
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
    away: null,
    gap: null,
    parked: null,
    absences: 0,
    busy: Promise.resolve(),
    probing: null,
  };
}

/** Back to what the checkpoint says, the sink itself too: what is not covered is read again. */
export async function restoreSlot(slot: Slot, saved: Checkpoint): Promise<void> {
  const kept = saved.sinks[slot.id];
  const parked = saved.parked.find((entry) => entry.kind === 'sink' && entry.id === slot.id);
  slot.counts = kept?.counts ?? emptyCounts;
  slot.state = kept?.state ?? null;
  slot.gap = saved.gaps.find((gap) => gap.sink === slot.id && gap.to === null) ?? null;
  slot.parked = parked === undefined ? null : { reason: parked.reason, since: parked.since };
  slot.away = null;
  slot.dirty = true;
  slot.absences = 0;
  await slot.busy;
  await slot.sink.state?.restore(slot.state);
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

/** Makes durable what the sink took, so that the next checkpoint covers it. @throws whatever the sink throws */
export async function flushSlot(slot: Slot): Promise<void> {
  if (slot.sink.state !== undefined) slot.state = await slot.sink.state.flush();
  slot.dirty = false;
}
