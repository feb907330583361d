// Requests that a source carries out, and tables that are parked: what the source says in the stream is what counts.

import { describe, expect, test } from 'vitest';
import { batchOf } from '../batch.ts';
import { sluiceError } from '../errors.ts';
import type { SnapshotRange } from '../event.ts';
import type { StreamConfig } from '../manifest/model.ts';
import type { Source, SourceItem, SourceRequest } from '../plugin.ts';
import { memoryStore } from '../state/memory.ts';
import { budgetOfTables } from './table-budget.ts';
import { deadLetter, event, target, testStream } from './testing.ts';
import { answered, ids, log, rejecting, start, until, withSource } from './testing-run.ts';

type Position = {
  readonly at: number;
  readonly taken: number;
  readonly parked: { readonly table: string; readonly reason: string; readonly since: string }[];
};

/** A source that gives one event after the other until it is stopped, and takes requests between two of them. */
function table(more: { readonly holds?: () => boolean; readonly ranges?: readonly SnapshotRange[] } = {}) {
  const asked: SourceRequest[] = [];
  const waiting: SourceRequest[] = [];
  const read: Source<Position>['read'] = async function* (from, signal): AsyncGenerator<SourceItem<Position>> {
    let { at, taken, parked } = from ?? { at: 0, taken: 0, parked: [] };
    waiting.length = 0;
    while (!signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      const request = more.holds?.() === true ? undefined : waiting.shift();
      if (request !== undefined) {
        taken = request.number;
        parked = parked.filter((one) => one.table !== request.table);
        if (request.type === 'park')
          parked = [...parked, { table: request.table, reason: request.reason, since: 'now' }];
      }
      at++;
      const isParked = parked.some((one) => one.table === 't');
      yield { batch: batchOf(isParked ? [] : [event(at, at)]), position: { at, taken, parked }, taken, parked };
    }
  };
  const control = async (request: SourceRequest): Promise<void> => {
    if (request.table === 'missing') throw sluiceError('E_REQUEST_FAILED', { message: 'no such table' });
    asked.push(request);
    waiting.push(request);
  };
  return { asked, read, control };
}

function streamOf(source: ReturnType<typeof table>, to = target(), more: Partial<StreamConfig> = {}): StreamConfig {
  const config = withSource(
    testStream({ source: log([]), sinks: [{ id: 'a', to, error_handling: deadLetter }] }),
    source.read as unknown as Source['read'],
  );
  const part = config.source.plugin.source!;
  const create: typeof part.create = async (...args) => ({ ...(await part.create(...args)), control: source.control });
  const plugin = { ...config.source.plugin, source: { ...part, create } };
  return { ...config, ...more, source: { ...config.source, plugin } };
}

const snapshot = (table: string) => ({ stream: 's', type: 'snapshot', body: { table } });

describe('a request for the source', () => {
  test('ends with the checkpoint that covers what the source says, and is given once', async () => {
    const store = memoryStore();
    let held = true;
    const source = table({ holds: () => held });
    const number = await store.addRequest(snapshot('t'));
    const run = start(streamOf(source), store);
    await until(() => source.asked.length === 1);
    const before = ((await store.loadCheckpoint('s'))!.position as Position | null)?.at ?? 0;
    await until(async () => (((await store.loadCheckpoint('s'))!.position as Position | null)?.at ?? 0) > before + 5);
    expect((await store.getRequest(number))!.status).toBe('waiting');
    held = false;
    expect(await answered(store, number)).toMatchObject({ status: 'done' });
    expect(await store.loadCheckpoint('s')).toMatchObject({ request: number });
    expect(source.asked).toEqual([{ number, type: 'snapshot', table: 't' }]);
    run.soft.abort();
    await run.end;
  });

  test('that a run did not take is asked again by the next', async () => {
    const store = memoryStore();
    const number = await store.addRequest(snapshot('t'));
    const first = table({ holds: () => true });
    const run = start(streamOf(first), store);
    await until(() => first.asked.length === 1);
    run.soft.abort();
    await run.end;
    expect((await store.getRequest(number))!.status).toBe('waiting');
    const second = table();
    const again = start(streamOf(second), store);
    expect(await answered(store, number)).toMatchObject({ status: 'done' });
    again.soft.abort();
    await again.end;
    expect(second.asked).toHaveLength(1);
  });

  test('that the source refuses is answered with its reason, and the next one is taken', async () => {
    const store = memoryStore();
    const bad = await store.addRequest(snapshot('missing'));
    const good = await store.addRequest(snapshot('t'));
    const run = start(streamOf(table()), store);
    expect(await answered(store, bad)).toMatchObject({
      status: 'failed',
      result: { code: 'E_REQUEST_FAILED', message: 'no such table' },
    });
    expect(await answered(store, good)).toMatchObject({ status: 'done' });
    run.soft.abort();
    await run.end;
  });
});

