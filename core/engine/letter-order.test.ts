// Which letters are older than what was delivered, so that no replay takes a row back: by both keys of a move, by barriers,
// by the source's keys before the sinks, and by probes and replays as well as by the stream.

import { describe, expect, test } from 'vitest';
import { batchOf } from '../batch.ts';
import { sluiceError } from '../errors.ts';
import type { ChangeEvent } from '../event.ts';
import { memoryStore } from '../state/memory.ts';
import { replayAlone, setPosition } from './attend.ts';
import { event, type MemoryTarget, type TestStream, target, testStream } from './testing.ts';
import {
  fates,
  ids,
  letters,
  log,
  opening,
  rejected,
  rejecting,
  sometimes,
  start,
  storeWith,
  until,
  withTransform,
} from './testing-run.ts';

/** e1 from key 1 to key 2. */
const move = event(1, 2, { before: { id: 1 } });
const truncate = (n: number): ChangeEvent => event(n, 0, { op: 't', key: null, after: null });
/** A stream of batches of one event each, into one sink. */
const oneByOne = (events: readonly ChangeEvent[], to: MemoryTarget): TestStream => ({
  source: log(events.map((e) => ({ events: [e] }))),
  sinks: [{ id: 'a', to }],
});

describe('what the stream delivers supersedes', () => {
  test('the letter of a key move, when it is of the key that the row left', async () => {
    const given = oneByOne([move, event(2, 1)], target({ answer: rejecting(new Set(['e1'])) }));
    const { end, store } = start(given);
    expect(await end).toEqual({ state: 'ended' });
    expect(await fates(store)).toEqual(['e1 superseded']);
  });

  test('letters of rows, when it is a truncate of their table', async () => {
    const given = oneByOne([event(1, 1), truncate(2)], target({ answer: rejecting(new Set(['e1'])) }));
    const { end, store } = start(given);
    expect(await end).toEqual({ state: 'ended' });
    expect(await fates(store)).toEqual(['e1 superseded']);
  });

  test('the letter of a truncate, whose replay would empty the table of later rows', async () => {
    const bad = new Set(['e1']);
    const to = target({ answer: rejecting(bad) });
    const given = oneByOne([truncate(1), event(2, 1)], to);
    const { end, store } = start(given);
    expect(await end).toEqual({ state: 'ended' });
    bad.clear();
    expect(await replayAlone(opening(given, store), { ids: [1], force: false })).toMatchObject([
      { outcome: 'refused' },
    ]);
    expect(ids(to)).toEqual(['e2']);
  });

  test('what failed before the sinks by the key that it came with, though a transform has changed it by then', async () => {
    const given: TestStream = {
      source: log([{ events: [event(1, 1)] }, { events: [event(2, 1)] }]),
      sinks: [{ id: 'a', to: target() }],
      transforms: [
        { id: 'renames', map: (e) => [e.after!] },
        {
          id: 'fails',
          map(e) {
            if (e.id === 'e1') throw new Error('no');
            return [e.after!];
          },
        },
      ],
    };
    const renaming = withTransform(testStream(given), 'renames', () => ({
      async apply(batch) {
        const out = batch.events().map((e) => ({ ...e, key: { pk: 100 }, after: { ...e.after, pk: 100 } }));
        const from = Uint32Array.from(out, (_, i) => i);
        return { out: batchOf(out), from, filtered: new Uint32Array(), failed: [] };
      },
      async [Symbol.asyncDispose]() {},
    }));
    const { end, store } = start(renaming);
    expect(await end).toEqual({ state: 'ended' });
    expect(await fates(store)).toEqual(['e1 superseded']);
  });
});

test('what a probe delivers supersedes a letter of its own group, though another sink still has the group', async () => {
  let tries = 0;
  const slow = target({
    answer(batch, i) {
      if (batch.id(i) === 'e1') return rejected();
      const error = sluiceError('E_SINK_WRITE', { message: 'later' });
      return tries++ === 0 ? { status: 'retry', error, retryAfterMs: 3_600_000 } : undefined; // it is given up, and probed
    },
  });
  const good = target({ beforeWrite: () => until(() => ids(slow).includes('e2')) });
  const { end, store } = start({
    source: log([{ events: [event(1, 1), event(2, 1)] }]),
    sinks: [
      { id: 'good', to: good },
      { id: 'slow', to: slow, required: false, write_timeout: 5 },
    ],
    commit: 'required',
  });
  expect(await end).toEqual({ state: 'ended' });
  expect(await fates(store)).toEqual(['e1 superseded', 'e2 resolved']);
});

