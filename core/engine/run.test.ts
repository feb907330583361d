// A run as a whole: when it ends by itself, and when it is ended.

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { batchOf } from '../batch.ts';
import type { Manifest } from '../manifest/model.ts';
import type { Source } from '../plugin.ts';
import { memoryStore } from '../state/memory.ts';
import { startRun } from './run.ts';
import { event, quietLog, target, testStream } from './testing.ts';
import { forever, ids, log, storeWith, until, withSource } from './testing-run.ts';

test('the time that a start takes is not idle time', async () => {
  const to = target();
  // within the idle time, counted from when reading began
  const source = log([{ events: [event(1, 1)] }], { hook: () => sleep(150) });
  const service = { graceful_shutdown_timeout: 10_000, max_concurrent_streams: 1 };
  const streams = [testStream({ source, sinks: [{ id: 'a', to }] })];
  const store = memoryStore();
  const slow = storeWith(store, {
    async loadCheckpoint(stream) {
      await sleep(1_200); // longer than the idle time
      return await store.loadCheckpoint(stream);
    },
  });
  const run = startRun({
    manifest: { service, streams } as unknown as Manifest,
    store: slow,
    languages: null,
    log: quietLog,
    untilIdle: 1_000,
  });
  expect(await run.done).toEqual([{ state: 'ended' }]);
  expect(ids(to)).toEqual(['e1']);
});

test('a stream whose source has something to give that is no item yet is not idle', async () => {
  const to = target();
  let busy = true;
  const read: Source<number>['read'] = async function* (from, signal) {
    if (from === null) {
      await sleep(400); // longer than the idle time
      busy = false;
      yield { batch: batchOf([event(1, 1)]), position: 1 };
    }
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  };
  const config = withSource(testStream({ source: log([]), sinks: [{ id: 'a', to }] }), read as Source['read']);
  const part = config.source.plugin.source!;
  const create: typeof part.create = async (...args) => ({ ...(await part.create(...args)), isBusy: () => busy });
  const plugin = { ...config.source.plugin, source: { ...part, create } };
  const service = { graceful_shutdown_timeout: 10_000, max_concurrent_streams: 1 };
  const run = startRun({
    manifest: { service, streams: [{ ...config, source: { ...config.source, plugin } }] } as unknown as Manifest,
    store: memoryStore(),
    languages: null,
    log: quietLog,
    untilIdle: 100,
  });
  expect(await run.done).toEqual([{ state: 'ended' }]);
  expect(ids(to)).toEqual(['e1']);
});

test('idle streams give their places to those that wait for one, and the run ends when all were idle', async () => {
  const targets = [target(), target(), target()];
  const streams = targets.map((to, n) => {
    // after its event the source has no news, for as long as it is read
    const source = log([{ events: [event(1, 1)] }, { events: [] }], {
      async hook(i, signal) {
        if (i === 1 && !signal.aborted) await once(signal, 'abort');
      },
    });
    return { ...testStream({ source, sinks: [{ id: 'a', to }] }), id: `s${n}` };
  });
  const service = { graceful_shutdown_timeout: 10_000, max_concurrent_streams: 1 };
  const manifest = { service, streams } as unknown as Manifest;
  const run = startRun({ manifest, store: memoryStore(), languages: null, log: quietLog, untilIdle: 50 });
  expect(await run.done).toEqual([{ state: 'ended' }, { state: 'ended' }, { state: 'ended' }]);
  expect(targets.map(ids)).toEqual([['e1'], ['e1'], ['e1']]);
});

test('a stream whose plugin does not obey a hard stop is left behind, and that is said', async () => {
  const to = target({ beforeWrite: () => forever() });
  const config = testStream({
    source: log([{ events: [event(1, 1)] }]),
    sinks: [{ id: 'a', to }],
  });
  const errors: string[] = [];
  const told = { ...quietLog, error: (_: object, text: string) => void errors.push(text) };
  const service = { graceful_shutdown_timeout: 10_000, max_concurrent_streams: 1 };
  const manifest = { service, streams: [config] } as unknown as Manifest;
  const run = startRun({ manifest, store: memoryStore(), languages: null, log: told });
  await until(() => run.statuses[0]!.read > 0);
  run.stop();
  run.stop();
  expect(await run.done).toEqual([{ state: 'stopped', left: true }]);
  expect(errors).toContainEqual(expect.stringContaining('does not obey its signal'));
}, 30_000);
