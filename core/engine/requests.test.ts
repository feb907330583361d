// What verbs ask: of a running stream, as requests, and of one that no process runs. Neither waits for what is away, or is
// lost, and each says what became of it.

import { describe, expect, test } from 'vitest';
import { seal } from '../checkpoint.ts';
import { sluiceError } from '../errors.ts';
import { memoryStore } from '../state/memory.ts';
import { replayAlone } from './attend.ts';
import { deadLetter, event, type MemoryLog, quickRetry, type TestStream, target } from './testing.ts';
import {
  answered,
  fates,
  ids,
  letters,
  log,
  opening,
  rejected,
  rejecting,
  sometimes,
  start,
  storeWith,
  until,
} from './testing-run.ts';

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
    await expect(replayAlone(opening(given, store), { ids: [1], force: false })).rejects.toMatchObject({
      code: 'E_STREAM_ATTEMPTS',
    });
    expect(await letters(store)).toMatchObject([{ status: 'pending' }]);
  });

  test('says what could not be written by its own code', async () => {
    const real = memoryStore();
    const bad = new Set(['e1']);
    const given: TestStream = {
      source: log([{ events: [event(1, 1)] }]),
      sinks: [{ id: 'a', to: target({ answer: rejecting(bad) }) }],
    };
    await start(given, real).end;
    bad.clear();
    const store = storeWith(real, {
      async write() {
        throw sluiceError('E_STATE_WRITE', { message: 'the disk is full', fix: 'make room' });
      },
    });
    await expect(replayAlone(opening(given, store), { ids: [1], force: false })).rejects.toMatchObject({
      code: 'E_STATE_WRITE',
      message: 'the disk is full',
      fix: 'make room',
    });
    expect(await letters(real)).toMatchObject([{ status: 'pending' }]);
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
    const store = storeWith(real, {
      async updateRequest(...answer) {
        if (!lose) return await real.updateRequest(...answer);
        lose = false;
        over.now = true;
        throw sluiceError('E_STATE_WRITE', { message: 'the disk is full' });
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

  test('is carried out while a sink is waited for, however long the back-off is', async () => {
    const hour = 3_600_000;
    const running = start({
      source: log([{ events: [event(1, 1)] }]),
      sinks: [{ id: 'a', to: sometimes(() => false) }],
      retry: { ...quickRetry, initial_delay: hour, max_delay: hour },
    });
    await until(() => running.status.state === 'waiting');
    const number = await running.store.addRequest({ stream: 's', type: 'checkpoint-set', body: { position: 1 } });
    expect(await answered(running.store, number)).toMatchObject({ status: 'done' });
    expect(await running.end).toEqual({ state: 'ended' }); // behind the event that could not be delivered
  });

  test('to replay many letters ends with a stop between two of them, and is taken up by the next run', async () => {
    const store = memoryStore();
    const count = 20;
    const bad = new Set(Array.from({ length: count }, (_, n) => `e${n}`));
    let tried = 0;
    const to = target({
      answer: rejecting(bad),
      beforeWrite() {
        if (bad.size > 0) return;
        if (++tried === 3) running.soft.abort();
      },
    });
    const events = Array.from({ length: count }, (_, n) => event(n, n));
    const source = log([{ events }, { events: [] }], {
      async hook(i) {
        if (i === 1) await until(() => tried > 0);
      },
    });
    const running = start({ source, sinks: [{ id: 'a', to }] }, store);
    await until(async () => (await letters(store)).length === count);
    bad.clear();
    const body = { ids: Array.from({ length: count }, (_, n) => n + 1), force: false };
    const number = await store.addRequest({ stream: 's', type: 'replay', body });
    expect(await running.end).toEqual({ state: 'stopped' });
    expect(tried).toBe(3);
    expect(await store.getRequest(number)).toMatchObject({ status: 'waiting' });

    const next = start({ source, sinks: [{ id: 'a', to }] }, store);
    expect(await answered(store, number)).toMatchObject({ status: 'done' });
    expect(await next.end).toEqual({ state: 'ended' });
    expect(new Set(await fates(store))).toEqual(new Set(events.map(({ id }) => `${id} resolved`)));
  });

  test('is not taken for done when the state store was lost, and the home counts by the one of before', async () => {
    let isOver = false;
    const home = target();
    const given = (waitsAt: number): TestStream => ({
      source: log([{ events: [event(1, 1)] }, { events: [event(2, 2)] }].slice(0, waitsAt + 1), {
        hook: (i) => (i === waitsAt ? until(() => isOver) : undefined),
      }),
      sinks: [{ id: 'h', to: home, home: true }],
    });
    const nothing = { stream: 's', type: 'replay', body: { ids: [], force: false } } as const;
    const before = memoryStore();
    for (let n = 0; n < 5; n++) await before.addRequest({ stream: 'other', type: 'replay', body: null });
    const first = start(given(0), before);
    await answered(before, await before.addRequest(nothing));
    isOver = true;
    await first.end;
    expect(home.checkpoint!.request).toBe(6);

    isOver = false;
    const store = memoryStore();
    const early = await store.addRequest(nothing);
    const next = start(given(1), store);
    expect(await answered(store, early)).toMatchObject({ status: 'failed', result: { fix: 'ask again' } });
    expect(await answered(store, await store.addRequest(nothing))).toMatchObject({ number: 7, status: 'done' });
    isOver = true;
    expect(await next.end).toEqual({ state: 'ended' });
  });

  test('to resume a transform that the manifest has no more ends its parking', async () => {
    const store = memoryStore();
    const stream = (hook?: MemoryLog['hook']): TestStream => ({
      source: log([{ events: [event(1, 1)] }, { events: [event(2, 2)] }], hook === undefined ? {} : { hook }),
      sinks: [{ id: 'a', to: target() }],
    });
    await start(stream(), store).end;
    const { checksum: _, ...saved } = (await store.loadCheckpoint('s'))!;
    const parked = [{ kind: 'transform' as const, id: 'gone', reason: 'it died too often', since: saved.saved_at }];
    await store.write({ checkpoint: seal({ ...saved, position: 1, parked }) });
    let isAnswered = false;
    const running = start(
      stream(() => until(() => isAnswered)),
      store,
    );
    const number = await store.addRequest({ stream: 's', type: 'resume', body: { kind: 'transform', id: 'gone' } });
    expect(await answered(store, number)).toMatchObject({ status: 'done' });
    isAnswered = true;
    expect(await running.end).toEqual({ state: 'ended' });
    expect((await store.loadCheckpoint('s'))!.parked).toEqual([]);
  });
});
