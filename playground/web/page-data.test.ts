// The small parts of the page that are plain data: JSON for reading, share links, drafts and history, fates and problems,
// the filter, and when a run begins.

import { afterEach, expect, test, vi } from 'vitest';
import type { RunResult } from '../server/api.ts';
import { announcement, duration, fateOf, problemsOf, sums } from './fates.ts';
import { fits, serverPart } from './filter.ts';
import { firstLine, type HistoryEntry, MAX_HISTORY, openShelf, withEntry } from './history.ts';
import { nameOf } from './items.ts';
import { layOut, roundedNumber, rowOf, splitEvents } from './json-text.ts';
import { createLiveRun, PAUSE } from './live-run.ts';
import { MAX_LINK, readShare, type Share, shareFragment } from './share.ts';
import { type Item, initial } from './state.ts';

afterEach(() => {
  vi.useRealTimers();
});

test('numbers are shown as they came', () => {
  expect(layOut('{"id":9007199254740993,"price":1.10,"big":1e400}')).toBe(
    '{\n  "id": 9007199254740993,\n  "price": 1.10,\n  "big": 1e400\n}',
  );
  expect(rowOf('{"op":"c","before":null,"after":{"id":9007199254740993}}')).toBe('{\n  "id": 9007199254740993\n}');
});

test('of a delete the row is what was before; what is no JSON stays as it is', () => {
  expect(rowOf('{"op":"d","before":{"id":1},"after":null}')).toBe('{\n  "id": 1\n}');
  expect(layOut('{"id":')).toBe('{"id":');
});

test('pasted text is one value, a list, or one a line', () => {
  expect(splitEvents('{"id": 9007199254740993}')).toEqual(['{"id": 9007199254740993}']);
  expect(splitEvents('[{"id":1},{"id":9007199254740993}]')).toEqual(['{"id":1}', '{"id":9007199254740993}']);
  expect(splitEvents('{"id":1}\n\n{"id":2}\n')).toEqual(['{"id":1}', '{"id":2}']);
  expect(splitEvents('  ')).toEqual([]);
  expect(() => splitEvents('{"id":1}\n{"id":')).toThrow(/line 2/);
  expect(() => splitEvents('nonsense')).toThrow(SyntaxError);
});

test('a number that would be rounded is found before it is', () => {
  const good = [
    '{"n":9007199254740992}',
    '{"n":0.1}',
    '{"n":1e21}'.replace('21', '15'),
    '{"n":"9007199254740993"}',
    '[12345678901234567e-10]',
  ];
  expect(good.map(roundedNumber)).toEqual(good.map(() => null));
  const bad = ['9007199254740993', '1e400', '0.1234567890123456789', '-9007199254740993'];
  expect(bad.map((number) => roundedNumber(`{"a":[${number}]}`))).toEqual(bad);
});

const share: Share = {
  language: 'jsonata',
  scope: 'row',
  source: '{ "naïve": "🎁" }',
  events: ['{"id":9007199254740993}'],
};

test('a share link holds what was put in, and only characters that a fragment may have', async () => {
  const fragment = await shareFragment(share);
  expect(fragment).toMatch(/^v1=[\w-]+$/);
  expect(await readShare(fragment)).toEqual(share);
});

test('a link that is broken, of another make, or a bomb is no link', async () => {
  const fragment = await shareFragment(share);
  expect(await readShare(fragment.slice(0, -6))).toBe(null);
  expect(await readShare(`v2=${fragment.slice(3)}`)).toBe(null);
  expect(await readShare('token=abc')).toBe(null);
  expect(await readShare(await shareFragment({ ...share, language: 'python' } as unknown as Share))).toBe(null);
  expect(await readShare(await shareFragment({ ...share, events: [1] } as unknown as Share))).toBe(null);
  const empty = Array.from({ length: 501 }, () => '{}');
  expect(await readShare(await shareFragment({ ...share, events: empty }))).toBe(null);
  expect(await readShare(await shareFragment({ ...share, events: ['no event'] }))).toBe(null);
  const bomb = await shareFragment({ ...share, source: 'a'.repeat(20 * 1024 * 1024) });
  expect(bomb.length).toBeLessThan(MAX_LINK);
  expect(await readShare(bomb)).toBe(null);
});

