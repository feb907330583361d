// Sends events to an HTTP endpoint, one by one or many at a time.
// Guarantees: at least once; in order per key, also with requests side by side; every request carries a key that stays the
// same when it is sent again; an endpoint that is not there (no connection, a time-out, 5xx, 429) is never taken for a fault
// of an event. Refuses, in `format: row`, events without a row.

import {
  type Context,
  type EventBatch,
  type HoldTracker,
  holdTracker,
  type Sink,
  type SluiceError,
  sluiceError,
  toSluiceError,
  type WriteResult,
} from 'sluice/sdk';
import { type Verdict, verdictOf } from './answer.ts';
import { bodyOf, CONTENT_TYPES, idempotencyKey, textOf } from './bodies.ts';
import type { SinkConfig } from './config.ts';
import { endpointOf } from './endpoint.ts';
import { inLanes } from './lanes.ts';
import { clientOf } from './request.ts';

const OK: WriteResult = { status: 'ok' };
const HELD: WriteResult = { status: 'held' };

/** The endpoint is not there: ends the write as a whole. */
interface Gone {
  readonly error: SluiceError;
  readonly retryAfterMs?: number;
}

/** One write under way. */
interface Writing {
  readonly batch: EventBatch;
  readonly signal: AbortSignal;
  /** Ids that the endpoint has taken. */
  readonly taken: Set<string>;
  gone: Gone | null;
}

export function httpSink(config: SinkConfig, context: Pick<Context, 'stream' | 'auth'>): Sink {
  const endpoint = endpointOf(config, context.auth);
  const width = config.batch === 'single' ? config.max_in_flight : 1;
  const client = clientOf(endpoint, config.timeout, width);
  // What was taken by a write that then found the endpoint gone: the same events come again, and are not sent twice.
  let takenBefore: ReadonlySet<string> = new Set();
  let notBefore = 0; // as the endpoint asked by Retry-After

  const send = async (w: Writing, indices: readonly number[], texts: readonly string[]): Promise<Verdict> => {
    const ids = indices.map((i) => w.batch.id(i));
    const post = {
      method: config.method,
      contentType: CONTENT_TYPES[config.batch],
      idempotencyKey: idempotencyKey(context.stream, ids),
      body: bodyOf(texts, config.batch),
    };
    try {
      const answer = await client.send(post, w.signal);
      return verdictOf(answer, { events: ids.length, successCodes: config.success_codes, mask: endpoint.mask });
    } catch (thrown) {
      return { is: 'away', error: toSluiceError(thrown, 'E_SINK_CONNECT') };
    }
  };

  const sendOne = async (w: Writing, i: number): Promise<WriteResult> => {
    if (w.gone !== null) return retry(w.gone);
    const id = w.batch.id(i);
    if (takenBefore.has(id)) {
      w.taken.add(id);
      return OK;
    }
    const text = textOf(w.batch, i, config.format);
    if (text === null) return noRow(w.batch, i);
    const verdict = await send(w, [i], [text]);
    if (verdict.is === 'refused') return { status: 'reject', error: verdict.error };
    if (verdict.is === 'away') {
      w.gone ??= verdict; // an outage is one outage: the rest of the batch does not run into it one by one
      return retry(w.gone);
    }
    const result = verdict.is === 'taken' ? OK : verdict.results[0]!;
    if (result.status === 'ok') w.taken.add(id);
    return result;
  };

  const sendMany = async (w: Writing): Promise<WriteResult[]> => {
    const { batch } = w;
    const results = new Array<WriteResult>(batch.length).fill(HELD);
    const tracker = holdTracker(batch, undefined);
    let indices: number[] = [];
    let texts: string[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      if (indices.length > 0 && w.gone === null) await sendGroup(w, indices, texts, results, tracker);
      indices = [];
      texts = [];
      bytes = 0;
    };
    for (let i = 0; i < batch.length && w.gone === null; i++) {
      const text = textOf(batch, i, config.format);
      if (text === null) {
        await flush(); // its place in the order: what is before it must be known before it may hold what follows
        if (!isHeldBack(tracker, i, results)) settle(tracker, i, noRow(batch, i), results);
        continue;
      }
      const size = Buffer.byteLength(text) + 1;
      if (indices.length >= config.max_events || (indices.length > 0 && bytes + size > config.max_bytes)) await flush();
      if (isHeldBack(tracker, i, results)) continue;
      if (takenBefore.has(batch.id(i))) {
        w.taken.add(batch.id(i));
        results[i] = OK;
        continue;
      }
      indices.push(i);
      texts.push(text);
      bytes += size;
    }
    await flush();
    return results;
  };

  const sendGroup = async (
    w: Writing,
    indices: readonly number[],
    texts: readonly string[],
    results: WriteResult[],
    tracker: HoldTracker,
  ): Promise<void> => {
    const verdict = await send(w, indices, texts);
    if (verdict.is === 'away') {
      w.gone = verdict;
    } else if (verdict.is === 'refused' && indices.length === 1) {
      settle(tracker, indices[0]!, { status: 'reject', error: verdict.error }, results);
    } else if (verdict.is === 'refused') {
      // One of them is at fault, and the endpoint does not say which: each is sent alone, and answers for itself.
      for (const i of indices) {
        if (w.gone !== null) return;
        if (!isHeldBack(tracker, i, results)) settle(tracker, i, await sendOne(w, i), results);
      }
    } else {
      indices.forEach((i, k) => {
        const result = verdict.is === 'taken' ? OK : verdict.results[k]!;
        // An event that was taken although an earlier one of its key was not must be sent again after that one.
        if (isHeldBack(tracker, i, results)) return;
        if (result.status === 'ok') w.taken.add(w.batch.id(i));
        settle(tracker, i, result, results);
      });
    }
  };

  return {
    keyed: false,
    text: true,
    async write(batch, signal) {
      await until(notBefore, signal);
      const w: Writing = { batch, signal, taken: new Set(), gone: null };
      const results = config.batch === 'single' ? await inLanes(batch, width, (i) => sendOne(w, i)) : await sendMany(w);
      if (w.gone === null) {
        takenBefore = new Set();
        return results;
      }
      takenBefore = w.taken;
      if (w.gone.retryAfterMs === undefined) throw w.gone.error;
      notBefore = performance.now() + w.gone.retryAfterMs;
      // `retry` for all is absence only as long as nothing of the batch was ok, which a throw is always.
      if (w.taken.size > 0) throw w.gone.error;
      return results.map(() => retry(w.gone!));
    },
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
    },
  };
}

