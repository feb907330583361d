// Delivers groups and makes them durable, in the one order that loses nothing (DELIVERY.md, section 2):
//   1. the sinks write and settle, the home last, in its open transaction;
//   2. dead letters go to their destinations, then into the state store (with the checkpoint, where there is no home);
//   3. sinks that keep a state flush it;
//   4. the checkpoint: in the home's transaction, or in the state store; then the store's copy;
//   5. and only then may the source forget (ack, by the caller).
// Invariants 1, 2 and 4 are upheld here. What is not committed is dropped with the writer when the session is lost.

import { type Checkpoint, type Ledger, type Parked, seal } from '../checkpoint.ts';
import { type SluiceError, sluiceError, toSluiceError } from '../errors.ts';
import type { HomeTransaction } from '../plugin.ts';
import type { DeadLetter, DeadLetterMark, NewDeadLetter, Place, StateStore } from '../state/store.ts';
import type { Json } from '../values.ts';
import { type DeliverParts, deliver, type SlotOutcome } from './deliver.ts';
import { SessionLost, StreamFailed } from './ends.ts';
import { addLedger, ledgerOf, noEvents } from './fates.ts';
import { gapsAt } from './gaps.ts';
import type { LetterBook } from './letter-book.ts';
import { deliverCopies } from './letter-copies.ts';
import { letterName } from './letter-index.ts';
import type { Letter, LetterParts } from './letters.ts';
import { absentError, sinkLetter } from './sink-letters.ts';
import { addCounts, flushSlot, limited, type Missed, type Slot } from './slot.ts';
import type { Group } from './work.ts';

/** Letters of an open transaction go to the store when they take more than this. */
const LETTERS_IN_MEMORY = 4 * 1024 * 1024;

export interface WriterParts extends Omit<DeliverParts, 'transaction' | 'returned' | 'entered'> {
  readonly stream: string;
  readonly store: StateStore;
  readonly book: LetterBook;
  /** What was loaded or made at the start, its epoch raised. */
  readonly checkpoint: Checkpoint;
  readonly maxLetterBytes: number;
  /** What is parked, to be saved with the checkpoint. */
  parked(): readonly Parked[];
  /** A needed sink rejected an event of the table. */
  rejected(table: string): void;
  /** The last transformation before the sinks, if there is one: what a sink's letter came out of. */
  readonly lastTransform: LetterParts['transform'] | null;
  /** The sink that gets a copy of the dead letters of a place, if its error_handling names one. */
  destinationOf(place: Place): string | null;
  /** A dead_letter_destination rejected `count` of its copies. */
  lettersRefused(slot: Slot, count: number, error: SluiceError): void;
  /** A sink that was away is back. */
  sinkReturned(slot: Slot): void;
}

/** What a replay is of. */
export interface ReplayOf {
  readonly only: ReadonlySet<string>;
  readonly letter: DeadLetter;
  /** Of the chain that it went through. */
  readonly lastTransform: LetterParts['transform'] | null;
}

export interface Writer {
  readonly checkpoint: Checkpoint;
  /** Source events delivered and not covered by a checkpoint yet. */
  readonly uncommitted: number;
  /** `replay`: only to these sinks, whatever policies and counts say; a sink that is away ends it with StreamFailed. */
  deliver(group: Group, replay?: ReplayOf): Promise<readonly SlotOutcome[]>;
  /** A letter that a replay has superseded, and that is not marked so yet. */
  isSuperseded(letter: Pick<NewDeadLetter, 'place' | 'event_id'>): boolean;
  /** Makes everything delivered so far durable. `position` undefined: the same as before (a replay). */
  commit(change: { readonly position?: Json; readonly request?: number; readonly replay?: boolean }): Promise<void>;
  /** The letter of an event whose replay failed in a transform again: written with the next commit, before its marks. */
  renewLetter(letter: NewDeadLetter): void;
  /** Drops what is not committed. */
  abandon(): Promise<void>;
}

/** A sink that was away took its probe. */
interface Returned {
  readonly slot: Slot;
  readonly missed: Missed;
  readonly delivered: ReadonlySet<number>;
}