function memoryShelf() {
  const kept = new Map<string, string>();
  return {
    kept,
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
}
const draft = { language: 'javascript', source: 'x', scope: 'row', base: 'h' } as const;

test('drafts of one manifest and stream are not those of another, and what is broken is left out', () => {
  const all = memoryShelf();
  const one = openShelf(all, memoryShelf(), '/a/sluice.yaml');
  one.keepDrafts('orders', { mask: draft });
  expect(one.drafts('orders')).toEqual({ mask: draft });
  expect(one.drafts('users')).toEqual({});
  expect(openShelf(all, memoryShelf(), '/b/sluice.yaml').drafts('orders')).toEqual({});
  for (const key of all.kept.keys()) all.kept.set(key, '{"mask":{"language":"cobol"}}');
  expect(openShelf(all, memoryShelf(), '/a/sluice.yaml').drafts('orders')).toEqual({});
  one.keepDrafts('orders', {});
  expect(all.kept.size).toBe(0);
});

test('a tab keeps its own draft, a new tab takes the newest', () => {
  const all = memoryShelf();
  const first = openShelf(all, memoryShelf(), 'm');
  const second = openShelf(all, memoryShelf(), 'm');
  first.keepDrafts('orders', { mask: draft });
  second.keepDrafts('orders', { mask: { ...draft, source: 'y' } });
  expect(first.drafts('orders')['mask']?.source).toBe('x');
  expect(openShelf(all, memoryShelf(), 'm').drafts('orders')['mask']?.source).toBe('y');
  first.keepDrafts('orders', {});
  expect(first.drafts('orders')).toEqual({});
});

test('a browser that keeps nothing does not break the page', () => {
  const refuse = (): never => {
    throw new DOMException('full', 'QuotaExceededError');
  };
  const shelf = openShelf({ getItem: refuse, setItem: refuse, removeItem: refuse }, memoryShelf(), '');
  shelf.keepHistory([]);
  expect(shelf.history()).toEqual([]);
});

test('the history has the newest first, no repeats in a row, and an end', () => {
  const entry = (source: string): HistoryEntry => ({ at: 1, step: 's', language: 'javascript', source });
  expect(withEntry([entry('a')], entry('a'))).toHaveLength(1);
  const many = Array.from({ length: 60 }, (_, i) => entry(String(i))).reduce<readonly HistoryEntry[]>(
    (all, one) => withEntry(all, one),
    [],
  );
  expect([many.length, many[0]?.source]).toEqual([MAX_HISTORY, '59']);
  expect(firstLine('// a comment\n\n  {\nexport default row => row;')).toBe('export default row => row;');
});

const result = (fate: RunResult['fate'], more: Partial<RunResult> = {}): RunResult => ({
  id: '',
  fate,
  inputs: [],
  outputs: [],
  logs: [],
  ...more,
});
const error = { code: 'E_TRANSFORM_RUNTIME', message: 'x is not defined', at: { file: 'a.js', line: 4, column: 21 } };

test('each fate has a glyph and a word of its own', () => {
  const all = [
    result('ok'),
    result('filtered'),
    result('fan_out', { outputs: ['', ''] }),
    result('failed'),
    result('not_run'),
  ].map((one) => fateOf(one));
  expect(all.map(({ glyph, word }) => `${glyph} ${word}`)).toEqual([
    '✓ ok',
    '∅ filtered',
    '2 2 rows',
    '✗ failed',
    '… not run',
  ]);
  expect(fateOf(undefined).word).toBe('not run yet');
});

test('the same error at the same place is one problem with all its events', () => {
  const results = new Map([
    ['a', result('failed', { error, step: 's' })],
    ['b', result('ok')],
    ['c', result('failed', { error, step: 's' })],
    ['d', result('failed', { error: { ...error, at: { ...error.at, line: 5 } }, step: 's' })],
  ]);
  const run = { ...initial.run, results };
  expect(problemsOf(run).map((one) => one.refs)).toEqual([['a', 'c'], ['d']]);
  expect(sums(run)).toBe('1 ok · 3 failed');
  expect(announcement(run)).toBe('1 ok, 3 failed. E_TRANSFORM_RUNTIME at line 4, column 21: x is not defined');
});

test('while the code does not load, only that is a problem', () => {
  const results = new Map([['a', result('failed', { error })]]);
  const run = {
    ...initial.run,
    results,
    stale: true,
    problem: { error: { ...error, code: 'E_TRANSFORM_LOAD' }, step: 's' },
  };
  expect(problemsOf(run).map((one) => one.error.code)).toEqual(['E_TRANSFORM_LOAD']);
});

test('the filter knows tables, ops, columns, fates and any text', () => {
  const text = '{"op":"u","before":null,"after":{"status":"paid","note":"at the door","total":10.5}}';
  const item = { table: 'public.orders', op: 'u', text, origin: 'capture' } as Item;
  const ok = fateOf(result('ok'));
  const fit = [
    '',
    'table:ord',
    'op:u',
    'has:after',
    'paid',
    'fate:ok',
    'status:paid',
    'total:10.5',
    '"the door"',
    'op:u PAID',
  ];
  const miss = [
    'table:users',
    'op:c',
    'has:before',
    'has:nothing',
    'fate:failed',
    'status:open',
    '"the floor"',
    'paid op:d',
  ];
  expect(fit.filter((one) => !fits(item, ok, one))).toEqual([]);
  expect(miss.filter((one) => fits(item, ok, one))).toEqual([]);
  expect(serverPart('op:u fate:failed  "the door"')).toBe('op:u "the door"');
});

test('times are short', () => {
  expect([duration(0.0123), duration(1.26), duration(250.4), duration(undefined)]).toEqual([
    '12 µs',
    '1.3 ms',
    '250 ms',
    '',
  ]);
});

test('typing runs once, after the pause; anything else runs at once', async () => {
  vi.useFakeTimers();
  let runs = 0;
  const done: number[] = [];
  const live = createLiveRun({ run: async () => ++runs, done: (n) => done.push(n), failed: () => undefined });
  live.ask(true);
  await vi.advanceTimersByTimeAsync(PAUSE - 1);
  live.ask(true);
  await vi.advanceTimersByTimeAsync(PAUSE - 1);
  expect(runs).toBe(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(done).toEqual([1]);
  live.ask(false);
  await vi.advanceTimersByTimeAsync(0);
  expect(done).toEqual([1, 2]);
});

test('a newer run ends the older, and the answer of the older is never shown', async () => {
  vi.useFakeTimers();
  const answers: ((text: string) => void)[] = [];
  const signals: AbortSignal[] = [];
  const done: string[] = [];
  const failed: unknown[] = [];
  const live = createLiveRun<string>({
    run: (signal) => {
      signals.push(signal);
      return new Promise((resolve) => answers.push(resolve));
    },
    done: (text) => done.push(text),
    failed: (thrown) => failed.push(thrown),
  });
  live.ask(false);
  await vi.advanceTimersByTimeAsync(0);
  live.ask(false);
  await vi.advanceTimersByTimeAsync(0);
  expect(signals.map((one) => one.aborted)).toEqual([true, false]);
  answers[1]!('new');
  answers[0]!('old');
  await vi.advanceTimersByTimeAsync(0);
  expect([done, failed]).toEqual([['new'], []]);
});

test('an event is called by its op, table and key', () => {
  const item = { op: 'u', table: 'orders', key: '{"id":"41"}' } as Item;
  expect(nameOf(item)).toBe('u orders 41');
  expect(nameOf({ ...item, key: '{"a":1,"b":"x"}' })).toBe('u orders "a":1,"b":"x"');
  expect(nameOf({ ...item, key: '' })).toBe('u orders');
});
