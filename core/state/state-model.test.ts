// Random sequences of writes, over both stores, against a model of dead letters that is too simple to be wrong.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { scaled } from '../../test/long.ts';
import { openStateStore } from './index.ts';
import type { DeadLetterMark, NewDeadLetter, Place, StateStore, StateWrite } from './store.ts';
import { letterBytes } from './tables.ts';
import { checkpointOf, letterOf, tempFolder } from './test-samples.ts';

interface ModelLetter {
  readonly id: number;
  readonly stream: string;
  readonly event_id: string;
  readonly place: Place;
  readonly first_failed_at: string;
  readonly event: string;
  attempts: number;
  status: string;
  bytes: number;
}

const streams = ['a', 'a b', ''];
const places: readonly Place[] = [
  { kind: 'source', id: 'a' },
  { kind: 'transform', id: 'x' },
  { kind: 'sink', id: 'x' },
];
const stream = fc.constantFrom(...streams);
const place = fc.constantFrom(...places);
const event = fc.constantFrom('1', '2', '2/0', "'; --");
const time = fc.integer({ min: 0, max: 1000 }).map((s) => new Date(s * 1000).toISOString());

const letter: fc.Arbitrary<NewDeadLetter> = fc
  .record({
    stream,
    event,
    place,
    text: fc.string({ unit: 'binary', maxLength: 40 }),
    input: fc.option(fc.string({ unit: 'grapheme' })),
    columns: fc.option(fc.constant('[{"name":"id","type":"int"}]')),
    attempts: fc.nat(5),
    failed_at: time,
  })
  .map(({ stream, event, text, ...rest }) => letterOf(stream, event, { ...rest, event: text }));

const status = fc.constantFrom('resolved', 'ignored', 'superseded');
const mark = fc.oneof(
  fc.record({ status, ids: fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 4 }) }),
  fc.record({ status, stream, place, event_ids: fc.array(event, { maxLength: 3 }) }),
) as fc.Arbitrary<DeadLetterMark>;

const write: fc.Arbitrary<StateWrite> = fc
  .record({
    position: fc.option(fc.record({ stream, n: fc.nat(1000) })),
    deadLetters: fc.array(letter, { maxLength: 6 }),
    marks: fc.array(mark, { maxLength: 3 }),
  })
  .map(({ position, ...rest }) => ({
    ...rest,
    ...(position === null ? {} : { checkpoint: checkpointOf(position.stream, position.n) }),
  }));

class Model {
  readonly letters: ModelLetter[] = [];
  readonly checkpoints = new Map<string, number[]>();

  apply({ checkpoint, deadLetters, marks }: StateWrite): void {
    for (const l of deadLetters ?? []) {
      const at = this.letters.findIndex(
        (m) =>
          m.stream === l.stream &&
          m.event_id === l.event_id &&
          m.place.kind === l.place.kind &&
          m.place.id === l.place.id,
      );
      const old = this.letters[at];
      const next: ModelLetter = {
        id: old?.id ?? this.letters.length + 1,
        stream: l.stream,
        event_id: l.event_id,
        place: l.place,
        first_failed_at: old?.first_failed_at ?? l.failed_at,
        event: l.event,
        attempts: (old?.attempts ?? 0) + l.attempts,
        status: 'pending',
        bytes: letterBytes(l.event, l.input, l.keys && JSON.stringify(l.keys), JSON.stringify(l.error), l.columns),
      };
      if (at < 0) this.letters.push(next);
      else this.letters[at] = next;
    }
    for (const m of marks ?? []) {
      for (const l of this.letters) {
        const named =
          m.ids !== undefined
            ? m.ids.includes(l.id)
            : m.stream === l.stream &&
              m.place.kind === l.place.kind &&
              m.place.id === l.place.id &&
              m.event_ids.includes(l.event_id);
        const changes = l.status === 'pending' || (l.status === 'superseded' && m.status === 'resolved');
        if (named && changes) l.status = m.status;
      }
    }
    if (checkpoint !== undefined) {
      const { n } = checkpoint.position as { n: number };
      this.checkpoints.set(checkpoint.stream, [n, ...(this.checkpoints.get(checkpoint.stream) ?? [])]);
    }
  }

  async check(store: StateStore): Promise<void> {
    const pending = this.letters.filter((l) => l.status === 'pending');
    expect(
      (await store.listDeadLetters({})).map(
        ({ id, stream, event_id, place, first_failed_at, event, attempts, status }) => ({
          id,
          stream,
          event_id,
          place,
          first_failed_at,
          event,
          attempts,
          status,
        }),
      ),
    ).toEqual(this.letters.map(({ bytes: _, ...l }) => l));
    for (const stream of streams) {
      const own = pending.filter((l) => l.stream === stream);
      expect((await store.pendingLetters(stream)).map((l) => [l.event_id, l.place])).toEqual(
        own.map((l) => [l.event_id, l.place]),
      );
      expect(await store.deadLetterBytes(stream)).toBe(own.reduce((sum, l) => sum + l.bytes, 0));
      for (const place of places) {
        const here = own.filter((l) => l.place.kind === place.kind && l.place.id === place.id);
        expect(await store.deadLetterBytes(stream, place)).toBe(here.reduce((sum, l) => sum + l.bytes, 0));
      }
      const [current, ...older] = this.checkpoints.get(stream) ?? [];
      expect(await store.loadCheckpoint(stream)).toEqual(current === undefined ? null : checkpointOf(stream, current));
      expect(await store.history(stream, 100)).toEqual(older.map((n) => checkpointOf(stream, n)));
    }
  }
}

test.each([
  ['sqlite', scaled(200)], // each of them opens files and a worker
  ['memory', 200],
] as const)('any sequence of writes leaves the %s store as the model says', async (kind, numRuns) => {
  using folder = tempFolder();
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(write, { maxLength: 12 }), fc.boolean(), async (writes, reopen) => {
      const config =
        kind === 'memory'
          ? ({ type: 'memory' } as const)
          : ({ type: 'sqlite', path: folder.file(`${++run}.db`) } as const);
      const model = new Model();
      let store = await openStateStore(config);
      try {
        for (const change of writes) {
          await store.write(change);
          model.apply(change);
        }
        if (reopen && kind === 'sqlite') {
          await store[Symbol.asyncDispose]();
          store = await openStateStore(config);
        }
        await model.check(store);
      } finally {
        await store[Symbol.asyncDispose]();
      }
    }),
    { numRuns },
  );
});
