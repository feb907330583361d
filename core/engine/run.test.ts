// A run as a whole: when it ends by itself, and when it is ended.

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Manifest } from '../manifest/model.ts';
import { memoryStore } from '../state/memory.ts';
import { startRun } from './run.ts';
import { event, quietLog, target, testStream } from './testing.ts';

test('the time that a start takes is not idle time', async () => {
  const to = target();
  const source = {
    batches: [{ events: [event(1, 1)] }],
    acked: [],
    reads: 0,
    hook: () => sleep(150), // within the idle time, counted from when reading began
  };
  const service = { graceful_shutdown_timeout: 10_000, max_concurrent_streams: 1 };
  const streams = [testStream({ source, sinks: [{ id: 'a', to }] })];
  const store = memoryStore();
  const slow = new Proxy(store, {
    get(of, name) {
      const value: unknown = Reflect.get(of, name);
      if (name !== 'loadCheckpoint') return typeof value === 'function' ? value.bind(of) : value;
      return async (stream: string) => {
        await sleep(1_200); // longer than the idle time
        return await of.loadCheckpoint(stream);
      };
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
  expect(to.applied.map((row) => row.id)).toEqual(['e1']);
});

test('a stream whose plugin does not obey a hard stop is left behind, and that is said', async () => {
  const to = target({ beforeWrite: () => new Promise(() => undefined) });
  const config = testStream({
    source: { batches: [{ events: [event(1, 1)] }], acked: [], reads: 0 },
    sinks: [{ id: 'a', to }],
  });
  const errors: string[] = [];
  const log = { ...quietLog, error: (_: object, text: string) => void errors.push(text) };
  const service = { graceful_shutdown_timeout: 10_000, max_concurrent_streams: 1 };
  const manifest = { service, streams: [config] } as unknown as Manifest;
  const run = startRun({ manifest, store: memoryStore(), languages: null, log });
  while (run.statuses[0]!.read === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  run.stop();
  run.stop();
  expect(await run.done).toEqual([{ state: 'stopped', left: true }]);
  expect(errors).toContainEqual(expect.stringContaining('does not obey its signal'));
}, 30_000);
