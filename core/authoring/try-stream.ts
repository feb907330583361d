// Events through a whole stream with faults put in: the real engine over a store in memory, from a source that gives the
// test's events to sinks that take what they are told to. Waiting times are cut to a millisecond; how often something is
// tried is not changed.
// Guarantee: it ends. A needed sink that stays away holds its stream for ever; that is what the outcome then says.

import { batchOf, envelopeText } from '../batch.ts';
import { ledgerNow, newStatus } from '../engine/status.ts';
import { runStream } from '../engine/stream.ts';
import type { ChangeEvent } from '../event.ts';
import type { Languages } from '../languages.ts';
import type { ErrorHandling, SinkConfig, StreamConfig } from '../manifest/model.ts';
import type { Logger } from '../plugin.ts';
import { memoryStore } from '../state/index.ts';
import type { Json } from '../values.ts';
import type { Outcome } from './expect.ts';
import { type Aim, faultyWrite, type SinkFault, type SinkRecord, type TransformFault, withFaults } from './inject.ts';
import { givenEvents, givenSink } from './memory-plugin.ts';
import type { WrittenInjection } from './tests-file.ts';

/** Tries in a row that bring nothing forward, after which a stream is taken to wait for ever. */
const PATIENCE = 25;
/** For a sink that is not needed: it answers at once or not at all. */
const QUICK_TIMEOUT = 50;
const NO_PLACE = {};

export async function tryStream(
  events: readonly ChangeEvent[],
  injections: readonly WrittenInjection[],
  stream: StreamConfig,
  parts: { readonly languages: Languages; readonly log: Logger },
): Promise<Outcome> {
  const stop = new AbortController();
  const status = newStatus(stream.id);
  const aim = aimOf(events);
  const records = new Map<string, SinkRecord>();
  const patience = PATIENCE + (stream.retry_policy.max_attempts ?? 0);
  let waiting = false;
  const sinks = stream.sinks.map((sink): SinkConfig => {
    const record: SinkRecord = { taken: [], stuck: 0 };
    records.set(sink.id, record);
    const own = injections.filter((one): one is SinkFault => one.sink === sink.id);
    const most = patience + sink.error_handling.max_retries;
    const write = faultyWrite(own, aim, record, () => {
      if (record.stuck < most || !status.waitsForSink) return;
      waiting = true;
      stop.abort();
    });
    return {
      ...sink,
      plugin: givenSink(write),
      auth: null,
      config: {},
      write_timeout: Math.min(QUICK_TIMEOUT, sink.write_timeout),
      error_handling: quick(sink.error_handling),
      at: NO_PLACE,
    };
  });
  const config: StreamConfig = {
    ...stream,
    source: { ...stream.source, plugin: givenEvents(batchOf(events)), auth: null, config: {} },
    transformations: stream.transformations.map((rule) => ({ ...rule, error_handling: quick(rule.error_handling) })),
    sinks,
    retry_policy: { ...stream.retry_policy, initial_delay: 1, max_delay: 1 },
    home: null,
  };
  await using store = memoryStore();
  const end = await runStream({
    config,
    store,
    languages: withFaults(parts.languages, faultsOf(injections, stream), aim),
    log: parts.log,
    signal: stop.signal,
    status,
    soft: stop.signal,
    hard: stop.signal,
  });
  const { delivered, filtered, skipped, dead_lettered, pending } = ledgerNow(status);
  const letters = await store.listDeadLetters({ stream: config.id });
  const first = records.values().next().value?.taken ?? [];
  return {
    inputs: events.length,
    events: first.map(({ batch, index }) => JSON.parse(envelopeText(batch, index)) as Json),
    filtered,
    errors: [...letters.map((letter) => letter.error), ...(end.state === 'failed' ? [end.error.toJSON()] : [])],
    ledger: { delivered, filtered, skipped, dead_letter: dead_lettered, pending },
    state: end.state === 'failed' ? 'failed' : waiting ? 'waiting' : 'ended',
  };
}

function quick(handling: ErrorHandling): ErrorHandling {
  return { ...handling, retry_delay: Math.min(1, handling.retry_delay) };
}

function faultsOf(injections: readonly WrittenInjection[], stream: StreamConfig): Map<string, TransformFault[]> {
  const faults = new Map<string, TransformFault[]>();
  for (const one of injections) {
    if (one.transform === undefined) continue;
    const id = one.id ?? stream.transformations[0]!.id;
    faults.set(id, [...(faults.get(id) ?? []), one]);
  }
  return faults;
}

// An output's id is that of its event, or that and `/i`.
function aimOf(events: readonly ChangeEvent[]): Aim {
  const indices = new Map(events.map((event, i) => [event.id, i]));
  return {
    indexOf(id) {
      for (let text = id; ; text = text.slice(0, text.lastIndexOf('/'))) {
        const index = indices.get(text);
        if (index !== undefined) return index;
        if (!text.includes('/')) return -1;
      }
    },
  };
}
