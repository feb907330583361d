// What the kit demands of a sink that can be the checkpoint's home: rows and checkpoint in one transaction, or neither,
// and an older writer that is shut out. Nothing is asked of a sink without `transactional`.

import assert from 'node:assert/strict';
import { type Checkpoint, emptyLedger, seal } from '../checkpoint.ts';
import { codesOf } from '../errors.ts';
import type { LoadedSinkPart, Sink } from '../plugin.ts';
import { kitEvent, objectBatch } from './batches.ts';
import type { Check } from './checks.ts';
import { decoded, within } from './context.ts';
import type { SinkStage } from './model.ts';
import { allOkText, makeSink, statuses, writeTo } from './sink-checks.ts';

const STREAM = 'kit';
const PATIENCE = 20_000;
type Home = NonNullable<Sink['transactional']>;

function checkpoint(epoch: number, position: number): Checkpoint {
  return seal({
    stream: STREAM,
    epoch,
    position: { n: position },
    position_version: 1,
    ledger: { ...emptyLedger, in: position, delivered: position },
    sinks: {},
    gaps: [],
    parked: [],
    request: 0,
    saved_at: '2026-01-01T00:00:00.000Z',
  });
}

async function writeHome(
  home: Home,
  stage: SinkStage,
  numbers: readonly number[],
  saved: Checkpoint | null,
): Promise<void> {
  const transaction = await within(PATIENCE, 'begin', home.begin(STREAM));
  const events = numbers.map((n) => kitEvent(stage, n));
  const results = await writeTo(transaction, stage, events);
  assert.equal(statuses(results), allOkText(events.length));
  if (saved === null) await within(PATIENCE, 'rollback', transaction.rollback());
  else await within(PATIENCE, 'commit', transaction.commit(saved));
}

export function homeChecks(part: LoadedSinkPart, stageOf: () => Promise<SinkStage>): Check[] {
  /** Runs with a sink that is a home, or not at all. */
  const withHome = async (body: (stage: SinkStage, home: Home, another: () => Promise<Sink>) => Promise<void>) => {
    await using stage = await stageOf();
    await using sink = await makeSink(part, stage);
    const says = part.home?.(decoded(part.config, stage.config)) ?? false;
    assert.equal(sink.transactional !== undefined, says, 'home() of the part and `transactional` of the sink differ');
    if (sink.transactional !== undefined) await body(stage, sink.transactional, () => makeSink(part, stage));
  };
  return [
    {
      name: 'home: load finds nothing in an empty place, and changes nothing',
      run: () =>
        withHome(async (stage, home) => {
          const before = await stage.readBack();
          assert.equal(await home.load(STREAM), null);
          assert.deepEqual(await stage.readBack(), before);
        }),
    },
    {
      name: 'home: a commit stores rows and checkpoint, a rollback leaves neither',
      run: () =>
        withHome(async (stage, home, another) => {
          await home.open(STREAM);
          await writeHome(home, stage, [1, 2], checkpoint(1, 2));
          const first = await stage.readBack();
          assert.deepEqual(await home.load(STREAM), checkpoint(1, 2));
          await writeHome(home, stage, [3, 4], null);
          assert.deepEqual(await stage.readBack(), first, 'rows of a transaction that was rolled back are there');
          assert.deepEqual(await home.load(STREAM), checkpoint(1, 2));
          await writeHome(home, stage, [3, 4], checkpoint(1, 4));
          assert.notDeepEqual(await stage.readBack(), first, 'rows of a commit are not there');
          await using other = await another();
          assert.deepEqual(await other.transactional!.load(STREAM), checkpoint(1, 4), 'as another process sees it');
        }),
    },
    {
      name: 'home: a transaction that is never committed leaves nothing',
      run: () =>
        withHome(async (stage, home, another) => {
          await home.open(STREAM);
          await writeHome(home, stage, [1], checkpoint(1, 1));
          const before = await stage.readBack();
          {
            await using dying = await another();
            await dying.transactional!.open(STREAM);
            const transaction = await dying.transactional!.begin(STREAM);
            await writeTo(transaction, stage, [kitEvent(stage, 2)]);
          }
          assert.deepEqual(await stage.readBack(), before);
          await using next = await another();
          assert.deepEqual((await next.transactional!.load(STREAM))?.position, { n: 1 });
        }),
    },
    {
      name: 'home: a rejected event in a transaction leaves the others in it, and the commit stores them',
      run: () =>
        withHome(async (stage, home) => {
          if (stage.rejected === undefined) return;
          await home.open(STREAM);
          const transaction = await home.begin(STREAM);
          const events = [kitEvent(stage, 1), stage.rejected(kitEvent(stage, 2)), kitEvent(stage, 3)];
          const results = await transaction.write(objectBatch(stage, events), new AbortController().signal);
          assert.match(statuses(results), /^ok reject:E_[A-Z_]+ ok$/);
          const before = await stage.readBack();
          await transaction.commit(checkpoint(1, 3));
          assert.notDeepEqual(await stage.readBack(), before);
          assert.deepEqual(await home.load(STREAM), checkpoint(1, 3));
        }),
    },
    {
      name: 'home: a newer writer shuts the older one out, which then changes nothing',
      run: () =>
        withHome(async (stage, home, another) => {
          await home.open(STREAM);
          await writeHome(home, stage, [1], checkpoint(1, 1));
          await using newer = await another();
          assert.equal((await newer.transactional!.load(STREAM))?.epoch, 1);
          await newer.transactional!.open(STREAM);
          const before = await stage.readBack();
          const late = await writeHome(home, stage, [2], checkpoint(1, 2)).then(
            () => null,
            (error: unknown) => error,
          );
          assert.ok(codesOf(late).includes('E_CHECKPOINT_EPOCH'), `the older writer got ${String(late)}`);
          assert.deepEqual(await stage.readBack(), before, 'rows of the older writer are there');
          await writeHome(newer.transactional!, stage, [3], checkpoint(2, 3));
          assert.deepEqual((await newer.transactional!.load(STREAM))?.position, { n: 3 });
        }),
    },
    {
      name: 'home: clear forgets the checkpoint of this stream only, and no row',
      run: () =>
        withHome(async (stage, home) => {
          await home.open(STREAM);
          await writeHome(home, stage, [1], checkpoint(1, 1));
          const rows = await stage.readBack();
          await home.clear('another-stream');
          assert.notEqual(await home.load(STREAM), null);
          await home.clear(STREAM);
          assert.equal(await home.load(STREAM), null);
          assert.deepEqual(await stage.readBack(), rows);
        }),
    },
  ];
}
