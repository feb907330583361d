// Dead letters as the engine makes them: the source event as it came, the input of the step that failed, and why.

import { envelopeText } from '../batch.ts';
import type { SluiceError } from '../errors.ts';
import type { Column, EventBatch } from '../event.ts';
import type { TransformIdentity } from '../languages.ts';
import type { NewDeadLetter, Place } from '../state/store.ts';
import { letterBytes } from '../state/tables.ts';
import { canonical } from '../values.ts';

export interface LetterParts {
  readonly stream: string;
  readonly place: Place;
  readonly error: SluiceError;
  readonly attempts: number;
  /** The source event. */
  readonly source: { readonly batch: EventBatch; readonly index: number };
  /** The input of the step that failed; absent where it is the source event itself. */
  readonly input?: { readonly batch: EventBatch; readonly index: number };
  readonly transform?: { readonly id: string; readonly identity: TransformIdentity };
  /** Canonical text of the key that the place orders by; by default that of the event's own key. */
  readonly key?: string | null;
}

/** A letter as the place makes it where its event fails; the writer knows how many events had entered. */
export type Letter = Omit<NewDeadLetter, 'entered'>;

export function letterOf(parts: LetterParts): Letter {
  const { batch, index } = parts.source;
  const unreadable = batch.unreadable?.get(index);
  const at = parts.input ?? parts.source;
  const identity = parts.transform?.identity;
  return {
    stream: parts.stream,
    place: parts.place,
    event_id: at.batch.id(at.index),
    source_event_id: batch.id(index),
    table: unreadable === undefined ? batch.table(index) : (unreadable.table ?? ''),
    key: unreadable === undefined ? (parts.key === undefined ? keyText(at.batch, at.index) : parts.key) : null,
    event: unreadable === undefined ? envelopeText(batch, index) : unreadable.raw,
    columns: unreadable === undefined ? columnsText(batch.columns(batch.table(index))) : null,
    input: parts.input === undefined ? null : envelopeText(parts.input.batch, parts.input.index),
    transform:
      parts.transform === undefined || identity === undefined
        ? null
        : { id: parts.transform.id, language: identity.language, version: identity.version, hash: identity.hash },
    error: parts.error.toJSON(),
    attempts: parts.attempts,
    failed_at: new Date().toISOString(),
  };
}

/** How many bytes a letter takes in the store: what dead_letters.max_bytes counts. */
export function letterSize(letter: Letter): number {
  return letterBytes(letter.event, letter.input, letter.key, JSON.stringify(letter.error), letter.columns);
}

// The columns of a table are one array for many events: written once.
const texts = new WeakMap<readonly Column[], string>();

function columnsText(columns: readonly Column[]): string | null {
  if (columns.length === 0) return null;
  const text = texts.get(columns) ?? JSON.stringify(columns);
  texts.set(columns, text);
  return text;
}

function keyText(batch: EventBatch, i: number): string | null {
  try {
    const key = batch.key(i);
    return key === null ? null : canonical(key);
  } catch {
    return null; // the row does not parse: such an event has no key, and nothing supersedes its letter
  }
}
