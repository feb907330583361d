// One stream through the real engine with in-memory plugins: each rule of delivery in a case of its own.

import { expect, test } from 'vitest';
import { sluiceError } from '../errors.ts';
import type { ChangeEvent } from '../event.ts';
import { memoryStore } from '../state/memory.ts';
import type { StateStore } from '../state/store.ts';
import type { StreamEnd } from './stream.ts';
import { deadLetter, event, quickRetry, type TestStream, target } from './testing.ts';
import { answered, ids, letters, log, rejected, start, until } from './testing-run.ts';

const away = () => ({ status: 'retry' as const, error: sluiceError('E_SINK_CONNECT', { message: 'away' }) });

async function run(
  given: TestStream,
  store: StateStore = memoryStore(),
): Promise<{ end: StreamEnd; store: StateStore; warnings: readonly string[] }> {
  const running = start(given, store);
  const end = await running.end;
  if (end.state === 'failed' && end.error.code === 'E_INTERNAL') throw end.error.cause;
  return { end, store, warnings: running.warnings };
}

const ledger = async (store: StateStore) => (await store.loadCheckpoint('s'))!.ledger;

test('every event is delivered once, and the position acked after its checkpoint', async () => {
  const source = log([{ events: [event(1, 1), event(2, 2)] }, { events: [] }, { events: [event(3, 1)] }]);
  const to = target();
  const { end, store } = await run({ source, sinks: [{ id: 'a', to }] });
  expect(end).toEqual({ state: 'ended' });
  expect(ids(to)).toEqual(['e1', 'e2', 'e3']);
  expect(await ledger(store)).toEqual({ in: 3, delivered: 3, filtered: 0, skipped: 0, dead_lettered: 0 });
  expect(source.acked.at(-1)).toBe(3);
});

test('a transform filters, fans out and fails, and each event has its one fate', async () => {
  const source = log([{ events: [event(1, 1), event(2, 2), event(3, 3), event(4, 4)] }]);
  const to = target();
  const { store } = await run({
    source,
    sinks: [{ id: 'a', to, keyed: false }],
    transforms: [
      {
        id: 'x',
        map(e) {
          if (e.id === 'e1') return null;
          if (e.id === 'e2') throw new Error('poison');
          return e.id === 'e3' ? [e.after!, e.after!] : [e.after!];
        },
      },
    ],
  });
  expect(ids(to)).toEqual(['e3/0', 'e3/1', 'e4']);
  expect(await ledger(store)).toEqual({ in: 4, delivered: 2, filtered: 1, skipped: 0, dead_lettered: 1 });
  const [letter] = await letters(store);
  expect(letter).toMatchObject({ place: { kind: 'transform', id: 'x' }, event_id: 'e2', status: 'pending' });
  expect(letter!.error.message).toContain('poison');
});

test('what the source could not read is a dead letter with its raw text', async () => {
  const bad = { id: 'bad', raw: '{oops', error: sluiceError('E_EVENT_PARSE', { message: 'no JSON' }) };
  const { store } = await run({
    source: log([{ events: [event(1, 1), bad, event(2, 2)] }]),
    sinks: [{ id: 'a', to: target() }],
  });
  expect(await ledger(store)).toMatchObject({ in: 3, delivered: 2, dead_lettered: 1 });
  expect((await letters(store))[0]).toMatchObject({ event: '{oops', place: { kind: 'source' } });
});

test('a rejected event is a dead letter and later events of its key still come in order', async () => {
  const to = target({ answer: (batch, i) => (batch.id(i) === 'e1' ? rejected() : undefined) });
  const { store } = await run({
    source: log([{ events: [event(1, 7), event(2, 7), event(3, 8)] }]),
    sinks: [{ id: 'a', to }],
  });
  expect(ids(to).sort()).toEqual(['e2', 'e3']);
  expect(await ledger(store)).toMatchObject({ delivered: 2, dead_lettered: 1 });
  // a later event of its key was delivered at this keyed sink
  expect((await letters(store))[0]).toMatchObject({ event_id: 'e1', status: 'superseded' });
});

