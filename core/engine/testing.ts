// In-memory plugins and a stream's settings for the engine's own tests. They are real plugins by the contract: the source
// remembers what was acked, the sinks what they hold, and both can be told to fail in every way that the contract allows.

import { batchOf } from '../batch.ts';
import type { Checkpoint } from '../checkpoint.ts';
import { sluiceError } from '../errors.ts';
import type { ChangeEvent, Column, EventBatch, Unreadable } from '../event.ts';
import { holdTracker } from '../key-order.ts';
import type { ErrorHandling, RetryPolicy, SinkConfig, StreamConfig, TransformRule } from '../manifest/model.ts';
import type { Logger, PluginDefinition, Sink, Source, SourceItem, Transform, WriteResult } from '../plugin.ts';
import { definePlugin } from '../plugin.ts';
import type { Json, Row } from '../values.ts';

export const quietLog: Logger = { debug() {}, info() {}, warn() {}, error() {} };

const OPEN = { type: 'object', properties: {}, additionalProperties: false } as const;

export function event(n: number, key: number, more: Partial<ChangeEvent> = {}): ChangeEvent {
  return {
    id: `e${n}`,
    op: 'u',
    key: { id: key },
    before: null,
    after: { id: key, n },
    source: { plugin: 'memory', stream: 's', db: 'm', table: 't', snapshot: false, ts_ms: 1_000 + n },
    ts_ms: 0,
    ...more,
  };
}

/** A source over a fixed list of batches. */
export interface MemoryLog {
  readonly batches: readonly {
    readonly events: readonly (ChangeEvent | Unreadable)[];
    readonly open?: boolean;
    /** The columns that this batch knows, in place of the log's. */
    readonly columns?: ReadonlyMap<string, readonly Column[]>;
  }[];
  readonly columns?: ReadonlyMap<string, readonly Column[]>;
  /** Positions that were acked, in order. */
  acked: number[];
  /** How often read() was called. */
  reads: number;
  /** Called before each item; may throw (the source is away) or wait. */
  hook?(index: number, signal: AbortSignal): void | Promise<void>;
}

export function memorySource(log: MemoryLog): PluginDefinition {
  return definePlugin({
    name: 'memory-source',
    source: {
      positionVersion: 1,
      config: OPEN,
      create(): Source<number> {
        return {
          async *read(from, signal): AsyncGenerator<SourceItem<number>> {
            log.reads++;
            for (let i = from ?? 0; i < log.batches.length; i++) {
              await log.hook?.(i, signal);
              const { events, open, columns = log.columns } = log.batches[i]!;
              const unreadable = new Map<number, Unreadable>();
              events.forEach((e, k) => {
                if ('raw' in e) unreadable.set(k, e);
              });
              const batch = batchOf(
                events.map((e) => ('raw' in e ? null : e)),
                { unreadable, ...(columns === undefined ? {} : { columns }) },
              );
              yield open === true ? { batch, open: true } : { batch, position: i + 1 };
            }
          },
          async ack(position) {
            log.acked.push(position);
          },
          async [Symbol.asyncDispose]() {},
        };
      },
    },
  });
}

/** What a memory sink holds, and how it is told to fail. */
export interface MemoryTarget {
  /** Applied outputs in order of application: durable ones only, for a home. */
  applied: { id: string; key: string; row: Row | null }[];
  checkpoint: Checkpoint | null;
  epoch: number;
  writes: number;
  /** What to answer for event i of a write; undefined: ok. A throw: the sink is not there. */
  answer?(batch: EventBatch, i: number): WriteResult | undefined;
  /** Called before each write. */
  beforeWrite?(batch: EventBatch, signal: AbortSignal): void | Promise<void>;
  /** Of a stateful sink; may throw, or wait. */
  beforeRestore?(): void | Promise<void>;
  beforeFlush?(): void | Promise<void>;
  /** Of a home; may throw. */
  beforeLoad?(): void;
  beforeBegin?(): void;
  beforeCommit?(): void;
  onCommit?(checkpoint: Checkpoint): void | Promise<void>;
  /** Called with the length of `applied` whenever it may have changed. */
  observe?(length: number): void;
  /** A stateful sink: how many of `applied` were there at the last flush. */
  stateful?: boolean;
}

export function target(more: Partial<MemoryTarget> = {}): MemoryTarget {
  return { applied: [], checkpoint: null, epoch: 0, writes: 0, ...more };
}

