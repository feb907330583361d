// The file sink: one line for each event, appended, with its length kept in the checkpoint.
// Guarantee: together with the checkpoint each event stands in the file exactly once: restore() cuts off what was written
// after the checkpoint, flush() makes everything durable before the next one, a failed write is undone.
// Refuses, in `format: row`, events that are no row; and to cut a file that is not the one the checkpoint speaks of.

import {
  allOk,
  type Context,
  type EventBatch,
  envelopeText,
  type HoldTracker,
  holdTracker,
  type Json,
  oneLine,
  type Sink,
  sluiceError,
  type WriteResult,
} from 'sluice/sdk';
import type { SinkConfig } from './config.ts';
import { outputFile } from './output.ts';

const HELD: WriteResult = Object.freeze({ status: 'held' });

export function fileSink(config: SinkConfig, context: Context): Sink {
  const { rotate } = config;
  if (rotate !== undefined && rotate.size === undefined && rotate.every === undefined) {
    throw sluiceError('E_CONFIG_INVALID', {
      message: '`rotate` says neither `size` nor `every`',
      fix: 'give one of them, or leave `rotate` out',
    });
  }
  const output = outputFile(config.path, rotate, context.log);
  const textOf = config.format === 'row' ? rowText : envelopeText;
  const lines = lineBuffer();
  return {
    keyed: false,
    text: true,
    async write(batch) {
      const results: WriteResult[] = allOk(batch.length);
      lines.begin();
      const rows = config.format === 'row' ? (batch.lines?.(0, batch.length) ?? null) : null;
      if (rows !== null) {
        for (const bytes of rows) lines.addBytes(bytes);
        if (batch.length > 0) await output.append(lines.bytes());
        return results;
      }
      let tracker: HoldTracker | undefined;
      for (let i = 0; i < batch.length; i++) {
        // Invariant 3: nothing of a key passes an event of that key that was rejected. A batch without rejects pays nothing.
        const held = tracker?.isHeld(i) === true;
        const text = held ? null : textOf(batch, i);
        if (text !== null) {
          lines.add(oneLine(text));
          continue;
        }
        results[i] = held ? HELD : rejected(batch, i);
        tracker ??= holdTracker(batch, undefined);
        tracker.hold(i);
      }
      const bytes = lines.bytes();
      if (bytes.length > 0) await output.append(bytes);
      return results;
    },
    state: {
      restore: (saved: Json | null) => output.restore(saved),
      flush: () => output.flush(),
    },
    [Symbol.asyncDispose]: () => output[Symbol.asyncDispose](),
  };
}

// One buffer for all batches, each text encoded or copied straight into it: joining the texts first, or a new buffer for each batch,
// costs five times as much, all of it in page faults.
function lineBuffer(): {
  begin(): void;
  add(text: string): void;
  addBytes(bytes: Uint8Array): void;
  bytes(): Uint8Array;
} {
  let buffer = Buffer.allocUnsafeSlow(256 * 1024);
  let at = 0;
  const makeRoom = (bytes: number): void => {
    const most = at + bytes;
    if (most <= buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(most, buffer.length * 2));
    larger.set(buffer.subarray(0, at));
    buffer = larger;
  };
  return {
    begin() {
      at = 0;
    },
    add(text) {
      makeRoom(text.length * 3 + 1);
      at += buffer.write(text, at);
      buffer[at++] = 10;
    },
    addBytes(bytes) {
      makeRoom(bytes.length);
      buffer.set(bytes, at);
      at += bytes.length;
    },
    bytes: () => buffer.subarray(0, at),
  };
}

function rowText(batch: EventBatch, i: number): string | null {
  const op = batch.op(i);
  return op === 'c' || op === 'r' || op === 'u' ? batch.after(i) : null;
}

const WORDS: Readonly<Record<string, string>> = {
  d: 'a delete',
  t: 'a truncate',
  s: 'a schema change',
  m: 'a message',
};

function rejected(batch: EventBatch, i: number): WriteResult {
  const what = WORDS[batch.op(i)] ?? 'an event without `after`';
  return {
    status: 'reject',
    error: sluiceError('E_SINK_REJECT', {
      message: `${what} is no row, and the file is written with \`format: row\``,
      fix: 'set `format: event` at the sink, or filter such events out in a transform',
    }),
  };
}
