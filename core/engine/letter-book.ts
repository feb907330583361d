// What the engine remembers of a stream's dead letters: how much room they take (dead_letters.max_bytes), when one is
// resolved (its event came again, after a crash or a change of the position, and does not fail there any more: its fate is
// another one now), and when one is superseded (a later event of its key was ok at a keyed sink).
// Costs nothing while there are none.

import type { EventBatch } from '../event.ts';
import { keyTexts } from '../key-order.ts';
import type { DeadLetterMark, NewDeadLetter, PendingLetter, Place, StateStore } from '../state/store.ts';
import { canonical } from '../values.ts';
import { letterSize } from './letters.ts';
import type { Slot } from './slot.ts';
import type { Group } from './work.ts';

export interface LetterBook {
  readonly bytes: number;
  /** How many source events the groups before held. */
  readonly passed: number;
  /** Asks the store again: letters that were replayed, ignored or superseded have given their room back. */
  recount(held: number): Promise<void>;
  /** A letter that is made now, of this source event of the group that is being written. Returns its bytes. */
  add(letter: NewDeadLetter, source: number): number;
  /** The group's letters are added and its marks taken: what comes now is later than all of it. */
  next(group: Group): void;
  /** Letters that the outputs of a group which are ok at a sink supersede. `isOk(j)`: output j is ok there. `order`: where the
   * group stands, if it is not the one that is being written. */
  superseded(slot: Slot, group: Group, isOk: (j: number) => boolean, order?: number): DeadLetterMark[];
  /** Where a letter's event stands among the others: `order` for superseded() when it is replayed. */
  placeInOrder(letter: Pick<NewDeadLetter, 'place' | 'event_id'>): number;
  /**
   * Letters of before whose events came again in this group and did not fail there again. `lost`: by sink, the outputs that
   * it missed and that no letter could hold: their letters of before are all there is of them.
   */
  resolved(group: Group, lost: ReadonlyMap<string, readonly number[]>): DeadLetterMark[];
  /** Marks that are durable now. */
  marked(marks: readonly DeadLetterMark[]): void;
}

type Remembered = PendingLetter & {
  /** Where its event stands in the order of this session's source events; below 0 for one of before. */
  readonly at: number;
};

/**
 * `keyed`: some sink of the stream writes by key, so that a later event of a key can supersede a letter.
 * `since`: when the checkpoint was saved: letters superseded after it may be of events that will come again.
 */
export async function openLetterBook(
  store: StateStore,
  stream: string,
  keyed: boolean,
  since: string,
): Promise<LetterBook> {
  // By the id of the source event: letters of before this session, whose events can come again.
  const before = new Map<string, Map<string, Remembered>>();
  const byKey = new Map<string, Map<string, Remembered>>();
  const keySlots = new Map<string, string>();
  const places = new Map<string, number>();
  let bytes = await store.deadLetterBytes(stream);

  let passed = 0; // source events of the groups before

  const rememberBefore = (letter: Remembered): void => {
    const letters = before.get(letter.source_event_id) ?? new Map<string, Remembered>();
    letters.set(eventSlot(letter.place, letter.event_id), letter);
    before.set(letter.source_event_id, letters);
  };
  const rememberKey = (letter: Remembered): void => {
    if (letter.key === null || !keyed) return;
    const name = eventSlot(letter.place, letter.event_id);
    places.set(name, letter.at);
    const slot = keySlot(letter.place, letter.table, letter.key);
    const letters = byKey.get(slot) ?? new Map<string, Remembered>();
    letters.set(name, letter);
    byKey.set(slot, letters);
    keySlots.set(name, slot);
  };
  const forget = (place: Place, eventId: string): void => {
    const name = eventSlot(place, eventId);
    places.delete(name);
    const slot = keySlots.get(name);
    if (slot === undefined) return;
    keySlots.delete(name);
    const letters = byKey.get(slot);
    letters?.delete(name);
    if (letters?.size === 0) byKey.delete(slot);
  };
  const pending = await store.pendingLetters(stream); // in the order of their numbers, which is that of their events
  pending.forEach((letter, i) => {
    const known = { ...letter, at: i - pending.length };
    rememberBefore(known);
    rememberKey(known);
  });
  for (const letter of await store.listDeadLetters({ stream, status: 'superseded', changed_since: since })) {
    rememberBefore({ ...remembered(letter), at: Number.NEGATIVE_INFINITY });
  }

  return {
    get bytes() {
      return bytes;
    },
    get passed() {
      return passed;
    },
    add(letter, source) {
      const size = letterSize(letter);
      bytes += size;
      before.get(letter.source_event_id)?.delete(eventSlot(letter.place, letter.event_id)); // it failed there again
      rememberKey({ ...remembered(letter), at: passed + source });
      return size;
    },
    async recount(held) {
      bytes = (await store.deadLetterBytes(stream)) + held;
    },
    next(group) {
      passed += group.count;
    },
    placeInOrder: ({ place, event_id }) => places.get(eventSlot(place, event_id)) ?? Number.NEGATIVE_INFINITY,
    superseded(slot, group, isOk, order = passed) {
      if (byKey.size === 0 || !slot.sink.keyed) return [];
      const found = new Map<string, Remembered>();
      for (let j = 0; j < group.out.length; j++) {
        if (isOk(j)) look(slot, group, j, order + group.originOf(j), byKey, found);
      }
      return toMarks(stream, 'superseded', found);
    },
    resolved(group, lost) {
      if (before.size === 0) return [];
      const kept = new Set<string>();
      for (const [sink, outputs] of lost) {
        for (const j of outputs) {
          const source = group.sourceOf(j);
          kept.add(`${sink} ${source.batch.id(source.index)}`);
        }
      }
      const found = new Map<string, Remembered>();
      for (const work of group.works) {
        for (let i = 0; i < work.input.length && before.size > 0; i++) {
          const id = work.input.id(i);
          for (const [name, letter] of before.get(id) ?? []) {
            // A sink that is not in the manifest any more did not get it either.
            const { kind, id: sink } = letter.place;
            if (kind === 'sink' && (!lost.has(sink) || kept.has(`${sink} ${id}`))) continue;
            found.set(name, letter);
          }
          before.delete(id);
        }
      }
      return toMarks(stream, 'resolved', found);
    },
    marked(marks) {
      for (const mark of marks) {
        if (mark.ids !== undefined) continue;
        for (const id of mark.event_ids) forget(mark.place, id);
      }
    },
  };
}