test('an absent sink is waited for, and no event is blamed', async () => {
  let tries = 0;
  const to = target({
    beforeWrite() {
      if (tries++ < 3) throw new Error('connection refused');
    },
  });
  const { store } = await run({ source: log([{ events: [event(1, 1)] }]), sinks: [{ id: 'a', to }] });
  expect(await ledger(store)).toMatchObject({ delivered: 1, dead_lettered: 0 });
  expect(tries).toBe(4);
});

test('`retry` for all is absence; `retry` for some counts against them', async () => {
  let rounds = 0;
  const all = target({
    answer: (_, i) => (i === 0 && ++rounds > 0 && rounds < 4 ? away() : rounds < 4 ? away() : undefined),
  });
  const first = await run({ source: log([{ events: [event(1, 1), event(2, 2)] }]), sinks: [{ id: 'a', to: all }] });
  expect(await ledger(first.store)).toMatchObject({ delivered: 2 });

  const some = target({ answer: (batch, i) => (batch.id(i) === 'e1' ? away() : undefined) });
  const policy = { ...deadLetter, on_error: 'retry' as const, max_retries: 2, retry_delay: 1 };
  const second = await run({
    source: log([{ events: [event(1, 1), event(2, 2)] }]),
    sinks: [{ id: 'a', to: some, error_handling: policy }],
  });
  expect(await ledger(second.store)).toMatchObject({ delivered: 1, dead_lettered: 1 });
  expect((await letters(second.store))[0]!.attempts).toBe(3);
});

test('max_attempts ends a wait: the stream is failed and its events are pending', async () => {
  const to = target({
    beforeWrite() {
      throw new Error('gone');
    },
  });
  const { end, store } = await run({
    source: log([{ events: [event(1, 1)] }]),
    sinks: [{ id: 'a', to }],
    retry: { ...quickRetry, max_attempts: 3 },
  });
  expect(end).toMatchObject({ state: 'failed', error: { code: 'E_STREAM_ATTEMPTS' } });
  expect(await ledger(store)).toMatchObject({ in: 0 });
  expect(await letters(store)).toEqual([]);
});

test('a home commits rows and checkpoint together, and wins over the copy', async () => {
  const to = target();
  let crash = true;
  to.beforeCommit = () => {
    if (crash && to.checkpoint !== null) {
      crash = false;
      throw new Error('lost the connection in commit');
    }
  };
  const source = log([{ events: [event(1, 1)] }, { events: [event(2, 2)] }]);
  const { end, store } = await run({ source, sinks: [{ id: 'home', to, home: true }] });
  expect(end.state).toBe('ended');
  expect(ids(to)).toEqual(['e1', 'e2']);
  expect(to.checkpoint!.ledger).toEqual(await ledger(store));
  expect(source.reads).toBe(2);
});

test('a home without a checkpoint while the store has one does not start', async () => {
  const store = memoryStore();
  const source = () => log([{ events: [event(1, 1)] }]);
  await run({ source: source(), sinks: [{ id: 'home', to: target(), home: true }] }, store);
  const { end } = await run({ source: source(), sinks: [{ id: 'home', to: target(), home: true }] }, store);
  expect(end).toMatchObject({ state: 'failed', error: { code: 'E_CHECKPOINT_HOME' } });
});

test('a source that breaks off is read again from the checkpoint', async () => {
  let broken = 0;
  const source = log([{ events: [event(1, 1)] }, { events: [event(2, 2)] }, { events: [event(3, 3)] }], {
    hook(i) {
      if (i === 2 && broken++ < 2) throw new Error('connection reset');
    },
  });
  const to = target({ stateful: true });
  const { end, store } = await run({ source, sinks: [{ id: 'a', to, keyed: false }] });
  expect(end.state).toBe('ended');
  expect(ids(to)).toEqual(['e1', 'e2', 'e3']); // a stateful sink is cut back: exactly once
  expect(await ledger(store)).toMatchObject({ in: 3, delivered: 3 });
});

