// Random histories of a stream, for histories.test.ts: what is generated, and a model of what must become of each event, which
// knows nothing of how the engine works.

import fc from 'fast-check';
import { sluiceError } from '../errors.ts';
import type { ChangeEvent, Unreadable } from '../event.ts';
import type { ErrorHandling } from '../manifest/model.ts';
import type { Place } from '../state/store.ts';
import { event, type MemoryLog } from './testing.ts';

/** move: the row's key changes to `key` from another. */
type Kind = 'row' | 'move' | 'truncate' | 'unreadable';
type StepAnswer = 'pass' | 'filter' | 'fan' | 'fail' | 'flaky';
type SinkAnswer = 'ok' | 'reject' | 'flaky' | 'retry';

const policy: fc.Arbitrary<ErrorHandling> = fc.record({
  on_error: fc.constantFrom('dead_letter', 'dead_letter', 'skip', 'retry'),
  max_retries: fc.integer({ min: 0, max: 2 }),
  retry_delay: fc.constant(0),
  then: fc.constantFrom('dead_letter', 'skip'),
});

export const history = fc.record({
  /** Per event: its key, and what it is. */
  events: fc.array(
    fc.record({
      key: fc.integer({ min: 1, max: 3 }),
      kind: fc.oneof(
        { weight: 10, arbitrary: fc.constant<Kind>('row') },
        { weight: 2, arbitrary: fc.constantFrom<Kind>('unreadable', 'truncate', 'move') },
      ),
      endsBatch: fc.boolean(),
      open: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    }),
    { minLength: 1, maxLength: 24 },
  ),
  steps: fc.array(
    fc.record({
      policy,
      answers: fc.array(
        fc.oneof(
          { weight: 8, arbitrary: fc.constant<StepAnswer>('pass') },
          { weight: 3, arbitrary: fc.constantFrom<StepAnswer>('filter', 'fan', 'fail', 'flaky') },
        ),
        { minLength: 1, maxLength: 8 },
      ),
    }),
    { maxLength: 2 },
  ),
  sinks: fc.array(
    fc.record({
      keyed: fc.boolean(),
      stateful: fc.boolean(),
      required: fc.boolean(),
      policy,
      answers: fc.array(
        fc.oneof(
          { weight: 8, arbitrary: fc.constant<SinkAnswer>('ok') },
          { weight: 2, arbitrary: fc.constantFrom<SinkAnswer>('reject', 'flaky', 'retry') },
        ),
        { minLength: 1, maxLength: 8 },
      ),
      /** Numbers of the writes at which it is not there. */
      absent: fc.uniqueArray(fc.integer({ min: 0, max: 12 }), { maxLength: 3 }),
      /** Numbers of the flushes that fail. */
      unflushed: fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 2 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  home: fc.boolean(),
  commit: fc.constantFrom('all' as const, 'all' as const, 'required' as const, 'quorum' as const),
  quorum: fc.integer({ min: 1, max: 3 }),
  /** Room for dead letters, in bytes. */
  letterRoom: fc.oneof({ weight: 4, arbitrary: fc.constant(1 << 30) }, { weight: 1, arbitrary: fc.constant(1_500) }),
  sourcePolicy: fc.constantFrom('dead_letter' as const, 'skip' as const),
  /** Effect numbers at which the process ends: it dies before that effect or after it, or is asked to stop and drains. */
  ends: fc.array(
    fc.record({
      at: fc.integer({ min: 0, max: 40 }),
      how: fc.constantFrom('dies before' as const, 'dies after' as const, 'stops' as const),
    }),
    { maxLength: 3 },
  ),
  breaks: fc.uniqueArray(fc.integer({ min: 0, max: 10 }), { maxLength: 2 }),
});

export type History = typeof history extends fc.Arbitrary<infer H> ? H : never;

export const quorumOf = (h: History): number => Math.min(h.quorum, h.sinks.length);

/** What may become of event n, by the model: null where no sink ever sees it. */
export function possible(h: History, n: number): { readonly atSinks: true | null; maySkip(k: number): boolean } {
  const e = h.events[n]!;
  const canSkip = (p: ErrorHandling): boolean => p.on_error === 'skip' || (p.on_error === 'retry' && p.then === 'skip');
  if (e.kind === 'unreadable') return { atSinks: null, maySkip: () => true };
  if (e.kind === 'truncate') return { atSinks: true, maySkip: (k) => canSkip(h.sinks[k]!.policy) };
  const answers = h.steps.map((step) => step.answers[n % step.answers.length]!);
  if (answers.includes('filter')) return { atSinks: null, maySkip: () => true };
  const stepSkips = h.steps.some(
    (step, k) => (answers[k] === 'fail' || answers[k] === 'flaky') && canSkip(step.policy),
  );
  return { atSinks: true, maySkip: (k) => stepSkips || canSkip(h.sinks[k]!.policy) };
}

export function stepAnswer(h: History, k: number, e: ChangeEvent): StepAnswer {
  if (e.op === 't') return 'pass';
  const { answers } = h.steps[k]!;
  return answers[numberOf(e.id) % answers.length]!;
}

export const rootOf = (id: string): string => id.split('/')[0]!;
export const numberOf = (id: string): number => Number(rootOf(id).slice(1));

export function batchesOf(h: History): { batches: MemoryLog['batches']; covers: Map<number, number> } {
  const batches: { events: (ChangeEvent | Unreadable)[]; open?: boolean }[] = [];
  const covers = new Map<number, number>([[0, 0]]);
  let current: (ChangeEvent | Unreadable)[] = [];
  let count = 0;
  h.events.forEach((e, n) => {
    current.push(eventOf(e.kind, e.key, n));
    const last = n === h.events.length - 1;
    if (!e.endsBatch && !last) return;
    count += current.length;
    const open = e.open && !last;
    batches.push(open ? { events: current, open: true } : { events: current });
    if (!open) covers.set(batches.length, count);
    current = [];
  });
  return { batches, covers };
}

function eventOf(kind: Kind, key: number, n: number): ChangeEvent | Unreadable {
  if (kind === 'unreadable')
    return { id: `e${n}`, raw: 'oops', error: sluiceError('E_EVENT_PARSE', { message: 'no JSON' }) };
  if (kind === 'truncate') return event(n, 0, { op: 't', key: null, after: null });
  return event(n, key, kind === 'move' ? { before: { id: otherKey(key) } } : {});
}

const otherKey = (key: number): number => (key % 3) + 1;

/** The keys that event n touches; null: all of its table. */
export function keysAt(h: History, n: number): readonly number[] | null {
  const { kind, key } = h.events[n]!;
  if (kind === 'truncate') return null;
  return kind === 'move' ? [key, otherKey(key)] : [key];
}

/** A sink that is not needed has no say in the fate of an event. */
export function countsForEvents(h: History, place: Place): boolean {
  return place.kind !== 'sink' || h.commit === 'quorum' || isNeededSink(h, Number(place.id.slice(1)));
}

export function isNeededSink(h: History, k: number): boolean {
  if (h.home && k === 0) return true;
  return h.commit === 'all' || (h.commit === 'required' && h.sinks[k]!.required);
}
