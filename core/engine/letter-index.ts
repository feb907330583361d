// Pending letters by what they are ordered by: the keys of their event, or its whole table (a barrier, such as a truncate).
// A scope is one sink, or everything before the sinks. Costs nothing while it is empty.

import type { PendingLetter, Place } from '../state/store.ts';

type Letters = Map<string, PendingLetter>;

export interface LetterIndex {
  readonly size: number;
  add(letter: PendingLetter): void;
  delete(place: Place, eventId: string): void;
  /** The letters that an event of these keys meets (null: it is a barrier): at a sink, or (null) before the sinks. */
  meeting(
    sink: string | null,
    table: string,
    keys: readonly string[] | null,
  ): Iterable<readonly [string, PendingLetter]>;
}

/** What a letter is known by. */
export function letterName(place: Place, eventId: string): string {
  return `${place.kind} ${place.id} ${eventId}`;
}

export function letterIndex(): LetterIndex {
  const known: Letters = new Map();
  const byKey = new Map<string, Letters>();
  const byTable = new Map<string, Letters>();
  const barriers = new Map<string, Letters>();

  const scopes = ({ place, table }: PendingLetter): string => scopeOf(place.kind === 'sink' ? place.id : null, table);
  /** The maps that hold a letter, each with the name that it has there. */
  const places = (letter: PendingLetter): [Map<string, Letters>, string][] => {
    const scope = scopes(letter);
    if (letter.keys === null)
      return [
        [byTable, scope],
        [barriers, scope],
      ];
    return [[byTable, scope], ...letter.keys.map((key): [Map<string, Letters>, string] => [byKey, `${scope} ${key}`])];
  };

  return {
    get size() {
      return known.size;
    },
    add(letter) {
      const name = letterName(letter.place, letter.event_id);
      known.set(name, letter);
      for (const [map, at] of places(letter)) {
        const letters = map.get(at) ?? new Map<string, PendingLetter>();
        letters.set(name, letter);
        map.set(at, letters);
      }
    },
    delete(place, eventId) {
      const name = letterName(place, eventId);
      const letter = known.get(name);
      if (letter === undefined) return;
      known.delete(name);
      for (const [map, at] of places(letter)) {
        const letters = map.get(at);
        letters?.delete(name);
        if (letters?.size === 0) map.delete(at);
      }
    },
    *meeting(sink, table, keys) {
      const scope = scopeOf(sink, table);
      if (keys === null) {
        yield* byTable.get(scope) ?? [];
        return;
      }
      yield* barriers.get(scope) ?? [];
      for (const key of keys) yield* byKey.get(`${scope} ${key}`) ?? [];
    },
  };
}

function scopeOf(sink: string | null, table: string): string {
  return sink === null ? `chain ${table}` : `sink ${sink} ${table}`;
}
