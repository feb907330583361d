// What the kit demands of a sink: an answer for every event that is true, order per key, and nothing done behind its back.

import assert from 'node:assert/strict';
import type { ChangeEvent } from '../event.ts';
import type { LoadedSinkPart, Sink, WriteResult } from '../plugin.ts';
import type { Json } from '../values.ts';
import { kitEvent, objectBatch, textBatch } from './batches.ts';
import type { Check } from './checks.ts';
import { decoded, type KitContext, kitContext, within } from './context.ts';
import type { SinkStage } from './model.ts';
import { assertNoSecret } from './secret-check.ts';

const ABORT = 5_000;
/** For writes that every check makes; a sink that hangs fails the first check with this. */
const PATIENCE = 20_000;
const never = new AbortController().signal;

export async function makeSink(part: LoadedSinkPart, stage: SinkStage, context?: KitContext): Promise<Sink> {
  return await part.create(decoded(part.config, stage.config), context ?? kitContext({ auth: stage.auth }));
}

/** Writes, and demands one true answer for each event. */
export async function writeTo(
  sink: Pick<Sink, 'write'>,
  stage: SinkStage,
  events: readonly ChangeEvent[],
  signal: AbortSignal = never,
): Promise<readonly WriteResult[]> {
  const results = await within(PATIENCE, 'write', sink.write(objectBatch(stage, events), signal));
  assertResults(results, events.length);
  return results;
}

/** `text` of the statuses, with the code where there is one: `ok ok reject:E_SINK_REJECT`. */
export function statuses(results: readonly WriteResult[]): string {
  return results
    .map((result) => ('error' in result ? `${result.status}:${result.error.code}` : result.status))
    .join(' ');
}

export function allOkText(n: number): string {
  return new Array(n).fill('ok').join(' ');
}

/** What the engine does after a batch: whatever the sink keeps is made durable. */
export async function settle(sink: Sink): Promise<Json> {
  const state = (await sink.state?.flush()) ?? null;
  assert.deepEqual(JSON.parse(JSON.stringify(state)), state, 'the state does not survive JSON');
  return state;
}

function assertResults(results: readonly WriteResult[], length: number): void {
  assert.ok(Array.isArray(results), 'write gave no list of results');
  assert.equal(results.length, length, 'write gave another number of results than it got events');
  for (const [i, result] of results.entries()) {
    assert.match(String(result?.status), /^(ok|retry|reject|held)$/, `result ${i}`);
    if (result.status === 'retry' || result.status === 'reject') {
      assert.match(String(result.error?.code), /^E_[A-Z_]+$/, `the error of result ${i} has no code`);
    }
  }
}