export function memorySink(
  to: MemoryTarget,
  options: { readonly keyed?: boolean; readonly home?: boolean } = {},
): PluginDefinition {
  const writeTo = async (
    applied: MemoryTarget['applied'],
    batch: EventBatch,
    signal: AbortSignal,
  ): Promise<WriteResult[]> => {
    await to.beforeWrite?.(batch, signal);
    to.writes++;
    const tracker = holdTracker(batch, undefined);
    return Array.from({ length: batch.length }, (_, i): WriteResult => {
      if (tracker.isHeld(i)) {
        tracker.hold(i);
        return { status: 'held' };
      }
      const result = to.answer?.(batch, i) ?? { status: 'ok' };
      if (result.status === 'ok') {
        const after = batch.after(i);
        applied.push({
          id: batch.id(i),
          key: JSON.stringify(batch.key(i)),
          row: after === null ? null : (JSON.parse(after) as Row),
        });
      } else tracker.hold(i);
      if (applied === to.applied) to.observe?.(to.applied.length);
      return result;
    });
  };
  return definePlugin({
    name: 'memory-sink',
    sink: {
      config: OPEN,
      home: () => options.home === true,
      create(): Sink {
        return {
          keyed: options.keyed ?? true,
          write: (batch, signal) => writeTo(to.applied, batch, signal),
          ...(to.stateful === true
            ? {
                state: {
                  async restore(saved: Json | null) {
                    await to.beforeRestore?.();
                    if (saved !== null) to.applied.length = saved as number;
                    to.observe?.(to.applied.length);
                  },
                  async flush() {
                    await to.beforeFlush?.();
                    return to.applied.length;
                  },
                },
              }
            : {}),
          ...(options.home === true
            ? {
                transactional: {
                  async load() {
                    to.beforeLoad?.();
                    return to.checkpoint;
                  },
                  async open() {
                    to.epoch++;
                  },
                  async clear() {
                    to.checkpoint = null;
                  },
                  async begin() {
                    to.beforeBegin?.();
                    const open: MemoryTarget['applied'] = [];
                    return {
                      write: (batch: EventBatch, signal: AbortSignal) => writeTo(open, batch, signal),
                      async commit(checkpoint: Checkpoint) {
                        to.beforeCommit?.();
                        to.applied.push(...open);
                        to.observe?.(to.applied.length);
                        to.checkpoint = checkpoint;
                        await to.onCommit?.(checkpoint);
                      },
                      async rollback() {
                        open.length = 0;
                      },
                    };
                  },
                },
              }
            : {}),
          async [Symbol.asyncDispose]() {},
        };
      },
    },
  });
}

/** A host-side transform from a plain function: rows out, null to filter, a throw to fail. */
export function memoryTransform(map: (e: ChangeEvent) => readonly Row[] | null): PluginDefinition {
  return definePlugin({
    name: 'memory-transform',
    transform: {
      config: OPEN,
      create(): Transform {
        return {
          async apply(batch) {
            const from: number[] = [];
            const filtered: number[] = [];
            const failed: { index: number; error: ReturnType<typeof sluiceError> }[] = [];
            const out: ChangeEvent[] = [];
            batch.events().forEach((e, i) => {
              let rows: readonly (Row | null)[] | null;
              try {
                rows = e.op === 't' ? [null] : map(e);
              } catch (thrown) {
                failed.push({ index: i, error: sluiceError('E_TRANSFORM_RUNTIME', { message: String(thrown) }) });
                return;
              }
              if (rows === null || rows.length === 0) filtered.push(i);
              else {
                rows.forEach((after, k) => {
                  from.push(i);
                  out.push({ ...e, id: rows.length > 1 ? `${e.id}/${k}` : e.id, after });
                });
              }
            });
            const columns = new Map(
              batch.length === 0 ? [] : [[batch.table(0), batch.columns(batch.table(0))] as const],
            );
            return {
              out: batchOf(out, { columns }),
              from: Uint32Array.from(from),
              filtered: Uint32Array.from(filtered),
              failed,
            };
          },
          async [Symbol.asyncDispose]() {},
        };
      },
    },
  });
}

export const deadLetter: ErrorHandling = {
  on_error: 'dead_letter',
  max_retries: 0,
  retry_delay: 0,
  then: 'dead_letter',
};
export const quickRetry: RetryPolicy = {
  initial_delay: 1,
  max_delay: 4,
  backoff_multiplier: 2,
  permanent_error_codes: [],
};

export interface TestStream {
  readonly source: MemoryLog;
  readonly sinks: readonly ({
    readonly id: string;
    readonly to: MemoryTarget;
    readonly keyed?: boolean;
    readonly home?: boolean;
  } & Partial<Pick<SinkConfig, 'required' | 'write_timeout' | 'error_handling'>>)[];
  readonly transforms?: readonly {
    readonly id: string;
    readonly map: Parameters<typeof memoryTransform>[0];
    readonly policy?: ErrorHandling;
  }[];
  readonly sourcePolicy?: ErrorHandling;
  readonly commit?: StreamConfig['commit_policy'];
  readonly retry?: RetryPolicy;
  readonly maxLetterBytes?: number;
}

export function testStream(given: TestStream): StreamConfig {
  const at = {};
  return {
    id: 's',
    enabled: true,
    source: {
      type: 'memory-source',
      plugin: memorySource(given.source),
      auth: null,
      error_handling: given.sourcePolicy ?? deadLetter,
      verify: false,
      config: {},
      at,
    },
    transformations: (given.transforms ?? []).map(
      ({ id, map, policy }): TransformRule => ({
        id,
        type: 'memory-transform',
        scope: 'row',
        images: 'key',
        state: 'reset',
        source: '',
        file: '',
        offset: { line: 1, column: 1 },
        dir: '',
        limits: { timeout: 50, memory: 0, output: 0, fan_out: 0, logs: 0, load: 0, input: 0, depth: 0, deaths: 0 },
        error_handling: policy ?? deadLetter,
        plugin: memoryTransform(map),
        config: {},
        at,
      }),
    ),
    sinks: given.sinks.map((sink) => ({
      id: sink.id,
      type: 'memory-sink',
      plugin: memorySink(sink.to, {
        ...(sink.keyed === undefined ? {} : { keyed: sink.keyed }),
        ...(sink.home === true ? { home: true } : {}),
      }),
      auth: null,
      required: sink.required ?? true,
      write_timeout: sink.write_timeout ?? 30_000,
      error_handling: sink.error_handling ?? deadLetter,
      config: {},
      at,
    })),
    batch: { max_events: 1000, max_bytes: 1 << 20, max_wait: 50, respect_source_tx: true },
    commit_policy: given.commit ?? 'all',
    retry_policy: given.retry ?? quickRetry,
    home: given.sinks.find((sink) => sink.home === true)?.id ?? null,
    dead_letters: { max_bytes: given.maxLetterBytes ?? 1 << 30 },
    at,
  };
}
