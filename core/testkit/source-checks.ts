// What the kit demands of a source: that the engine can lose everything but a saved position, at any moment, and read on.

import assert from 'node:assert/strict';
import type { ChangeEvent } from '../event.ts';
import type { LoadedSourcePart, Source, SourceItem } from '../plugin.ts';
import type { Json } from '../values.ts';
import { eventsOf } from './batches.ts';
import type { Check } from './checks.ts';
import { decoded, kitContext, within } from './context.ts';
import type { SourceStage } from './model.ts';
import { assertNoSecret } from './secret-check.ts';

/** Reading must end within this time after its signal aborts (plugin.ts). */
const ABORT = 5_000;

interface Read {
  readonly ids: readonly string[];
  /** Events without `ts_ms`, which says when Sluice read them. */
  readonly events: readonly unknown[];
  /** After how many events each position stands. */
  readonly positions: readonly { readonly position: Json; readonly after: number }[];
  readonly unreadable: number;
}

export function sourceChecks(part: LoadedSourcePart, stageOf: () => Promise<SourceStage>, patience: number): Check[] {
  const make = async (stage: SourceStage): Promise<Source> =>
    await part.create(decoded(part.config, stage.config), kitContext({ auth: stage.auth }));
  /** Reads with a source of its own, as after a crash: nothing was acked and nothing else was told to it. */
  const readNew = async (stage: SourceStage, from: Json, want: number): Promise<Read> => {
    await using source = await make(stage);
    return await readAll(patience, source, from, want, stage.ends);
  };

  return [
    {
      name: 'source: gives valid change events, each with an id of its own, and those it cannot read in their place',
      async run() {
        await using stage = await stageOf();
        const read = await readNew(stage, null, stage.events);
        assert.equal(new Set(read.ids).size, read.ids.length, 'two events have one id');
        assert.equal(read.unreadable, stage.unreadable ?? 0, 'events that cannot be read');
        assert.ok(read.positions.length > 1, 'it gave fewer than two positions, so nothing can be resumed');
        assert.equal(
          read.positions.at(-1)!.after,
          stage.events,
          'the last position does not stand after the last event',
        );
      },
    },
    {
      name: 'source: resumes from any position with exactly the rest, under the same ids',
      async run() {
        await using stage = await stageOf();
        const whole = await readNew(stage, null, stage.events);
        for (const { position, after } of spread(whole.positions, 20)) {
          const rest = await readNew(stage, position, stage.events - after);
          assert.deepEqual(rest.ids, whole.ids.slice(after), `ids after the position of event ${after}`);
          assert.deepEqual(rest.events, whole.events.slice(after), `events after the position of event ${after}`);
        }
      },
    },
    {
      name: 'source: checkPosition() takes every position that it gave, and neither it nor read() takes another kind',
      async run() {
        if (part.checkPosition === undefined) return;
        await using stage = await stageOf();
        const { positions } = await readNew(stage, null, stage.events);
        for (const { position } of positions) part.checkPosition(jsonCopy(position));
        const refused = { code: 'E_SOURCE_POSITION' };
        for (const wrong of ['x', 7, true, [], {}, { kit: 'no position of this source' }]) {
          const text = JSON.stringify(wrong);
          assert.throws(() => part.checkPosition?.(wrong), refused, `checkPosition took ${text}`);
          await assert.rejects(readNew(stage, wrong, 1), refused, `read took ${text}`);
        }
      },
    },
    {
      name: 'source: reads the same events again from the beginning when nothing was acked',
      async run() {
        await using stage = await stageOf();
        const first = await readNew(stage, null, stage.events);
        const second = await readNew(stage, null, stage.events);
        assert.deepEqual(second.ids, first.ids);
        // a snapshot that begins anew is of another time; everything else of its rows is as it was
        assert.deepEqual(second.events.map(withoutSnapshotTime), first.events.map(withoutSnapshotTime));
      },
    },
    {
      name: 'source: one source reads again from a position after its reading was ended',
      async run() {
        await using stage = await stageOf();
        await using source = await make(stage);
        const whole = await readAll(patience, source, null, stage.events, stage.ends);
        const half = whole.positions[Math.floor(whole.positions.length / 2)]!;
        const rest = await readAll(patience, source, half.position, stage.events - half.after, stage.ends);
        assert.deepEqual(rest.ids, whole.ids.slice(half.after));
      },
    },
    {
      name: 'source: takes acks of positions in order, and the same again, and still resumes from the last one',
      async run() {
        await using stage = await stageOf();
        const whole = await readNew(stage, null, stage.events);
        const half = Math.ceil(stage.events / 2);
        let acked: { position: Json; after: number } | undefined;
        {
          await using source = await make(stage);
          await readAll(patience, source, null, stage.events, stage.ends, async (position, after) => {
            if (acked !== undefined && after > half) return true;
            await source.ack(jsonCopy(position));
            await source.ack(jsonCopy(position));
            acked = { position, after };
            return false;
          });
        }
        assert.ok(acked !== undefined, 'it gave no position');
        const rest = await readNew(stage, acked.position, stage.events - acked.after);
        assert.deepEqual(rest.ids, whole.ids.slice(acked.after));
      },
    },
    {
      name: 'source: ends within 5 s after an abort, before its first event, in the middle, and while it waits for more',
      async run() {
        await using stage = await stageOf();
        for (const take of [0, 1, stage.events]) {
          await using source = await make(stage);
          await abortAfter(patience, source, take);
        }
      },
    },
    {
      name: 'source: gives changes that are made while it waits',
      async run() {
        await using stage = await stageOf();
        if (stage.change === undefined)
          return assert.ok(stage.ends, 'a source that does not end needs change() in its stage');
        await using source = await make(stage);
        const whole = await readAll(patience, source, null, stage.events, false);
        const waiting = readAll(patience, source, whole.positions.at(-1)!.position, 3, false);
        await stage.change(3);
        const more = await waiting;
        assert.equal(more.ids.length, 3);
        assert.ok(!more.ids.some((id) => whole.ids.includes(id)), 'a new event has the id of an old one');
      },
    },
    {
      name: 'source: shows no secret when it cannot connect',
      async run() {
        await using stage = await stageOf();
        if (stage.broken === undefined) return;
        await assertNoSecret(part, stage.broken, patience, async (config, context) => {
          await using source = await part.create(config, context);
          const stop = new AbortController();
          const reading = source.read(null, stop.signal)[Symbol.asyncIterator]();
          try {
            await within(patience, 'read', reading.next());
          } finally {
            stop.abort();
          }
          await reading.return?.();
          return [];
        });
      },
    },
    {
      name: 'source: check() is content with the good configuration',
      async run() {
        if (part.check === undefined) return;
        await using stage = await stageOf();
        const results = await part.check(decoded(part.config, stage.config), kitContext({ auth: stage.auth }));
        assert.ok(results.length > 0, 'it looked at nothing');
        assert.deepEqual(
          results.filter((result) => !result.ok),
          [],
        );
      },
    },
  ];
}

