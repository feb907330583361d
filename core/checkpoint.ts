// The checkpoint: where a stream resumes, with its ledger, saved as one (invariants 2, 4 and 5).
// Types, and the checksum that is verified whenever one is loaded.

import { createHash } from 'node:crypto';
import { sluiceError } from './errors.ts';
import { canonical, type Json } from './values.ts';

/** Each source event counted once, at its checkpoint: in = delivered + filtered + skipped + dead_lettered. */
export interface Ledger {
  readonly in: number;
  readonly delivered: number;
  readonly filtered: number;
  readonly skipped: number;
  readonly dead_lettered: number;
}

/** A sink's own counts of outputs: out = delivered + skipped + dead_lettered + missed. */
export interface SinkCounts {
  readonly out: number;
  readonly delivered: number;
  readonly skipped: number;
  readonly dead_lettered: number;
  readonly missed: number;
}

/** What a sink that is not needed missed beyond its room for dead letters. Open while `to` is null. */
export interface Gap {
  readonly sink: string;
  readonly from: Json;
  readonly to: Json | null;
  readonly events: number;
}

export interface Parked {
  readonly kind: 'table' | 'transform' | 'sink';
  readonly id: string;
  readonly reason: string;
  /** ISO 8601. */
  readonly since: string;
}

export interface Checkpoint {
  readonly stream: string;
  /** Raised by every writer that takes the stream over. */
  readonly epoch: number;
  /** null: nothing was read yet. */
  readonly position: Json;
  readonly position_version: number;
  readonly ledger: Ledger;
  readonly sinks: Readonly<Record<string, { readonly state: Json; readonly counts: SinkCounts }>>;
  readonly gaps: readonly Gap[];
  readonly parked: readonly Parked[];
  /** The number of the last request that is done: one at or below it is never done again. */
  readonly request: number;
  /** ISO 8601. */
  readonly saved_at: string;
  /** SHA-256 over everything else. */
  readonly checksum: string;
}

export const emptyLedger: Ledger = { in: 0, delivered: 0, filtered: 0, skipped: 0, dead_lettered: 0 };
export const emptyCounts: SinkCounts = { out: 0, delivered: 0, skipped: 0, dead_lettered: 0, missed: 0 };

/** Adds the checksum, in the place of one that is there. */
export function seal(checkpoint: Omit<Checkpoint, 'checksum'>): Checkpoint {
  const { checksum: _, ...rest } = checkpoint as Checkpoint;
  return { ...rest, checksum: checksumOf(rest) };
}

/**
 * A checkpoint from its stored text, its checksum verified.
 * @throws SluiceError E_STATE_CORRUPT when the text is torn or was changed (invariant 5: torn is unreadable, never half-read)
 */
export function unseal(text: string, where: string): Checkpoint {
  let value: Checkpoint;
  try {
    value = JSON.parse(text) as Checkpoint;
  } catch (error) {
    throw sluiceError('E_STATE_CORRUPT', {
      message: `the checkpoint in ${where} is no JSON`,
      cause: error,
      permanent: true,
    });
  }
  const { checksum, ...rest } = value;
  if (checksum !== checksumOf(rest)) {
    throw sluiceError('E_STATE_CORRUPT', { message: `the checkpoint in ${where} fails its checksum`, permanent: true });
  }
  return value;
}

function checksumOf(checkpoint: Omit<Checkpoint, 'checksum'>): string {
  return createHash('sha256')
    .update(canonical(checkpoint as unknown as Json))
    .digest('hex');
}
