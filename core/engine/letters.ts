// Dead letters as the engine makes them: the source event as it came, the input of the step that failed, and why.

import { envelopeText } from '../batch.ts';
import type { SluiceError } from '../errors.ts';
import type { Column, EventBatch } from '../event.ts';
import { keyTexts } from '../key-order.ts';
import type { TransformIdentity } from '../languages.ts';
import type { KeySpec } from '../sink-key.ts';
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
  /** Of a sink: the keys that it orders the output by. Before the sinks: those of the source event. */
  readonly keys?: readonly string[] | null;
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
    keys: unreadable !== undefined ? [] : parts.keys === undefined ? keysOf(batch, index) : parts.keys,
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
  const { event, input, keys, error, columns } = letter;
  return letterBytes(event, input, keys && JSON.stringify(keys), JSON.stringify(error), columns);
}

// The columns of a table are one array for many events: written once.
const texts = new WeakMap<readonly Column[], string>();

function columnsText(columns: readonly Column[]): string | null {
  if (columns.length === 0) return null;
  const text = texts.get(columns) ?? JSON.stringify(columns);
  texts.set(columns, text);
  return text;
}

/** The source's own keys of an event, as canonical texts: two after a key change, null for a barrier of its table. */
export function keysOf(batch: EventBatch, i: number): readonly string[] | null {
  if (batch.op(i) === 't') return null;
  try {
    return [batch.key(i), batch.oldKey(i)].flatMap((key) => (key === null ? [] : [canonical(key)]));
  } catch {
    return []; // the row does not parse: such an event has no key, and nothing supersedes its letter
  }
}

/** The keys that a sink orders an output by, in the same form. */
export function sinkKeysOf(batch: EventBatch, i: number, spec: KeySpec): readonly string[] | null {
  if (batch.op(i) === 't') return null;
  return keyTexts(batch, i, spec) ?? [];
}
