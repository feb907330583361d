// Sinks that are not there: a quorum of those that are, gaps, states that could not be given back, and verbs that do not wait.

import { describe, expect, test } from 'vitest';
import { sluiceError } from '../errors.ts';
import { memoryStore } from '../state/memory.ts';
import type { StateStore } from '../state/store.ts';
import { replayAlone } from './attend.ts';
import { newStatus } from './status.ts';
import { runStream, type StreamEnd } from './stream.ts';
import {
  deadLetter,
  event,
  type MemoryLog,
  type MemoryTarget,
  quickRetry,
  quietLog,
  type TestStream,
  target,
  testStream,
} from './testing.ts';

const rejected = () => ({ status: 'reject' as const, error: sluiceError('E_SINK_REJECT', { message: 'no' }) });
const letters = (store: StateStore) => store.listDeadLetters({ stream: 's' });

function log(batches: MemoryLog['batches'], more: Partial<MemoryLog> = {}): MemoryLog {
  return { batches, acked: [], reads: 0, ...more };
}

function start(given: TestStream, store: StateStore = memoryStore()) {
  const status = newStatus('s');
  const warnings: string[] = [];
  const signal = new AbortController().signal;
  const quiet = { ...quietLog, warn: (_: object, text: string) => void warnings.push(text) };
  const parts = { config: testStream(given), store, languages: null, log: quiet, signal, soft: signal, hard: signal };
  const end: Promise<StreamEnd> = runStream({ ...parts, status });
  return { status, warnings, store, end };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** A sink that is there when `there()` says so. */
function sometimes(there: (first: string) => boolean, more: Partial<MemoryTarget> = {}): MemoryTarget {
  return target({
    ...more,
    beforeWrite(batch) {
      if (!there(batch.id(0))) throw new Error('away');
    },
  });
}

const ids = (to: MemoryTarget): string[] => to.applied.map((row) => row.id);

describe('a quorum', () => {
  const three = (a: MemoryTarget, b: MemoryTarget, c: MemoryTarget): TestStream['sinks'] =>
    Object.entries({ a, b, c }).map(([id, to]) => ({ id, to, write_timeout: 10 }));

  test('is made by a sink that comes back while another falls within the same group', async () => {
    let bIsBack = false;
    const a = target();
    const b = sometimes(() => bIsBack);
    const c = sometimes((first) => {
      if (first === 'e1') return true;
      bIsBack = true; // in the middle of the second group
      return false;
    });
    const source = log([{ events: [event(1, 1)] }, { events: [event(2, 2)] }], {
      // not joined into one group
      async hook(i) {
        if (i === 1) await until(() => ids(a).includes('e1'));
      },
    });
    const running = start({ source, sinks: three(a, b, c), commit: { quorum: 2 } });
    expect(await running.end).toEqual({ state: 'ended' });
    expect(ids(a)).toEqual(['e1', 'e2']);
    expect(ids(b)).toContain('e2');
    expect(ids(c)).toEqual(['e1']);
  });

  test('that cannot be made is waited for, and the status says so and why', async () => {
    let isBack = false;
    const a = target();
    const b = sometimes(() => isBack);
    const source = log([{ events: [event(1, 1)] }]);
    const running = start({
      source,
      sinks: three(
        a,
        b,
        sometimes(() => false),
      ),
      commit: { quorum: 2 },
    });
    await until(() => running.status.state === 'waiting');
    expect(running.status.reason).toMatchObject({ message: 'away' });
    expect(source.acked).toEqual([]);
    isBack = true;
    expect(await running.end).toEqual({ state: 'ended' });
    expect(source.acked).toEqual([1]);
    expect(ids(b)).toEqual(['e1']);
  });

  test('is not made by a sink whose flush failed: its group is written again from its last state', async () => {
    let failures = 2;
    let coveredEarly = false;
    const b = target({
      stateful: true,
      beforeFlush() {
        if (b.applied.length > 0 && failures-- > 0) throw new Error('no room');
      },
    });
    const source = log([{ events: [event(1, 1)] }, { events: [event(2, 2)] }], {
      async hook() {
        coveredEarly ||= source.acked.length > 0 && failures > 0;
      },
    });
    const sinks = [
      { id: 'a', to: target(), write_timeout: 10 },
      { id: 'b', to: b, write_timeout: 10 },
    ];
    const running = start({ source, sinks, commit: { quorum: 2 } });
    expect(await running.end).toEqual({ state: 'ended' });
    expect(failures).toBeLessThanOrEqual(0);
    expect(ids(b)).toEqual(['e1', 'e2']);
    expect(coveredEarly).toBe(false);
    expect(await letters(running.store)).toEqual([]);
  });

  test('ends with the stream when a sink that is waited for can never come, whatever the others do', async () => {
    const never = target({
      beforeWrite() {
        throw sluiceError('E_SINK_CONNECT', { message: 'no such database', permanent: true });
      },
    });
    const sinks = three(
      target(),
      never,
      sometimes(() => false),
    );
    const running = start({ source: log([{ events: [event(1, 1)] }]), sinks, commit: { quorum: 2 } });
    expect(await running.end).toMatchObject({ state: 'failed', error: { code: 'E_SINK_CONNECT' } });
  });
});

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

describe('a write that hangs and does not obey its signal', () => {
  const hung = (): MemoryTarget => target({ beforeWrite: () => new Promise(() => undefined) });

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

describe('a replay by the verb', () => {
  test('does not wait for a destination of dead letters that is away: it says so', async () => {
    const store = memoryStore();
    let isThere = true;
    const given: TestStream = {
      source: log([{ events: [event(1, 1)] }]),
      sinks: [
        {
          id: 'a',
          to: target({ answer: rejected }),
          error_handling: { ...deadLetter, dead_letter_destination: 'copy' },
        },
        { id: 'copy', to: sometimes(() => isThere), keyed: false },
      ],
    };
    await start(given, store).end;
    isThere = false;
    const signal = new AbortController().signal;
    const opening = { config: testStream(given), store, languages: null, log: quietLog, signal };
    await expect(replayAlone(opening, { ids: [1], force: false })).rejects.toMatchObject({ code: 'E_STREAM_ATTEMPTS' });
    expect(await letters(store)).toMatchObject([{ status: 'pending' }]);
  });
});

describe('a request', () => {
  const given = (): TestStream => {
    let first = true;
    const answer = () => {
      const result = first ? rejected() : undefined;
      first = false;
      return result;
    };
    const source = log([{ events: [event(1, 1)] }, { events: [event(2, 2)] }], {
      async hook(i) {
        if (i === 1) await until(() => over.now);
      },
    });
    return { source, sinks: [{ id: 'a', to: target({ answer }) }] };
  };
  const over = { now: false };

  test('whose answer was lost after its checkpoint is answered by the next session, and not done again', async () => {
    over.now = false;
    const real = memoryStore();
    let lose = true;
    const store = new Proxy(real, {
      get(of, name: keyof StateStore) {
        if (name === 'updateRequest' && lose) {
          return async () => {
            lose = false;
            over.now = true;
            throw sluiceError('E_STATE_WRITE', { message: 'the disk is full' });
          };
        }
        const value = of[name] as unknown;
        return typeof value === 'function' ? value.bind(of) : value;
      },
    });
    const stream = given();
    const running = start({ ...stream, retry: quickRetry }, store);
    await until(async () => (await letters(store)).length > 0);
    const number = await store.addRequest({ stream: 's', type: 'replay', body: { ids: [1], force: false } });
    await until(async () => (await store.getRequest(number))!.status === 'done');
    expect(await running.end).toEqual({ state: 'ended' });
    expect(lose).toBe(false);
    expect(ids(stream.sinks[0]!.to)).toEqual(['e1', 'e2']);
  });

  test('keeps no rows in its answer', async () => {
    over.now = false;
    const store = memoryStore();
    const running = start(given(), store);
    await until(async () => (await letters(store)).length > 0);
    const number = await store.addRequest({ stream: 's', type: 'replay', body: { ids: [1], force: false } });
    await until(async () => (await store.getRequest(number))!.status === 'done');
    over.now = true;
    await running.end;
    expect((await store.getRequest(number))!.result).toMatchObject([{ outcome: 'delivered', before: null, after: [] }]);
  });
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
