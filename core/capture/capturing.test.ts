// What a stream's captures cost and keep: by rate, count, bytes and age; and that the stream never hears of them.

import { expect, it } from 'vitest';
import { batchOf } from '../batch.ts';
import { event, quietLog, testStream } from '../engine/testing.ts';
import type { CaptureConfig } from '../manifest/model.ts';
import type { Source, SourceItem } from '../plugin.ts';
import { memoryStore } from '../state/index.ts';
import { capturing } from './capturing.ts';

const wide: CaptureConfig = { per_second: 1000, max_events: 1000, max_bytes: 1e9, max_age: 1e9 };
const plain = testStream({ source: { batches: [], acked: [], reads: 0 }, sinks: [] });

function source(batches: readonly number[]): Source {
  return {
    async *read(): AsyncGenerator<SourceItem> {
      let n = 0;
      for (const size of batches) {
        yield { batch: batchOf(Array.from({ length: size }, () => event(n, n++))), position: n };
      }
    },
    ack: async () => {},
    async [Symbol.asyncDispose]() {},
  };
}

/** Reads all of it: how many came through, and the ids of what was captured, newest first. */
async function captured(batches: readonly number[], capture: Partial<CaptureConfig>, store = memoryStore()) {
  const config = { ...plain, capture: { ...wide, ...capture } };
  let passed = 0;
  const tapped = capturing(source(batches), { config, store, log: quietLog }, []);
  for await (const { batch } of tapped.read(null, new AbortController().signal)) passed += batch.length;
  await tapped[Symbol.asyncDispose]();
  return { passed, ids: (await store.captures('s', 1e6)).map((one) => Number(one.event_id.slice(1))) };
}

it('takes everything of a slow stream, and a sample spread over each batch of a fast one', async () => {
  expect(await captured([3, 2], {})).toEqual({ passed: 5, ids: [4, 3, 2, 1, 0] });
  const fast = await captured([10_000], { per_second: 10 });
  expect(fast.passed).toBe(10_000);
  expect(fast.ids).toEqual(Array.from({ length: 100 }, (_, k) => k * 100).reverse());
});

it('keeps the newest, by max_events and max_bytes', async () => {
  expect((await captured([50], { max_events: 3 })).ids).toEqual([49, 48, 47]);
  const some = (await captured([50], { max_bytes: 1500 })).ids;
  expect(some[0]).toBe(49);
  expect(some.length).toBeGreaterThan(1);
  expect(some.length).toBeLessThan(15);
});

it('removes what is older than max_age', async () => {
  const store = memoryStore();
  const old = { stream: 's', event_id: 'e900', event: '{}', captured_at: new Date(Date.now() - 60_000).toISOString() };
  const details = { columns: [], typed: true, transforms: [] };
  await store.addCaptures([{ ...old, details }], { max_events: 9, max_bytes: 1e9, since: '2000' });
  expect((await captured([1], { max_age: 3_600_000 }, store)).ids).toEqual([0, 900]);
  expect((await captured([1], { max_age: 30_000 }, store)).ids).toEqual([0, 0]);
});

it('does not stop the stream when the store cannot take it, and says so once', async () => {
  const store = { ...memoryStore(), addCaptures: async () => Promise.reject(new Error('full')) };
  expect((await captured([5, 5], {}, store)).passed).toBe(10);
});
