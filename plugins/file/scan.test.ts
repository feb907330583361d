// Finding lines and array elements in chunks that are cut anywhere, against JSON.parse of the whole.

import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { textOf } from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import { arrayScanner } from './array.ts';
import { lineScanner } from './lines.ts';
import { TAIL } from './position.ts';
import { newRecords, type Records, type ScanLimits, type Scanner } from './records.ts';

const LIMITS: ScanLimits = { path: 'test', maxLine: 1 << 20, maxEvents: 1000, maxBytes: 1 << 20 };

interface Found {
  readonly offset: number;
  readonly line: number;
  readonly text: string;
  readonly code?: string;
}

const found = (records: Records): Found[] =>
  records.texts.map((text, i) => {
    const failure = records.failures.get(i);
    const place = { offset: records.offsets[i]!, line: records.lines[i]! };
    return failure === undefined
      ? { ...place, text: textOf(text) }
      : { ...place, text: failure.raw, code: failure.error.code };
  });

type At = ReturnType<Scanner['at']>;

// Scans pieces of any sizes.
function scan(bytes: Buffer, from: number, cuts: readonly number[], scanner: Scanner): { found: Found[]; at: At }[] {
  const out: { found: Found[]; at: At }[] = [];
  let records = newRecords();
  const full = (): void => {
    const at = scanner.at();
    out.push({ found: found(records), at: { ...at, tail: Buffer.from(at.tail) } });
    records = newRecords();
  };
  let start = from;
  for (const cut of [...cuts.map((c) => Math.min(bytes.length, from + c)).toSorted((a, b) => a - b), bytes.length]) {
    const piece = Buffer.from(bytes.subarray(start, cut));
    start = cut;
    scanner.feed(piece);
    while (scanner.fill(records)) full();
  }
  scanner.end(records);
  full();
  return out;
}

const cutsOf = fc.array(fc.nat(600), { maxLength: 40 });
const rowOf = fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 5 }), fc.jsonValue({ maxDepth: 3 }), {
  maxKeys: 4,
});
const rowText = fc.oneof(
  rowOf.map((row) => JSON.stringify(row)),
  fc.constantFrom('{"a":"x]},[{\\"\\\\"}', '{"京":"都😀"}', `{"long":"${'é'.repeat(300)}"}`, '{"a":"\\\\"}'),
);

describe('lines', () => {
  const line = fc.oneof(
    { weight: 6, arbitrary: rowText.map((text) => Buffer.from(text)) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('', '  ', '\t', 'nope', '[1]', '{"cut":', '"text"', '}{').map((t) => Buffer.from(t)),
    },
    {
      weight: 1,
      arbitrary: fc.uint8Array({ maxLength: 8 }).map((b) => Buffer.from(b.map((x) => (x === 10 ? 11 : x)))),
    },
  );
  const file = fc.record({
    lines: fc.array(fc.tuple(fc.constantFrom('', ' '), line, fc.constantFrom('', '\r', ' \r'))),
    ended: fc.boolean(),
  });

  const bytesOf = (f: { lines: [string, Buffer, string][]; ended: boolean }): Buffer => {
    const parts = f.lines.flatMap(([lead, text, end]) => [
      Buffer.from(lead),
      text,
      Buffer.from(end),
      Buffer.from('\n'),
    ]);
    const whole = Buffer.concat(parts);
    return f.ended ? whole : whole.subarray(0, -1);
  };

  // The slow and plain way.
  const expected = (bytes: Buffer): Found[] => {
    const out: Found[] = [];
    let offset = 0;
    let number = 1;
    while (offset < bytes.length) {
      const newline = bytes.indexOf(10, offset);
      const end = newline < 0 ? bytes.length : newline;
      const raw = bytes.subarray(offset, end);
      const shown = raw.toString('latin1');
      const content = shown.replace(/^[ \t\r]+|[ \t\r]+$/g, '');
      if (content !== '') {
        const begin = offset + (shown.length - shown.replace(/^[ \t\r]+/, '').length);
        const piece = bytes.subarray(begin, begin + content.length);
        const place = { offset: begin, line: number };
        if (!isUtf8(piece))
          out.push({ ...place, text: `base64:${piece.toString('base64')}`, code: 'E_EVENT_ENCODING' });
        else if (content.startsWith('{') && content.endsWith('}')) out.push({ ...place, text: piece.toString() });
        else out.push({ ...place, text: piece.toString(), code: 'E_EVENT_PARSE' });
      }
      offset = end + 1;
      number++;
    }
    return out;
  };

  test('of any file, however it is cut into chunks and batches, are those that splitting the whole gives', () => {
    fc.assert(
      fc.property(
        file,
        cutsOf,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 400 }),
        (f, cuts, maxEvents, maxBytes) => {
          const bytes = bytesOf(f);
          const limits = { ...LIMITS, maxEvents, maxBytes };
          const all = expected(bytes);
          const steps = scan(bytes, 0, cuts, lineScanner(0, 1, limits));
          expect(steps.flatMap((step) => step.found)).toEqual(all);
          let done = 0;
          for (const { found: events, at } of steps) {
            expect(events.length).toBeLessThanOrEqual(maxEvents);
            done += events.length;
            // every place a batch ends at is one to go on from, with the same offsets and line numbers
            const rest = scan(bytes, at.offset, cuts, lineScanner(at.offset, at.line, LIMITS));
            expect(rest.flatMap((step) => step.found)).toEqual(all.slice(done));
            expect(at.tail.length).toBeLessThanOrEqual(TAIL);
            expect(Buffer.from(at.tail)).toEqual(bytes.subarray(at.offset - at.tail.length, at.offset));
            if (at.offset > 0) expect(at.tail.length).toBeGreaterThan(0);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test('that are too long are unreadable, and only the beginning is kept', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4000 }), cutsOf, fc.constantFrom('\n', '\r\n'), (length, cuts, end) => {
        const long = `{"a":"${'x'.repeat(length)}"}`;
        const bytes = Buffer.from(`{"b":1}${end}${long}${end}{"c":2}`);
        const maxLine = 100;
        const all = scan(bytes, 0, cuts, lineScanner(0, 1, { ...LIMITS, maxLine })).flatMap((step) => step.found);
        expect(all.map(({ line }) => line)).toEqual([1, 2, 3]);
        expect(all[1]!.code).toBe(long.length > maxLine ? 'E_EVENT_SIZE' : undefined);
        expect(all[1]!.text).toBe(long.length > maxLine ? long.slice(0, maxLine) : long);
        expect(all[2]!.text).toBe('{"c":2}');
      }),
    );
  });
});

