// Transforms of a plugin that does not keep its contract: no answer is believed that does not add up, and nothing that was
// opened stays open.

import { expect, test } from 'vitest';
import { pick } from '../batch-parts.ts';
import { sluiceError } from '../errors.ts';
import type { Transform } from '../plugin.ts';
import { memoryStore } from '../state/memory.ts';
import { event, type TestStream, target, testStream } from './testing.ts';
import { ids, log, start, withTransform } from './testing-run.ts';

const to = target();
const given = (...transforms: string[]): TestStream => ({
  source: log([{ events: [event(1, 1), event(2, 2)] }]),
  sinks: [{ id: 'a', to }],
  transforms: transforms.map((id) => ({ id, map: (e) => [e.after!] })),
});

test('a transform that answers twice for one event and not for another ends the stream', async () => {
  const error = sluiceError('E_TRANSFORM_RUNTIME', { message: 'no' });
  const twice = (): Transform => ({
    // as many answers as events, and none for e2
    apply: async (batch) => ({
      out: pick(batch, [0]),
      from: Uint32Array.of(0),
      filtered: new Uint32Array(),
      failed: [{ index: 0, error }],
    }),
    async [Symbol.asyncDispose]() {},
  });
  const store = memoryStore();
  const { end } = start(withTransform(testStream(given('x')), 'x', twice), store);
  expect(await end).toMatchObject({
    state: 'failed',
    error: { message: expect.stringContaining('did not answer for every event') },
  });
  expect(ids(to)).toEqual([]);
  expect((await store.loadCheckpoint('s'))!.ledger.in).toBe(0);
});

test('transforms that were opened are closed when a later one cannot be', async () => {
  let open = 0;
  const first = (): Transform => {
    open++;
    return {
      async apply() {
        throw new Error('never asked');
      },
      async [Symbol.asyncDispose]() {
        open--;
      },
    };
  };
  const second = (): Transform => {
    expect(open).toBe(1);
    throw sluiceError('E_TRANSFORM_SYNTAX', { message: 'not this' });
  };
  const config = withTransform(withTransform(testStream(given('x', 'y')), 'x', first), 'y', second);
  expect(await start(config).end).toMatchObject({ state: 'failed', error: { code: 'E_TRANSFORM_SYNTAX' } });
  expect(open).toBe(0);
});
