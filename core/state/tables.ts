// What a store does, synchronously: the shape that sqlite-tables.ts (in the worker) and memory.ts both have, and the rules
// that the two must not read differently: what a letter weighs, what a filter means, how a time is compared.

import { type Checkpoint, unseal } from '../checkpoint.ts';
import { type SluiceError, sluiceError } from '../errors.ts';
import type { DeadLetter, DeadLetterFilter, NewDeadLetter, StateStore } from './store.ts';

type Stored = Omit<StateStore, 'lock' | 'isLocked' | 'redactionKey' | 'write' | typeof Symbol.asyncDispose>;

/** The store's calls without their promises. `write` takes texts: see wire.ts. */
export type Tables<Write> = {
  readonly [Name in keyof Stored]: (...args: Parameters<Stored[Name]>) => Awaited<ReturnType<Stored[Name]>>;
} & { write(change: Write): void; close(): void };

/** How many older checkpoints of a stream are kept. */
export const HISTORY = 100;

/** The bytes that a letter takes in the store, about: its texts in UTF-8, and 300 for the rest of its row and its index entries. */
export function letterBytes(
  event: string,
  input: string | null,
  key: string | null,
  error: string,
  columns: string | null,
): number {
  return 300 + size(event) + size(input) + size(key) + size(error) + size(columns);
}

/** The bytes that a capture takes, about: its texts in UTF-8. `details`: as JSON. */
export function captureBytes(event: string, details: string): number {
  return size(event) + size(details);
}

function size(text: string | null): number {
  return text === null ? 0 : Buffer.byteLength(text);
}

/** What makes a letter the one it is, as one text. */
export function identityOf(letter: Pick<NewDeadLetter, 'stream' | 'event_id' | 'place'>): string {
  return JSON.stringify([letter.stream, letter.event_id, letter.place.kind, letter.place.id]);
}

/** Refused rather than answered with nothing, as a time that nobody can read would be. */
export function normalFilter(filter: DeadLetterFilter): DeadLetterFilter {
  if (filter.since === undefined) return filter;
  const since = new Date(/^\d{4}-\d\d(-\d\d|$)/.test(filter.since) ? filter.since : Number.NaN);
  if (Number.isNaN(since.getTime())) {
    throw sluiceError('E_USAGE', {
      message: '`since` is no ISO 8601 time',
      fix: 'write it as 2026-01-31 or 2026-01-31T12:00:00Z',
    });
  }
  return { ...filter, since: since.toISOString() };
}

/** Whether a letter passes a filter that normalFilter() has seen. `limit` is the caller's. */
export function passes(letter: DeadLetter, filter: DeadLetterFilter): boolean {
  return (
    (filter.stream === undefined || letter.stream === filter.stream) &&
    (filter.ids === undefined || filter.ids.includes(letter.id)) &&
    (filter.status === undefined || letter.status === filter.status) &&
    (filter.code === undefined || letter.error.code === filter.code) &&
    (filter.place === undefined || letter.place.id === filter.place) &&
    (filter.table === undefined || letter.table === filter.table) &&
    (filter.event_id === undefined || letter.event_id === filter.event_id) &&
    (filter.since === undefined || letter.failed_at >= filter.since) &&
    (filter.after === undefined || letter.id > filter.after)
  );
}

/**
 * A checkpoint's text, read back and verified before it replaces one that is good: what JSON cannot hold (undefined, a
 * date) would otherwise be found out only at the next start.
 */
export function verified(text: string): Checkpoint {
  try {
    return unseal(text, 'this write');
  } catch (error) {
    throw sluiceError('E_INTERNAL', {
      message: 'the checkpoint to save cannot be loaded again',
      cause: error,
      permanent: true,
    });
  }
}

/** The current checkpoint is damaged: says which older one is intact, and leaves it to the operator to take it. */
export function damagedCheckpoint(stream: string, intact: Checkpoint | undefined, cause: unknown): SluiceError {
  const position = intact === undefined ? '' : JSON.stringify(intact.position);
  return sluiceError('E_STATE_CORRUPT', {
    message: `the current checkpoint of stream ${stream} is damaged`,
    fix:
      intact === undefined
        ? 'no intact one is in its history: run `sluice checkpoint set` from what you know, or `clear` to begin again'
        : `the newest intact one of its history was saved at ${intact.saved_at}: run \`sluice checkpoint set\` with its ` +
          `position ${position.length > 300 ? '(see `sluice checkpoint show`)' : position}; what came after it is delivered again`,
    cause,
    permanent: true,
  });
}

export function noSuchRequest(number: number): SluiceError {
  return sluiceError('E_REQUEST_FAILED', {
    message: `there is no request ${number} in the state store`,
    fix: 'check its number',
  });
}

/** Of requests that are answered, the newest so many numbers are kept: what asked has read its answer long before. */
export const REQUESTS_KEPT = 100;
