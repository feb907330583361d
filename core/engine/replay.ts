// Trying a dead letter again (DELIVERY.md, section 5): the source event goes through the files on disk, and only what has
// the failed input's id, or descends from it, is written: a sink's rejection to that sink, everything else to all sinks.
// The same code serves a running stream, a verb with no process running, and a dry run (which stops before the sinks).

import { batchOfEnvelope, envelopeText } from '../batch.ts';
import { pick } from '../batch-parts.ts';
import { splitEnvelope } from '../envelope.ts';
import type { ErrorData, SluiceError } from '../errors.ts';
import type { Column, EventBatch } from '../event.ts';
import type { ErrorHandling } from '../manifest/model.ts';
import type { DeadLetter, Place } from '../state/store.ts';
import { applyChain, type Chain, lastTransformOf } from './chain.ts';
import { duplicateOutputs } from './duplicates.ts';
import { Interrupted, StreamFailed } from './ends.ts';
import { groupOf } from './group.ts';
import type { Letter } from './letters.ts';
import type { Slot } from './slot.ts';
import type { Transformed } from './work.ts';
import type { Writer } from './writer.ts';

/** What a replay made, or would make, of one letter. */
export interface ReplayResult {
  readonly id: number;
  readonly event_id: string;
  /**
   * delivered, or (dry run) would_pass; filtered: the transforms drop it now; failed: it fails again; nothing: the
   * transforms give nothing under the failed id any more; refused: it was not tried (superseded, settled, unreadable); away:
   * a sink is not there.
   */
  readonly outcome: 'delivered' | 'would_pass' | 'filtered' | 'failed' | 'nothing' | 'refused' | 'away';
  readonly message?: string;
  readonly error?: ErrorData;
  /** The code on disk is not the code that failed. */
  readonly code_changed: boolean;
  /** Of a dry run: envelope of the input of the step that failed, and of what comes out now. */
  readonly before: string | null;
  readonly after: readonly string[];
}

/** A failing event of a replay is a dead letter again, whatever the policy: no retries, and the stream does not stop for it. */
const AGAIN: ErrorHandling = { on_error: 'dead_letter', max_retries: 0, retry_delay: 0, then: 'dead_letter' };

/** The chain as a replay runs it. */
export function replayChain(chain: Chain): Chain {
  return {
    ...chain,
    sourcePolicy: AGAIN,
    verify: true,
    steps: chain.steps.map((step) => ({ ...step, policy: AGAIN })),
  };
}

export interface Tried {
  readonly result: ReplayResult;
  /** What to write, when the outcome is would_pass. */
  readonly transformed: Transformed | null;
  /** The letter of today's failure, when a transform fails on it again. */
  readonly again?: Letter;
}

export interface TryParts {
  readonly chain: Chain;
  readonly slots: readonly Slot[];
  /** Superseded letters too. */
  readonly force: boolean;
  readonly signal: AbortSignal;
}

/** The sinks that a letter's replay writes to: its own, else all but those that get dead letters only. */
function targets(letter: DeadLetter, slots: readonly Slot[]): Slot[] {
  const data = slots.filter((slot) => slot.role !== 'letters');
  return letter.place.kind === 'sink' ? data.filter((slot) => slot.id === letter.place.id) : data;
}

/** Everything short of the sinks. */
export async function tryLetter(letter: DeadLetter, parts: TryParts): Promise<Tried> {
  const { chain, force, signal } = parts;
  const sinks = targets(letter, parts.slots);
  const step = chain.steps.find((s) => s.id === letter.transform?.id);
  const base = {
    id: letter.id,
    event_id: letter.event_id,
    code_changed:
      letter.transform !== null && step?.loaded != null && step.loaded.identity.hash !== letter.transform.hash,
    before: letter.place.kind === 'source' ? letter.event : (letter.input ?? letter.event),
    after: [],
  };
  const refused = (message: string): Tried => ({ result: { ...base, outcome: 'refused', message }, transformed: null });
  if (letter.status === 'superseded' && !force) {
    return refused('a later event of its key was delivered; --force writes it all the same');
  }
  if (letter.status === 'resolved') return refused('it is resolved already');
  if (sinks.length === 0) {
    return refused(`the stream has no sink ${letter.place.id} for events any more`);
  }
  const input = inputOf(letter);
  if (input === null)
    return refused('the source could not read this event; mend it at the source, then ignore this letter');

  const transformed = await applyChain(replayChain(chain), input, signal);
  const again = transformed.failures
    .flatMap((failure) => failure.letter ?? [])
    .find((made) => descends(made.event_id, letter.event_id) || descends(letter.event_id, made.event_id));
  if (again !== undefined) {
    const { error } = again;
    return { result: { ...base, outcome: 'failed', error, message: error.message }, transformed: null, again };
  }
  const wanted: number[] = [];
  for (let j = 0; j < transformed.out.length; j++) if (descends(transformed.out.id(j), letter.event_id)) wanted.push(j);
  if (wanted.length === 0) {
    if (transformed.out.length === 0) return { result: { ...base, outcome: 'filtered' }, transformed: null };
    const message = `the transforms give nothing under ${letter.event_id} any more`;
    return { result: { ...base, outcome: 'nothing', message }, transformed: null };
  }
  const duplicate = duplicateOf(transformed, wanted, sinks);
  if (duplicate !== null) {
    const { slot, error } = duplicate;
    const place: Place = { kind: 'sink', id: slot.id };
    const renewed = { ...letter, place, error: error.toJSON(), attempts: 1, failed_at: new Date().toISOString() };
    const result: ReplayResult = { ...base, outcome: 'failed', error: renewed.error, message: error.message };
    return { result, transformed: null, ...(letter.place.kind === 'sink' ? { again: renewed } : {}) };
  }
  const out = pick(transformed.out, wanted);
  return {
    result: { ...base, outcome: 'would_pass', after: wanted.map((_, k) => envelopeText(out, k)) },
    transformed: { input, out, origin: new Uint32Array(wanted.length), failures: [] },
  };
}

