// Works on a stream that no process runs, as a verb does: takes the lock, opens sinks and writer at the last checkpoint,
// does one thing, closes. The same writer as a running stream's, so the same rules hold.

import type { Checkpoint, Parked } from '../checkpoint.ts';
import { toSluiceError } from '../errors.ts';
import type { Json } from '../values.ts';
import { SessionLost, StreamFailed } from './ends.ts';
import { openLetterBook } from './letter-book.ts';
import { atHome, destinationOf, loadCheckpoint, type Opening, openSlots, takeOver } from './open.ts';
import { ended, type ResumeBody } from './parking.ts';
import type { ReplayResult } from './replay.ts';
import { type ReplayBody, replayRequest } from './requests.ts';
import { restoreSlot, type Slot } from './slot.ts';
import { openWriter, type Writer } from './writer.ts';

/** @throws SluiceError E_STATE_LOCKED when a process runs the stream */
export async function replayAlone(opening: Opening, body: ReplayBody): Promise<readonly ReplayResult[]> {
  return await alone(opening, false, async (writer, slots) => {
    const hard = opening.signal;
    return await replayRequest(body, { parts: { ...opening, hard }, writer, slots });
  });
}

/** Sets the position; the ledger and the sinks' states stay. */
export async function setPosition(opening: Opening, position: Json): Promise<void> {
  await alone(opening, true, async (writer) => {
    await writer.commit({ position, replay: true });
  });
}

/** Ends a parking. @throws SluiceError E_NOT_PARKED */
export async function resumeAlone(opening: Opening, body: ResumeBody): Promise<readonly Parked[]> {
  return await alone(opening, false, async (writer, _slots, parked) => {
    const { ends, stays } = ended(writer.checkpoint.parked, body);
    parked.now = stays;
    await writer.commit({ replay: true });
    return ends;
  });
}

/** Forgets the checkpoint, at the home and in the state store: the next run starts from the beginning. */
export async function clearCheckpoint(opening: Opening): Promise<void> {
  const { store, config } = opening;
  await using _lock = await store.lock(config.id);
  const slots = await openSlots(opening);
  try {
    for (const slot of slots) if (slot.role === 'home') await slot.sink.transactional!.clear(config.id);
    await store.clearCheckpoint(config.id);
  } finally {
    for (const slot of slots) await slot.sink[Symbol.asyncDispose]();
  }
}

async function alone<T>(
  opening: Opening,
  repairs: boolean,
  work: (writer: Writer, slots: readonly Slot[], parked: { now: readonly Parked[] }) => Promise<T>,
): Promise<T> {
  const { store, config } = opening;
  await using _lock = await store.lock(config.id);
  const slots = await openSlots(opening);
  try {
    const load = (): Promise<Checkpoint | null> =>
      loadCheckpoint(config, slots, store).catch((thrown: unknown) => {
        if (!repairs) throw thrown;
        return lastKnown(opening, thrown);
      });
    await load(); // what is broken is said before anybody is fenced out
    for (const slot of slots) if (slot.role === 'home') await atHome(slot.sink.transactional!.open(config.id));
    const checkpoint = takeOver(config, await load(), true);
    for (const slot of slots) {
      await restoreSlot(slot, checkpoint, (_, error) =>
        opening.log.warn(
          { stream: config.id, sink: slot.id, error: error.toJSON() },
          `sink ${slot.id} could not go back to its last checkpoint: ${error.message}`,
        ),
      );
    }
    const parked = { now: checkpoint.parked };
    const never = new AbortController().signal;
    const writer = openWriter({
      stream: config.id,
      store,
      slots,
      checkpoint,
      book: await openLetterBook(
        store,
        config.id,
        slots.some((slot) => slot.sink.keyed),
        checkpoint.ledger.in,
      ),
      policy: config.commit_policy,
      retry: { ...config.retry_policy, max_attempts: 1 }, // a verb says what is away, and does not wait for it
      maxLetterBytes: Number.POSITIVE_INFINITY,
      soft: never,
      hard: opening.signal,
      parked: () => parked.now,
      lastTransform: null, // a replay brings its own
      destinationOf: (place) => destinationOf(config, place),
      requestWaits: async () => false,
      waiting() {},
      left() {},
      lettersRefused(slot, count, error) {
        const told = `sink ${slot.id} rejected ${count} dead letters: ${error.message}`;
        opening.log.warn({ stream: config.id, sink: slot.id, error: error.toJSON() }, told);
      },
      sinkReturned() {},
      rejected() {},
    });
    try {
      return await work(writer, slots, parked);
    } finally {
      await writer.abandon();
    }
  } catch (thrown) {
    throw thrown instanceof StreamFailed || thrown instanceof SessionLost ? thrown.error : toSluiceError(thrown);
  } finally {
    for (const slot of slots) await slot.sink[Symbol.asyncDispose]();
  }
}

// `checkpoint set` is the way out of a home that has lost its checkpoint (then the store's copy is what is known), and of a
// damaged checkpoint (then nothing is: the ledger begins at zero).
async function lastKnown({ store, config }: Opening, thrown: unknown): Promise<Checkpoint | null> {
  const error = thrown instanceof StreamFailed ? thrown.error : toSluiceError(thrown);
  if (error.code === 'E_CHECKPOINT_HOME') return await store.loadCheckpoint(config.id);
  if (error.code === 'E_STATE_CORRUPT') {
    await store.restartOrder(config.id);
    return null;
  }
  throw thrown;
}
