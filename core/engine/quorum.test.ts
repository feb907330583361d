// A quorum: nobody is needed by name, n of them are. Who makes it, who is waited for, and what a stop leaves of it.

import { afterEach, describe, expect, test, vi } from 'vitest';
import { sluiceError } from '../errors.ts';
import { event, type MemoryTarget, quickRetry, type TestStream, target } from './testing.ts';
import { ids, letters, log, sometimes, start, until } from './testing-run.ts';

afterEach(() => void vi.useRealTimers());

describe('a quorum', () => {
  const three = (a: MemoryTarget, b: MemoryTarget, c: MemoryTarget): TestStream['sinks'] =>
    Object.entries({ a, b, c }).map(([id, to]) => ({ id, to, write_timeout: 10 }));

  test('is made by a sink that comes back while another falls within the same group', async () => {
    let bIsBack = false;
    const a = target();
    const b = sometimes(() => bIsBack);
    const c = sometimes((first) => {
      if (first === 'e1') return true;
      bIsBack = true; // in the middle of the second group
      return false;
    });
    const source = log([{ events: [event(1, 1)] }, { events: [event(2, 2)] }], {
      // not joined into one group
      async hook(i) {
        if (i === 1) await until(() => ids(a).includes('e1'));
      },
    });
    const running = start({ source, sinks: three(a, b, c), commit: { quorum: 2 } });
    expect(await running.end).toEqual({ state: 'ended' });
    expect(ids(a)).toEqual(['e1', 'e2']);
    expect(ids(b)).toContain('e2');
    expect(ids(c)).toEqual(['e1']);
  });

  test('that cannot be made is waited for, and the status says so and why', async () => {
    let isBack = false;
    const a = target();
    const b = sometimes(() => isBack);
    const source = log([{ events: [event(1, 1)] }]);
    const running = start({
      source,
      sinks: three(
        a,
        b,
        sometimes(() => false),
      ),
      commit: { quorum: 2 },
    });
    await until(() => running.status.state === 'waiting');
    expect(running.status.reason).toMatchObject({ message: 'away' });
    expect(source.acked).toEqual([]);
    isBack = true;
    expect(await running.end).toEqual({ state: 'ended' });
    expect(source.acked).toEqual([1]);
    expect(ids(b)).toEqual(['e1']);
  });

  test('is not made by a sink whose flush failed: its group is written again from its last state', async () => {
    let failures = 2;
    let coveredEarly = false;
    const b = target({
      stateful: true,
      beforeFlush() {
        if (b.applied.length > 0 && failures-- > 0) throw new Error('no room');
      },
    });
    const source = log([{ events: [event(1, 1)] }, { events: [event(2, 2)] }], {
      async hook() {
        coveredEarly ||= source.acked.length > 0 && failures > 0;
      },
    });
    const sinks = [
      { id: 'a', to: target(), write_timeout: 10 },
      { id: 'b', to: b, write_timeout: 10 },
    ];
    const running = start({ source, sinks, commit: { quorum: 2 } });
    expect(await running.end).toEqual({ state: 'ended' });
    expect(failures).toBeLessThanOrEqual(0);
    expect(ids(b)).toEqual(['e1', 'e2']);
    expect(coveredEarly).toBe(false);
    expect(await letters(running.store)).toEqual([]);
  });

  test('ends with the stream when a sink that is waited for can never come, whatever the others do', async () => {
    const never = target({
      beforeWrite() {
        throw sluiceError('E_SINK_CONNECT', { message: 'no such database', permanent: true });
      },
    });
    const sinks = three(
      target(),
      never,
      sometimes(() => false),
    );
    const running = start({ source: log([{ events: [event(1, 1)] }]), sinks, commit: { quorum: 2 } });
    expect(await running.end).toMatchObject({ state: 'failed', error: { code: 'E_SINK_CONNECT' } });
  });

  test('is not lost to a sink that was over its time and settled after all', async () => {
    vi.useFakeTimers();
    let releaseA = (): void => undefined;
    let releaseC = (): void => undefined;
    const a = target({ beforeWrite: () => new Promise((resolve) => (releaseA = resolve)) });
    const b = target({
      beforeWrite() {
        throw sluiceError('E_SINK_CONNECT', { message: 'no such database', permanent: true });
      },
    });
    const c = target({ beforeWrite: () => new Promise((resolve) => (releaseC = resolve)) });
    const running = start({
      source: log([{ events: [event(1, 1)] }]),
      sinks: [
        { id: 'a', to: a, write_timeout: 20 },
        { id: 'b', to: b, write_timeout: 100 },
        { id: 'c', to: c, write_timeout: 60_000 },
      ],
      commit: { quorum: 2 },
      retry: { ...quickRetry, initial_delay: 200, max_delay: 200 },
    });
    await vi.advanceTimersByTimeAsync(50); // a is over its time
    releaseA();
    await vi.advanceTimersByTimeAsync(500); // b is too, and was asked again; c is not, and makes it two with a
    expect(running.status.state).not.toBe('waiting');
    releaseC();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await running.end).toEqual({ state: 'ended' });
    expect(ids(c)).toEqual(['e1']);
  });

  test('is made in a drain by those who are there, though a third is away', async () => {
    let writing = 0;
    let isAsked = false;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const slow = (): MemoryTarget =>
      target({
        beforeWrite() {
          writing++;
          return held;
        },
      });
    const c = sometimes(() => {
      isAsked = true;
      return false;
    });
    const sinks = three(slow(), slow(), c).map((sink) => ({ ...sink, write_timeout: 30_000 }));
    const source = log([{ events: [event(1, 1)] }]);
    const running = start({ source, sinks, commit: { quorum: 2 } });
    await until(() => isAsked && writing === 2);
    running.soft.abort();
    await new Promise((resolve) => setImmediate(resolve)); // what hears the stop has heard it
    release();
    expect(await running.end).toEqual({ state: 'stopped' });
    expect(source.acked).toEqual([1]);
    expect((await letters(running.store)).map((l) => [l.event_id, l.place.id])).toEqual([['e1', 'c']]);
  });
});