// Not the rest of a letter: its texts are large.
function remembered({ place, event_id, source_event_id, table, key }: PendingLetter): PendingLetter {
  return { place, event_id, source_event_id, table, key };
}

function look(
  slot: Slot,
  group: Group,
  j: number,
  at: number,
  byKey: ReadonlyMap<string, ReadonlyMap<string, Remembered>>,
  found: Map<string, Remembered>,
): void {
  const table = group.out.table(j);
  const source = group.sourceOf(j);
  for (const key of keyTexts(group.out, j, slot.sink.key) ?? []) {
    supersede(byKey.get(keySlot({ kind: 'sink', id: slot.id }, table, key)), group.out.id(j), at, found);
  }
  for (const key of sourceKeys(source.batch, source.index)) {
    supersede(byKey.get(keySlot(null, table, key)), source.batch.id(source.index), at, found);
  }
}

function supersede(
  letters: ReadonlyMap<string, Remembered> | undefined,
  id: string,
  at: number,
  found: Map<string, Remembered>,
): void {
  for (const [name, letter] of letters ?? []) {
    if (letter.at < at && !sameLine(id, letter.event_id)) found.set(name, letter);
  }
}

// One descends from the other, or they are one.
function sameLine(id: string, from: string): boolean {
  return id === from || id.startsWith(`${from}/`) || from.startsWith(`${id}/`);
}

function sourceKeys(batch: EventBatch, i: number): string[] {
  const keys = [batch.key(i), batch.oldKey(i)];
  return keys.flatMap((key) => (key === null ? [] : [canonical(key)]));
}

function toMarks(
  stream: string,
  status: 'resolved' | 'superseded',
  letters: ReadonlyMap<string, Remembered>,
): DeadLetterMark[] {
  const byPlace = new Map<string, { place: Place; ids: string[] }>();
  for (const { place, event_id } of letters.values()) {
    const name = `${place.kind} ${place.id}`;
    const entry = byPlace.get(name) ?? { place, ids: [] };
    entry.ids.push(event_id);
    byPlace.set(name, entry);
  }
  return [...byPlace.values()].map(({ place, ids }) => ({ status, stream, place, event_ids: ids }));
}

// Everything that failed before the sinks is one place here: it is superseded by what happens at any sink.
function eventSlot(place: Place | null, id: string): string {
  return place?.kind === 'sink' ? `sink ${place.id} ${id}` : `chain ${id}`;
}

function keySlot(place: Place | null, table: string, key: string): string {
  return place?.kind === 'sink' ? `sink ${place.id} ${table} ${key}` : `chain ${table} ${key}`;
}
