// The file sink: one line for each event, appended, with its length kept in the checkpoint.
// Guarantee: together with the checkpoint each event stands in the file exactly once: restore() cuts off what was written
// after the checkpoint, flush() makes everything durable before the next one, a failed write is undone.
// Refuses, in `format: row`, events that are no row; and to cut a file that is not the one the checkpoint speaks of.

import {
  allOk,
  type Context,
  type EventBatch,
  envelopeText,
  type Json,
  type Sink,
  sluiceError,
  type WriteResult,
} from 'sluice/sdk';
import type { SinkConfig } from './config.ts';
import { outputFile } from './output.ts';

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
  let buffer = Buffer.allocUnsafeSlow(64 * 1024);
  return {
    keyed: false,
    text: true,
    async write(batch) {
      const results: WriteResult[] = allOk(batch.length);
      const lines: string[] = [];
      for (let i = 0; i < batch.length; i++) {
        const text = textOf(batch, i);
        if (text === null) results[i] = rejected(batch, i);
        else lines.push(oneLine(text));
      }
      if (lines.length > 0) {
        lines.push('');
        const text = lines.join('\n');
        // one buffer for all batches: a new one for each costs as much in page faults as the encoding itself
        if (buffer.length < text.length * 3) buffer = Buffer.allocUnsafeSlow(text.length * 3);
        await output.append(buffer.subarray(0, buffer.write(text)));
      }
      return results;
    },
    state: {
      restore: (saved: Json | null) => output.restore(saved),
      flush: () => output.flush(),
    },
    [Symbol.asyncDispose]: () => output[Symbol.asyncDispose](),
  };
}

function rowText(batch: EventBatch, i: number): string | null {
  const op = batch.op(i);
  return op === 'c' || op === 'r' || op === 'u' ? batch.after(i) : null;
}

// A raw line break in JSON is white space (in a string it is escaped), so a space says the same and keeps one event a line.
function oneLine(text: string): string {
  return text.includes('\n') ? text.replace(/[\r\n]/g, ' ') : text;
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
