// What verbs ask of a running stream, left as rows in the state store and carried out between groups, with nothing at the
// sinks. A request ends with a checkpoint that holds its number; one at or below that number is never done again.

import type { Parked } from '../checkpoint.ts';
import { type SluiceError, sluiceError, toSluiceError } from '../errors.ts';
import type { StreamConfig } from '../manifest/model.ts';
import type { StateStore, StoredRequest } from '../state/store.ts';
import type { Json } from '../values.ts';
import { answerRequest } from './answer.ts';
import type { Chain } from './chain.ts';
import { Interrupted, RequestWaits, SessionLost, StreamFailed } from './ends.ts';
import { type Opening, openChain } from './open.ts';
import { ended, type ResumeBody } from './parking.ts';
import { type ReplayResult, replayLetters } from './replay.ts';
import type { Slot } from './slot.ts';
import { sourceRequestOf, type TableRequests } from './table-requests.ts';
import type { Writer } from './writer.ts';

export interface RequestParts {
  readonly parts: Opening & {
    /** The stream as the files on disk say it now. */
    readonly reload?: () => Promise<StreamConfig>;
    readonly hard: AbortSignal;
    /** Ends a replay between two letters. */
    readonly soft?: AbortSignal;
  };
  readonly writer: Writer;
  readonly slots: readonly Slot[];
}

/** What requests of a running stream may change beside what the verbs alone change. */
export interface RunningParts extends RequestParts {
  readonly chain: Chain;
  /** What the checkpoint says is parked. */
  readonly parked: { saved: readonly Parked[] };
  readonly tables: TableRequests;
}

/** The position was set from outside: read again from the checkpoint. */
export class Reposition extends Error {}

export interface ReplayBody {
  readonly ids: readonly number[];
  readonly force: boolean;
}

/** @throws Reposition, or what ends the session: then the request stays, and is taken up again by the next. */
export async function carryOut(request: StoredRequest, to: RunningParts): Promise<void> {
  let result: Json = null;
  let moved: Reposition | null = null;
  try {
    const forSource = sourceRequestOf(request);
    if (forSource !== null) {
      if (request.type === 'resume') ended(to.writer.checkpoint.parked, request.body as unknown as ResumeBody);
      to.tables.give(forSource);
      return; // it ends with the checkpoint that covers the source's own answer, or with its refusal
    }
    result = await perform(request, to);
  } catch (thrown) {
    if (isOfTheStream(thrown)) throw thrown;
    if (thrown instanceof Reposition) {
      moved = thrown;
    } else {
      await refuse(request.number, toSluiceError(thrown, 'E_REQUEST_FAILED'), to);
      return;
    }
  }
  await answerRequest(to.parts.store, request.number, 'done', result);
  if (moved !== null) throw moved;
}

/** The request ends with an error, which the log says too: whoever asked may not be there any more. */
export async function refuse(number: number, error: SluiceError, to: RunningParts): Promise<void> {
  to.parts.log.warn(
    { stream: to.parts.config.id, request: number, error: error.toJSON() },
    `a request failed: ${error.message}`,
  );
  await to.writer.commit({ request: number, replay: true });
  await answerRequest(to.parts.store, number, 'failed', error.toJSON() as unknown as Json);
}

function isOfTheStream(thrown: unknown): boolean {
  return (
    thrown instanceof SessionLost ||
    thrown instanceof StreamFailed ||
    thrown instanceof Interrupted ||
    thrown instanceof RequestWaits
  );
}

async function perform(request: StoredRequest, to: RunningParts): Promise<Json> {
  if (request.type === 'replay') {
    const body = request.body as unknown as ReplayBody;
    return (await replayRequest(body, to, request.number)) as unknown as Json;
  }
  if (request.type === 'checkpoint-set') {
    const { position } = request.body as { position: Json };
    await to.writer.commit({ position, request: request.number, replay: true });
    throw new Reposition();
  }
  if (request.type === 'resume') {
    const { ends, stays } = ended(to.writer.checkpoint.parked, request.body as unknown as ResumeBody);
    to.parked.saved = stays;
    for (const { kind, id } of ends) {
      if (kind === 'transform') to.chain.steps.find((step) => step.id === id)?.loaded?.resume();
    }
    await to.writer.commit({ request: request.number, replay: true });
    return ends as unknown as Json;
  }
  throw new Error(`this version of Sluice does not know requests of type ${request.type}`);
}

