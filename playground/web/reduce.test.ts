// The rules of the page's state: drafts, steps, selection, results, and what a change on disk does to them.

import { expect, test } from 'vitest';
import type { PlaygroundLetter, RunResult } from '../server/api.ts';
import { type Action, reduce } from './reduce.ts';
import {
  EDGES,
  eventlessLetters,
  type Item,
  initial,
  itemsOf,
  type Origin,
  type Session,
  type State,
  stepOf,
} from './state.ts';
import { draftSteps, isDirty, needsManifest, sourceOf } from './steps.ts';

const limits = { timeout: 50, memory: 1, output: 1, fan_out: 1, logs: 1, load: 1, input: 1, depth: 1, deaths: 1 };

function session(sources: Readonly<Record<string, string>>, stream = Object.keys(sources)): Session {
  return {
    version: '0.1.0',
    node: 'v26.0.0',
    sample: true,
    manifest: { file: '/shop/sluice.yaml', hash: 'm', findings: [] },
    languages: [],
    default_limits: limits,
    run_limits: { events: 500, bytes: 1, time: 1 },
    streams: [{ id: 'shop', source: 'sample', transformations: stream, sinks: [], captures: 2, dead_letters: 0 }],
    transformations: Object.entries(sources).map(([id, source]) => ({
      id,
      type: 'javascript',
      scope: 'row',
      images: 'key',
      state: 'reset',
      source,
      hash: `hash of ${source}`,
      inline: false,
      editable: true,
      file: `${id}.js`,
      limits,
      at: {},
    })),
  };
}

function item(ref: string): Item {
  return {
    ref,
    given: { ref },
    origin: 'capture',
    op: 'c',
    table: 'orders',
    key: '{"id":1}',
    text: '{}',
    pinned: false,
    letter: null,
  };
}

function result(fate: RunResult['fate'], more: Partial<RunResult> = {}): RunResult {
  return { id: '1', fate, inputs: [], outputs: [], logs: [], ...more };
}

function after(...actions: readonly Action[]): State {
  return actions.reduce(reduce, initial);
}

const opened: Action = { type: 'opened', session: session({ one: 'a', two: 'b' }), drafts: {} };
const listed: Action = { type: 'listed', items: [item('x'), item('y'), item('z')], total: 3 };

test('opening shows the first stream, its chain as on disk, and asks for a run', () => {
  const state = after(opened);
  expect(state.chain.map((step) => [step.id, sourceOf(step), isDirty(step)])).toEqual([
    ['one', 'a', false],
    ['two', 'b', false],
  ]);
  expect(state.version).toBeGreaterThan(initial.version);
});

test('an edit makes a draft of the step that is open, and only drafts are sent with their code', () => {
  const state = after(opened, { type: 'step', at: 1 }, { type: 'edit', source: 'new' });
  expect(draftSteps(state.chain)).toEqual([
    { id: 'one' },
    { id: 'two', type: 'javascript', source: 'new', scope: 'row' },
  ]);
  expect(isDirty(stepOf(state)!)).toBe(true);
});

test('typing the text of the file back makes the step clean again', () => {
  const state = after(opened, { type: 'edit', source: 'new' }, { type: 'edit', source: 'a' });
  expect(isDirty(stepOf(state)!)).toBe(false);
  expect(draftSteps(state.chain)[0]).toEqual({ id: 'one' });
});

test('each language keeps its own draft, and another language than on disk needs the manifest', () => {
  const state = after(
    opened,
    { type: 'edit', source: 'js' },
    { type: 'language', language: 'jsonata', start: '$' },
    { type: 'edit', source: '{ "id": id }' },
    { type: 'language', language: 'javascript', start: 'template' },
  );
  expect(sourceOf(stepOf(state)!)).toBe('js');
  const back = reduce(state, { type: 'language', language: 'jsonata', start: '$' });
  expect(sourceOf(stepOf(back)!)).toBe('{ "id": id }');
  expect(needsManifest(stepOf(back)!)).toBe(true);
  expect(needsManifest(stepOf(state)!)).toBe(false);
});