function retry(gone: Gone): WriteResult {
  return {
    status: 'retry',
    error: gone.error,
    ...(gone.retryAfterMs === undefined ? {} : { retryAfterMs: gone.retryAfterMs }),
  };
}

// Invariant 3: nothing of a key passes an event of it that is not ok.
function isHeldBack(tracker: HoldTracker, i: number, results: WriteResult[]): boolean {
  try {
    if (!tracker.isHeld(i)) return false;
  } catch {
    // The row is no JSON, so its key is not known: it waits its turn, and the first of a write is never held.
  }
  settle(tracker, i, HELD, results);
  return true;
}

function settle(tracker: HoldTracker, i: number, result: WriteResult, results: WriteResult[]): void {
  results[i] = result;
  if (result.status === 'ok') return;
  try {
    tracker.hold(i);
  } catch {
    // The row is no JSON: no endpoint takes it, so no order is lost. A throw from here would say that the endpoint is away,
    // and hold the stream for ever.
  }
}

function noRow(batch: EventBatch, i: number): WriteResult {
  return {
    status: 'reject',
    error: sluiceError('E_SINK_REJECT', {
      message: `an event with op ${batch.op(i)} has no row to send`,
      fix: 'use `format: event`, or filter such events',
    }),
  };
}

async function until(when: number, signal: AbortSignal): Promise<void> {
  const ms = when - performance.now();
  if (ms <= 0) return;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    const stop = (): void => {
      clearTimeout(timer);
      reject(sluiceError('E_SINK_WRITE', { message: 'stopped while waiting as the endpoint had asked' }));
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