/** What a replay did, and what is to be changed in the letters once its checkpoint is durable. */
export interface Replayed {
  readonly results: readonly ReplayResult[];
  /** The letters that are settled: delivered, filtered, or failing at another place now, under a letter of its own. */
  readonly settled: readonly number[];
}

/** Tries letters one after the other and writes what passes. The caller commits, and changes the letters after that. */
export async function replayLetters(
  letters: readonly DeadLetter[],
  parts: TryParts & { readonly writer: Writer; readonly stop?: AbortSignal },
): Promise<Replayed> {
  const results: ReplayResult[] = [];
  const settled: number[] = [];
  for (const letter of letters) {
    if (parts.stop?.aborted === true) throw new Interrupted(); // the request stays, and is taken up again
    const isOver = parts.writer.isSuperseded(letter);
    const tried = await tryLetter(isOver ? { ...letter, status: 'superseded' } : letter, parts);
    const { result, place } =
      tried.transformed === null
        ? { result: tried.result, place: tried.again?.place ?? null }
        : await writeOne(letter, tried.result, tried.transformed, parts);
    results.push(result);
    if (tried.again !== undefined) parts.writer.renewLetter({ ...tried.again, entered: letter.entered });
    const moved = place !== null && (place.kind !== letter.place.kind || place.id !== letter.place.id);
    if (result.outcome === 'delivered' || result.outcome === 'filtered' || moved) settled.push(letter.id);
  }
  return { results, settled };
}

/** `place`: where it fails now, if it does; the writer holds the letter of that. */
async function writeOne(
  letter: DeadLetter,
  result: ReplayResult,
  transformed: Transformed,
  { writer, slots, chain }: TryParts & { readonly writer: Writer },
): Promise<{ readonly result: ReplayResult; readonly place: Place | null }> {
  const only = new Set(targets(letter, slots).map((slot) => slot.id));
  try {
    const outcomes = await writer.deliver(groupOf([transformed]), {
      only,
      letter,
      lastTransform: lastTransformOf(chain),
    });
    for (const { slot, progress } of outcomes) {
      for (const exception of progress.exceptions.values()) {
        const error = exception.error.toJSON();
        return {
          result: { ...result, outcome: 'failed', message: error.message, error },
          place: { kind: 'sink', id: slot.id },
        };
      }
    }
    return { result: { ...result, outcome: 'delivered' }, place: null };
  } catch (thrown) {
    if (!(thrown instanceof StreamFailed)) throw thrown;
    const error = thrown.error.toJSON();
    const outcome = error.code === 'E_DEAD_LETTERS_FULL' ? 'failed' : 'away';
    return { result: { ...result, outcome, message: error.message, error }, place: null };
  }
}

// Judged over all outputs of the event: each of two that have one key would pass alone, one over the other.
function duplicateOf(
  transformed: Transformed,
  wanted: readonly number[],
  slots: readonly Slot[],
): { readonly slot: Slot; readonly error: SluiceError } | null {
  const whole = groupOf([transformed]);
  for (const slot of slots) {
    const duplicates = duplicateOutputs(slot, whole);
    for (const j of wanted) {
      const error = duplicates.get(j);
      if (error !== undefined) return { slot, error };
    }
  }
  return null;
}

function inputOf(letter: DeadLetter): EventBatch | null {
  try {
    return batchOfEnvelope(splitEnvelope(letter.event), {
      id: letter.source_event_id,
      // It was read once already, with the numbers that its source allows; but for those that were the failure.
      typed: letter.error.code !== 'E_EVENT_NUMBER',
      columns: letter.columns === null ? [] : (JSON.parse(letter.columns) as Column[]),
    });
  } catch {
    return null; // what the source could not read is kept raw
  }
}

function descends(id: string, from: string): boolean {
  return id === from || id.startsWith(`${from}/`);
}