test('a kept draft is taken up, and is in conflict when the file went on meanwhile', () => {
  const kept = { language: 'javascript', source: 'mine', scope: 'row' } as const;
  const same = after({ ...opened, drafts: { one: { ...kept, base: 'hash of a' } } } as Action);
  expect([sourceOf(same.chain[0]!), same.chain[0]!.conflict]).toEqual(['mine', null]);
  const other = after({ ...opened, drafts: { one: { ...kept, base: 'hash of older' } } } as Action);
  expect(other.chain[0]!.conflict).toEqual({ source: 'a', hash: 'hash of a' });
});

test('a new step that was never written comes back from its draft', () => {
  const fresh = { language: 'jsonata', source: '$', scope: 'row', base: '' } as const;
  const state = after({ ...opened, drafts: { fresh } } as Action);
  expect(state.chain.map((step) => step.id)).toEqual(['one', 'two', 'fresh']);
  expect(draftSteps(state.chain)[2]).toEqual({ id: 'fresh', type: 'jsonata', source: '$', scope: 'row' });
});

test('a change on disk appears in an untouched step', () => {
  const state = after(opened, { type: 'session', session: session({ one: 'a2', two: 'b' }) });
  expect(sourceOf(state.chain[0]!)).toBe('a2');
  expect(state.version).toBe(after(opened).version + 1);
});

test('a change on disk never takes a draft away: it is a conflict until somebody decides', () => {
  const told = after(
    opened,
    { type: 'edit', source: 'mine' },
    { type: 'session', session: session({ one: 'a2', two: 'b' }) },
  );
  expect(sourceOf(told.chain[0]!)).toBe('mine');
  expect(told.chain[0]!.conflict).toEqual({ source: 'a2', hash: 'hash of a2' });
  const taken = reduce(told, { type: 'take-disk' });
  expect([sourceOf(taken.chain[0]!), isDirty(taken.chain[0]!), taken.chain[0]!.conflict]).toEqual(['a2', false, null]);
});

test('a file that became what the draft says is no conflict', () => {
  const state = after(
    opened,
    { type: 'edit', source: 'a2' },
    { type: 'session', session: session({ one: 'a2', two: 'b' }) },
  );
  expect([isDirty(state.chain[0]!), state.chain[0]!.conflict]).toEqual([false, null]);
});

test('the same session again runs nothing', () => {
  const before = after(opened);
  expect(reduce(before, { type: 'session', session: session({ one: 'a', two: 'b' }) }).version).toBe(before.version);
});

test('a step that left the manifest leaves the chain, and a new one stays where it was', () => {
  const state = after(
    opened,
    { type: 'add-step', id: 'fresh', language: 'javascript', source: 'x' },
    { type: 'session', session: session({ two: 'b' }) },
  );
  expect(state.chain.map((step) => step.id)).toEqual(['two', 'fresh']);
});

test('a saved step is clean, and its next edit starts from the new hash', () => {
  const state = after(opened, { type: 'edit', source: 'new' }, { type: 'saved', id: 'one', source: 'new', hash: 'h2' });
  expect([isDirty(state.chain[0]!), state.chain[0]!.disk?.hash]).toEqual([false, 'h2']);
});

test('the first event is chosen, moving stops at the ends, and a choice survives a new list', () => {
  const state = after(opened, listed, { type: 'move', by: 1 });
  expect(after(opened, listed).selected).toBe('x');
  expect(state.selected).toBe('y');
  expect(reduce(state, { type: 'move', by: 9 }).selected).toBe('z');
  expect(reduce(state, { type: 'move', by: -9 }).selected).toBe('x');
  expect(reduce(state, { type: 'listed', items: [item('y')], total: 1 }).selected).toBe('y');
  expect(reduce(state, { type: 'listed', items: [item('q')], total: 1 }).selected).toBe('q');
});

