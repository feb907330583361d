// What the engine remembers of a stream's pending dead letters: how much room they take (dead_letters.max_bytes), and when
// a later event resolves one (delivered again at the same place) or supersedes it (a later event of its key was ok at a
// keyed sink). Costs nothing while there are none.

import type { EventBatch } from '../event.ts';
import { keyTexts } from '../key-order.ts';
import type { DeadLetterMark, NewDeadLetter, PendingLetter, Place, StateStore } from '../state/store.ts';
import { canonical } from '../values.ts';
import { letterSize } from './letters.ts';
import type { Slot } from './slot.ts';
import type { Group } from './work.ts';

export interface LetterBook {
  readonly bytes: number;
  /** A letter that is made now, of this source event of the group that is being written. */
  add(letter: NewDeadLetter, source: number): void;
  /** The group's letters are added and its marks taken: what comes now is later than all of it. */
  next(group: Group): void;
  /** What these outputs, which are ok at a sink now, say about pending letters. `isOk(j)`: output j is ok there. */
  marks(slot: Slot, group: Group, isOk: (j: number) => boolean): DeadLetterMark[];
  /** Marks that are durable now. */
  marked(marks: readonly DeadLetterMark[]): void;
}

type Remembered = Pick<PendingLetter, 'place' | 'event_id' | 'table' | 'key'> & {
  /** Where its event stands in the order of this session's source events; -1 for one of before. */
  readonly at: number;
};

/** `keyed`: some sink of the stream writes by key, so that a later event of a key can supersede a letter. */
export async function openLetterBook(store: StateStore, stream: string, keyed: boolean): Promise<LetterBook> {
  // Letters of before this session can come again (read again from the checkpoint): those are known by event id too.
  const byEvent = new Map<string, Remembered>();
  const byKey = new Map<string, Map<string, Remembered>>();
  const keySlots = new Map<string, string>();
  let bytes = await store.deadLetterBytes(stream);

  let passed = 0; // source events of the groups before

  const remember = (letter: Remembered, comesAgain: boolean): void => {
    const name = eventSlot(letter.place, letter.event_id);
    if (comesAgain) byEvent.set(name, letter);
    if (letter.key === null || !keyed) return;
    const slot = keySlot(letter.place, letter.table, letter.key);
    const letters = byKey.get(slot) ?? new Map<string, Remembered>();
    letters.set(name, letter);
    byKey.set(slot, letters);
    keySlots.set(name, slot);
  };
  const forget = (place: Place, eventId: string): void => {
    const name = eventSlot(place, eventId);
    byEvent.delete(name);
    const slot = keySlots.get(name);
    if (slot === undefined) return;
    keySlots.delete(name);
    const letters = byKey.get(slot);
    letters?.delete(name);
    if (letters?.size === 0) byKey.delete(slot);
  };
  for (const letter of await store.pendingLetters(stream)) remember({ ...letter, at: -1 }, true);

  return {
    get bytes() {
      return bytes;
    },
    add(letter, source) {
      bytes += letterSize(letter);
      const { place, event_id, table, key } = letter; // not the rest: the texts of a letter are large
      remember({ place, event_id, table, key, at: passed + source }, false);
    },
    next(group) {
      passed += group.count;
    },
    marks(slot, group, isOk) {
      if (byEvent.size === 0 && (byKey.size === 0 || !slot.sink.keyed)) return [];
      const found = { resolved: new Map<string, Remembered>(), superseded: new Map<string, Remembered>() };
      for (let j = 0; j < group.out.length; j++) {
        if (isOk(j)) look(slot, group, j, passed + group.originOf(j), byEvent, byKey, found);
      }
      return [...toMarks(stream, 'resolved', found.resolved), ...toMarks(stream, 'superseded', found.superseded)];
    },
    marked(marks) {
      for (const mark of marks) {
        if (mark.ids !== undefined) continue;
        for (const id of mark.event_ids) forget(mark.place, id);
      }
    },
  };
}

interface Found {
  readonly resolved: Map<string, Remembered>;
  readonly superseded: Map<string, Remembered>;
}

function look(
  slot: Slot,
  group: Group,
  j: number,
  at: number,
  byEvent: ReadonlyMap<string, Remembered>,
  byKey: ReadonlyMap<string, ReadonlyMap<string, Remembered>>,
  found: Found,
): void {
  const place: Place = { kind: 'sink', id: slot.id };
  const id = group.out.id(j);
  const source = group.sourceOf(j);
  if (byEvent.size > 0) {
    for (const name of eventSlots(place, id, source.batch.id(source.index), byEvent))
      found.resolved.set(name, byEvent.get(name)!);
  }
  if (!slot.sink.keyed || byKey.size === 0) return;
  const table = group.out.table(j);
  const sinkKeys = keyTexts(group.out, j, slot.sink.key) ?? [];
  for (const key of sinkKeys) supersede(byKey.get(keySlot(place, table, key)), id, at, found);
  for (const key of sourceKeys(source.batch, source.index)) {
    supersede(byKey.get(keySlot(null, table, key)), source.batch.id(source.index), at, found);
  }
}

// A letter of a transformation or the source is resolved by any output that descends from its input.
function* eventSlots(
  place: Place,
  id: string,
  sourceId: string,
  known: ReadonlyMap<string, Remembered>,
): Generator<string> {
  const own = eventSlot(place, id);
  if (known.has(own)) yield own;
  for (let ancestor = id; ancestor.length >= sourceId.length; ancestor = ancestor.slice(0, ancestor.lastIndexOf('/'))) {
    const name = eventSlot(null, ancestor);
    if (known.has(name)) yield name;
    if (ancestor.length === sourceId.length || !ancestor.includes('/')) break;
  }
}

function supersede(letters: ReadonlyMap<string, Remembered> | undefined, id: string, at: number, found: Found): void {
  if (letters === undefined) return;
  for (const [name, letter] of letters) {
    if (letter.at < at && !descends(id, letter.event_id) && !found.resolved.has(name))
      found.superseded.set(name, letter);
  }
}

function descends(id: string, from: string): boolean {
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

// Everything that failed before the sinks is one place here: it is resolved and superseded by what happens at any sink.
function eventSlot(place: Place | null, id: string): string {
  return place?.kind === 'sink' ? `sink ${place.id} ${id}` : `chain ${id}`;
}

function keySlot(place: Place | null, table: string, key: string): string {
  return place?.kind === 'sink' ? `sink ${place.id} ${table} ${key}` : `chain ${table} ${key}`;
}