describe('a table that is parked', () => {
  test('for too many rejected events stays out over a restart, and comes back when it is resumed', async () => {
    const store = memoryStore();
    const bad = new Set(Array.from({ length: 1000 }, (_, i) => `e${i + 3}`));
    const to = target({ answer: rejecting(bad) });
    const more = { park_after: { rejects: 3, per: 60_000 } };
    const source = table();
    const run = start(streamOf(source, to, more), store);
    await until(async () => (await store.loadCheckpoint('s'))?.parked.length === 1);
    expect((await store.loadCheckpoint('s'))!.parked).toMatchObject(
      [{ kind: 'table', id: 't', reason: /3 of its events/ }].map((one) => ({
        ...one,
        reason: expect.stringMatching(one.reason) as string,
      })),
    );
    expect(run.warnings.join()).toContain('table t is parked');
    run.soft.abort();
    await run.end;

    const letters = (await store.listDeadLetters({ stream: 's' })).length;
    const again = start(streamOf(table(), to, more), store);
    const { position } = (await store.loadCheckpoint('s'))!;
    await until(async () => JSON.stringify((await store.loadCheckpoint('s'))!.position) !== JSON.stringify(position));
    expect(await store.listDeadLetters({ stream: 's' })).toHaveLength(letters);
    bad.clear();
    const none = await store.addRequest({ stream: 's', type: 'resume', body: { kind: 'table', id: 'other' } });
    expect(await answered(store, none)).toMatchObject({ status: 'failed', result: { code: 'E_NOT_PARKED' } });
    const before = ids(to).length;
    const number = await store.addRequest({ stream: 's', type: 'resume', body: { kind: 'table', id: 't' } });
    expect(await answered(store, number)).toMatchObject({ status: 'done' });
    expect((await store.loadCheckpoint('s'))!.parked).toEqual([]);
    await until(() => ids(to).length > before);
    again.soft.abort();
    await again.end;
  });

  test('has a budget in a time', () => {
    let now = 0;
    const budget = budgetOfTables({ rejects: 3, per: 1000 }, () => now);
    const at = (time: number) => {
      now = time;
      return budget.rejected('t');
    };
    expect([at(0), at(900), at(1100), at(1500)]).toEqual([
      null,
      null,
      null,
      expect.stringContaining('3 of its events'),
    ]);
    expect(at(1501)).toBeNull(); // asked once
    expect(budget.rejected('u')).toBeNull();
    budget.resumed('t');
    expect([at(1600), at(1601), at(1602)]).toEqual([null, null, expect.any(String)]);
  });
});

test('a range without a row reaches the sinks, and ends its group', async () => {
  const range: SnapshotRange = { table: 't', from: null, to: null, keep: [] };
  const seen: [number, number][] = [];
  const to = target({
    beforeWrite: (batch) => {
      seen.push([batch.length, batch.ranges?.length ?? 0]);
    },
  });
  const items: SourceItem[] = [
    { batch: batchOf([event(1, 1)]), position: 1 },
    { batch: batchOf([], { ranges: [range] }), position: 2 },
    { batch: batchOf([event(2, 2)]), position: 3 },
  ];
  const read: Source['read'] = async function* () {
    yield* items;
  };
  const store = memoryStore();
  const run = start(withSource(testStream({ source: log([]), sinks: [{ id: 'a', to }] }), read), store);
  await run.end;
  const withRange = seen.findIndex(([, ranges]) => ranges === 1);
  expect(withRange).toBeGreaterThanOrEqual(0);
  expect(seen[withRange + 1]).toEqual([1, 0]);
  expect(ids(to)).toEqual(['e1', 'e2']);
});
