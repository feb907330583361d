// What steps come to: by example, and the same whether rows came as objects or as the texts of their cells.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { batchOf } from '../batch.ts';
import { batchOfCells, type Cell } from '../cells.ts';
import type { ChangeEvent, Column, EventBatch } from '../event.ts';
import { canonical, type Json, type Row } from '../values.ts';
import { effectsOf } from './effects.ts';
import { rowRuns } from './row-set.ts';
import { readStep, type Step } from './steps.ts';

const COLUMNS: readonly Column[] = [
  { name: 'id', type: 'int', key: 1 },
  { name: 'text', type: 'text' },
  { name: 'doc', type: 'jsonb' },
];

interface Change {
  readonly op: 'c' | 'u' | 'd';
  readonly id: number;
  /** undefined: it did not change and was not sent. */
  readonly text: string | null | undefined;
  readonly doc: Json | undefined;
}

const rowOf = ({ id, text, doc }: Change): Row => ({
  id,
  ...(text === undefined ? {} : { text }),
  ...(doc === undefined ? {} : { doc }),
});

const sourceOf = (change: Change) => {
  const unchanged = (['text', 'doc'] as const).filter((name) => change.op === 'u' && change[name] === undefined);
  const source = { plugin: 'test', stream: 's', db: 'd', table: 'o', snapshot: false, ts_ms: 0 };
  return unchanged.length === 0 ? source : { ...source, unchanged };
};

function asObjects(changes: readonly Change[]): EventBatch {
  const events = changes.map((change, i): ChangeEvent => {
    const row = rowOf(change);
    const gone = change.op === 'd';
    const images = { before: gone ? { id: change.id } : null, after: gone ? null : row };
    return { id: String(i), op: change.op, key: { id: change.id }, ...images, source: sourceOf(change), ts_ms: 0 };
  });
  return batchOf(events, { columns: new Map([['o', COLUMNS]]) });
}

function asCells(changes: readonly Change[]): EventBatch {
  const cells = ({ id, text, doc }: Change): Cell[] => [
    String(id),
    text,
    doc === undefined || doc === null ? doc : JSON.stringify(doc),
  ];
  return batchOfCells({
    length: changes.length,
    bytes: 0,
    readAt: 0,
    id: String,
    op: (i) => changes[i]!.op,
    table: () => 'o',
    ts: () => 0,
    source: (i) => sourceOf(changes[i]!),
    columns: () => COLUMNS,
    after: (i) => (changes[i]!.op === 'd' ? null : cells(changes[i]!)),
    before: (i) => (changes[i]!.op === 'd' ? [String(changes[i]!.id), undefined, undefined] : null),
  });
}

function outcome(batch: EventBatch): { deletes: readonly Row[]; puts: readonly string[] } {
  const steps = Array.from({ length: batch.length }, (_, i) => readStep(batch, i, undefined) as Step);
  const { deletes, puts } = effectsOf(steps);
  // whatever the order of the columns
  const texts = puts.flatMap((set) =>
    set.rows().map((row) => `${set.partial ? 'part of ' : ''}${canonical(row)} by ${set.names.toSorted().join()}`),
  );
  return { deletes, puts: texts.toSorted() };
}

test('of several changes of a key one is left, with what the earlier ones gave', () => {
  const got = outcome(
    asObjects([
      { op: 'c', id: 1, text: 'a', doc: [1] },
      { op: 'u', id: 1, text: 'b', doc: undefined },
      { op: 'u', id: 2, text: undefined, doc: null },
      { op: 'd', id: 3, text: null, doc: null },
      { op: 'c', id: 3, text: 'new', doc: {} },
      { op: 'c', id: 4, text: 'x', doc: {} },
      { op: 'd', id: 4, text: null, doc: null },
    ]),
  );
  expect(got.deletes).toEqual([{ id: 3 }, { id: 4 }]);
  expect(got.puts).toEqual([
    'part of {"doc":null,"id":2} by doc,id',
    '{"doc":[1],"id":1,"text":"b"} by doc,id,text',
    '{"doc":{},"id":3,"text":"new"} by doc,id,text',
  ]);
});

test('cells come to the same as objects', () => {
  const value = fc.oneof(fc.string({ maxLength: 3 }), fc.constant(null));
  const doc = fc.oneof(
    fc.constantFrom<Json>(null, 1, 'text', [], [1, 'a'], { a: { b: null } }),
    fc.constant(undefined),
  );
  const change = fc
    .record({
      op: fc.constantFrom('c', 'u', 'd'),
      id: fc.integer({ min: 1, max: 4 }),
      text: fc.option(value, { nil: undefined }),
      doc,
    })
    .map((one): Change => (one.op === 'u' ? one : { ...one, text: one.text ?? null, doc: one.doc ?? null }) as Change);
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
      expect(outcome(asCells(changes))).toEqual(outcome(asObjects(changes)));
    }),
  );
});

test('rows are put together when they have the same columns in the same order, whatever the columns are called', () => {
  const rows: Row[] = [
    { id: 1, a: 1, b: 1 },
    { id: 2, a: 2, b: 2 },
    { id: 3, b: 3, a: 3 },
    { id: 4, a: 4 },
    { id: 5, a: 5, b: 5, c: 5 },
    { id: 6, 'a\u0000b': 6 },
    { id: 7 },
    { id: 8, a: 8, b: 8 },
  ];
  const source = { plugin: 'test', stream: 's', db: 'd', table: 'o', snapshot: false, ts_ms: 0 };
  const batch = batchOf(
    rows.map((after, i) => ({
      id: `${i}`,
      op: 'c' as const,
      key: { id: after['id']! },
      before: null,
      after,
      source,
      ts_ms: 0,
    })),
  );
  const steps = rows.map((_, i) => readStep(batch, i, undefined) as Step);
  for (const sets of [effectsOf(steps).puts, rowRuns(steps)]) {
    for (const set of sets) for (const row of set.rows()) expect(Object.keys(row)).toEqual(set.names);
    expect(sets.flatMap((set) => set.rows()).length).toBe(rows.length);
  }
  expect(effectsOf(steps).puts.map(({ length }) => length)).toEqual([3, 1, 1, 1, 1, 1]);
});

test.each([
  [['__proto__'], ['7']],
  [
    ['__proto__', 'b'],
    ['7', '8'],
  ],
  [
    ['10', '2'],
    ['7', '8'],
  ],
])('the key of cells has the columns %j, whatever they are called', (names, cells) => {
  const columns = names.map((name, i): Column => ({ name, type: 'int', key: i + 1 }));
  const batch = batchOfCells({
    length: 1,
    bytes: 0,
    readAt: 0,
    id: String,
    op: () => 'c',
    table: () => 'o',
    ts: () => 0,
    source: () => ({ plugin: 'test', stream: 's', db: 'd', table: 'o', snapshot: false, ts_ms: 0 }),
    columns: () => columns,
    after: () => cells,
    before: () => null,
    cell: (_, k) => cells[k],
    isWhole: () => true,
  });
  expect(Object.entries(batch.key(0)!).sort()).toEqual(names.map((name, i) => [name, Number(cells[i])]).sort());
});