/**
 * Reads until `want` events and a position after them have come, or to the end of a source that ends (so that one event too
 * many is seen). Checks every event on the way, and that reading ends in time once it is told to. `seen` may end it earlier.
 */
async function readAll(
  patience: number,
  source: Source,
  from: Json,
  want: number,
  ends: boolean,
  seen?: (position: Json, after: number) => Promise<boolean>,
): Promise<Read> {
  const abort = new AbortController();
  const ids: string[] = [];
  const events: unknown[] = [];
  const positions: { position: Json; after: number }[] = [];
  let unreadable = 0;
  const covered = (): boolean => want === 0 || positions.at(-1)?.after === ids.length;
  const reading = source.read(from === null ? null : jsonCopy(from), abort.signal)[Symbol.asyncIterator]();
  let pending: Promise<IteratorResult<SourceItem>> | undefined;
  try {
    while (ends || ids.length < want || !covered()) {
      pending = reading.next();
      const step = await within(patience, `event ${ids.length + 1} of ${want}`, pending);
      pending = undefined;
      if (step.done === true) break;
      const { batch, position } = step.value;
      for (const event of eventsOf(batch)) {
        ids.push(event.id);
        if ('unreadable' in event) unreadable++;
        events.push('unreadable' in event ? event : timeless(event));
      }
      if (position === undefined) continue;
      assert.notEqual(position, null, 'a position may not be null, which means the beginning');
      assert.deepEqual(jsonCopy(position), position, 'a position does not survive JSON');
      positions.push({ position: jsonCopy(position), after: ids.length });
      if ((await seen?.(jsonCopy(position), ids.length)) === true) return { ids, events, positions, unreadable };
    }
  } finally {
    abort.abort();
    // what was asked for last may end with the abort's own error; the reading itself must end all the same
    const end = (async () => {
      await pending?.catch(() => {});
      await reading.return?.();
    })();
    await within(ABORT, 'the end of reading after an abort', end);
  }
  assert.equal(ids.length, want, 'events that were given');
  return { ids, events, positions, unreadable };
}

/** Takes some events, asks for more, aborts while that is under way, and wants the end of it in time. */
async function abortAfter(patience: number, source: Source, take: number): Promise<void> {
  const abort = new AbortController();
  const reading = source.read(null, abort.signal)[Symbol.asyncIterator]();
  for (let got = 0; got < take; ) {
    const step = await within(patience, `event ${got + 1} of ${take}`, reading.next());
    if (step.done === true) return;
    got += step.value.batch.length;
  }
  const asked = reading.next();
  asked.catch(() => {});
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  abort.abort();
  const end = (async () => {
    try {
      for (let step = await asked; step.done !== true; ) step = await reading.next();
    } catch {
      // ending with the abort's own error is an end
    }
  })();
  await within(ABORT, `the end of reading after an abort (after ${take} events)`, end);
}

function timeless(event: ChangeEvent): unknown {
  const { ts_ms: _, ...rest } = event;
  return jsonCopy(rest as unknown as Json);
}

function withoutSnapshotTime(event: unknown): unknown {
  const { source } = event as { readonly source?: ChangeEvent['source'] };
  return source?.snapshot === true ? { ...(event as object), source: { ...source, ts_ms: 0 } } : event;
}

function jsonCopy(value: Json): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}

/** At most n of the list, spread over it, the first and the last with them. */
function spread<T>(list: readonly T[], n: number): T[] {
  if (list.length <= n) return [...list];
  return Array.from({ length: n }, (_, i) => list[Math.round((i * (list.length - 1)) / (n - 1))]!);
}
