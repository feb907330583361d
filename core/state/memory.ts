// A state store in memory, for tests and for what need not outlive its process. It behaves as the SQLite one does.
// Guarantee: everything is copied through JSON on its way in and out, so that nothing is shared with the caller.

import { randomBytes } from 'node:crypto';
import { type Checkpoint, unseal } from '../checkpoint.ts';
import { sluiceError } from '../errors.ts';
import { BYTES } from './redaction-key.ts';
import type {
  Capture,
  DeadLetter,
  DeadLetterFilter,
  DeadLetterMark,
  LiveStatus,
  NewDeadLetter,
  StateStore,
  StoredRequest,
} from './store.ts';
import { type Call, storeOver } from './store-over.ts';
import { lockedError } from './stream-lock.ts';
import {
  captureBytes,
  HISTORY,
  identityOf,
  letterBytes,
  normalFilter,
  noSuchRequest,
  passes,
  REQUESTS_KEPT,
  type Tables,
  verified,
} from './tables.ts';
import { lettersOf, type WireWrite } from './wire.ts';

export function memoryStore(): StateStore {
  const tables = memoryTables();
  const locked = new Set<string>();
  const key = randomBytes(BYTES);
  let closed = false;

  const call: Call = async (name, ...args) => {
    if (closed) throw sluiceError('E_STATE_WRITE', { message: 'the state store is closed', permanent: true });
    const run = tables[name] as unknown as (...args: readonly unknown[]) => unknown;
    return copy(run(...args.map(copy))) as never;
  };
  return storeOver(call, {
    async lock(stream) {
      if (locked.has(stream)) throw lockedError(stream);
      locked.add(stream);
      let mine = true;
      return {
        async [Symbol.asyncDispose]() {
          if (mine) locked.delete(stream);
          mine = false;
        },
      };
    },
    isLocked: async (stream) => locked.has(stream),
    redactionKey: () => key,
    async [Symbol.asyncDispose]() {
      closed = true;
      locked.clear();
    },
  });
}

