// One write as it crosses to the worker: texts side by side in one flat array, because that is what structured clone
// copies fastest. Objects become JSON text on the caller's side, so a store never shares anything with its caller.

import { sluiceError } from '../errors.ts';
import type { DeadLetterMark, NewDeadLetter, StateWrite } from './store.ts';

/** The order of a letter's fields in `letters`. */
export const FIELDS = 16;

export interface WireWrite {
  readonly checkpoint: { readonly stream: string; readonly text: string } | null;
  /** FIELDS values for each letter: see pushLetter. */
  readonly letters: readonly (string | number | null)[];
  readonly marks: readonly DeadLetterMark[];
}

export function toWire(change: StateWrite): WireWrite {
  const letters: (string | number | null)[] = [];
  const transforms = new Map<NewDeadLetter['transform'], string>();
  for (const letter of change.deadLetters ?? []) {
    let transform = letter.transform === null ? null : transforms.get(letter.transform);
    if (transform === undefined) {
      transform = JSON.stringify(letter.transform);
      transforms.set(letter.transform, transform);
    }
    const { place, error } = letter;
    letters.push(
      letter.stream,
      letter.event_id,
      place.kind,
      place.id,
      letter.source_event_id,
      letter.table,
      letter.keys === null ? null : JSON.stringify(letter.keys),
    );
    letters.push(
      letter.event,
      letter.input,
      transform,
      error.code,
      JSON.stringify(error),
      letter.attempts,
      letter.failed_at,
      letter.columns,
      letter.entered,
    );
  }
  return {
    checkpoint:
      change.checkpoint === undefined
        ? null
        : { stream: change.checkpoint.stream, text: JSON.stringify(change.checkpoint) },
    letters,
    marks: change.marks ?? [],
  };
}

/** A stored JSON text. @throws SluiceError E_STATE_CORRUPT: a damaged text is never an empty answer */
export function parseStored<T>(text: string, what: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw sluiceError('E_STATE_CORRUPT', {
      message: `${what} in the state store is no JSON`,
      cause: error,
      permanent: true,
    });
  }
}

/** @throws SluiceError E_STATE_CORRUPT */
export function keysOf(text: string | null): readonly string[] | null {
  return text === null ? null : parseStored<readonly string[]>(text, 'the keys of a dead letter');
}

/** The letters of a write, as objects again. */
export function lettersOf(fields: WireWrite['letters']): NewDeadLetter[] {
  const letters: NewDeadLetter[] = [];
  for (let i = 0; i < fields.length; i += FIELDS) {
    const text = (at: number): string => fields[i + at] as string;
    const orNull = (at: number): string | null => fields[i + at] as string | null;
    const transform = orNull(9);
    letters.push({
      stream: text(0),
      event_id: text(1),
      place: { kind: text(2) as NewDeadLetter['place']['kind'], id: text(3) },
      source_event_id: text(4),
      table: text(5),
      keys: keysOf(orNull(6)),
      event: text(7),
      input: orNull(8),
      transform: transform === null ? null : parseStored(transform, 'a transform'),
      error: parseStored(text(11), 'an error'),
      attempts: fields[i + 12] as number,
      failed_at: text(13),
      columns: orNull(14),
      entered: fields[i + 15] as number,
    });
  }
  return letters;
}