test('parts of an open transaction are written as they come and covered by one checkpoint', async () => {
  const source = log([
    { events: [event(1, 1)], open: true },
    { events: [event(2, 2)], open: true },
    { events: [event(3, 3)] },
  ]);
  const to = target();
  const { store } = await run({ source, sinks: [{ id: 'home', to, home: true }] });
  expect(await ledger(store)).toMatchObject({ in: 3, delivered: 3 });
  expect(source.acked).toEqual([3]);
});

test('a sink that is not needed does not hold the stream; what it misses is dead-lettered under its name', async () => {
  const slow = target({
    beforeWrite() {
      throw new Error('down');
    },
  });
  const good = target();
  const { end, store } = await run({
    source: log([{ events: [event(1, 1)] }, { events: [event(2, 2)] }]),
    sinks: [
      { id: 'good', to: good },
      { id: 'slow', to: slow, required: false, write_timeout: 20 },
    ],
    commit: 'required',
  });
  expect(end.state).toBe('ended');
  expect(good.applied).toHaveLength(2);
  expect(await ledger(store)).toMatchObject({ delivered: 2, dead_lettered: 0 });
  expect((await letters(store)).map((l) => [l.event_id, l.place.id, l.error.code])).toEqual([
    ['e1', 'slow', 'E_SINK_ABSENT'],
    ['e2', 'slow', 'E_SINK_ABSENT'],
  ]);
  const counts = (await store.loadCheckpoint('s'))!.sinks['slow']!.counts;
  expect(counts).toMatchObject({ out: 2, dead_lettered: 2, delivered: 0, missed: 0 });
});

test('fail_stream stops at the event and leaves it pending', async () => {
  const to = target({ answer: (batch, i) => (batch.id(i) === 'e2' ? rejected() : undefined) });
  const { end, store } = await run({
    source: log([{ events: [event(1, 1)] }, { events: [event(2, 2)] }]),
    sinks: [{ id: 'a', to, error_handling: { ...deadLetter, on_error: 'fail_stream' } }],
  });
  expect(end).toMatchObject({ state: 'failed', error: { code: 'E_STREAM_FAILED' } });
  expect((await ledger(store)).in).toBeLessThan(2);
});

test('a sink that does not answer for every event is not trusted with more', async () => {
  const to = target({ answer: () => ({ status: 'fine' }) as never });
  const { end } = await run({ source: log([{ events: [event(1, 1)] }]), sinks: [{ id: 'a', to }] });
  expect(end).toMatchObject({ state: 'failed', error: { code: 'E_SINK_RESULTS' } });
});

test('dead letters go to their destination too, and only they', async () => {
  const copy = target();
  const { store } = await run({
    source: log([{ events: [event(1, 1), event(2, 2)] }]),
    sinks: [
      {
        id: 'a',
        to: target({ answer: (b, i) => (b.id(i) === 'e1' ? rejected() : undefined) }),
        error_handling: { ...deadLetter, dead_letter_destination: 'dl' },
      },
      { id: 'dl', to: copy },
    ],
  });
  expect(copy.applied).toHaveLength(1);
  expect(copy.applied[0]!.row).toMatchObject({ event_id: 'e1', place: { kind: 'sink', id: 'a' } });
  expect(await ledger(store)).toMatchObject({ delivered: 1, dead_lettered: 1 });
});

test('a destination that rejects its copies is said: they are in the state store only', async () => {
  const { end, store, warnings } = await run({
    source: log([{ events: [event(1, 1)] }]),
    sinks: [
      {
        id: 'a',
        to: target({ answer: rejected }),
        error_handling: { ...deadLetter, dead_letter_destination: 'dl' },
      },
      { id: 'dl', to: target({ answer: rejected }), keyed: false },
    ],
  });
  expect(end).toEqual({ state: 'ended' });
  expect(warnings).toContainEqual(expect.stringContaining('sink dl rejected 1 dead letters'));
  expect((await store.loadCheckpoint('s'))!.sinks.dl!.counts).toMatchObject({ out: 1, delivered: 0, skipped: 1 });
  expect(await letters(store)).toMatchObject([{ event_id: 'e1', status: 'pending' }]);
});

