// One suite over both stores: whatever is true of the one is true of the other.
// Long because that is all that a store promises.

import { describe, expect, test } from 'vitest';
import { seal } from '../checkpoint.ts';
import { openStateStore } from './index.ts';
import type { DeadLetterMark, LiveStatus, NewDeadLetter, StateStore } from './store.ts';
import { captureBytes, HISTORY, letterBytes } from './tables.ts';
import { captureOf, checkpointOf, letterOf, tempFolder } from './test-samples.ts';

const stores = {
  async sqlite(use: (store: StateStore) => Promise<void>) {
    using folder = tempFolder();
    await using store = await openStateStore({ type: 'sqlite', path: folder.file('state.db') });
    await use(store);
  },
  async memory(use: (store: StateStore) => Promise<void>) {
    await using store = await openStateStore({ type: 'memory' });
    await use(store);
  },
};

const sizeOf = (letter: NewDeadLetter): number =>
  letterBytes(
    letter.event,
    letter.input,
    letter.keys && JSON.stringify(letter.keys),
    JSON.stringify(letter.error),
    letter.columns,
  );

describe.each(['sqlite', 'memory'] as const)('the %s store', (kind) => {
  const withStore = stores[kind];

  describe('checkpoints', () => {
    test('there is none until one is written, and what is written comes back whole', () =>
      withStore(async (store) => {
        expect(await store.loadCheckpoint('a')).toBeNull();
        await store.write({ checkpoint: checkpointOf('a', 1) });
        expect(await store.loadCheckpoint('a')).toEqual(checkpointOf('a', 1));
        expect(await store.loadCheckpoint('b')).toBeNull();
      }));

    test('the one before goes into the history, newest first, and the history is bounded', () =>
      withStore(async (store) => {
        const last = HISTORY + 20;
        for (let n = 1; n <= last; n++) await store.write({ checkpoint: checkpointOf('a', n) });
        await store.write({ checkpoint: checkpointOf('b', 7) });
        expect(await store.loadCheckpoint('a')).toEqual(checkpointOf('a', last));
        const positions = (await store.history('a', 1000)).map((c) => (c.position as { n: number }).n);
        expect(positions).toEqual(Array.from({ length: HISTORY }, (_, i) => last - 1 - i));
        expect(await store.history('a', 2)).toEqual([checkpointOf('a', last - 1), checkpointOf('a', last - 2)]);
        expect(await store.history('b', 10)).toEqual([]);
      }));

    test('clearing forgets the checkpoint and its history of one stream, and no dead letter', () =>
      withStore(async (store) => {
        for (const n of [1, 2])
          await store.write({ checkpoint: checkpointOf('a', n), deadLetters: [letterOf('a', 'e1')] });
        await store.write({ checkpoint: checkpointOf('b', 1) });
        await store.clearCheckpoint('a');
        expect(await store.loadCheckpoint('a')).toBeNull();
        expect(await store.history('a', 10)).toEqual([]);
        expect(await store.loadCheckpoint('b')).toEqual(checkpointOf('b', 1));
        expect(await store.listDeadLetters({})).toHaveLength(1);
        await store.write({ checkpoint: checkpointOf('a', 3) });
        expect(await store.loadCheckpoint('a')).toEqual(checkpointOf('a', 3));
      }));

    test('one that could not be loaded again is refused, with all that was to be written beside it', () =>
      withStore(async (store) => {
        await store.write({ checkpoint: checkpointOf('a', 1) });
        const { checksum: _, ...rest } = checkpointOf('a', 2);
        const lossy = seal({ ...rest, position: { at: undefined } as never });
        const write = store.write({ checkpoint: lossy, deadLetters: [letterOf('a', 'e1')] });
        await expect(write).rejects.toMatchObject({ code: 'E_INTERNAL' });
        expect(await store.loadCheckpoint('a')).toEqual(checkpointOf('a', 1));
        expect(await store.listDeadLetters({})).toEqual([]);
      }));

    test('what the caller changes afterwards does not change what was written', () =>
      withStore(async (store) => {
        const checkpoint = structuredClone(checkpointOf('a', 1)) as unknown as { position: { n: number } };
        const written = store.write({ checkpoint: checkpoint as never });
        checkpoint.position.n = 99;
        await written;
        const loaded = await store.loadCheckpoint('a');
        expect(loaded).toEqual(checkpointOf('a', 1));
        (loaded as unknown as { position: { n: number } }).position.n = 98;
        expect(await store.loadCheckpoint('a')).toEqual(checkpointOf('a', 1));
      }));
  });

  describe('dead letters', () => {
    test('a letter comes back with all it was stored with, and as pending', () =>
      withStore(async (store) => {
        const letter = letterOf('a', 'e1/2', { input: '{"x":"\u0000"}' });
        const unreadable = letterOf('a', 'e3', {
          place: { kind: 'source', id: 'a' },
          keys: null,
          transform: null,
          event: '{"cut \u0000 \ud83d\ude00',
          error: { code: 'E_EVENT_PARSE', message: 'no JSON', cause: { message: 'why' } },
        });
        await store.write({ deadLetters: [letter, unreadable] });
        const given = { status: 'pending', note: null };
        expect(await store.listDeadLetters({})).toEqual(
          [letter, unreadable].map((l, i) => ({
            ...l,
            ...given,
            id: i + 1,
            first_failed_at: l.failed_at,
            status_at: l.failed_at,
          })),
        );
      }));

    test('failing again at the same place keeps id and first_failed_at, adds the attempts and makes it pending', () =>
      withStore(async (store) => {
        await store.write({ deadLetters: [letterOf('a', 'e1'), letterOf('a', 'e2')] });
        await store.write({ marks: [{ status: 'ignored', ids: [1], note: 'known' }] });
        const again = letterOf('a', 'e1', { attempts: 3, failed_at: '2026-02-01T00:00:00.000Z', event: '{"new":1}' });
        await store.write({ deadLetters: [again] });
        expect(await store.listDeadLetters({ event_id: 'e1' })).toEqual([
          {
            ...again,
            id: 1,
            attempts: 4,
            status: 'pending',
            note: null,
            first_failed_at: letterOf('a', 'e1').failed_at,
            status_at: again.failed_at,
          },
        ]);
        await store.write({ deadLetters: [letterOf('a', 'e3')] });
        expect((await store.listDeadLetters({})).map((l) => l.id)).toEqual([1, 2, 3]);
      }));

    test('another stream, event or place is another letter, also within one write', () =>
      withStore(async (store) => {
        const sink = (id: string) => ({ place: { kind: 'sink', id } }) as const;
        const letters = [
          letterOf('a', 'e1'),
          letterOf('b', 'e1'),
          letterOf('a', 'e2'),
          letterOf('a', 'e1', sink('mask')),
          letterOf('a', 'e1', sink('warehouse')),
          letterOf('a', 'e1', { attempts: 5 }),
        ];
        await store.write({ deadLetters: letters });
        const stored = await store.listDeadLetters({});
        expect(stored).toHaveLength(5);
        expect(stored[0]).toMatchObject({ id: 1, attempts: 6 });
      }));

    test('marks by number and by what a letter is known by change pending letters only, after the upserts', () =>
      withStore(async (store) => {
        const place = { kind: 'transform', id: 'mask' } as const;
        await store.write({ deadLetters: ['e1', 'e2', 'e3'].map((id) => letterOf('a', id)) });
        await store.write({
          deadLetters: [letterOf('a', 'e4')],
          marks: [
            { status: 'superseded', stream: 'a', place, event_ids: ['e1', 'e4', 'nobody'] },
            { status: 'resolved', stream: 'b', place, event_ids: ['e2'] },
            { status: 'resolved', stream: 'a', place: { kind: 'sink', id: 'mask' }, event_ids: ['e2'] },
            { status: 'ignored', ids: [3, 77], note: 'not ours' },
          ],
        });
        // a superseded letter that was delivered after all is resolved; an ignored one stays
        await store.write({ marks: [{ status: 'resolved', ids: [1, 3] }] });
        await store.write({ marks: [{ status: 'ignored', ids: [4] }] });
        expect((await store.listDeadLetters({})).map((l) => [l.event_id, l.status, l.note])).toEqual([
          ['e1', 'resolved', null],
          ['e2', 'pending', null],
          ['e3', 'ignored', 'not ours'],
          ['e4', 'superseded', null],
        ]);
        const [ignored] = await store.listDeadLetters({ status: 'ignored' });
        expect(Date.parse(ignored!.status_at)).toBeGreaterThan(Date.parse('2026-01-03'));
        expect(await store.pendingLetters('a')).toEqual([
          { place, event_id: 'e2', source_event_id: 'e2', table: 'public.orders', keys: ['{"id":"e2"}'], entered: 1 },
        ]);
        expect(await store.pendingLetters('b')).toEqual([]);
      }));

    test('a letter that was superseded by events which are not covered is pending again, with its bytes', () =>
      withStore(async (store) => {
        const place = { kind: 'transform', id: 'mask' } as const;
        await store.write({ deadLetters: ['e1', 'e2', 'e3', 'e4'].map((id) => letterOf('a', id)) });
        const all = await store.deadLetterBytes('a');
        const superseded = (event_ids: string[], superseded_by?: number): DeadLetterMark => ({
          ...{ status: 'superseded', stream: 'a', place, event_ids },
          ...(superseded_by === undefined ? {} : { superseded_by }),
        });
        await store.write({ marks: [superseded(['e1'], 7), superseded(['e2'], 8), superseded(['e3'])] });
        await store.reviveLetters('b', 0);
        await store.reviveLetters('a', 7);
        const statuses = async () => (await store.listDeadLetters({})).map((l) => l.status);
        expect(await statuses()).toEqual(['superseded', 'pending', 'superseded', 'pending']);
        expect(await store.deadLetterBytes('a')).toBe(all / 2);
        expect((await store.pendingLetters('a')).map((l) => l.event_id)).toEqual(['e2', 'e4']);
        // from here on the stream counts from 0: nothing of before is revived, and all of it is before what comes
        await store.write({ deadLetters: [letterOf('a', 'e5', { entered: 9 })] });
        await store.clearCheckpoint('a');
        expect((await store.listDeadLetters({})).map((l) => l.entered)).toEqual([-8, -8, -8, -8, 0]);
        await store.write({ marks: [{ status: 'ignored', ids: [5] }] });
        await store.reviveLetters('a', 0);
        expect(await statuses()).toEqual(['superseded', 'pending', 'superseded', 'pending', 'ignored']);
      }));

    test('letters are put in the order of their events, whatever their numbers', () =>
      withStore(async (store) => {
        const one = (event: string, entered: number) => letterOf('a', event, { entered });
        await store.write({ deadLetters: [one('e9', 9), one('e3', 3), one('e5', 5), one('e3/1', 3)] });
        await store.write({ deadLetters: [letterOf('b', 'e1')] });
        expect(await store.inOrder('a', [1, 2, 4, 5, 77])).toEqual([2, 4, 1]);
        await store.restartOrder('a');
        expect((await store.listDeadLetters({})).map((l) => l.entered)).toEqual([0, -6, -4, -6, 1]);
      }));

    test('every filter narrows, several narrow together, and pages follow one another', () =>
      withStore(async (store) => {
        const sink = { kind: 'sink', id: 'warehouse' } as const;
        await store.write({
          deadLetters: [
            letterOf('a', 'e1'),
            letterOf('b', 'e1', { failed_at: '2026-03-01T00:00:00.000Z' }),
            letterOf('a', 'e2', { place: sink, error: { code: 'E_SINK_REJECT', message: 'no' } }),
            letterOf('a', 'e3', { table: 'items', failed_at: '2026-02-01T00:00:00.000Z' }),
          ],
          marks: [{ status: 'ignored', ids: [4] }],
        });
        const ids = async (filter: Parameters<StateStore['listDeadLetters']>[0]) => {
          const found = (await store.listDeadLetters(filter)).map((l) => l.id);
          if (filter.limit === undefined) expect(await store.countDeadLetters(filter)).toBe(found.length);
          return found;
        };
        expect(await ids({})).toEqual([1, 2, 3, 4]);
        expect(await ids({ after: 3 })).toEqual([4]);
        expect(await ids({ stream: 'a' })).toEqual([1, 3, 4]);
        expect(await ids({ ids: [4, 2, 9] })).toEqual([2, 4]);
        expect(await ids({ ids: [] })).toEqual([]);
        expect(await ids({ status: 'pending' })).toEqual([1, 2, 3]);
        expect(await ids({ code: 'E_SINK_REJECT' })).toEqual([3]);
        expect(await ids({ place: 'warehouse' })).toEqual([3]);
        expect(await ids({ table: 'items' })).toEqual([4]);
        expect(await ids({ event_id: 'e1' })).toEqual([1, 2]);
        expect(await ids({ since: '2026-02-01T00:00:00Z' })).toEqual([2, 4]);
        expect(await ids({ since: '2026-02-01T01:00:00+02:00' })).toEqual([2, 4]);
        expect(await ids({ since: '2026-02-01T00:00:01Z' })).toEqual([2]);
        expect(await ids({ limit: 2 })).toEqual([1, 2]);
        expect(await ids({ limit: 2, after: 2 })).toEqual([3, 4]);
        expect(await ids({ limit: 0 })).toEqual([]);
        expect(await ids({ stream: 'a', status: 'pending', code: 'E_TRANSFORM_RUNTIME' })).toEqual([1]);
        for (const since of ['yesterday', '5', '31.01.2026', '2026-13-01', '']) {
          await expect(store.listDeadLetters({ since }), since).rejects.toMatchObject({ code: 'E_USAGE' });
          await expect(store.countDeadLetters({ since }), since).rejects.toMatchObject({ code: 'E_USAGE' });
        }
      }));

    test('the bytes are those of the pending letters, by place and in all, and follow every change', () =>
      withStore(async (store) => {
        const sink = { kind: 'sink', id: 'warehouse' } as const;
        const mask = { kind: 'transform', id: 'mask' } as const;
        const [one, two] = [letterOf('a', 'e1'), letterOf('a', 'e2', { place: sink, event: 'ü'.repeat(5000) })];
        expect(await store.deadLetterBytes('a')).toBe(0);
        expect(sizeOf(two)).toBeGreaterThan(10_000);
        await store.write({ deadLetters: [one, two, letterOf('b', 'e1')] });
        expect(await store.deadLetterBytes('a')).toBe(sizeOf(one) + sizeOf(two));
        expect(await store.deadLetterBytes('a', sink)).toBe(sizeOf(two));
        expect(await store.deadLetterBytes('a', mask)).toBe(sizeOf(one));
        expect(await store.deadLetterBytes('a', { kind: 'sink', id: 'mask' })).toBe(0);

        const smaller = { ...two, event: '{}' };
        await store.write({ deadLetters: [smaller, smaller] });
        expect(await store.deadLetterBytes('a', sink)).toBe(sizeOf(smaller));
        await store.write({
          marks: [
            { status: 'ignored', ids: [1, 1, 2] },
            { status: 'resolved', ids: [1] },
          ],
        });
        expect(await store.deadLetterBytes('a')).toBe(0);
        await store.write({ deadLetters: [one] });
        expect(await store.deadLetterBytes('a')).toBe(sizeOf(one));
      }));
  });

  test('answered requests are forgotten once a hundred newer ones came, open ones never', () =>
    withStore(async (store) => {
      const answered = await store.addRequest({ stream: 'a', type: 'replay', body: null });
      const open = await store.addRequest({ stream: 'b', type: 'replay', body: null });
      await store.updateRequest(answered, 'done', null);
      for (let n = 0; n < 98; n++) await store.addRequest({ stream: 'a', type: 'replay', body: null });
      expect(await store.getRequest(answered)).not.toBeNull();
      expect(await store.addRequest({ stream: 'a', type: 'replay', body: null })).toBe(101);
      expect(await store.getRequest(answered)).toBeNull();
      await store.addRequest({ stream: 'a', type: 'replay', body: null });
      expect(await store.getRequest(open)).not.toBeNull();
    }));

  test('requests are numbered over all streams, and the oldest open one above a number is next', () =>
    withStore(async (store) => {
      expect(await store.nextRequest('a', 0)).toBeNull();
      const one = await store.addRequest({ stream: 'a', type: 'replay', body: { ids: [1, 2] } });
      const two = await store.addRequest({ stream: 'b', type: 'resume', body: null });
      const three = await store.addRequest({ stream: 'a', type: 'snapshot', body: { tables: ['orders'] } });
      expect([one, two, three]).toEqual([1, 2, 3]);
      expect(await store.nextRequest('a', 0)).toMatchObject({
        number: 1,
        stream: 'a',
        type: 'replay',
        body: { ids: [1, 2] },
        status: 'waiting',
        result: null,
      });
      expect(await store.nextRequest('a', 1)).toMatchObject({ number: 3 });
      await store.updateRequest(1, 'running', null);
      expect(await store.nextRequest('a', 0)).toMatchObject({ number: 1, status: 'running' });
      await store.updateRequest(1, 'done', { passed: 2 });
      expect(await store.getRequest(1)).toMatchObject({ status: 'done', result: { passed: 2 } });
      await store.updateRequest(3, 'failed', { code: 'E_REQUEST_FAILED' });
      expect(await store.nextRequest('a', 0)).toBeNull();
      expect(await store.nextRequest('b', 0)).toMatchObject({ number: 2 });
      expect(await store.getRequest(4)).toBeNull();
      expect(await store.getRequest(0)).toBeNull();
      await expect(store.updateRequest(4, 'done', null)).rejects.toMatchObject({ code: 'E_REQUEST_FAILED' });
      expect(await store.addRequest({ stream: 'a', type: 'replay', body: null })).toBe(4);
    }));

  test('a store that is new numbers its requests above the number of a checkpoint, and tells which it had given before', () =>
    withStore(async (store) => {
      expect(await store.numberAbove('a', 0)).toEqual([]);
      expect(await store.numberAbove('a', 3)).toEqual([]);
      const four = await store.addRequest({ stream: 'a', type: 'replay', body: null });
      expect(four).toBe(4);
      expect(await store.numberAbove('a', 4)).toEqual([]);
      await store.addRequest({ stream: 'b', type: 'replay', body: null });
      expect(await store.numberAbove('a', 9)).toEqual([4]);
      await store.updateRequest(4, 'failed', null);
      expect(await store.numberAbove('a', 20)).toEqual([]);
      expect(await store.addRequest({ stream: 'a', type: 'replay', body: null })).toBe(21);
    }));

  test('the live status of a stream is the last one written', () =>
    withStore(async (store) => {
      const status = (stream: string, pending: number): LiveStatus => ({
        stream,
        state: 'streaming',
        pending,
        covered: 0,
        lag_ms: null,
        reason: { code: 'E_SINK_CONNECT', message: 'away' },
        pid: 42,
        details: { away: ['warehouse'] },
        written_at: '2026-01-01T00:00:00.000Z',
      });
      expect(await store.statuses()).toEqual([]);
      for (const next of [status('b', 1), status('a', 2), status('b', 3)]) await store.saveStatus(next);
      expect(await store.statuses()).toEqual([status('a', 2), status('b', 3)]);
    }));

  test('captures are a ring per stream, newest first, bounded by count, bytes and age', () =>
    withStore(async (store) => {
      const all = { max_events: 100, max_bytes: 1e6, since: '2000' };
      await store.addCaptures([captureOf('a', 1), captureOf('b', 9), captureOf('a', 2)], { ...all, max_events: 3 });
      await store.addCaptures([captureOf('a', 3), captureOf('a', 4)], { ...all, max_events: 3 });
      expect(await store.captures('a', 10)).toEqual([captureOf('a', 4), captureOf('a', 3), captureOf('a', 2)]);
      expect([await store.captures('a', 1), await store.captures('b', 9)]).toEqual([
        [captureOf('a', 4)],
        [captureOf('b', 9)],
      ]);
      const bytes = captureBytes(captureOf('a', 5).event, JSON.stringify(captureOf('a', 5).details));
      await store.addCaptures([captureOf('a', 5)], { ...all, max_bytes: 2 * bytes });
      expect(await store.captures('a', 10)).toEqual([captureOf('a', 5), captureOf('a', 4)]);
      await store.addCaptures([captureOf('a', 6, 3)], { ...all, since: '2026-01-02T00:00:00.000Z' });
      expect(await store.captures('a', 10)).toEqual([captureOf('a', 6, 3)]);
      await store.addCaptures([captureOf('a', 7)], { ...all, max_bytes: 3 });
      expect([await store.captures('a', 10), (await store.captures('b', 10)).length]).toEqual([[], 1]);
    }));

  test('a stream has one lock, another has its own, and giving it back twice takes it from nobody', () =>
    withStore(async (store) => {
      expect(await store.isLocked('a')).toBe(false);
      const lock = await store.lock('a');
      expect(await store.isLocked('a')).toBe(true);
      expect(await store.isLocked('b')).toBe(false);
      await expect(store.lock('a')).rejects.toMatchObject({
        code: 'E_STATE_LOCKED',
        message: expect.stringContaining('stream a '),
        fix: expect.any(String),
      });
      const other = await store.lock('b');
      await lock[Symbol.asyncDispose]();
      const next = await store.lock('a');
      await lock[Symbol.asyncDispose]();
      expect(await store.isLocked('a')).toBe(true);
      await next[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
      expect(await store.isLocked('a')).toBe(false);
    }));

  test('a closed store says so, and closing twice is nothing', () =>
    withStore(async (store) => {
      const written = store.write({ checkpoint: checkpointOf('a', 1) });
      await store[Symbol.asyncDispose]();
      await written;
      await store[Symbol.asyncDispose]();
      await expect(store.loadCheckpoint('a')).rejects.toMatchObject({ code: 'E_STATE_WRITE' });
    }));
});
