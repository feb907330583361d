// What the engine remembers of a stream's dead letters: how much room they take (dead_letters.max_bytes), when one is
// resolved (its event came again, after a crash or a change of the position, and does not fail there any more: its fate is
// another one now), and when one is superseded (a later event of its key was ok at a keyed sink).
// Costs nothing while there are none.

import type { DeadLetterMark, NewDeadLetter, PendingLetter, Place, StateStore } from '../state/store.ts';
import { goneKeys } from './gone-keys.ts';
import { type LetterIndex, letterIndex, letterName } from './letter-index.ts';
import { keysOf, letterSize, sinkKeysOf } from './letters.ts';
import type { Slot } from './slot.ts';
import type { Group } from './work.ts';

export interface LetterBook {
  readonly bytes: number;
  /** How many source events had entered the stream before the group that is being written. */
  readonly entered: number;
  /** Asks the store again: letters that were replayed, ignored or superseded have given their room back. */
  recount(held: number): Promise<void>;
  /** A letter that is made now. Returns its bytes. */
  add(letter: NewDeadLetter): number;
  /** The group's letters are added and its marks taken: what comes now is later than all of it. */
  next(group: Group): void;
  /**
   * Earlier letters that the outputs of a group which are ok at a sink supersede. `isOk(j)`: output j is ok there.
   * `entered`: how many source events had entered before the group, if it is not the one that is being written.
   */
  superseded(slot: Slot, group: Group, isOk: (j: number) => boolean, entered?: number): DeadLetterMark[];
  /**
   * Letters of before whose events came again in this group and did not fail there again. `lost`: by sink, the outputs that
   * it missed and that no letter could hold: their letters of before are all there is of them.
   */
  resolved(group: Group, lost: ReadonlyMap<string, readonly number[]>): DeadLetterMark[];
  /** Marks that are durable now. */
  marked(marks: readonly DeadLetterMark[]): void;
}

/**
 * `keyed`: some sink of the stream writes by key, so that a later event of a key can supersede a letter.
 * `covered`: how many source events the checkpoint covers (the ledger's `in`).
 */
export async function openLetterBook(
  store: StateStore,
  stream: string,
  keyed: boolean,
  covered: number,
): Promise<LetterBook> {
  await store.reviveLetters(stream, covered);
  // By the id of the source event: letters of before this session, whose events can come again.
  const before = new Map<string, Map<string, PendingLetter>>();
  const pending = letterIndex();
  let bytes = await store.deadLetterBytes(stream);

  let entered = covered;

  const rememberBefore = (letter: PendingLetter): void => {
    const letters = before.get(letter.source_event_id) ?? new Map<string, PendingLetter>();
    letters.set(letterName(letter.place, letter.event_id), letter);
    before.set(letter.source_event_id, letters);
  };
  for (const letter of await store.pendingLetters(stream)) {
    rememberBefore(letter);
    if (keyed) pending.add(letter);
  }

  return {
    get bytes() {
      return bytes;
    },
    get entered() {
      return entered;
    },
    add(letter) {
      const size = letterSize(letter);
      bytes += size;
      before.get(letter.source_event_id)?.delete(letterName(letter.place, letter.event_id)); // it failed there again
      if (keyed) pending.add(inShort(letter));
      return size;
    },
    async recount(held) {
      bytes = (await store.deadLetterBytes(stream)) + held;
    },
    next(group) {
      entered += group.count;
    },
    superseded(slot, group, isOk, before = entered) {
      if (pending.size === 0 || !slot.sink.keyed) return [];
      const found = new Map<string, PendingLetter>();
      for (let j = 0; j < group.out.length; j++) {
        if (isOk(j)) findSuperseded(pending, slot, group, j, before + group.originOf(j) + 1, found);
      }
      // Rows that a snapshot did not find are deleted there: a replay of their letters would bring them back.
      if (slot.sink.key === undefined) findGone(pending, slot, group, before, found);
      return toMarks(stream, 'superseded', found).map((mark) => ({ ...mark, superseded_by: before + group.count }));
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
      const found = new Map<string, PendingLetter>();
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
        for (const id of mark.event_ids) pending.delete(mark.place, id);
      }
    },
  };
}

// Not the rest of a letter: its texts are large.
function inShort({ place, event_id, source_event_id, table, keys, entered }: PendingLetter): PendingLetter {
  return { place, event_id, source_event_id, table, keys, entered };
}

function findSuperseded(
  pending: LetterIndex,
  slot: Slot,
  group: Group,
  j: number,
  entered: number,
  found: Map<string, PendingLetter>,
): void {
  const { batch, index } = group.sourceOf(j);
  const add = (letters: Iterable<readonly [string, PendingLetter]>, id: string): void => {
    for (const [name, letter] of letters) {
      if (letter.entered < entered && !sameLine(id, letter.event_id)) found.set(name, letter);
    }
  };
  add(pending.meeting(slot.id, group.out.table(j), sinkKeysOf(group.out, j, slot.sink.key)), group.out.id(j));
  // what failed before the sinks is superseded by what happens at any of them
  add(pending.meeting(null, batch.table(index), keysOf(batch, index)), batch.id(index));
}

function findGone(
  pending: LetterIndex,
  slot: Slot,
  group: Group,
  entered: number,
  found: Map<string, PendingLetter>,
): void {
  for (const range of group.out.ranges ?? []) {
    const isGone = goneKeys(range, group.out);
    if (isGone === null) continue;
    for (const scope of [slot.id, null]) {
      for (const [name, letter] of pending.meeting(scope, range.table, null)) {
        const { keys } = letter;
        if (letter.entered <= entered && keys !== null && keys.length > 0 && keys.every(isGone))
          found.set(name, letter);
      }
    }
  }
}

// One descends from the other, or they are one.
function sameLine(id: string, from: string): boolean {
  return id === from || id.startsWith(`${from}/`) || from.startsWith(`${id}/`);
}

function toMarks(
  stream: string,
  status: 'resolved' | 'superseded',
  letters: ReadonlyMap<string, PendingLetter>,
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
