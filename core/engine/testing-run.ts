// What the engine's tests share beside the plugins of testing.ts: a stream that runs and can be stopped, waiting for what
// happens (never for a time: a test that waits for ever is ended by vitest), sinks that fail, and parts that are replaced.

import { sluiceError } from '../errors.ts';
import type { StreamConfig } from '../manifest/model.ts';
import type { Sink, Source, Transform, WriteResult } from '../plugin.ts';
import { memoryStore } from '../state/memory.ts';
import type { DeadLetter, StateStore } from '../state/store.ts';
import type { Opening } from './open.ts';
import { newStatus, type StreamStatus } from './status.ts';
import { runStream, type StreamEnd } from './stream.ts';
import { type MemoryLog, type MemoryTarget, quietLog, type TestStream, target, testStream } from './testing.ts';

/** The answer of a sink that an event will never fit. */
export function rejected(): WriteResult {
  return { status: 'reject', error: sluiceError('E_SINK_REJECT', { message: 'no' }) };
}

/** Answers of a sink that rejects some events for as long as they are in the set. */
export function rejecting(ids: ReadonlySet<string>): NonNullable<MemoryTarget['answer']> {
  return (batch, i) => (ids.has(batch.id(i)) ? rejected() : undefined);
}

export function log(batches: MemoryLog['batches'], more: Partial<MemoryLog> = {}): MemoryLog {
  return { batches, acked: [], reads: 0, ...more };
}

/** A sink that is there when `there()` says so. */
export function sometimes(there: (first: string) => boolean, more: Partial<MemoryTarget> = {}): MemoryTarget {
  return target({
    ...more,
    beforeWrite(batch) {
      if (!there(batch.id(0))) throw new Error('away');
    },
  });
}

/** Ids of what a sink holds, in the order in which it was applied. */
export const ids = (to: MemoryTarget): string[] => to.applied.map((row) => row.id);

/** Never resolves. */
export const forever = (): Promise<void> => new Promise(() => undefined);

export const letters = (store: StateStore): Promise<readonly DeadLetter[]> => store.listDeadLetters({ stream: 's' });

/** Each dead letter's event and status, by number. */
export async function fates(store: StateStore): Promise<string[]> {
  return (await letters(store)).map(({ event_id, status }) => `${event_id} ${status}`);
}

export interface Started {
  readonly status: StreamStatus;
  /** Texts that the stream logged as warnings. */
  readonly warnings: readonly string[];
  readonly store: StateStore;
  readonly end: Promise<StreamEnd>;
  /** Stop: drain. */
  readonly soft: AbortController;
  readonly hard: AbortController;
}

/** Runs stream `s`. It goes on until its source has ended, or one of the controllers is aborted. */
export function start(given: TestStream | StreamConfig, store: StateStore = memoryStore()): Started {
  const status = newStatus('s');
  const warnings: string[] = [];
  const soft = new AbortController();
  const hard = new AbortController();
  const parts = {
    ...opening(given, store),
    log: { ...quietLog, warn: (_: object, text: string) => void warnings.push(text) },
    signal: soft.signal,
    soft: soft.signal,
    hard: hard.signal,
  };
  return { status, warnings, store, end: runStream({ ...parts, status }), soft, hard };
}

/** What a verb needs to work on a stream that no process runs. */
export function opening(given: TestStream | StreamConfig, store: StateStore): Opening {
  const config = 'transformations' in given ? given : testStream(given);
  return { config, store, languages: null, log: quietLog, signal: new AbortController().signal };
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Waits for a request that was left for the stream to be answered, and gives its answer. */
export async function answered(store: StateStore, number: number) {
  await until(async () => (await store.getRequest(number))!.status !== 'waiting');
  return (await store.getRequest(number))!;
}

/** A store of which some functions do something else. */
export function storeWith(real: StateStore, changed: Partial<StateStore>): StateStore {
  return new Proxy(real, {
    get(of, name: keyof StateStore) {
      const value: unknown = changed[name] ?? of[name];
      return typeof value === 'function' ? value.bind(of) : value;
    },
  });
}

/** The stream with another source. */
export function withSource(config: StreamConfig, read: Source['read']): StreamConfig {
  const { plugin } = config.source;
  const part = plugin.source!;
  const create: typeof part.create = async (...args) => ({ ...(await part.create(...args)), read });
  return { ...config, source: { ...config.source, plugin: { ...plugin, source: { ...part, create } } } };
}

/** The stream with a sink that writes in another way. */
export function withWrite(config: StreamConfig, id: string, change: (write: Sink['write']) => Sink['write']) {
  const sinks = config.sinks.map((sink) => {
    if (sink.id !== id) return sink;
    const part = sink.plugin.sink!;
    const create: typeof part.create = async (...args) => {
      const made = await part.create(...args);
      return { ...made, write: change(made.write) };
    };
    return { ...sink, plugin: { ...sink.plugin, sink: { ...part, create } } };
  });
  return { ...config, sinks };
}

/** The stream with another transform under the id of a rule. */
export function withTransform(config: StreamConfig, id: string, create: () => Transform): StreamConfig {
  const transformations = config.transformations.map((rule) => {
    const { plugin } = rule;
    if (rule.id !== id || plugin?.transform === undefined) return rule;
    return { ...rule, plugin: { ...plugin, transform: { ...plugin.transform, create } } };
  });
  return { ...config, transformations };
}