/** The checkpoint's number was given by a state store that is gone: what was asked in the new one is not covered by it. */
export async function answerAnew(store: StateStore, stream: string, covered: number): Promise<void> {
  const error = sluiceError('E_REQUEST_FAILED', {
    message: 'the state store was new when this was asked, and the checkpoint at its home is from before',
    fix: 'ask again',
  });
  for (const number of await store.numberAbove(stream, covered))
    await store.updateRequest(number, 'failed', error.toJSON() as unknown as Json);
}

/** A crash came between the checkpoint that holds a request and its answer: the request is done, whatever it gave. */
export async function answerCovered(store: StateStore, stream: string, covered: number): Promise<void> {
  for (;;) {
    const next = await store.nextRequest(stream, 0);
    if (next === null || next.number > covered) return;
    await store.updateRequest(next.number, 'done', null);
  }
}

/** Letters are read so many at a time. */
const LETTERS_AT_ONCE = 100;

/** Also called by the verb itself, with its own writer, when no process runs the stream. */
export async function replayRequest(
  body: ReplayBody,
  to: RequestParts,
  number?: number,
): Promise<readonly ReplayResult[]> {
  const { parts, writer, slots } = to;
  const config = (await parts.reload?.()) ?? parts.config;
  const chain = await openChain({ ...parts, config }, slots);
  try {
    const stop = parts.soft === undefined ? {} : { stop: parts.soft };
    const tryParts = { chain, writer, slots, force: body.force, signal: parts.hard, ...stop };
    const results: ReplayResult[] = [];
    const settled: number[] = [];
    // In the order of their events, so that no letter takes back what a later one of its key gave.
    const ordered = await parts.store.inOrder(parts.config.id, body.ids);
    for (let from = 0; from < ordered.length; from += LETTERS_AT_ONCE) {
      const ids = ordered.slice(from, from + LETTERS_AT_ONCE);
      const letters = [...(await parts.store.listDeadLetters({ stream: parts.config.id, ids }))];
      letters.sort((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id));
      const replayed = await replayLetters(letters, tryParts);
      results.push(...replayed.results.map(withoutRows));
      settled.push(...replayed.settled);
    }
    await writer.commit({ replay: true, ...(number === undefined ? {} : { request: number }) });
    // A sink that hangs was not flushed: what it took before is not covered, and may be cut off again.
    const hanging = slots.find((slot) => slot.dirty && slot.busy !== null);
    if (hanging !== undefined) return await unsettled(hanging, results, settled, parts.store);
    // Only now: a crash in between leaves a letter pending that was delivered, and never one resolved that was not.
    if (settled.length > 0)
      await parts.store.write({ marks: [{ status: 'resolved', ids: settled, note: 'replayed' }] });
    return results;
  } finally {
    for (const step of chain.steps) await step.transform[Symbol.asyncDispose]();
  }
}

/** What was delivered counts as nothing; what was settled without the sinks stays settled. */
async function unsettled(
  { id }: Slot,
  results: readonly ReplayResult[],
  settled: readonly number[],
  store: StateStore,
): Promise<readonly ReplayResult[]> {
  const message = `sink ${id} hangs: what it took is not durable, so the letter stays`;
  const delivered = new Set(results.flatMap((result) => (result.outcome === 'delivered' ? [result.id] : [])));
  const ids = settled.filter((letter) => !delivered.has(letter));
  if (ids.length > 0) await store.write({ marks: [{ status: 'resolved', ids, note: 'replayed' }] });
  return results.map((result) => (delivered.has(result.id) ? { ...result, outcome: 'away', message } : result));
}

// A result is kept as the answer of its request: the rows of people do not stay there. A dry run shows them.
function withoutRows(result: ReplayResult): ReplayResult {
  return { ...result, before: null, after: [] };
}
