// What a session takes from a source, and how it ends: items that a source may not give, transactions that stay open, sources
// that do not end, and a drain that fails.

import { afterEach, describe, expect, test, vi } from 'vitest';
import { batchOf } from '../batch.ts';
import { sluiceError } from '../errors.ts';
import type { Source, SourceItem } from '../plugin.ts';
import { memoryStore } from '../state/memory.ts';
import { event, type TestStream, target, testStream } from './testing.ts';
import { forever, ids, log, start, storeWith, until, withSource } from './testing-run.ts';

afterEach(() => void vi.useRealTimers());

const one = (more: Partial<TestStream['sinks'][number]> = {}): TestStream => ({
  source: log([{ events: [event(1, 1)] }]),
  sinks: [{ id: 'a', to: target(), ...more }],
});

describe('a source that gives', () => {
  const batch = batchOf([event(1, 1)]);
  test.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /gave undefined/],
    ['an array of events as its batch', { batch: [event(1, 1)], position: 1 }, /batchOf/],
    ['neither a position nor `open`', { batch }, /neither `position` nor `open: true`/],
    ['a position that is no JSON', { batch, position: 1n }, /a position that is no JSON/],
  ])('%s fails the stream, and says what it gave', async (_, item, said) => {
    const given = one();
    const read: Source['read'] = async function* () {
      yield item as SourceItem;
    };
    expect(await start(withSource(testStream(given), read)).end).toMatchObject({
      state: 'failed',
      error: { code: 'E_PLUGIN_SHAPE', message: expect.stringMatching(said) },
    });
    expect(ids(given.sinks[0]!.to)).toEqual([]);
  });
});

test('a source that ends within a transaction is read again, and the stream says that it waits', async () => {
  const to = target({ stateful: true });
  let isClosed = false;
  const read: Source['read'] = async function* () {
    yield { batch: batchOf([event(1, 1)]), open: true };
    if (isClosed) yield { batch: batchOf([event(2, 2)]), position: 1 };
  };
  const running = start(withSource(testStream(one({ to })), read));
  await until(() => running.status.state === 'waiting');
  expect(running.status.reason).toMatchObject({ message: expect.stringContaining('within a transaction') });
  expect((await running.store.loadCheckpoint('s'))!.ledger.in).toBe(0);
  isClosed = true;
  expect(await running.end).toEqual({ state: 'ended' });
  expect(ids(to)).toEqual(['e1', 'e2']);
  expect((await running.store.loadCheckpoint('s'))!.ledger).toMatchObject({ in: 2, delivered: 2 });
});

test('a source that does not end within 5 s of a stop is left behind, and that is said', async () => {
  vi.useFakeTimers();
  let isRead = false;
  const read: Source['read'] = async function* () {
    isRead = true;
    await forever();
    yield* [];
  };
  const running = start(withSource(testStream(one()), read));
  while (!isRead) await vi.advanceTimersByTimeAsync(1);
  running.soft.abort();
  await vi.advanceTimersByTimeAsync(4_900);
  expect(running.warnings).toEqual([]);
  await vi.advanceTimersByTimeAsync(200);
  expect(await running.end).toEqual({ state: 'stopped' });
  expect(running.warnings).toEqual([expect.stringContaining('is left behind')]);
});

test('what a drain could not make durable is said, with the reason', async () => {
  let isWriting = false;
  const to = target({
    async beforeWrite() {
      isWriting = true;
      await until(() => running.soft.signal.aborted);
    },
  });
  const real = memoryStore();
  const store = storeWith(real, {
    async write(change) {
      if (change.checkpoint?.position === 1) throw sluiceError('E_STATE_WRITE', { message: 'the disk is full' });
      await real.write(change);
    },
  });
  const running = start(one({ to }), store);
  await until(() => isWriting);
  running.soft.abort();
  expect(await running.end).toEqual({ state: 'stopped' });
  expect(running.warnings).toEqual([expect.stringMatching(/stops with events pending: .*the disk is full/)]);
});
