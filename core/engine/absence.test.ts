// Sinks that are not there: who is waited for, states that could not be given back, gaps, and memory behind a slow sink.
// How a quorum waits is in quorum.test.ts, what hangs in hanging.test.ts, and probes are in away.test.ts.

import { describe, expect, test } from 'vitest';
import { sluiceError } from '../errors.ts';
import { memoryStore } from '../state/memory.ts';
import { event, type MemoryTarget, type TestStream, target } from './testing.ts';
import { ids, letters, log, rejected, sometimes, start, until } from './testing-run.ts';

test('one needed sink that can never come ends the stream, though another is only away', async () => {
  const never = target({
    beforeWrite() {
      throw sluiceError('E_SINK_CONNECT', { message: 'no such database', permanent: true });
    },
  });
  const sinks = [
    { id: 'a', to: never },
    { id: 'b', to: sometimes(() => false) },
  ];
  const running = start({ source: log([{ events: [event(1, 1)] }]), sinks });
  expect(await running.end).toMatchObject({ state: 'failed', error: { code: 'E_SINK_CONNECT' } });
});

test('while one sink is waited for the status says so, also after another has taken the group', async () => {
  const states: string[] = [];
  const b = target({ beforeWrite: () => until(() => running.status.state === 'waiting') });
  const a = target({
    beforeWrite() {
      if (ids(b).length > 0) states.push(running.status.state);
      if (states.length < 3) throw new Error('away');
    },
  });
  const sinks = [
    { id: 'a', to: a },
    { id: 'b', to: b },
  ];
  const running = start({ source: log([{ events: [event(1, 1)] }]), sinks });
  expect(await running.end).toEqual({ state: 'ended' });
  expect(states).toEqual(['waiting', 'waiting', 'waiting']);
});

describe('what a driver throws is an absence, and waited for,', () => {
  const throwing = (from: number) => {
    let calls = 0;
    return () => {
      if (++calls === from) throw Object.assign(new Error('connection reset'), { code: 'ECONNRESET' });
    };
  };
  test.each<[string, Partial<MemoryTarget>, boolean]>([
    ['when a needed sink goes back to its state', { stateful: true, beforeRestore: throwing(1) }, false],
    ['when the home is asked for its checkpoint', { beforeLoad: throwing(1) }, true],
    ['when the home begins a transaction for a heartbeat', { beforeBegin: throwing(3) }, true],
  ])('%s', async (_, more, home) => {
    const to = target(more);
    const source = log([{ events: [event(1, 1)] }, { events: [] }], {
      async hook(i) {
        if (i === 1) await until(() => source.acked.includes(1)); // not joined
      },
    });
    const running = start({ source, sinks: [{ id: 'a', to, home }] });
    expect(await running.end).toEqual({ state: 'ended' });
    expect(running.warnings).toContainEqual(expect.stringContaining('connection reset'));
    expect(ids(to)).toEqual(['e1']);
    expect(source.acked.at(-1)).toBe(2);
  });
});

test('a sink that goes away, and one whose state is refused, are said in the log', async () => {
  const sick = sometimes(() => false, {
    stateful: true,
    beforeRestore() {
      throw new Error('not my file');
    },
  });
  const sinks = [
    { id: 'good', to: target() },
    { id: 'sick', to: sick, required: false, write_timeout: 5 },
  ];
  const running = start({ source: log([{ events: [event(1, 1)] }]), sinks, commit: 'required' });
  await running.end;
  expect(running.warnings).toContainEqual(expect.stringContaining('sick could not go back to its last checkpoint'));
  expect(running.warnings).toContainEqual(expect.stringContaining('sick is away'));
});

test('a sink whose state was refused is not flushed: that would make what it has now its state', async () => {
  let flushes = 0;
  const sick = sometimes(() => false, {
    stateful: true,
    applied: [{ id: 'foreign', key: '1', row: null }],
    beforeFlush() {
      flushes++;
    },
    beforeRestore() {
      throw new Error('not my file');
    },
  });
  const sinks = [
    { id: 'good', to: target() },
    { id: 'sick', to: sick, required: false, write_timeout: 5 },
  ];
  const { end, store } = start({ source: log([{ events: [event(1, 1)] }]), sinks, commit: 'required' });
  expect((await end).state).toBe('ended');
  expect(flushes).toBe(0);
  expect((await store.loadCheckpoint('s'))!.sinks.sick!.state).toBeNull();
});

