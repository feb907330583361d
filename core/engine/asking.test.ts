// What a review showed of requests for a source, of ranges without rows, of replays at a sink that hangs, and of taking over.

import { describe, expect, test } from 'vitest';
import { batchOf } from '../batch.ts';
import { sluiceError } from '../errors.ts';
import type { Column, SnapshotRange } from '../event.ts';
import type { StreamConfig } from '../manifest/model.ts';
import type { Source, SourceItem, SourceRequest } from '../plugin.ts';
import { memoryStore } from '../state/memory.ts';
import { replayAlone } from './attend.ts';
import { deadLetter, event, target, testStream } from './testing.ts';
import {
  answered,
  fates,
  forever,
  ids,
  letters,
  log,
  opening,
  rejecting,
  start,
  until,
  withSource,
} from './testing-run.ts';

/** Takes requests as databases do: only while it reads, and it reads when it has connected. */
function reader() {
  let reading: SourceRequest[] | null = null;
  const read: Source<{ at: number; taken: number }>['read'] = async function* (from, signal) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    let { at, taken } = from ?? { at: 0, taken: 0 };
    const mine: SourceRequest[] = [];
    reading = mine;
    while (!signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      taken = mine.shift()?.number ?? taken;
      at++;
      yield { batch: batchOf([event(at, at)]), position: { at, taken }, taken };
    }
  };
  const control = async (request: SourceRequest): Promise<void> => {
    if (reading === null) throw sluiceError('E_SOURCE_READ', { message: 'the source is not reading' });
    reading.push(request);
  };
  return { read, control };
}

function streamOf(
  source: { readonly read: unknown; readonly control?: Source['control'] },
  sinks: Parameters<typeof testStream>[0]['sinks'],
): StreamConfig {
  const config = withSource(testStream({ source: log([]), sinks }), source.read as Source['read']);
  const part = config.source.plugin.source!;
  const create: typeof part.create = async (...args) => ({
    ...(await part.create(...args)),
    ...(source.control === undefined ? {} : { control: source.control }),
  });
  return { ...config, source: { ...config.source, plugin: { ...config.source.plugin, source: { ...part, create } } } };
}

const snapshot = { stream: 's', type: 'snapshot', body: { table: 't' } };

describe('a request for the source', () => {
  test('that was left while nothing ran is taken by the next run, also if it comes before the source has connected', async () => {
    const store = memoryStore();
    const number = await store.addRequest(snapshot);
    const run = start(streamOf(reader(), [{ id: 'a', to: target() }]), store);
    expect(await answered(store, number)).toMatchObject({ status: 'done' });
    run.soft.abort();
    await run.end;
  });

  test('that is refused is told in the log, where its verb may have gone', async () => {
    const store = memoryStore();
    const number = await store.addRequest(snapshot);
    const control = async (): Promise<void> => {
      throw sluiceError('E_REQUEST_FAILED', { message: 'no such table' });
    };
    const run = start(streamOf({ ...reader(), control }, [{ id: 'a', to: target() }]), store);
    await answered(store, number);
    run.soft.abort();
    await run.end;
    expect(run.warnings.join()).toContain('no such table');
  });

  test('over which it takes its time holds neither the stream nor its stop', async () => {
    const store = memoryStore();
    const to = target();
    let asked = false;
    const control = (): Promise<void> => {
      asked = true;
      return forever();
    };
    const run = start(streamOf({ ...reader(), control }, [{ id: 'a', to }]), store);
    await store.addRequest(snapshot);
    await until(() => asked);
    const before = ids(to).length;
    await until(() => ids(to).length > before + 20);
    run.soft.abort();
    expect(await run.end).toEqual({ state: 'stopped' });
  });
});

