// Gives the story of the sample shop, batch by batch.
// Guarantees: the same position always gives the same events with the same ids; memory for one batch and no more; it keeps
// nothing, so an ack changes nothing and a tap leaves nothing behind.
// Refuses a position that it never gave.

import {
  batchOf,
  type ChangeEvent,
  type Context,
  isRow,
  type Json,
  pause,
  type Source,
  type SourceItem,
  sluiceError,
} from 'sluice/sdk';
import type { SourceConfig } from './config.ts';
import { columns } from './shop.ts';
import { eventAt, tableAt } from './story.ts';

/** `n`: how many events of the story came before. */
export type SamplePosition = { readonly n: number };

/** No event of the story is larger, so a batch keeps to its bytes without counting them. */
const EVENT_BYTES = 1024;
/** In the first chapter the first customers are a snapshot. */
const SNAPSHOT = 2;

export function sampleSource(config: SourceConfig, context: Context): Source<SamplePosition> {
  const telling = { stream: context.stream, seed: config.seed, poison: config.poison };
  const tables: ReadonlySet<string> = new Set(config.tables);
  const end = config.events === 0 ? Number.MAX_SAFE_INTEGER : config.events;
  const most = Math.max(1, Math.min(context.batch.maxEvents, Math.floor(context.batch.maxBytes / EVENT_BYTES)));

  const batchFrom = (from: number, to: number): SourceItem<SamplePosition> => {
    const now = Date.now();
    const events: ChangeEvent[] = [];
    for (let n = from; n < to; n++) if (tables.has(tableAt(n))) events.push({ ...eventAt(n, telling), ts_ms: now });
    const phase = from < SNAPSHOT ? 'snapshot' : 'streaming';
    return { batch: batchOf(events, { columns }), position: { n: to }, phase };
  };

  return {
    async *read(from, signal) {
      let n = startOf(from);
      const pace = config.rate === undefined ? null : pacer(config.rate);
      while (n < end && !signal.aborted) {
        // A batch never mixes snapshot and streaming, so that its phase is true of all of it.
        const room = n < SNAPSHOT ? SNAPSHOT - n : most;
        const due = pace === null ? most : await pace.due(signal);
        const to = Math.min(end, n + Math.min(room, most, due));
        if (to === n) continue; // aborted
        yield batchFrom(n, to);
        pace?.gave(to - n);
        n = to;
      }
    },
    async ack() {}, // nothing is kept, so there is nothing to forget
    async [Symbol.asyncDispose]() {},
  };
}

/** @throws SluiceError E_SOURCE_POSITION */
export function startOf(from: Json): number {
  if (from === null) return 0;
  const n = isRow(from) ? from['n'] : null;
  if (typeof n === 'number' && Number.isSafeInteger(n) && n >= 0) return n;
  throw sluiceError('E_SOURCE_POSITION', {
    message: 'the saved position is none of the sample source',
    fix: 'set one of the form { "n": 0 }, or run `sluice checkpoint clear`',
    permanent: true,
  });
}

interface Pacer {
  /** How many events may be given now; waits for at least one. 0 only after an abort. */
  due(signal: AbortSignal): Promise<number>;
  gave(events: number): void;
}

// Counts from the first event, so that late timers do not add up to a slower rate. What was not taken for a while is made
// up for by one second's worth at most: a rush after an outage would be no rate.
function pacer(rate: number): Pacer {
  const burst = Math.max(1, Math.ceil(rate));
  let start = performance.now();
  let given = 0;
  return {
    async due(signal) {
      while (!signal.aborted) {
        const now = Math.floor(((performance.now() - start) * rate) / 1000) + 1 - given;
        if (now > burst) start += ((now - burst) * 1000) / rate;
        if (now > 0) return Math.min(now, burst);
        await pause(Math.max(1, (given * 1000) / rate - (performance.now() - start)), signal);
      }
      return 0;
    },
    gave(events) {
      given += events;
    },
  };
}