describe('a gap', () => {
  const down = (): MemoryTarget => sometimes(() => false);
  const stream = (slow: MemoryTarget, n: number): TestStream => ({
    // after the first event a batch without one, which moves the position and says nothing of the sinks
    source: log(Array.from({ length: n }, (_, i) => ({ events: i === 1 ? [] : [event(i + 1, i + 1)] }))),
    sinks: [
      { id: 'good', to: target() },
      { id: 'slow', to: slow, required: false, write_timeout: 5 },
    ],
    commit: 'required',
    maxLetterBytes: 0,
  });

  test('stays open over a restart while its sink is away, and closes when the sink has taken something', async () => {
    const store = memoryStore();
    const gaps = async () => (await store.loadCheckpoint('s'))!.gaps;
    await start(stream(down(), 1), store).end;
    expect(await gaps()).toMatchObject([{ sink: 'slow', from: null, to: null, events: 1 }]);
    await start(stream(down(), 2), store).end;
    expect(await gaps()).toMatchObject([{ sink: 'slow', from: null, to: null, events: 1 }]);
    await start(stream(down(), 3), store).end;
    expect(await gaps()).toMatchObject([{ sink: 'slow', from: null, to: null, events: 2 }]);
    await start(stream(target(), 4), store).end;
    expect(await gaps()).toMatchObject([{ sink: 'slow', from: null, to: 4, events: 2 }]);
  });

  test('of a sink that the manifest has no more stays to be seen', async () => {
    const store = memoryStore();
    await start(stream(down(), 1), store).end;
    const without = stream(down(), 3);
    await start({ ...without, sinks: without.sinks.slice(0, 1) }, store).end;
    expect((await store.loadCheckpoint('s'))!).toMatchObject({ position: 3, gaps: [{ sink: 'slow', events: 1 }] });
  });

  test('of an event that comes again leaves the letter it has from before as it is', async () => {
    const store = memoryStore();
    await start({ ...stream(down(), 1), maxLetterBytes: 1 << 20 }, store).end;
    expect(await letters(store)).toMatchObject([{ event_id: 'e1', status: 'pending' }]);
    await store.clearCheckpoint('s');
    await start(stream(down(), 1), store).end;
    expect(await letters(store)).toMatchObject([{ event_id: 'e1', status: 'pending' }]);
  });
});

test('a letter of a sink that the stream has no more stays pending when its event comes again', async () => {
  const store = memoryStore();
  const source = () => log([{ events: [event(1, 1)] }]);
  await start({ source: source(), sinks: [{ id: 'old', to: target({ answer: rejected }) }] }, store).end;
  await store.clearCheckpoint('s');
  await start({ source: source(), sinks: [{ id: 'new', to: target() }] }, store).end;
  expect(await letters(store)).toMatchObject([{ place: { id: 'old' }, status: 'pending' }]);
});

test('what the transforms make much of is held in bounded memory behind a slow sink', async () => {
  const wide = 'x'.repeat(20_000);
  const batches = Array.from({ length: 400 }, (_, b) => ({
    events: Array.from({ length: 20 }, (_, i) => event(b * 20 + i, i)),
  })); // 8,000 events of some 100 bytes become 160 MB
  let made = 0;
  let taken = 0;
  let most = 0;
  const slow = target({
    async beforeWrite(batch) {
      // as many turns as the stages before need to run ahead as far as they may
      for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
      most = Math.max(most, made - taken);
      taken += batch.length;
      slow.applied.length = 0;
    },
  });
  const map = (e: { readonly after: unknown }) => {
    made++;
    return [{ ...(e.after as object), wide }];
  };
  const running = start({ source: log(batches), sinks: [{ id: 'a', to: slow }], transforms: [{ id: 'x', map }] });
  expect(await running.end).toEqual({ state: 'ended' });
  expect(taken).toBe(8_000);
  expect(most * wide.length).toBeGreaterThan(8 << 20); // it does run ahead
  expect(most * wide.length).toBeLessThan(48 << 20); // 24 MiB, and what was in the transforms as it filled up
}, 60_000);
