// Replays of dead letters: what is written where, and that no replay takes a row back behind what was delivered later.

import { expect, test } from 'vitest';
import { batchOf, mapBatch } from '../batch.ts';
import { sluiceError } from '../errors.ts';
import type { ChangeEvent, Column } from '../event.ts';
import type { StateStore } from '../state/store.ts';
import { replayAlone } from './attend.ts';
import { event, type TestStream, target } from './testing.ts';
import { ids, letters, log, opening, start } from './testing-run.ts';

/** Runs the stream to its end, and gives what replays of its letters need. */
async function ran(
  given: TestStream,
): Promise<{ store: StateStore; replay: (ids: number[], force?: boolean) => Promise<string[]> }> {
  const { store, end } = start(given);
  await end;
  return {
    store,
    async replay(ids, force = false) {
      return (await replayAlone(opening(given, store), { ids, force })).map((result) => result.outcome);
    },
  };
}

const statuses = async (store: StateStore) => (await letters(store)).map((letter) => letter.status);
const one = (events: readonly ChangeEvent[]) => log([{ events }]);
const failing = () => {
  const state = { broken: true };
  const map = (e: ChangeEvent) => {
    if (state.broken) throw new Error('no');
    return [e.after!];
  };
  return { state, map };
};

test('a replay of a later letter supersedes the earlier ones of its key', async () => {
  const { state, map } = failing();
  const to = target();
  const source = one([event(1, 1), event(2, 1), event(3, 2)]);
  const { store, replay } = await ran({ source, sinks: [{ id: 'a', to }], transforms: [{ id: 'x', map }] });
  state.broken = false;
  expect(await replay([2])).toEqual(['delivered']);
  expect(await statuses(store)).toEqual(['superseded', 'resolved', 'pending']);
  expect(await replay([1, 3])).toEqual(['refused', 'delivered']);
  expect(ids(to)).toEqual(['e2', 'e3']);
  expect(await replay([1], true)).toEqual(['delivered']);
  expect(await statuses(store)).toEqual(['resolved', 'resolved', 'resolved']);
});

test('in one replay the letters go in order, and one that fails again is superseded by a later one of its key', async () => {
  const { state, map } = failing();
  const to = target();
  const only2 = (e: ChangeEvent) => {
    if (e.id === 'e1') throw new Error('still no');
    return map(e);
  };
  const source = one([event(1, 1), event(2, 1)]);
  const { store, replay } = await ran({ source, sinks: [{ id: 'a', to }], transforms: [{ id: 'x', map: only2 }] });
  state.broken = false;
  expect(await replay([1, 2])).toEqual(['failed', 'delivered']);
  const [first] = await letters(store);
  expect(first).toMatchObject({
    status: 'superseded',
    attempts: 2,
    error: { message: expect.stringContaining('still no') },
  });
});

test('a letter that fails at another place now is settled, and the new place has a letter of its own', async () => {
  const { state, map } = failing();
  const to = target({
    answer: () => ({ status: 'reject', error: sluiceError('E_SINK_REJECT', { message: 'does not fit' }) }),
  });
  const { store, replay } = await ran({
    source: one([event(1, 1)]),
    sinks: [{ id: 'a', to }],
    transforms: [{ id: 'x', map }],
  });
  state.broken = false;
  expect(await replay([1])).toEqual(['failed']);
  expect((await letters(store)).map(({ place, status }) => [place.id, status])).toEqual([
    ['x', 'resolved'],
    ['a', 'pending'],
  ]);
  expect(await replay([2])).toEqual(['failed']);
  expect((await letters(store))[1]).toMatchObject({ status: 'pending', attempts: 2 });
});

test('a letter of a sink that the stream has no more is not tried, and stays', async () => {
  const to = target({
    answer: () => ({ status: 'reject', error: sluiceError('E_SINK_REJECT', { message: 'no' }) }),
  });
  const source = one([event(1, 1)]);
  const { store } = await ran({ source, sinks: [{ id: 'old', to }] });
  const now: TestStream = { source, sinks: [{ id: 'new', to: target() }] };
  const results = await replayAlone(opening(now, store), { ids: [1], force: false });
  expect(results).toMatchObject([{ outcome: 'refused' }]);
  expect(await statuses(store)).toEqual(['pending']);
});

test('a replay sees the columns and the old key that the event had', async () => {
  const columns: Column[] = [
    { name: 'id', type: 'int', key: 1 },
    { name: 'b', type: 'bytes' },
  ];
  const seen: unknown[] = [];
  const { state, map } = failing();
  const to = target({
    beforeWrite(batch) {
      for (let i = 0; i < batch.length; i++) seen.push([batch.id(i), batch.oldKey(i), batch.columns('t')]);
    },
  });
  const moved = event(1, 3, { before: { id: 2 } });
  const { replay } = await ran({
    source: { ...one([moved]), columns: new Map([['t', columns]]) },
    sinks: [{ id: 'a', to }],
    transforms: [{ id: 'x', map }],
  });
  state.broken = false;
  expect(await replay([1])).toEqual(['delivered']);
  expect(seen).toEqual([['e1', { id: 2 }, columns]]);
});

test('an event whose key a transform changed has the old key of its own before image', () => {
  const input = batchOf([event(1, 3, { before: { id: 2 } })]);
  const out = mapBatch(input, {
    from: Uint32Array.of(0),
    part: Int32Array.of(-1),
    before: ['{"id":"p2"}'],
    after: ['{"id":"p3"}'],
    changed: new Map([[0, { key: { id: 'p3' } }]]),
  });
  expect(out.oldKey(0)).toEqual({ id: 'p2' });
});

test('two outputs with one key fail again together, though each would pass alone', async () => {
  const to = target();
  const { store, replay } = await ran({
    source: one([event(1, 1)]),
    sinks: [{ id: 'a', to }],
    transforms: [{ id: 'x', map: (e) => [e.after!, e.after!] }],
  });
  expect(await statuses(store)).toEqual(['pending', 'pending']);
  expect(await replay([1, 2])).toEqual(['failed', 'failed']);
  expect((await letters(store))[0]).toMatchObject({
    status: 'pending',
    attempts: 2,
    error: { code: 'E_SINK_DUPLICATE' },
  });
  expect(to.applied).toEqual([]);
});