describe('an array', () => {
  const space = fc.constantFrom('', ' ', '\n', '\r\n  ', '\t');
  const element = fc.oneof(
    { weight: 5, arbitrary: rowText },
    { weight: 2, arbitrary: rowOf.map((row) => JSON.stringify(row, null, 2)) },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value)) },
  );
  const arrays = fc.array(fc.tuple(space, element, space)).map((elements) => {
    return `[${elements.map((parts) => parts.join('')).join(',')}${elements.length === 0 ? ' ' : ''}]\n`;
  });
  const begin = { offset: 1, line: 1, closed: false, fresh: true };

  test('is cut into the elements that JSON.parse gives, each on one line', () => {
    fc.assert(
      fc.property(arrays, cutsOf, fc.integer({ min: 1, max: 5 }), (text, cuts, maxEvents) => {
        const bytes = Buffer.from(text);
        const values = JSON.parse(text) as unknown[];
        const steps = scan(bytes, 1, cuts, arrayScanner(begin, { ...LIMITS, maxEvents }));
        const all = steps.flatMap((step) => step.found);
        expect(all.map((event) => JSON.parse(event.text))).toEqual(values);
        for (const [i, event] of all.entries()) {
          const value = values[i];
          const isRow = typeof value === 'object' && value !== null && !Array.isArray(value);
          expect(event.code).toBe(isRow ? undefined : 'E_EVENT_PARSE');
          if (isRow) expect(event.text).not.toMatch(/[\r\n]/);
          expect(event.line).toBe(bytes.subarray(0, event.offset).toString().split('\n').length);
        }
        let done = 0;
        for (const { found: events, at } of steps) {
          done += events.length;
          const start = { offset: at.offset, line: at.line, closed: at.kind === 'closed', fresh: false };
          const rest = scan(bytes, at.offset, cuts, arrayScanner(start, LIMITS));
          expect(rest.flatMap((step) => step.found)).toEqual(all.slice(done));
          expect(Buffer.from(at.tail)).toEqual(bytes.subarray(at.offset - at.tail.length, at.offset));
          if (done > 0) expect(at.tail.length).toBeGreaterThan(0);
        }
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ['is cut inside of an element', '[{"a":1},{"b":', ['{"a":1}', '{"b":'], 'ends inside of an element'],
    ['is cut between two', '[{"a":1},\n', ['{"a":1}', ''], 'has no end'],
    ['lacks an element', '[{"a":1},,{"b":2}]', ['{"a":1}', '', '{"b":2}'], 'lacks an element'],
    ['has a comma too many', '[{"a":1},]', ['{"a":1}', ''], 'lacks an element'],
    ['has something after its end', '[{"a":1}]\n{"b":2}', ['{"a":1}', '{"b":2}'], 'stands after the end'],
  ])('that %s says so, once, and gives the rest', (_, text, texts, message) => {
    const records = newRecords();
    const scanner = arrayScanner(begin, LIMITS);
    scanner.feed(Buffer.from(text.slice(1)));
    while (scanner.fill(records));
    scanner.end(records);
    expect(found(records).map((event) => event.text)).toEqual(texts);
    expect([...records.failures.values()].map((failure) => failure.error.code)).toEqual(['E_EVENT_PARSE']);
    expect([...records.failures.values()][0]!.error.message).toContain(message);
  });

  test('skips over an element that is too long without keeping it', () => {
    const bytes = Buffer.from(`[{"a":1},{"b":"${'],{'.repeat(2000)}"},{"c":3}]`);
    for (const step of [1, 7, 100, 5000, 10_000]) {
      const cuts = Array.from({ length: Math.ceil(bytes.length / step) }, (_, i) => i * step);
      const all = scan(bytes, 1, cuts, arrayScanner(begin, { ...LIMITS, maxLine: 500 })).flatMap((s) => s.found);
      expect(all.map((event) => event.code)).toEqual([undefined, 'E_EVENT_SIZE', undefined]);
      expect(all[1]!.text.length).toBe(500);
    }
  });
});
