// Rows as bytes say the same as their texts, however batches are cut, picked and joined.

import { isAscii } from 'node:buffer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { batchOfText, mapBatch } from './batch.ts';
import { join, pick } from './batch-parts.ts';
import type { EventBatch } from './event.ts';
import { type Line, linesOf, oneLine, textOf } from './lines.ts';

const value = fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => JSON.stringify({ text }));
/** A row's text, what stands after it in its buffer, and whether it is held as bytes at all. */
const row = fc.tuple(value, fc.constantFrom('\n', '\r\n', ' \n', ''), fc.boolean());

// Lines of one buffer, as a file gives them, with some rows that are text already.
function rowsOf(given: readonly (readonly [string, string, boolean])[]): (string | Line)[] {
  const buffer = Buffer.from(given.map(([text, end]) => text + end).join(''));
  let at = 0;
  return given.map(([text, end, asBytes]) => {
    const start = at;
    at += Buffer.byteLength(text + end);
    return asBytes ? { buffer, start, end: start + Buffer.byteLength(text), ascii: isAscii(buffer) } : text;
  });
}

function batchOfRows(rows: readonly (string | Line)[]): EventBatch {
  return batchOfText({
    length: rows.length,
    bytes: 0,
    typed: true,
    readAt: 0,
    id: (i) => String(i),
    op: () => 'c',
    key: () => null,
    source: () => ({ plugin: 'p', stream: 's', db: 'd', table: 't', snapshot: false, ts_ms: 0 }),
    before: () => null,
    after: (i) => textOf(rows[i]!),
    lines: (from, to) => linesOf(rows, from, to),
  });
}

const textIn = (batch: EventBatch, from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => `${oneLine(batch.after(from + i)!)}\n`).join('');
const bytesIn = (batch: EventBatch, from: number, to: number): string =>
  Buffer.concat(batch.lines!(from, to)!).toString('utf8');

test('the bytes of any run of rows are their texts, each on a line of its own', () => {
  fc.assert(
    fc.property(fc.array(fc.array(row, { maxLength: 12 }), { maxLength: 4 }), fc.nat(), fc.nat(), (given, a, b) => {
      const batches = given.map((rows) => batchOfRows(rowsOf(rows)));
      const all = join(batches);
      const odd = pick(
        all,
        Array.from({ length: all.length }, (_, i) => i).filter((i) => i % 5 !== 3),
      );
      for (const batch of [all, odd]) {
        const from = a % (batch.length + 1);
        const to = from + (b % (batch.length - from + 1));
        expect(bytesIn(batch, from, to)).toBe(textIn(batch, from, to));
      }
    }),
  );
});

test('outputs of a transform keep their bytes, and a batch with an output that is no row gives none', () => {
  const input = batchOfRows(['{"n":1}', '{"n":2}', '{"n":3}']);
  const buffer = Buffer.from('{"a":1}\n{"b":2}\n');
  const line = (start: number, end: number): Line => ({ buffer, start, end, ascii: true });
  const outputs = (last: string | null): EventBatch =>
    mapBatch(input, {
      from: Uint32Array.of(0, 1, 2),
      before: [null, null, null],
      after: [line(0, 7), line(8, 15), last],
      part: Int32Array.of(-1, -1, -1),
    });
  const batch = outputs('{"c":3}');
  expect(batch.after(1)).toBe('{"b":2}');
  expect(batch.lines!(0, 2)).toHaveLength(1);
  expect(bytesIn(batch, 0, 3)).toBe('{"a":1}\n{"b":2}\n{"c":3}\n');
  expect(outputs(null).lines!(0, 3)).toBeNull();
});
