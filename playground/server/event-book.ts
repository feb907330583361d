// The events that the page can list and run: captures of the state store, what was taken live from a source in this session,
// and dead letters. Each is known by a `ref`, which is made of its text, so that it is the same after a restart.
// Guarantees: every event in here is redacted, and what runs is what is shown; what is held in memory is bounded.

import { createHash } from 'node:crypto';
import { isSluiceError, sluiceError, splitEnvelope, tableOf, unsafeNumber } from 'sluice/sdk';
import {
  batchOfEnvelope,
  type Capture,
  type Column,
  type DeadLetter,
  defaultRedact,
  type EventBatch,
  type Redaction,
  redactedLetter,
  redactionOf,
  type StateStore,
  type StreamConfig,
} from '../../core/workbench.ts';
import type { GivenEvent, PlaygroundEvent } from './api.ts';
import { filterOf } from './filter.ts';

/** Events of each stream that were taken live, and their texts in characters. */
const MOST_LIVE = 200;
const MOST_LIVE_TEXT = 32 << 20;
const MOST_PINNED = 200;
/** Events that were shown, so that they can be run by their refs; their texts in bytes. */
const MOST_KNOWN_BYTES = 64 << 20;
const MOST_LISTED = 1000;

interface Known {
  readonly event: Omit<PlaygroundEvent, 'pinned'>;
  readonly columns: readonly Column[];
  readonly typed: boolean;
}

/** What is looked at. `more`: older ones are stored. */
interface Listed {
  readonly all: readonly Known[];
  readonly more: boolean;
}

export interface EventBook {
  list(
    stream: StreamConfig,
    query: { readonly from: 'captures' | 'dead_letters'; readonly q?: string; readonly limit: number },
  ): Promise<{ readonly events: readonly PlaygroundEvent[]; readonly total: number; readonly more: boolean }>;
  count(stream: StreamConfig): Promise<number>;
  addLive(capture: Capture): void;
  /** The event of a letter, as it is run; null where its source could not read it. */
  ofLetter(letter: DeadLetter, shown: DeadLetter): PlaygroundEvent | null;
  /** @throws SluiceError E_PLAYGROUND_NOT_FOUND */
  pin(ref: string, pinned: boolean): Promise<PlaygroundEvent>;
  /** As a batch of one. @throws SluiceError E_PLAYGROUND_NOT_FOUND, E_EVENT_… */
  batch(given: GivenEvent, n: number): Promise<EventBatch>;
}

export function redactionFor(stream: StreamConfig, store: StateStore): Redaction {
  return redactionOf(stream.redact ?? defaultRedact, store.redactionKey());
}