function memoryTables(): Tables<WireWrite> {
  const checkpoints = new Map<string, string[]>(); // newest first
  const letters = new Map<string, DeadLetter>(); // in order of their ids
  const requests = new Map<number, StoredRequest>(); // by number, ascending
  let lastRequest = 0;
  const status = new Map<string, LiveStatus>();
  const captured = new Map<string, Capture[]>(); // newest first
  const supersededBy = new Map<string, number>(); // by identity
  let letterIds = 0;

  const upsert = (letter: NewDeadLetter): void => {
    const identity = identityOf(letter);
    const old = letters.get(identity);
    letters.set(identity, {
      ...letter,
      id: old?.id ?? ++letterIds,
      status: 'pending',
      attempts: letter.attempts + (old?.attempts ?? 0),
      first_failed_at: old?.first_failed_at ?? letter.failed_at,
      status_at: letter.failed_at,
      note: null,
    });
  };
  const matching = (asked: DeadLetterFilter): DeadLetter[] => {
    const filter = normalFilter(asked);
    return [...letters.values()].filter((letter) => passes(letter, filter));
  };
  const pending = (stream: string): DeadLetter[] =>
    [...letters.values()].filter((letter) => letter.stream === stream && letter.status === 'pending');
  const request = (number: number): StoredRequest | null => requests.get(number) ?? null;

  const restartOrder = (stream: string): void => {
    const own = [...letters].filter(([, letter]) => letter.stream === stream);
    const last = Math.max(...own.map(([, letter]) => letter.entered));
    for (const [identity, letter] of own) {
      supersededBy.delete(identity);
      letters.set(identity, { ...letter, entered: letter.entered - last });
    }
  };

  return {
    loadCheckpoint(stream) {
      const text = checkpoints.get(stream)?.[0];
      return text === undefined ? null : unseal(text, 'the state store');
    },
    history: (stream, limit): Checkpoint[] =>
      (checkpoints.get(stream) ?? [])
        .slice(1, 1 + Math.min(limit, HISTORY))
        .map((text) => unseal(text, 'the state store')),
    write(change) {
      if (change.checkpoint !== null) verified(change.checkpoint.text);
      for (const letter of lettersOf(change.letters)) upsert(letter);
      const at = new Date().toISOString();
      for (const mark of change.marks) {
        for (const [identity, letter] of letters) {
          const changes = letter.status === 'pending' || (letter.status === 'superseded' && mark.status === 'resolved');
          if (!changes || !names(mark, letter)) continue;
          letters.set(identity, { ...letter, status: mark.status, status_at: at, note: mark.note ?? null });
          supersededBy.set(identity, mark.superseded_by ?? 0);
        }
      }
      if (change.checkpoint !== null) {
        const { stream, text } = change.checkpoint;
        checkpoints.set(stream, [text, ...(checkpoints.get(stream) ?? [])].slice(0, HISTORY + 1));
      }
    },
    clearCheckpoint(stream) {
      checkpoints.delete(stream);
      restartOrder(stream);
    },
    restartOrder,
    inOrder: (stream, ids) =>
      matching({ stream, ids })
        .sort((a, b) => a.entered - b.entered || a.id - b.id)
        .map(({ id }) => id),

    listDeadLetters: (filter) => matching(filter).slice(0, filter.limit),
    countDeadLetters: (filter) => matching(filter).length,
    reviveLetters(stream, covered) {
      for (const [identity, letter] of letters) {
        if (letter.stream !== stream || letter.status !== 'superseded') continue;
        if ((supersededBy.get(identity) ?? 0) <= covered) continue;
        letters.set(identity, { ...letter, status: 'pending', status_at: new Date().toISOString() });
      }
    },
    pendingLetters: (stream) =>
      pending(stream).map(({ place, event_id, source_event_id, table, keys, entered }) => ({
        place,
        event_id,
        source_event_id,
        table,
        keys,
        entered,
      })),
    deadLetterBytes: (stream, place) =>
      pending(stream)
        .filter((letter) => place === undefined || (letter.place.kind === place.kind && letter.place.id === place.id))
        .reduce(
          (sum, { event, input, keys, error, columns }) =>
            sum + letterBytes(event, input, keys && JSON.stringify(keys), JSON.stringify(error), columns),
          0,
        ),

    addRequest(asked) {
      const number = ++lastRequest;
      requests.set(number, { ...asked, number, status: 'waiting', result: null, created_at: new Date().toISOString() });
      for (const old of requests.values()) {
        if (old.number <= number - REQUESTS_KEPT && isAnswered(old)) requests.delete(old.number);
      }
      return number;
    },
    numberAbove(stream, covered) {
      if (lastRequest >= covered) return [];
      lastRequest = covered;
      return [...requests.values()].filter((r) => r.stream === stream && !isAnswered(r)).map((r) => r.number);
    },
    nextRequest: (stream, after) =>
      [...requests.values()].find((r) => r.stream === stream && r.number > after && !isAnswered(r)) ?? null,
    getRequest: request,
    updateRequest(number, to, result) {
      const found = request(number);
      if (found === null) throw noSuchRequest(number);
      requests.set(number, { ...found, status: to, result });
    },

    saveStatus: (live) => void status.set(live.stream, live),
    statuses: () => [...status.values()].sort((a, b) => (a.stream < b.stream ? -1 : 1)),

    addCaptures(captures, keep) {
      for (const capture of captures) captured.set(capture.stream, [capture, ...(captured.get(capture.stream) ?? [])]);
      for (const stream of new Set(captures.map((capture) => capture.stream))) {
        let total = 0;
        const kept = captured.get(stream)!.filter(({ event, details, captured_at }, nth) => {
          total += captureBytes(event, JSON.stringify(details));
          return nth < keep.max_events && total <= keep.max_bytes && captured_at >= keep.since;
        });
        captured.set(stream, kept);
      }
    },
    captures: (stream, limit) => (captured.get(stream) ?? []).slice(0, limit),

    close: () => undefined,
  };
}

function names(mark: DeadLetterMark, letter: DeadLetter): boolean {
  if (mark.ids !== undefined) return mark.ids.includes(letter.id);
  const { stream, place, event_ids } = mark;
  return (
    letter.stream === stream &&
    letter.place.kind === place.kind &&
    letter.place.id === place.id &&
    event_ids.includes(letter.event_id)
  );
}

function copy<T>(value: T): T {
  return value === undefined ? value : (JSON.parse(JSON.stringify(value)) as T);
}

function isAnswered({ status }: StoredRequest): boolean {
  return status === 'done' || status === 'failed';
}