test('pasted events stand first and are chosen', () => {
  const state = after(opened, listed, { type: 'pasted', items: [item('mine')] });
  expect([itemsOf(state).map((one) => one.ref), state.selected]).toEqual([['mine', 'x', 'y', 'z'], 'mine']);
});

test('results go to the events that were run, whatever the list is meanwhile', () => {
  const state = after(opened, listed, {
    type: 'ran',
    refs: ['x', 'y'],
    answer: { results: [result('ok'), result('filtered')], ms: { compile: 1, run: 2 } },
  });
  expect([...state.run.results].map(([ref, one]) => [ref, one.fate])).toEqual([
    ['x', 'ok'],
    ['y', 'filtered'],
  ]);
});

test('code that does not load leaves the results of before, marked as old; the next good run takes the mark away', () => {
  const good: Action = { type: 'ran', refs: ['x'], answer: { results: [result('ok')], ms: { compile: 1, run: 2 } } };
  const broken: Action = {
    type: 'ran',
    refs: ['x'],
    answer: {
      results: [],
      problem: { code: 'E_TRANSFORM_LOAD', message: 'Unexpected token' },
      step: 'one',
      ms: { compile: 1, run: 0 },
    },
  };
  const state = after(opened, listed, good, broken);
  expect([state.run.stale, state.run.results.get('x')?.fate, state.run.problem?.step]).toEqual([true, 'ok', 'one']);
  const mended = reduce(state, good);
  expect([mended.run.stale, mended.run.problem]).toEqual([false, null]);
});

test('another step asks for a run of its own, and a step that is not there changes nothing', () => {
  const state = after(opened);
  expect(reduce(state, { type: 'step', at: 1 }).version).toBe(state.version + 1);
  expect(reduce(state, { type: 'step', at: 2 })).toBe(state);
  expect(reduce(state, { type: 'step', at: -1 })).toBe(state);
});

test('a replay that is shown goes with its letter, and with an edit', () => {
  const letter = { ...item('d'), letter: 4 };
  const replay = { id: 4, event_id: '1', outcome: 'would_pass', code_changed: true, after: [] } as const;
  const state = after(
    opened,
    { type: 'listed', items: [letter, item('x')], total: 2 },
    { type: 'replayed', letter: 4, dry: true, replay },
  );
  expect(reduce(state, { type: 'select', ref: 'd' }).replay?.letter).toBe(4);
  expect(reduce(state, { type: 'select', ref: 'x' }).replay).toBe(null);
  expect(reduce(state, { type: 'edit', source: 'z' }).replay).toBe(null);
});

test('an edge between panes stays within its bounds', () => {
  expect(after({ type: 'edge', edge: 'left', at: 99 }).edges.left).toBe(EDGES.left.most);
  expect(after({ type: 'edge', edge: 'top', at: -5 }).edges).toEqual({ left: EDGES.left.start, top: EDGES.top.least });
});

test('of the dead letters of a stream, those are counted that hold no event', () => {
  const letter = (id: number, stream: string, kind: 'source' | 'sink', event: string) =>
    ({ id, stream, status: 'pending', place: { kind, id: stream }, event }) as PlaygroundLetter;
  const letters = [
    letter(1, 'shop', 'source', 'no json'),
    letter(2, 'shop', 'source', '{"id":"1","op":"c","source":{}}'), // its number would be rounded
    letter(3, 'shop', 'sink', '{"id":"1","op":"c","source":{}}'),
    letter(4, 'other', 'source', 'no json'),
  ];
  const on = (origin: Origin) =>
    eventlessLetters({ ...initial, stream: 'shop', origin, letters: after({ type: 'letters', letters }).letters });
  expect([on('dead_letters'), on('captures')]).toEqual([1, 0]);
});