export function openEventBook(store: StateStore, streams: () => readonly StreamConfig[]): EventBook {
  const live = new Map<string, Known[]>(); // the newest first
  const pinned = new Map<string, Known>();
  const known = new Map<string, Known>(); // the longest unused first
  let bytes = 0;

  const remember = (one: Known): Known => {
    const { ref, text } = one.event;
    if (known.delete(ref)) bytes -= text.length;
    known.set(ref, one);
    bytes += text.length;
    for (const [old, { event }] of known) {
      if (bytes <= MOST_KNOWN_BYTES) break;
      known.delete(old);
      bytes -= event.text.length;
    }
    return one;
  };
  const shown = ({ event }: Known): PlaygroundEvent => ({ ...event, pinned: pinned.has(event.ref) });

  async function captured(stream: StreamConfig): Promise<Listed> {
    const stored = await store.captures(stream.id, MOST_LISTED + 1);
    const all = [
      ...(live.get(stream.id) ?? []),
      ...stored.slice(0, MOST_LISTED).flatMap((one) => knownOf(one, 'capture') ?? []),
    ];
    return { all: unique(all), more: stored.length > MOST_LISTED };
  }

  async function letters(stream: StreamConfig): Promise<Listed> {
    const redaction = redactionFor(stream, store);
    const found = await store.listDeadLetters({ stream: stream.id, status: 'pending', limit: MOST_LISTED + 1 });
    const all = found
      .slice(0, MOST_LISTED)
      .flatMap((letter) => knownLetter(letter, redactedLetter(letter, redaction)) ?? []);
    return { all: unique(all), more: found.length > MOST_LISTED };
  }

  async function find(ref: string): Promise<Known> {
    const here = pinned.get(ref) ?? known.get(ref);
    if (here !== undefined) return here;
    for (const stream of streams()) {
      const found = [...(await captured(stream)).all, ...(await letters(stream)).all].find(
        ({ event }) => event.ref === ref,
      );
      if (found !== undefined) return remember(found);
    }
    throw sluiceError('E_PLAYGROUND_NOT_FOUND', {
      message: 'an event is not there any more',
      fix: 'read the list of events again',
    });
  }

  return {
    async list(stream, { from, q = '', limit }) {
      const fits = filterOf(q);
      const { all, more } = from === 'captures' ? await captured(stream) : await letters(stream);
      const own = [...pinned.values()].filter(({ event }) => event.stream === stream.id);
      const listed = unique(from === 'captures' ? [...own, ...all] : all);
      const found = listed.filter(({ event }) => fits(event));
      return { events: found.slice(0, limit).map((one) => shown(remember(one))), total: found.length, more };
    },
    async count(stream) {
      return (await captured(stream)).all.length;
    },
    addLive(capture) {
      const one = knownOf(capture, 'live');
      if (one === null) return;
      const others = (live.get(capture.stream) ?? []).filter(({ event }) => event.ref !== one.event.ref);
      let room = MOST_LIVE_TEXT;
      const kept = [one, ...others].slice(0, MOST_LIVE).filter(({ event }) => {
        room -= event.text.length;
        return room >= 0;
      });
      live.set(capture.stream, kept);
    },
    ofLetter(letter, redacted) {
      const one = knownLetter(letter, redacted);
      return one === null ? null : shown(remember(one));
    },
    async pin(ref, isPinned) {
      const one = await find(ref);
      if (isPinned && !pinned.has(ref) && pinned.size >= MOST_PINNED) {
        const message = `${MOST_PINNED} events are pinned already`;
        throw sluiceError('E_PLAYGROUND_SIZE', { message, fix: 'let one of them go' });
      }
      if (isPinned) pinned.set(ref, one);
      else pinned.delete(ref);
      return shown(one);
    },
    async batch({ ref, text }, n) {
      if ((ref === undefined) === (text === undefined)) {
        throw sluiceError('E_PLAYGROUND_REQUEST', { message: 'an event is given by `ref` or by `text`' });
      }
      if (text !== undefined) return pasted(text, n);
      const { event, columns, typed } = await find(ref!);
      return batchOfEnvelope(splitEnvelope(event.text), { id: event.id, columns, typed });
    },
  };
}

/** Each once, where it stands first. */
function unique(list: readonly Known[]): Known[] {
  const byRef = new Map<string, Known>();
  for (const one of list) if (!byRef.has(one.event.ref)) byRef.set(one.event.ref, one);
  return [...byRef.values()];
}

function knownOf(capture: Capture, origin: 'capture' | 'live'): Known | null {
  const { stream, event_id: id, event: text, captured_at } = capture;
  const { columns, typed } = capture.details;
  return eventOf({ origin, stream, id, text, captured_at }, columns, typed);
}

function knownLetter(letter: DeadLetter, redacted: DeadLetter): Known | null {
  const columns = letter.columns === null ? [] : (JSON.parse(letter.columns) as Column[]);
  const { stream, source_event_id: id, event: text, id: number } = redacted;
  const typed = letter.error.code !== 'E_EVENT_NUMBER';
  return eventOf({ origin: 'dead_letter', stream, id, text, letter: number }, columns, typed);
}

function eventOf(
  event: Omit<PlaygroundEvent, 'ref' | 'op' | 'table' | 'key' | 'pinned'>,
  columns: readonly Column[],
  typed: boolean,
): Known | null {
  try {
    const { op, source, key } = splitEnvelope(event.text);
    const ref = createHash('sha256').update(`${event.stream}\0${event.text}`).digest('base64url').slice(0, 16);
    const keyText = key === null ? {} : { key: JSON.stringify(key) };
    return { event: { ref, ...event, op, table: tableOf(source), ...keyText }, columns, typed };
  } catch {
    return null; // its source could not read it
  }
}

/** An envelope, or a row, which is then a created one of no table. */
function pasted(text: string, n: number): EventBatch {
  const id = `pasted-${n}`;
  if (unsafeNumber(text) !== null) {
    throw sluiceError('E_EVENT_NUMBER', { message: 'the text holds a number that does not survive a double' });
  }
  try {
    const envelope = splitEnvelope(text);
    return batchOfEnvelope(envelope, { id: envelope.id ?? id, columns: [], typed: false });
  } catch (thrown) {
    if (!isSluiceError(thrown) || thrown.code !== 'E_EVENT_SHAPE') throw thrown;
    const source = {
      plugin: 'playground',
      stream: 'playground',
      db: 'pasted',
      table: 'pasted',
      snapshot: false,
      ts_ms: 0,
    };
    const row = text.trim();
    return batchOfEnvelope(
      { id, op: 'c', key: null, source, before: null, after: row },
      { id, columns: [], typed: false },
    );
  }
}
