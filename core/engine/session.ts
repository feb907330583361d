// One session of a stream: from a checkpoint to the end of the source, a stop, or a loss. The loop:
//   reading       pulls batches from the source and, while there is room, starts their transforms and queues them;
//   transforming  runs in the sandbox, a few batches at a time; the queue keeps their order and is bounded in bytes;
//   writing       takes what is ready, joins it up to a few MiB, delivers it, commits, acks; one group at a time.
// Reading and transforming go on while a group is written. At the sinks there is never more than one group.
// Invariant 1: source.ack() is called in one place, after writer.commit() has returned.

import { sluiceError, toSluiceError } from '../errors.ts';
import type { EventBatch } from '../event.ts';
import type { Phase, Source, SourceItem, SourceNews } from '../plugin.ts';
import type { Json } from '../values.ts';
import { pause } from './backoff.ts';
import { type ByteRoom, byteRoom } from './byte-room.ts';
import { applyChain, type Chain } from './chain.ts';
import { Interrupted, SessionLost, StreamFailed } from './ends.ts';
import { groupOf } from './group.ts';
import { joinReady } from './joining.ts';
import { type WorkQueue, workQueue } from './queue.ts';
import type { TableRequests } from './table-requests.ts';
import type { Transformed, Work } from './work.ts';
import type { Writer } from './writer.ts';

/** What may be between source and sinks, inputs and outputs: read, transformed, and being written. */
const QUEUE_BYTES = 24 * 1024 * 1024;
/** What may be in the transforms at once: its outputs are not known yet, and may be many times as large. */
const TRANSFORMING_BYTES = 4 * 1024 * 1024;
/** An event without text still takes memory. */
const EVENT_BYTES = 64;

export interface SessionParts {
  readonly source: Source;
  readonly chain: Chain;
  readonly writer: Writer;
  readonly queueBytes?: number;
  /** Stop was asked for: nothing more is read, what is in flight is finished. */
  readonly soft: AbortSignal;
  readonly hard: AbortSignal;
  readonly observe: SessionObserver;
  readonly tables: Pick<TableRequests, 'covers' | 'answer'>;
  /** Called between groups, and about once a second while nothing comes: requests are carried out here. */
  between(): Promise<void>;
}

export interface SessionObserver {
  /** A batch was read. */
  read(events: number, bytes: number, phase: Phase): void;
  /** Nothing came for a second, and nothing is wrong: the source is there and has no news. */
  quiet(): void;
  /** The source did not end within 5 s after it was told to. */
  leftBehind(): void;
  /** A checkpoint covers `events` more. */
  committed(events: number, lastTs: number): void;
}

/** Returns when the source has ended or the stream was stopped, with everything that was read committed. */
export async function runSession(parts: SessionParts): Promise<'ended' | 'stopped'> {
  const queue = workQueue<Work>();
  const room = byteRoom(parts.queueBytes ?? QUEUE_BYTES);
  const lost = new AbortController(); // the session is over before the source is
  const reading = readAll(parts, queue, room, AbortSignal.any([parts.soft, lost.signal]), lost.signal);
  try {
    await writeAll(parts, queue, room);
    await reading;
    return parts.soft.aborted ? 'stopped' : 'ended';
  } catch (thrown) {
    throw parts.hard.aborted ? new Interrupted() : thrown;
  } finally {
    lost.abort();
    queue.clear();
    room.close();
    await parts.writer.abandon();
    await reading.catch(() => undefined); // its error, if any, came through the queue
  }
}

async function readAll(
  parts: SessionParts,
  queue: WorkQueue<Work>,
  room: ByteRoom,
  stop: AbortSignal,
  lost: AbortSignal,
): Promise<void> {
  const ended = AbortSignal.any([parts.hard, lost]);
  const transforming = byteRoom(TRANSFORMING_BYTES);
  try {
    let open = false;
    const items = parts.source.read(parts.writer.checkpoint.position, stop);
    for await (const item of untilAborted(items, stop, parts.observe.leftBehind)) {
      const { batch } = checkedItem(item);
      open = item.open === true;
      await room.free();
      await transforming.free();
      if (stop.aborted) break; // what could not be taken in is read again
      parts.observe.read(batch.length, batch.bytes, phaseOf(item.phase, batch.length > 0 && isSnapshot(batch)));
      const bytes = sizeOf(batch);
      const work: Work = {
        input: batch,
        position: item.open === true ? undefined : item.position,
        news: newsOf(item),
        bytes,
        transformed: applyChain(parts.chain, batch, ended),
        ready: false,
      };
      room.take(bytes);
      transforming.take(bytes);
      queue.push(work);
      void work.transformed
        .then(
          ({ out }) => {
            const more = out === batch ? 0 : sizeOf(out);
            work.bytes += more;
            room.take(more);
            work.ready = true;
          },
          () => undefined, // the writer meets the error when it gets there
        )
        .then(() => transforming.give(bytes));
    }
    if (open && !stop.aborted) {
      const message = 'the source ended within a transaction of its own: what came of it is pending, and is read again';
      throw sluiceError('E_SOURCE_READ', { message });
    }
    queue.end();
  } catch (thrown) {
    if (thrown instanceof StreamFailed) queue.end(thrown);
    else queue.end(new SessionLost(toSluiceError(thrown, 'E_SOURCE_READ')));
  }
}

