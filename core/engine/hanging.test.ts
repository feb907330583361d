// Sinks that hang, and do not even obey their signal: nobody waits for one that is not needed beyond its write_timeout,
// whatever it was asked, and nothing is kept for it; one that is needed is told as a wait.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { batchOf } from '../batch.ts';
import type { Source } from '../plugin.ts';
import { event, type MemoryTarget, type TestStream, target, testStream } from './testing.ts';
import { answered, forever, ids, letters, log, rejected, start, until, withSource } from './testing-run.ts';

describe('a write that hangs and does not obey its signal', () => {
  const hung = (): MemoryTarget => target({ beforeWrite: () => forever() });

  test('at a sink that is not needed holds neither the stream, nor its end, nor the next session', async () => {
    const good = target();
    let breaks = 1;
    const source = log([{ events: [event(1, 1)] }, { events: [event(2, 2)] }], {
      async hook(i) {
        if (i === 1) await until(() => source.acked.length > 0);
        if (i === 1 && breaks-- > 0) throw new Error('the source broke off');
      },
    });
    const sinks = [
      { id: 'good', to: good },
      { id: 'hung', to: { ...hung(), stateful: true }, required: false, write_timeout: 5 },
    ];
    const { end, store } = start({ source, sinks, commit: 'required' });
    expect(await end).toEqual({ state: 'ended' });
    expect(ids(good)).toEqual(['e1', 'e2']);
    expect((await letters(store)).map((l) => [l.event_id, l.place.id])).toEqual([
      ['e1', 'hung'],
      ['e2', 'hung'],
    ]);
  });

  test('at a sink that is needed is told: the stream waits, and the status says for what', async () => {
    let go = (): void => undefined;
    const slow = target({
      beforeWrite: () =>
        new Promise((resolve) => {
          go = resolve;
        }),
    });
    const sinks = [{ id: 'slow', to: slow, write_timeout: 5 }];
    const running = start({ source: log([{ events: [event(1, 1)] }]), sinks });
    await until(() => running.status.state === 'waiting');
    expect(running.status.reason).toMatchObject({ code: 'E_SINK_TIMEOUT' });
    go();
    expect(await running.end).toEqual({ state: 'ended' });
    expect(ids(slow)).toEqual(['e1']);
  });
});

describe('a sink that is not needed does not hold the stream', () => {
  const beside = (slow: MemoryTarget): TestStream => ({
    source: log([{ events: [event(1, 1)] }, { events: [event(2, 2)] }]),
    sinks: [
      { id: 'good', to: target() },
      { id: 'slow', to: slow, required: false, write_timeout: 5 },
    ],
    commit: 'required',
  });

  test.each<[string, Partial<MemoryTarget>]>([
    ['going back to its state hangs', { beforeRestore: forever }],
    ['its flush hangs', { beforeFlush: forever }],
  ])('when %s', async (_, hung) => {
    const given = beside(target({ stateful: true, ...hung }));
    const { end, store } = start(given);
    expect(await end).toEqual({ state: 'ended' });
    expect(ids(given.sinks[0]!.to)).toEqual(['e1', 'e2']);
    expect((await letters(store)).map((l) => [l.event_id, l.place.id])).toEqual([
      ['e1', 'slow'],
      ['e2', 'slow'],
    ]);
  });

  test.each<[string, (signal: AbortSignal) => Promise<void>]>([
    ['obeys its signal', (signal) => new Promise((_, no) => signal.addEventListener('abort', () => no(signal.reason)))],
    ['does not obey its signal', forever],
  ])('when a replay asks it and it hangs, and %s: the answer is `away`', async (_, hang) => {
    let isHung = false;
    let isAnswered = false;
    const slow = target({
      answer: rejected,
      beforeWrite: (_, signal) => (isHung ? hang(signal) : undefined),
    });
    const { sinks, ...given } = beside(slow);
    const source = log(given.source.batches, {
      async hook(i) {
        if (i === 1) await until(() => isAnswered);
      },
    });
    const { end, store } = start({ ...given, sinks, source });
    await until(async () => (await letters(store)).length === 1);
    isHung = true;
    const number = await store.addRequest({ stream: 's', type: 'replay', body: { ids: [1], force: false } });
    expect((await answered(store, number)).result).toMatchObject([{ id: 1, outcome: 'away' }]);
    isAnswered = true;
    expect(await end).toEqual({ state: 'ended' });
    expect(ids(sinks[0]!.to)).toEqual(['e1', 'e2']);
    expect((await letters(store))[0]).toMatchObject({ event_id: 'e1', status: 'pending' });
  });
});

test('a needed sink that a replay left hanging is told by the next session, which goes on once it is free', async () => {
  const held: (() => void)[] = [];
  let isHung = false;
  let isOver = false;
  const to = target({
    answer: rejected,
    beforeWrite: () => (isHung ? new Promise<void>((resolve) => held.push(resolve)) : undefined),
  });
  let reads = 0;
  const read: Source<number>['read'] = async function* (from) {
    reads++;
    if (from === null) yield { batch: batchOf([event(1, 1)]), position: 1 };
    await until(() => isOver);
    if (reads === 1) throw new Error('the source broke off');
  };
  const given: TestStream = { source: log([]), sinks: [{ id: 'a', to, write_timeout: 20 }] };
  const running = start(withSource(testStream(given), read as Source['read']));
  await until(async () => (await letters(running.store)).length === 1);
  isHung = true;
  const replay = { stream: 's', type: 'replay', body: { ids: [1], force: false } } as const;
  await answered(running.store, await running.store.addRequest(replay));
  isHung = false;
  isOver = true;
  await until(() => running.status.reason?.code === 'E_SINK_TIMEOUT');
  expect(running.status).toMatchObject({ state: 'waiting', reason: { message: expect.stringContaining('sink a') } });
  for (const free of held) free();
  expect(await running.end).toEqual({ state: 'ended' });
  expect(reads).toBe(2);
});

test('a sink that hangs for good keeps no more groups alive the more sessions pass by', async () => {
  const sessions = 20;
  const held: (() => void)[] = []; // as a socket keeps what waits for it
  const hung = target({ beforeWrite: () => new Promise((resolve) => held.push(resolve)) });
  const good = target();
  const given: TestStream = {
    source: log([]),
    sinks: [
      { id: 'good', to: good },
      { id: 'hung', to: hung, required: false, write_timeout: 1 },
    ],
    commit: 'required',
  };
  const batches: WeakRef<object>[] = [];
  let isOver = false;
  const read: Source<number>['read'] = async function* (from) {
    const n = (from ?? 0) + 1;
    const batch = batchOf([event(n, 1)]);
    batches.push(new WeakRef(batch));
    yield { batch, position: n };
    await until(() => running.status.checkpoint?.position === n);
    if (n < sessions) throw new Error('the source broke off');
    await until(() => isOver);
  };
  const running = start(withSource(testStream(given), read as Source['read']));
  await until(() => running.status.checkpoint?.position === sessions);
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const alive = (): number => batches.filter((batch) => batch.deref() !== undefined).length;
  // a WeakRef holds its object to the end of the turn in which it was asked
  for (let turn = 0; turn < 10; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  expect(batches).toHaveLength(sessions);
  expect(alive()).toBeLessThan(5); // the one that hangs, and what came last
  isOver = true;
  expect(await running.end).toEqual({ state: 'ended' });
  expect(held).toHaveLength(1); // nothing was written beside what hangs
});