describe('what a replay delivers supersedes', () => {
  test.each([
    ['the letter of a key move, when it is of the key that the row left', [move, event(2, 1)]],
    ['letters of rows, when it is a truncate of their table', [event(1, 1), truncate(2)]],
    ['the letter of a truncate before it', [truncate(1), event(2, 1)]],
  ])('%s', async (_, events) => {
    const bad = new Set(['e1', 'e2']);
    const given = oneByOne(events, target({ answer: rejecting(bad) }));
    const { end, store } = start(given);
    expect(await end).toEqual({ state: 'ended' });
    expect(await fates(store)).toEqual(['e1 pending', 'e2 pending']);
    bad.clear();
    const results = await replayAlone(opening(given, store), { ids: [2], force: false });
    expect(results).toMatchObject([{ outcome: 'delivered' }]);
    expect(await fates(store)).toEqual(['e1 superseded', 'e2 resolved']);
  });
});

describe('after the stream was read again from its beginning', () => {
  test('letters are replayed in the order of their events, not of their numbers', async () => {
    const store = memoryStore();
    const bad = new Set(['e2']);
    const to = target({ answer: rejecting(bad) });
    const given = (): TestStream => ({
      source: log([{ events: [event(1, 1), event(2, 1)] }]),
      sinks: [{ id: 'a', to }],
    });
    await start(given(), store).end;
    await store.clearCheckpoint('s');
    bad.add('e1');
    await start(given(), store).end;
    expect((await letters(store)).map(({ id, event_id }) => [id, event_id])).toEqual([
      [1, 'e2'],
      [2, 'e1'],
    ]);
    bad.clear();
    to.applied.length = 0;
    const results = await replayAlone(opening(given(), store), { ids: [1, 2], force: false });
    expect(results.map(({ event_id }) => event_id)).toEqual(['e1', 'e2']);
    expect(ids(to)).toEqual(['e1', 'e2']);
  });

  test('the letter of a place that its event passed is settled, though it fails at a later place', async () => {
    const store = memoryStore();
    const to = target();
    const fails = { at: 'x' };
    const step = (id: string) => ({
      id,
      map(e: ChangeEvent) {
        if (e.id === 'e1' && fails.at === id) throw new Error('no');
        return [e.after!];
      },
    });
    const given = (count: number): TestStream => ({
      source: log([{ events: [event(1, 1)] }, { events: [event(2, 1)] }].slice(0, count)),
      sinks: [{ id: 'a', to }],
      transforms: [step('x'), step('y')],
    });
    await start(given(1), store).end;
    await store.clearCheckpoint('s');
    fails.at = 'y';
    await start(given(2), store).end;
    const [first] = await letters(store);
    expect(first).toMatchObject({ event_id: 'e1', place: { id: 'x' } });
    expect(first!.status).not.toBe('pending');
    fails.at = 'nowhere';
    expect(await replayAlone(opening(given(2), store), { ids: [1], force: false })).toMatchObject([
      { outcome: 'refused' },
    ]);
    expect(ids(to)).toEqual(['e2']);
  });
});

test('a position that is set over a damaged checkpoint leaves superseded letters as they are', async () => {
  const real = memoryStore();
  const given = oneByOne([event(1, 1), event(2, 1)], target({ answer: rejecting(new Set(['e1'])) }));
  await start(given, real).end;
  expect(await fates(real)).toEqual(['e1 superseded']);
  const store = storeWith(real, {
    async loadCheckpoint() {
      throw sluiceError('E_STATE_CORRUPT', { message: 'torn', permanent: true });
    },
  });
  await setPosition(opening(given, store), 2);
  expect(await fates(real)).toEqual(['e1 superseded']);
});

test('a letter that must have room gets it before what a sink that nobody needs has missed', async () => {
  const sinks = [
    { id: 'good', to: target() },
    { id: 'away', to: sometimes(() => false), required: false, write_timeout: 5 },
  ];
  const map = (e: ChangeEvent) => {
    if (e.id === 'e2') throw new Error('no');
    return [e.after!];
  };
  const { end, store } = start({
    source: log([{ events: [event(1, 1), event(2, 2)] }]),
    transforms: [{ id: 'x', map }],
    sinks,
    commit: 'required',
    maxLetterBytes: 100, // room for one
  });
  expect(await end).toEqual({ state: 'ended' });
  expect(await fates(store)).toEqual(['e2 pending']);
  expect((await store.loadCheckpoint('s'))!.gaps).toMatchObject([{ sink: 'away', events: 1 }]);
});

test('a replay whose commit at the home is lost supersedes nothing', async () => {
  const bad = new Set(['e1', 'e2']);
  let isLost = false;
  const to = target({
    answer: rejecting(bad),
    beforeCommit() {
      if (isLost) throw new Error('lost');
    },
  });
  const given: TestStream = {
    source: log([{ events: [event(1, 1)] }, { events: [event(2, 1)] }]),
    sinks: [{ id: 'a', to, home: true }],
  };
  const store = memoryStore();
  await start(given, store).end;
  bad.clear();
  isLost = true;
  await expect(replayAlone(opening(given, store), { ids: [2], force: false })).rejects.toThrow('lost');
  isLost = false;
  await start(given, store).end;
  expect(ids(to)).toEqual([]);
  expect(await fates(store)).toEqual(['e1 pending', 'e2 pending']);
});