describe('a range without rows', () => {
  const range: SnapshotRange = { table: 't', from: null, to: null, keep: [] };
  const columns = new Map<string, readonly Column[]>([['t', [{ name: 'id', type: 'int', key: 1 }]]]);
  const gone: SourceItem = { batch: batchOf([], { ranges: [range], columns }), position: 2 };

  test('that a sink missed which nobody waits for does not keep it away, and stands as a gap', async () => {
    let isAway = true;
    let taken = 0;
    const back = target({
      beforeWrite(batch) {
        if (batch.length > 0) return;
        if (isAway) throw new Error('away');
        taken++;
      },
    });
    const read = async function* () {
      yield { batch: batchOf([event(1, 1)]), position: 1 };
      await until(() => ids(back).length === 1);
      yield gone;
      await until(async () => (await store.loadCheckpoint('s'))?.gaps.length === 1);
      isAway = false;
      await until(() => taken > 0 && run.status.slots[1]!.away === null);
      yield { batch: batchOf([event(2, 2)]), position: 3 };
    };
    const store = memoryStore();
    const sinks = [
      { id: 'a', to: target() },
      { id: 'b', to: back, required: false, write_timeout: 20 },
    ];
    const run = start({ ...streamOf({ read }, sinks), commit_policy: 'required' }, store);
    await run.end;
    expect(ids(back)).toEqual(['e1', 'e2']);
    expect(await letters(store)).toEqual([]);
    expect((await store.loadCheckpoint('s'))!.gaps).toMatchObject([{ sink: 'b', events: 0, to: expect.anything() }]);
  });

  test('supersedes the letters of keys that are gone, as their deletes would have, and no others', async () => {
    const read = async function* () {
      yield { batch: batchOf([event(1, 1), event(2, 2)], { columns }), position: 1 };
      yield { batch: batchOf([], { ranges: [{ ...range, to: [7], keep: [[2]] }], columns }), position: 2 };
    };
    const store = memoryStore();
    const to = target({ answer: rejecting(new Set(['e1', 'e2'])) });
    await start(streamOf({ read }, [{ id: 'a', to, error_handling: deadLetter }]), store).end;
    expect(await fates(store)).toEqual(['e1 superseded', 'e2 pending']);
  });
});

test('what a replay gave to a sink that hangs then is not durable, so its letters stay', async () => {
  const bad = new Set(['e1', 'e2']);
  let hangs = '';
  const a = target({
    stateful: true,
    answer: rejecting(bad),
    beforeWrite: (batch) => (batch.length > 0 && batch.id(0) === hangs ? forever() : undefined),
  });
  const source = log([{ events: [event(1, 1), event(2, 2), event(3, 3)] }]);
  const store = memoryStore();
  await start({ source, sinks: [{ id: 'a', to: a, write_timeout: 20 }] }, store).end;
  bad.clear();
  hangs = 'e2';
  const stream = { source, sinks: [{ id: 'a', to: a, write_timeout: 20 }] };
  const results = await replayAlone(opening(stream, store), { ids: [1, 2], force: false });
  expect(results.map(({ outcome }) => outcome)).toEqual(['away', 'away']);
  expect(await fates(store)).toEqual(['e1 pending', 'e2 pending']);
});

test('a writer that takes over begins where the one before it came to, up to the moment when it was fenced out', async () => {
  const to = target();
  const sinks = [{ id: 'a', to, home: true }];
  const one = { events: [event(1, 1)] };
  const store = memoryStore();
  await start({ source: log([one]), sinks }, store).end;
  const early = to.checkpoint;
  const both = log([one, { events: [event(2, 2)] }]);
  await start({ source: both, sinks }, store).end;
  const late = to.checkpoint;
  expect(ids(to)).toEqual(['e1', 'e2']);

  let loads = 0;
  to.checkpoint = early;
  to.beforeLoad = () => {
    if (++loads === 2) to.checkpoint = late; // the older writer's last commit
  };
  await start({ source: both, sinks }, store).end;
  expect(ids(to)).toEqual(['e1', 'e2']);
});