/** @throws StreamFailed E_PLUGIN_SHAPE: a source that does not say what it gives would lose it in silence */
function checkedItem(item: SourceItem<Json>): SourceItem<Json> {
  const wrong = whatIsWrong(item);
  if (wrong === null) return item;
  throw new StreamFailed(sluiceError('E_PLUGIN_SHAPE', { message: `the source's read() gave ${wrong}` }));
}

function whatIsWrong(item: Partial<SourceItem<Json>> | null | undefined): string | null {
  if (typeof item !== 'object' || item === null) return `${String(item)} in place of an item`;
  if (typeof item.batch?.after !== 'function' || typeof item.batch.length !== 'number') {
    return 'an item whose batch was not made by batchOf() or batchOfText()';
  }
  if (item.open === true) return null;
  if (item.position === undefined) return 'an item with neither `position` nor `open: true`';
  try {
    JSON.stringify(item.position);
    return null;
  } catch (thrown) {
    return `a position that is no JSON (${thrown instanceof Error ? thrown.message : String(thrown)})`;
  }
}

function sizeOf(batch: EventBatch): number {
  return batch.bytes + EVENT_BYTES * batch.length;
}

/** The source's batches, ending at once when the signal aborts even if the source takes its time to notice. */
async function* untilAborted<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal,
  leftBehind: () => void,
): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  // Not Promise.race with one long-lived promise: each race would leave a reaction on it for as long as the session lives.
  let release = (): void => undefined;
  const onAbort = (): void => release();
  signal.addEventListener('abort', onAbort, { once: true });
  let pending: Promise<IteratorResult<T>> | undefined;
  try {
    while (!signal.aborted) {
      pending = iterator.next();
      const next = pending;
      const result = await new Promise<IteratorResult<T> | null>((resolve, reject) => {
        release = () => resolve(null);
        next.then(resolve, reject);
      });
      if (result === null || result.done === true) return;
      pending = undefined;
      yield result.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    // The contract gives a source 5 s to end after an abort; a source that does not is left behind, and said.
    const ending = Promise.allSettled([pending, iterator.return?.()]);
    const over = new AbortController();
    const late = pause(SOURCE_END_MS, over.signal).then(() => {
      if (!over.signal.aborted) leftBehind();
    });
    await Promise.race([ending, late]).finally(() => over.abort());
  }
}

const SOURCE_END_MS = 5_000;

async function writeAll(parts: SessionParts, queue: WorkQueue<Work>, room: ByteRoom): Promise<void> {
  let lastTsDelivered = 0;
  for (;;) {
    // Not within an open transaction: a request would commit its parts at the position before it.
    if (parts.writer.uncommitted === 0) await parts.between();
    const first = await takeOrTick(parts, queue);
    if (first === undefined) return;
    await first.transformed;
    const works = joinReady(queue, first);
    const transformed: Transformed[] = [];
    for (const work of works) transformed.push(await work.transformed);
    const group = groupOf(transformed);
    if (group.count > 0 || group.out.ranges !== undefined) {
      await parts.writer.deliver(group);
      lastTsDelivered = lastTs(works.at(-1)!.input) || lastTsDelivered;
    }
    const position = works.at(-1)!.position;
    if (position !== undefined) await commit(parts, works, position, lastTsDelivered);
    for (const work of works) room.give(work.bytes);
    if (parts.hard.aborted) throw new Interrupted();
  }
}

async function commit(parts: SessionParts, works: readonly Work[], position: Json, ts: number): Promise<void> {
  const { writer, tables } = parts;
  const events = writer.uncommitted;
  const said: SourceNews = Object.assign({}, ...works.map(({ news }) => news));
  const request = tables.covers(said, writer.checkpoint.request);
  const moved = JSON.stringify(position) !== JSON.stringify(writer.checkpoint.position);
  if (events === 0 && !moved && request === undefined) return;
  await writer.commit({ position, ...(request === undefined ? {} : { request }) });
  try {
    await parts.source.ack(position); // Invariant 1: only now
  } catch (thrown) {
    throw new SessionLost(toSluiceError(thrown, 'E_SOURCE_READ'));
  }
  parts.observe.committed(events, ts);
  if (request !== undefined) await tables.answer(request);
}

/** What stands in items with a position only. */
function newsOf({ open, taken, parked }: SourceItem<Json>): SourceNews {
  if (open === true) return {};
  return { ...(taken === undefined ? {} : { taken }), ...(parked === undefined ? {} : { parked }) };
}

const TICK_MS = 1_000;

// Waits for the next work; while nothing comes, requests are looked for once a second.
async function takeOrTick(parts: SessionParts, queue: WorkQueue<Work>): Promise<Work | undefined> {
  while (!(await queue.filled(TICK_MS))) {
    parts.observe.quiet();
    if (parts.writer.uncommitted === 0) await parts.between();
  }
  return await queue.take();
}

function isSnapshot(batch: Work['input']): boolean {
  return batch.unreadable?.has(0) !== true && batch.op(0) === 'r';
}

function phaseOf(given: Phase | undefined, snapshot: boolean): Phase {
  return given ?? (snapshot ? 'snapshot' : 'streaming');
}

function lastTs(batch: Work['input']): number {
  for (let i = batch.length - 1; i >= 0; i--) if (batch.unreadable?.has(i) !== true) return batch.ts(i);
  return 0;
}