export function sinkChecks(part: LoadedSinkPart, stageOf: () => Promise<SinkStage>, patience: number): Check[] {
  const opsOf = (stage: SinkStage): readonly string[] => stage.ops ?? ['c', 'u', 'd'];
  return [
    {
      name: 'sink: answers for every event, and what it calls ok is there',
      async run() {
        await using stage = await stageOf();
        const empty = await stage.readBack();
        await using sink = await makeSink(part, stage);
        assert.equal(typeof sink.keyed, 'boolean', 'keyed');
        await sink.state?.restore(null);
        const results = await writeTo(
          sink,
          stage,
          [1, 2, 3, 4, 5].map((n) => kitEvent(stage, n)),
        );
        assert.equal(statuses(results), allOkText(5));
        await settle(sink);
        assert.notDeepEqual(await stage.readBack(), empty, 'readBack shows nothing of what was written');
      },
    },
    {
      name: 'sink: an empty batch is answered by no results and changes nothing',
      async run() {
        await using stage = await stageOf();
        await using sink = await makeSink(part, stage);
        await sink.state?.restore(null);
        await writeTo(sink, stage, [kitEvent(stage, 1)]);
        await settle(sink);
        const before = await stage.readBack();
        assert.equal((await writeTo(sink, stage, [])).length, 0);
        await settle(sink);
        assert.deepEqual(await stage.readBack(), before);
      },
    },
    {
      name: 'sink: writes the same from the text face of a batch as from its objects, of every op that it takes',
      async run() {
        const backs: Json[] = [];
        for (const face of [objectBatch, textBatch]) {
          await using stage = await stageOf();
          const ops = opsOf(stage);
          const events = [kitEvent(stage, 1), kitEvent(stage, 2), kitEvent(stage, 3), kitEvent(stage, 2 ** 31)];
          if (ops.includes('u')) events.push(kitEvent(stage, 2, 2), kitEvent(stage, 2, 3));
          if (ops.includes('d')) events.push(kitEvent(stage, 3, 2, 'd'));
          await using sink = await makeSink(part, stage);
          await sink.state?.restore(null);
          const results = await within(patience, 'write', sink.write(face(stage, events), never));
          assertResults(results, events.length);
          assert.equal(statuses(results), allOkText(events.length));
          await settle(sink);
          backs.push(await stage.readBack());
        }
        assert.deepEqual(backs[1], backs[0]);
      },
    },
    {
      name: 'sink: a keyed sink has the same content after a batch was written twice',
      async run() {
        await using stage = await stageOf();
        await using sink = await makeSink(part, stage);
        if (!sink.keyed) return;
        const ops = opsOf(stage);
        const events = [kitEvent(stage, 1), kitEvent(stage, 2), kitEvent(stage, 1, 2), kitEvent(stage, 3)];
        if (ops.includes('d')) events.push(kitEvent(stage, 3, 2, 'd'));
        await writeTo(sink, stage, events);
        await settle(sink);
        const once = await stage.readBack();
        assert.equal(statuses(await writeTo(sink, stage, events)), allOkText(events.length));
        await settle(sink);
        assert.deepEqual(await stage.readBack(), once);
      },
    },
    {
      name: 'sink: rejects only the event at fault, with an error, and holds what comes after it of the same key',
      async run() {
        await using stage = await stageOf();
        if (stage.rejected === undefined) return;
        const good = [kitEvent(stage, 2), kitEvent(stage, 3), kitEvent(stage, 4)] as const;
        const bad = stage.rejected(kitEvent(stage, 1));
        {
          await using sink = await makeSink(part, stage);
          await sink.state?.restore(null);
          const results = await writeTo(sink, stage, [good[0], bad, good[1], kitEvent(stage, 1, 2), good[2]]);
          // Invariant 3: while an event of a key is unsettled, no later one of that key is applied
          assert.match(statuses(results), /^ok reject:E_[A-Z_]+ ok held ok$/);
          await settle(sink);
        }
        await using other = await stageOf();
        await using sink = await makeSink(part, other);
        await sink.state?.restore(null);
        await writeTo(sink, other, good);
        await settle(sink);
        assert.deepEqual(
          await stage.readBack(),
          await other.readBack(),
          'the held event, or part of the bad one, was written',
        );
      },
    },
    {
      name: 'sink: nothing passes a truncate, and a truncate passes nothing that is unsettled',
      async run() {
        await using stage = await stageOf();
        if (stage.rejected === undefined) return;
        await using sink = await makeSink(part, stage);
        await sink.state?.restore(null);
        const truncate = kitEvent(stage, 9, 1, 't');
        const results = await writeTo(sink, stage, [
          kitEvent(stage, 2),
          stage.rejected(kitEvent(stage, 1)),
          truncate,
          kitEvent(stage, 3),
        ]);
        assert.match(statuses(results), /^ok reject:\S+ (held|reject:\S+) held$/);
      },
    },
    {
      name: 'sink: answers or throws within 5 s after an abort',
      async run() {
        await using stage = await stageOf();
        const abort = new AbortController();
        await using sink = await makeSink(part, stage);
        await sink.state?.restore(null);
        abort.abort();
        const events = Array.from({ length: 50 }, (_, n) => kitEvent(stage, n));
        const results = await within(
          ABORT,
          'write after an abort',
          sink.write(objectBatch(stage, events), abort.signal).catch(() => null),
        );
        if (results !== null) assertResults(results, events.length);
      },
    },
    {
      name: 'sink: what it keeps in the checkpoint cuts a crash back to that checkpoint, and null cuts nothing',
      async run() {
        await using stage = await stageOf();
        let saved: Json;
        {
          await using sink = await makeSink(part, stage);
          if (sink.state === undefined) return;
          await sink.state.restore(null);
          saved = await settle(sink); // the first checkpoint comes before the first write
          await writeTo(sink, stage, [kitEvent(stage, 1), kitEvent(stage, 2)]);
          saved = await settle(sink);
        }
        const atCheckpoint = await stage.readBack();
        {
          await using sink = await makeSink(part, stage);
          await sink.state!.restore(JSON.parse(JSON.stringify(saved)) as Json);
          await writeTo(sink, stage, [kitEvent(stage, 3)]); // and no flush: the process dies here
        }
        {
          await using sink = await makeSink(part, stage);
          await sink.state!.restore(JSON.parse(JSON.stringify(saved)) as Json);
          await settle(sink);
          assert.deepEqual(
            await stage.readBack(),
            atCheckpoint,
            'what was written after the checkpoint is still there',
          );
          await writeTo(sink, stage, [kitEvent(stage, 3)]);
          await settle(sink);
        }
        const whole = await stage.readBack();
        assert.notDeepEqual(whole, atCheckpoint);
        await using sink = await makeSink(part, stage);
        await sink.state!.restore(null);
        await settle(sink);
        assert.deepEqual(await stage.readBack(), whole, 'restore(null) cut what was there');
      },
    },
    {
      name: 'sink: shows no secret when it cannot connect',
      async run() {
        await using stage = await stageOf();
        if (stage.broken === undefined) return;
        await assertNoSecret(part, stage.broken, patience, async (config, context) => {
          await using sink = await part.create(config, context);
          const results = await within(patience, 'write', sink.write(objectBatch(stage, [kitEvent(stage, 1)]), never));
          return results.flatMap((result) => ('error' in result ? [result.error, result.error.toJSON()] : []));
        });
      },
    },
    {
      name: 'sink: check() is content with the good configuration, and writes nothing',
      async run() {
        if (part.check === undefined) return;
        await using stage = await stageOf();
        const before = await stage.readBack();
        const results = await part.check(decoded(part.config, stage.config), kitContext({ auth: stage.auth }));
        assert.ok(results.length > 0, 'it looked at nothing');
        assert.deepEqual(
          results.filter((result) => !result.ok),
          [],
        );
        assert.deepEqual(await stage.readBack(), before);
      },
    },
  ];
}
