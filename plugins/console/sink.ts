// Prints events to a stream of text, in practice standard output.
// Guarantees: lines are whole (those of two sinks never mix within a line), in order, and an event is `ok` only after the
// system has taken its line; a slow reader slows the stream down instead of filling memory.
// Refuses, in `format: row`, events that have no row: to print nothing for a delete would lose it in silence.

import type { Writable } from 'node:stream';
import {
  allOk,
  codesOf,
  type EventBatch,
  type HoldTracker,
  holdTracker,
  type Sink,
  sluiceError,
  type WriteResult,
} from 'sluice/sdk';
import type { SinkConfig } from './config.ts';
import { eventLine, prettyLines, rowLine } from './lines.ts';

/** What is given to the stream at once: enough to be cheap, little enough to stop soon after an abort. */
const CHUNK = 64 * 1024;

const HELD: WriteResult = { status: 'held' };

export function consoleSink(config: SinkConfig, out: Writable): Sink {
  let gone: Error | null = null;
  // A stream without a listener for errors ends the whole process, also when the error comes between two writes.
  const onError = (error: Error): void => {
    gone = error;
  };
  out.on('error', onError);

  const print = async (text: string, signal: AbortSignal): Promise<void> => {
    if (gone !== null) throw outError(gone);
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const stop = (): void =>
        reject(sluiceError('E_SINK_WRITE', { message: 'stopped while waiting for standard output' }));
      signal.addEventListener('abort', stop, { once: true });
      // The callback comes when the system has taken the text: that is the back-pressure, and what makes `ok` true.
      out.write(text, (error) => {
        signal.removeEventListener('abort', stop);
        if (error) reject(outError(error));
        else resolve();
      });
    });
  };

  return {
    keyed: false,
    text: true,
    async write(batch, signal) {
      const { texts, results } = layOut(batch, config.format);
      let chunk = '';
      for (const text of texts) {
        chunk += `${text}\n`;
        if (chunk.length < CHUNK) continue;
        await print(chunk, signal);
        chunk = '';
      }
      if (chunk !== '') await print(chunk, signal);
      return results;
    },
    async [Symbol.asyncDispose]() {
      out.off('error', onError);
    },
  };
}

function layOut(batch: EventBatch, format: SinkConfig['format']): { texts: string[]; results: WriteResult[] } {
  const results = allOk(batch.length);
  const texts: string[] = [];
  if (format !== 'row') {
    const line = format === 'event' ? eventLine : prettyLines;
    for (let i = 0; i < batch.length; i++) texts.push(line(batch, i));
    return { texts, results };
  }
  const tracker = holdTracker(batch, undefined);
  for (let i = 0; i < batch.length; i++) {
    // Invariant 3: nothing of a key passes an event of it that was rejected.
    if (isHeld(tracker, i)) {
      results[i] = HELD;
      continue;
    }
    const line = rowLine(batch, i);
    if (line === null) {
      tracker.hold(i);
      results[i] = {
        status: 'reject',
        error: sluiceError('E_SINK_REJECT', {
          message: `an event with op ${batch.op(i)} has no row to print`,
          fix: 'use `format: event`, or filter such events',
        }),
      };
      continue;
    }
    texts.push(line);
  }
  return { texts, results };
}

function isHeld(tracker: HoldTracker, i: number): boolean {
  try {
    if (!tracker.isHeld(i)) return false;
    tracker.hold(i);
  } catch {
    // The row is no JSON, so its key is not known: it waits its turn, and the first of a write is never held. A throw would
    // say that standard output is away, and hold the stream for ever.
  }
  return true;
}

function outError(error: Error): Error {
  if (codesOf(error).includes('EPIPE')) {
    // Whoever read has gone and cannot come back: waiting for it would hang the stream for ever.
    return sluiceError('E_SINK_WRITE', {
      message: 'nobody reads standard output any more',
      fix: 'keep the reader of the pipe running, or write to a file',
      cause: error,
      permanent: true,
    });
  }
  return sluiceError('E_SINK_WRITE', { message: 'standard output cannot be written', cause: error });
}