export function openWriter(parts: WriterParts): Writer {
  let checkpoint = parts.checkpoint;
  let ledger: Ledger = noEvents;
  let letters: NewDeadLetter[] = [];
  let letterBytes = 0;
  let marks: DeadLetterMark[] = [];
  // Of sinks that came back: durable no earlier than the state that covers what their probes wrote.
  let returned: Returned[] = [];
  let transaction: HomeTransaction | null = null;
  const superseded = new Set<string>(); // by replays since the last commit, by name
  const home = parts.slots.find((slot) => slot.role === 'home');

  const begin = async (): Promise<HomeTransaction> => {
    transaction ??= await home!.sink.transactional!.begin(parts.stream);
    return transaction;
  };
  const deliverParts: DeliverParts = {
    ...parts,
    transaction: begin,
    entered: () => parts.book.entered,
    returned(slot, missed, delivered) {
      returned.push({ slot, missed, delivered });
      parts.sinkReturned(slot);
    },
  };
  /** Marks of what a probe delivered: that it did, and that earlier letters of the same keys are older than what is there now. */
  const marksOf = ({ slot, missed, delivered }: Returned): DeadLetterMark[] => [
    {
      status: 'resolved',
      stream: parts.stream,
      place: { kind: 'sink', id: slot.id },
      event_ids: [...delivered].map((j) => missed.group.out.id(j)),
    },
    ...parts.book.superseded(slot, missed.group, (j) => delivered.has(j), missed.entered),
  ];
  const hasRoom = (): boolean => parts.book.bytes < parts.maxLetterBytes;
  // A full store fails the stream, at any place but a sink that is not needed (DELIVERY.md, section 3): its caller looks first.
  let made: NewDeadLetter[] = [];
  const hold = (letter: Letter, entered: number): void => {
    if (!hasRoom()) throw new StreamFailed(fullError());
    const numbered = { ...letter, entered };
    letterBytes += parts.book.add(numbered);
    made.push(numbered);
  };
  // The numbers that the store gives are in the order of the events, whatever place they failed at: replays go by them.
  const inSourceOrder = (): void => {
    letters.push(...made.sort((a, b) => a.entered - b.entered));
    made = [];
  };

  const entered = (group: Group, j: number): number => parts.book.entered + group.originOf(j) + 1;

  const holdRejected = (group: Group, { slot, progress }: SlotOutcome, replay?: ReplayOf): number => {
    const lastTransform = replay === undefined ? parts.lastTransform : replay.lastTransform;
    let deadLettered = 0;
    for (const [j, exception] of progress.exceptions) {
      if (exception.fate === 'skipped') continue;
      deadLettered++;
      hold(
        sinkLetter({ stream: parts.stream, lastTransform }, slot, group, j, exception.error, exception.attempts),
        replay?.letter.entered ?? entered(group, j),
      );
    }
    return deadLettered;
  };

  /** `rejected`: how many have their letters already. Returns the missed outputs that have no room among the dead letters. */
  const recordOutcome = (group: Group, outcome: SlotOutcome, rejected: number): readonly number[] => {
    const { slot, progress, missed } = outcome;
    let deadLettered = rejected;
    const skipped = progress.exceptions.size - deadLettered;
    const lost: number[] = [];
    for (const j of missed) {
      if (!hasRoom()) {
        lost.push(j);
        continue;
      }
      deadLettered++;
      hold(sinkLetter(parts, slot, group, j, absentError(slot, outcome.error), 1), entered(group, j));
    }
    // a range that it missed deletes nothing there: a gap without events
    const noRange = outcome.error !== null && group.out.ranges !== undefined;
    if (lost.length > 0 || noRange) {
      slot.gap ??= { sink: slot.id, from: checkpoint.position, to: null, events: 0 };
      slot.gap = { ...slot.gap, events: slot.gap.events + lost.length };
    }
    const out = group.out.length;
    slot.counts = addCounts(slot.counts, {
      out,
      delivered: out - skipped - deadLettered - lost.length,
      skipped,
      dead_lettered: deadLettered,
      missed: lost.length,
    });
    return lost;
  };

  const markPassed = (group: Group, { slot, progress, missed }: SlotOutcome, before?: number): void => {
    const bad = new Set([...progress.exceptions.keys(), ...missed]);
    marks.push(...parts.book.superseded(slot, group, (j) => !bad.has(j), before));
  };

  const storeLetters = async (withCheckpoint: Checkpoint | null): Promise<void> => {
    if (letters.length === 0 && marks.length === 0 && withCheckpoint === null) return;
    const written = { letters, marks };
    letters = [];
    marks = [];
    letterBytes = 0;
    await parts.store
      .write({
        ...(written.letters.length > 0 ? { deadLetters: written.letters } : {}),
        ...(written.marks.length > 0 ? { marks: written.marks } : {}),
        ...(withCheckpoint === null ? {} : { checkpoint: withCheckpoint }),
      })
      .catch((thrown: unknown) => {
        throw new SessionLost(toSluiceError(thrown, 'E_STATE_WRITE'));
      });
    parts.book.marked(written.marks);
  };

  const sendLetters = async (replay = false): Promise<void> => {
    if (letters.length === 0) return;
    for (const slot of parts.slots) {
      if (slot.role !== 'letters') continue;
      const own = letters.filter((letter) => parts.destinationOf(letter.place) === slot.id);
      if (own.length > 0) await deliverCopies(slot, own, { ...parts, ...deliverParts, replay });
    }
  };

  return {
    get checkpoint() {
      return checkpoint;
    },
    get uncommitted() {
      return ledger.in;
    },
    async deliver(group, replay) {
      if (!hasRoom()) await parts.book.recount(letterBytes);
      const outcomes = await deliver(group, deliverParts, replay?.only);
      if (replay !== undefined) {
        for (const outcome of outcomes) holdRejected(group, outcome, replay);
        inSourceOrder();
        // Earlier letters of its key are older than what was written now: their replay would take the row back.
        const known = marks.length;
        for (const outcome of outcomes) markPassed(group, outcome, replay.letter.entered - 1);
        for (const mark of marks.slice(known)) for (const name of namesOf(mark)) superseded.add(name);
        return outcomes;
      }
      // What must have room comes first; what an absent sink missed may become a gap.
      let start = parts.book.entered;
      for (const work of group.works) {
        for (const { letter, source } of work.failures) if (letter !== null) hold(letter, start + source + 1);
        start += work.input.length;
      }
      const rejected = outcomes.map((outcome) => holdRejected(group, outcome));
      const lost = new Map(
        outcomes.map((outcome, k) => [outcome.slot.id, recordOutcome(group, outcome, rejected[k]!)]),
      );
      inSourceOrder();
      for (const { slot, progress } of outcomes) {
        const counts = slot.needed || typeof parts.policy === 'object'; // a quorum needs none by name
        if (counts) for (const j of progress.exceptions.keys()) parts.rejected(group.out.table(j));
      }
      for (const outcome of outcomes) markPassed(group, outcome);
      marks.push(...parts.book.resolved(group, lost));
      parts.book.next(group);
      ledger = addLedger(
        ledger,
        ledgerOf(
          group,
          outcomes.map((o) => ({
            needed: o.slot.needed,
            isHome: o.slot.role === 'home',
            exceptions: o.progress.exceptions,
            missed: o.missed,
          })),
          parts.policy,
        ),
      );
      // Letters of an open transaction do not wait in memory for its end: they are known by event id, so a repeat is no harm.
      if (letterBytes > LETTERS_IN_MEMORY) {
        await sendLetters();
        await storeLetters(null);
      }
      return outcomes;
    },
    async commit({ position, request, replay }) {
      const back = returned; // taken before the states are: what comes back after that waits for the next checkpoint
      returned = [];
      await sendLetters(replay);
      const gaps = gapsAt(position ?? checkpoint.position, checkpoint.gaps, parts.slots);
      // One that could not be restored holds what nobody covers: its flush would make that the state.
      for (const slot of parts.slots) {
        if (slot.dirty && !slot.stale && slot.away === null && slot.busy === null) await flush(slot);
      }
      const next = seal({
        ...checkpoint,
        position: position === undefined ? checkpoint.position : position,
        ledger: replay === true ? checkpoint.ledger : addLedger(checkpoint.ledger, ledger),
        sinks: Object.fromEntries(parts.slots.map((slot) => [slot.id, { state: slot.state, counts: slot.counts }])),
        gaps,
        parked: parts.parked(),
        request: request ?? checkpoint.request,
        saved_at: new Date().toISOString(),
      });
      if (home === undefined) {
        // Invariant 2 and 5: letters and checkpoint in one transaction.
        marks.push(...back.flatMap(marksOf));
        await storeLetters(next);
      } else {
        // What a replay supersedes is marked after its rows are durable: lost before that, all of it is tried again, in order.
        const ofReplay = replay === true ? marks : [];
        if (replay === true) marks = [];
        await storeLetters(null);
        await commitHome(next);
        transaction = null;
        marks.push(...ofReplay);
      }
      checkpoint = next;
      ledger = noEvents;
      superseded.clear();
      if (home === undefined) return;
      marks.push(...back.flatMap(marksOf));
      await storeLetters(next); // the copy that `status` reads; the home stays the truth
    },
    isSuperseded: (letter) => superseded.has(letterName(letter.place, letter.event_id)),
    renewLetter(letter) {
      letters.push(letter);
    },
    async abandon() {
      const open = transaction;
      transaction = null;
      await open?.rollback().catch(() => undefined); // it may be lost already, and then there is nothing to undo
    },
  };

  async function commitHome(next: Checkpoint): Promise<void> {
    try {
      await (await begin()).commit(next);
    } catch (thrown) {
      transaction = null;
      const error = toSluiceError(thrown, 'E_SINK_WRITE');
      throw error.permanent || error.code === 'E_CHECKPOINT_EPOCH' ? new StreamFailed(error) : new SessionLost(error);
    }
  }

  function fullError(): SluiceError {
    return sluiceError('E_DEAD_LETTERS_FULL', {
      message: `the dead letters of stream ${parts.stream} take more than dead_letters.max_bytes (${parts.maxLetterBytes} bytes)`,
    });
  }
}

function namesOf(mark: DeadLetterMark): string[] {
  return mark.ids === undefined ? mark.event_ids.map((id) => letterName(mark.place, id)) : [];
}

async function flush(slot: Slot): Promise<void> {
  try {
    if (slot.needed) await flushSlot(slot);
    else await limited(slot, (givenUp) => flushSlot(slot, givenUp));
  } catch (thrown) {
    if (!slot.needed) return; // what it took was flushed at once (attempt.ts): the state that it had is still right
    throw new SessionLost(toSluiceError(thrown, 'E_SINK_WRITE'));
  }
}
