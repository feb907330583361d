// Probes of a sink that is away: they write beside nothing, twice nothing, and go on until the sink answers as a sink must.

import { describe, expect, test } from 'vitest';
import type { WriteResult } from '../plugin.ts';
import { memoryStore } from '../state/memory.ts';
import { event, type MemoryTarget, type TestStream, target, testStream } from './testing.ts';
import { fates, ids, log, type Started, start, until, withWrite } from './testing-run.ts';

const beside = (slow: MemoryTarget): Pick<TestStream, 'sinks' | 'commit'> => ({
  sinks: [
    { id: 'good', to: target() },
    { id: 'slow', to: slow, required: false, write_timeout: 5 },
  ],
  commit: 'required',
});
const isAway = ({ status }: Started): boolean => status.slots[1]!.away !== null;

test('a checkpoint does not flush a sink while a probe writes there: half a write would be its state', async () => {
  const store = memoryStore();
  const slow = target({ stateful: true });
  await start({ source: log([{ events: [event(1, 1)] }]), ...beside(slow) }, store).end;
  expect(ids(slow)).toEqual(['e1']);

  const states: unknown[] = [];
  let probes = 0;
  let isWriting = false;
  let flushedHalf = false;
  slow.beforeWrite = async () => {
    if (!isAway(running)) throw new Error('away');
    if (++probes > 1) return;
    isWriting = true;
    slow.applied.push({ id: 'half a write', key: '', row: null });
    await until(() => source.acked.includes(3));
    states.push((await store.loadCheckpoint('s'))!.sinks.slow!.state);
    isWriting = false;
    throw new Error('torn');
  };
  slow.beforeFlush = () => {
    flushedHalf ||= isWriting;
  };
  const batches = [1, 2, 3].map((n) => ({ events: [event(n, n)] }));
  const source = log([...batches, { events: [] }], {
    async hook(i) {
      if (i === 2) await until(() => isWriting);
      if (i === 3) await until(() => ids(slow).includes('e3'));
    },
  });
  const running = start({ source, ...beside(slow) }, store);
  expect(await running.end).toEqual({ state: 'ended' });
  expect(flushedHalf).toBe(false);
  expect(states).toEqual([1]);
  expect(ids(slow)).toEqual(['e1', 'e3']); // e2 is a letter
});

test('a probe whose flush failed is written again from the last state, not over what the first one left', async () => {
  let failures = 1;
  const slow = target({
    stateful: true,
    beforeWrite() {
      if (!isAway(running)) throw new Error('away');
    },
    beforeFlush() {
      if (slow.applied.length > 0 && failures-- > 0) throw new Error('no room');
    },
  });
  const source = log([{ events: [event(1, 1)] }, { events: [] }], {
    async hook(i) {
      if (i === 1) await until(() => running.status.slots[1]!.answered);
    },
  });
  const running = start({ source, ...beside(slow) });
  expect(await running.end).toEqual({ state: 'ended' });
  expect(failures).toBeLessThanOrEqual(0);
  expect(ids(slow)).toEqual(['e1']);
  expect(await fates(running.store)).toEqual(['e1 resolved']);
});

describe('a probe that is answered with', () => {
  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['fewer results than events', []],
  ])('%s is said, and the sink is probed on until it answers as a sink must', async (_, wrong) => {
    let probes = 0;
    const slow = target();
    const source = log([{ events: [event(1, 1)] }, { events: [] }], {
      async hook(i) {
        if (i === 1) await until(() => running.status.slots[1]!.answered);
      },
    });
    const config = withWrite(testStream({ source, ...beside(slow) }), 'slow', (write) => async (batch, signal) => {
      if (!isAway(running)) throw new Error('away');
      return ++probes < 3 ? (wrong as WriteResult[]) : await write(batch, signal);
    });
    const running = start(config);
    expect(await running.end).toEqual({ state: 'ended' });
    expect(running.warnings).toContainEqual(expect.stringContaining('did not answer for every event of a write'));
    expect(ids(slow)).toEqual(['e1']);
    expect(await fates(running.store)).toEqual(['e1 resolved']);
  });
});
