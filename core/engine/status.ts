// What can be known of a running stream from outside: for the progress line, metrics, health, and the live row in the store.

import type { Checkpoint, Ledger } from '../checkpoint.ts';
import { emptyLedger } from '../checkpoint.ts';
import type { SluiceError } from '../errors.ts';
import type { Phase } from '../plugin.ts';
import type { LiveStatus, StreamState } from '../state/store.ts';
import type { Step } from './chain.ts';
import type { Slot } from './slot.ts';

export interface StreamStatus {
  readonly id: string;
  state: StreamState;
  /** Why it waits or failed. */
  reason: SluiceError | null;
  /** A needed sink is away; that reading goes on meanwhile does not change it. */
  waitsForSink: boolean;
  checkpoint: Checkpoint | null;
  slots: readonly Slot[];
  steps: readonly Step[];
  /** Source events read in this session, and how many of them a checkpoint covers. */
  read: number;
  covered: number;
  /** Bytes of rows read since the start of the process. */
  bytesRead: number;
  /** source.ts_ms of the last covered event, 0 where the source knows no times. */
  lastTs: number;
  phase: Phase | null;
  /** performance.now() of the last event read or covered: what --until-idle goes by. */
  lastActivity: number;
  /** What the source says of itself. */
  isBusy: () => boolean;
}

export function newStatus(id: string): StreamStatus {
  return {
    id,
    state: 'starting',
    reason: null,
    waitsForSink: false,
    checkpoint: null,
    slots: [],
    steps: [],
    read: 0,
    covered: 0,
    bytesRead: 0,
    lastTs: 0,
    phase: null,
    lastActivity: performance.now(),
    isBusy: () => false,
  };
}

/** Invariant 4: in = delivered + filtered + skipped + dead_lettered + pending; a checkpoint's own `in` is what it covers. */
export function ledgerWith(checkpoint: Checkpoint | null, pending: number): Ledger & { readonly pending: number } {
  const covered = checkpoint?.ledger ?? emptyLedger;
  return { ...covered, in: covered.in + pending, pending };
}

export function ledgerNow(status: StreamStatus): Ledger & { readonly pending: number } {
  return ledgerWith(status.checkpoint, pendingOf(status));
}

/** What is still pending of a live row's pending events, now that a checkpoint that may be newer is known. */
export function pendingSince(row: LiveStatus, checkpoint: Checkpoint | null): number {
  return Math.max(0, row.pending - ((checkpoint?.ledger.in ?? 0) - row.covered));
}

/** Read and not yet covered by a checkpoint. */
export function pendingOf(status: StreamStatus): number {
  return Math.max(0, status.read - status.covered);
}

/** Now minus the source's time of the last covered event; null where nothing is known. */
export function lagOf(status: StreamStatus): number | null {
  if (status.lastTs === 0) return null;
  return pendingOf(status) === 0 && status.state === 'streaming' ? 0 : Math.max(0, Date.now() - status.lastTs);
}

export function liveRow(status: StreamStatus): LiveStatus {
  return {
    stream: status.id,
    state: status.state,
    pending: pendingOf(status),
    covered: status.checkpoint?.ledger.in ?? 0,
    lag_ms: lagOf(status),
    reason: status.reason?.toJSON() ?? null,
    pid: process.pid,
    details: {
      away: status.slots.flatMap((slot) => (slot.away === null ? [] : [{ sink: slot.id, since: slot.away.since }])),
      lanes: status.steps.flatMap(({ id, loaded }) => {
        const lane = loaded?.lane() ?? null;
        return lane === null ? [] : [{ transform: id, ...lane }];
      }),
      gaps: status.slots.flatMap((slot) => (slot.gap === null ? [] : [{ sink: slot.id, events: slot.gap.events }])),
    },
    written_at: new Date().toISOString(),
  };
}
