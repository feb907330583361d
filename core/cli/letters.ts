// Which dead letters the words and flags of a verb pick, and how they are read: in pages, since a store may hold a
// gigabyte of them for each stream. Guarantee: a number that names no letter is an error before anything is done.

import { sluiceError } from '../errors.ts';
import type { StreamConfig } from '../manifest/model.ts';
import type { DeadLetter, DeadLetterFilter, DeadLetterStatus, StateStore } from '../state/store.ts';
import { count, flag, type Invocation } from './command.ts';

const STATUSES: readonly string[] = ['pending', 'resolved', 'ignored', 'superseded'];
const PAGE = 500;

export interface Selection {
  /** Streams in the order of the manifest: letters are given stream by stream. */
  readonly streams: readonly StreamConfig[];
  /** Numbers from the command line; none: all that the filter passes. */
  readonly ids: readonly number[];
  readonly filter: Omit<DeadLetterFilter, 'stream' | 'ids' | 'after' | 'limit'>;
  /** Of all streams together. */
  readonly limit: number;
}

/** `words`: what of the command line is no manifest. @throws SluiceError E_USAGE */
export function selectionOf(
  words: readonly string[],
  streams: readonly StreamConfig[],
  invocation: Invocation,
): Selection {
  const status = flag(invocation, 'status');
  if (status !== undefined && !STATUSES.includes(status)) {
    throw sluiceError('E_USAGE', { message: '--status is not known', fix: `one of: ${STATUSES.join(', ')}` });
  }
  const given = {
    status: status as DeadLetterStatus | undefined,
    code: flag(invocation, 'code'),
    place: flag(invocation, 'place'),
    table: flag(invocation, 'table'),
    event_id: flag(invocation, 'event'),
    since: flag(invocation, 'since'),
  };
  return {
    streams,
    ids: words.map(numberOf),
    filter: Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    limit: count(invocation, 'limit') ?? Number.POSITIVE_INFINITY,
  };
}

/** True when it picks by anything at all. */
export function isNarrowed({ ids, filter, limit }: Selection): boolean {
  return ids.length > 0 || Object.keys(filter).length > 0 || Number.isFinite(limit);
}

/** @throws SluiceError E_DEAD_LETTER_NOT_FOUND */
export async function demandAll(store: StateStore, selection: Selection): Promise<void> {
  if (selection.ids.length === 0) return;
  const missing = new Set(selection.ids);
  const all = { ...selection, limit: Number.POSITIVE_INFINITY };
  for await (const page of pagesOf(store, all)) for (const letter of page) missing.delete(letter.id);
  if (missing.size === 0) return;
  throw sluiceError('E_DEAD_LETTER_NOT_FOUND', { message: `there is no dead letter ${[...missing].join(', ')}` });
}

/** The letters, by stream and then by number; no page is empty, and all of a page are of one stream. */
export async function* pagesOf(store: StateStore, selection: Selection): AsyncGenerator<readonly DeadLetter[]> {
  let left = selection.limit;
  for (const { id: stream } of selection.streams) {
    for (let after = 0; left > 0; ) {
      const ids = selection.ids.length > 0 ? { ids: selection.ids } : {};
      const limit = Math.min(left, PAGE);
      const page = await store.listDeadLetters({ ...selection.filter, ...ids, stream, after, limit });
      if (page.length > 0) yield page;
      left -= page.length;
      if (page.length < limit) break;
      after = page.at(-1)!.id;
    }
  }
}

function numberOf(word: string): number {
  const id = Number(word);
  if (Number.isSafeInteger(id) && id >= 1) return id;
  throw sluiceError('E_USAGE', {
    message: `"${word}" is no number of a dead letter`,
    fix: 'see `sluice dead-letters list`',
  });
}