test('a full dead-letter store fails the stream instead of losing the event', async () => {
  const { end, store } = await run({
    source: log([{ events: [event(1, 1), event(2, 2), event(3, 3)] }]),
    sinks: [{ id: 'a', to: target({ answer: rejected }) }],
    maxLetterBytes: 500,
  });
  expect(end).toMatchObject({ state: 'failed', error: { code: 'E_DEAD_LETTERS_FULL' } });
  expect((await ledger(store)).in).toBe(0);
});

test('a request is carried out while the stream waits for a sink', async () => {
  const store = memoryStore();
  let there = false;
  const rejects = { now: true };
  const to = target({
    beforeWrite(batch) {
      if (batch.id(0) === 'e2' && !there) throw new Error('away');
    },
    answer: (batch, i) => (batch.id(i) === 'e1' && rejects.now ? rejected() : undefined),
  });
  const source = log([{ events: [event(1, 1)] }, { events: [event(2, 2)] }], {
    async hook(i) {
      if (i === 1) await until(async () => (await letters(store)).length > 0);
    },
  });
  const running = run({ source, sinks: [{ id: 'a', to }] }, store);
  await until(async () => (await letters(store)).length > 0);
  rejects.now = false;
  const number = await store.addRequest({ stream: 's', type: 'replay', body: { ids: [1], force: false } });
  expect(await answered(store, number)).toMatchObject({ status: 'done' });
  expect((await letters(store))[0]).toMatchObject({ event_id: 'e1', status: 'resolved' });
  there = true;
  expect((await running).end.state).toBe('ended');
  expect(ids(to)).toEqual(['e1', 'e2']);
  expect(await ledger(store)).toMatchObject({ in: 2, delivered: 1, dead_lettered: 1 });
});

test('a sink that is not needed and cannot be restored does not hold the stream', async () => {
  const good = target();
  const sick = target({
    stateful: true,
    beforeWrite() {
      throw new Error('down');
    },
    beforeRestore() {
      throw new Error('down');
    },
  });
  const sinks = [
    { id: 'good', to: good },
    { id: 'sick', to: sick, required: false, write_timeout: 10 },
  ];
  const { end, store } = await run({ source: log([{ events: [event(1, 1)] }]), sinks, commit: 'required' });
  expect(end.state).toBe('ended');
  expect(ids(good)).toEqual(['e1']);
  expect(await ledger(store)).toMatchObject({ in: 1, delivered: 1 });
});

test('what a probe delivers supersedes the earlier letters of its keys', async () => {
  let down = true;
  const slow = target({
    beforeWrite() {
      if (down) throw new Error('down');
    },
  });
  const source = log([{ events: [event(1, 1)] }, { events: [event(2, 1)] }, { events: [event(3, 2)] }], {
    // the first batch is missed before the second comes; the probe takes the second, before the third comes
    async hook(i) {
      if (i > 0) await until(async () => (await letters(store)).length >= i);
      if (i === 2) {
        down = false;
        await until(() => slow.applied.length > 0);
      }
    },
  });
  const store = memoryStore();
  const sinks = [
    { id: 'good', to: target() },
    { id: 'slow', to: slow, required: false, write_timeout: 5 },
  ];
  await run({ source, sinks, commit: 'required', retry: { ...quickRetry, initial_delay: 30, max_delay: 60 } }, store);
  expect(ids(slow)).toEqual(['e2', 'e3']);
  expect((await letters(store)).map((l) => [l.event_id, l.status])).toEqual([
    ['e1', 'superseded'],
    ['e2', 'resolved'],
  ]);
});

test('dead letters are numbered in the order of their events, wherever they failed', async () => {
  const to = target({ answer: (batch, i) => (batch.id(i) === 'e2' ? rejected() : undefined) });
  const map = (e: ChangeEvent) => {
    if (e.id === 'e1' || e.id === 'e3') throw new Error('no');
    return [e.after!];
  };
  const source = log([{ events: [event(1, 1), event(2, 2), event(3, 3)] }]);
  const { store } = await run({ source, sinks: [{ id: 'a', to }], transforms: [{ id: 'x', map }] });
  expect((await letters(store)).map((l) => l.event_id)).toEqual(['e1', 'e2', 'e3']);
});
