// The decoder against an encoder that follows PostgreSQL's documentation: any message comes out as it went in, and one that is cut
// never comes out as something else.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Change,
  KIND,
  readBegin,
  readChange,
  readCommit,
  readMessage,
  readRelation,
  readTruncate,
  readTuple,
} from './pgoutput.ts';

type Text = string | null | undefined;

const int16 = (n: number): Buffer => Buffer.from([n >> 8, n & 255]);
const int32 = (n: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(n | 0);
  return bytes;
};
const int64 = (n: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(n);
  return bytes;
};
const string = (text: string): Buffer => Buffer.from(`${text}\0`);

function tuple(cells: readonly Text[]): Buffer {
  const parts = [int16(cells.length)];
  for (const cell of cells) {
    if (typeof cell !== 'string') parts.push(Buffer.from(cell === null ? 'n' : 'u'));
    else parts.push(Buffer.from('t'), int32(Buffer.byteLength(cell)), Buffer.from(cell));
  }
  return Buffer.concat(parts);
}

interface Made {
  readonly kind: 'I' | 'U' | 'D';
  readonly relation: number;
  readonly oldKind: 'K' | 'O' | null;
  readonly old: readonly Text[];
  readonly fresh: readonly Text[];
}

function encode({ kind, relation, oldKind, old, fresh }: Made): Buffer {
  return Buffer.concat([
    Buffer.from(kind),
    int32(relation),
    ...(oldKind === null ? [] : [Buffer.from(oldKind), tuple(old)]),
    ...(kind === 'D' ? [] : [Buffer.from('N'), tuple(fresh)]),
  ]);
}

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }).map((made) => made.toWellFormed()),
  fc.constant(null),
  fc.constant(undefined),
);
const change: fc.Arbitrary<Made> = fc
  .record({
    kind: fc.constantFrom('I' as const, 'U' as const, 'D' as const),
    relation: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    oldKind: fc.constantFrom('K' as const, 'O' as const, null),
    width: fc.integer({ min: 0, max: 20 }),
  })
  .chain(({ kind, relation, oldKind, width }) => {
    const cells = fc.array(text, { minLength: width, maxLength: width });
    const given = kind === 'I' ? null : kind === 'D' ? (oldKind ?? 'K') : oldKind;
    return fc.record({
      kind: fc.constant(kind),
      relation: fc.constant(relation),
      oldKind: fc.constant(given),
      old: cells,
      fresh: cells,
    });
  });
const blank = (): Change => ({ relation: -1, oldKind: null, oldAt: -1, newAt: -1 });

test('a change comes out as it went in, wherever in the bytes it lies', () => {
  fc.assert(
    fc.property(change, fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ maxLength: 20 }), (made, before, after) => {
      const message = encode(made);
      const bytes = Buffer.concat([before, message, after]);
      const out = blank();
      readChange(bytes, before.length, before.length + message.length, out);
      expect([out.relation, out.oldKind]).toEqual([made.relation, made.oldKind]);
      if (made.oldKind !== null) expect(readTuple(bytes, out.oldAt, made.old.length)).toEqual(made.old);
      else expect(out.oldAt).toBe(-1);
      if (made.kind !== 'D') expect(readTuple(bytes, out.newAt, made.fresh.length)).toEqual(made.fresh);
      else expect(out.newAt).toBe(-1);
    }),
    { numRuns: 500 },
  );
});

test('a change that is cut, or has bytes too many, is an error', () => {
  fc.assert(
    fc.property(change, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (made, part) => {
      const message = encode(made);
      const end = Math.floor(message.length * part);
      expect(() => readChange(message.subarray(0, end), 0, end, blank())).toThrow(RangeError);
      const more = Buffer.concat([message, Buffer.from([0])]);
      expect(() => readChange(more, 0, more.length, blank())).toThrow(RangeError);
    }),
    { numRuns: 500 },
  );
});

test('begin and commit keep their 64 bits, and times are milliseconds', () => {
  const at = 2n ** 40n + 123_456n; // microseconds since 2000
  const begin = Buffer.concat([Buffer.from('B'), int64(2n ** 63n + 5n), int64(at), int32(-2)]);
  expect(readBegin(begin, 0)).toEqual({
    lsn: 2n ** 63n + 5n,
    ts: Number(at / 1000n) + 946_684_800_000,
    xid: 2 ** 32 - 2,
  });
  const commit = Buffer.concat([Buffer.from('C'), Buffer.from([0]), int64(7n), int64(2n ** 53n + 1n), int64(at)]);
  expect(readCommit(commit, 0)).toEqual({ lsn: 7n, end: 2n ** 53n + 1n });
});

test('relations, truncates and messages come out as they went in', () => {
  const relation = Buffer.concat([
    Buffer.from('R'),
    int32(42),
    string('shop'),
    string('öhm "x"'),
    Buffer.from('d'),
    int16(2),
    Buffer.from([1]),
    string('id'),
    int32(20),
    int32(-1),
    Buffer.from([0]),
    string('price'),
    int32(1700),
    int32(655366),
  ]);
  expect(readRelation(relation, 0)).toEqual({
    id: 42,
    schema: 'shop',
    name: 'öhm "x"',
    identity: 'd',
    columns: [
      { name: 'id', type: 20, modifier: -1, identity: true },
      { name: 'price', type: 1700, modifier: 655366, identity: false },
    ],
  });
  expect(readTruncate(Buffer.concat([Buffer.from('T'), int32(2), Buffer.from([0]), int32(7), int32(9)]), 0)).toEqual([
    7, 9,
  ]);
  const message = Buffer.concat([
    Buffer.from('M'),
    Buffer.from([1]),
    int64(99n),
    string('app'),
    int32(3),
    Buffer.from([0, 1, 255]),
  ]);
  expect(readMessage(message, 0)).toEqual({
    transactional: true,
    lsn: 99n,
    prefix: 'app',
    content: Buffer.from([0, 1, 255]),
  });
  expect(message[0]).toBe(KIND.message);
});

test('a tuple with another number of columns than its table is an error', () => {
  expect(() => readTuple(tuple(['a', null]), 0, 3)).toThrow(RangeError);
});
