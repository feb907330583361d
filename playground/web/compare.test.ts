// "Same result?": what counts as the same, and which versions there are to compare with.

import { expect, test } from 'vitest';
import type { RunResult } from '../server/api.ts';
import { compared } from './compare.ts';
import { type Step, versionsOf } from './steps.ts';

const result = (fate: RunResult['fate'], ...outputs: string[]): RunResult => ({
  id: '1',
  fate,
  inputs: [],
  outputs,
  logs: [],
});
const isSame = (one: RunResult, other: RunResult): boolean => compared('other', ['a'], [one], [other]).same === 1;

test('members may stand in any order, elements may not', () => {
  expect(isSame(result('ok', '{"a":1,"b":{"c":1,"d":2}}'), result('ok', '{"b":{"d":2,"c":1},"a":1}'))).toBe(true);
  expect(isSame(result('ok', '{"a":[1,2]}'), result('ok', '{"a":[2,1]}'))).toBe(false);
  expect(isSame(result('fan_out', '{"a":1}', '{"a":2}'), result('fan_out', '{"a":2}', '{"a":1}'))).toBe(false);
});

test('numbers are the same by value, and beyond a double by their digits', () => {
  expect(isSame(result('ok', '{"a":1.10}'), result('ok', '{"a":1.1}'))).toBe(true);
  expect(isSame(result('ok', '{"a":9007199254740993}'), result('ok', '{"a":9007199254740992}'))).toBe(false);
  expect(isSame(result('ok', '{"a":"1"}'), result('ok', '{"a":1}'))).toBe(false);
});

test('two failures are the same, and what was not run is the same as nothing', () => {
  expect(isSame(result('failed'), result('failed'))).toBe(true);
  expect(isSame(result('failed'), result('filtered'))).toBe(false);
  expect(isSame(result('not_run'), result('not_run'))).toBe(false);
});

test('the events that differ are named', () => {
  const ours = [result('ok', '{}'), result('ok', '{"x":1}')];
  const theirs = [result('ok', '{}'), result('ok', '{"x":2}')];
  expect(compared('the file', ['a', 'b'], ours, theirs)).toEqual({ name: 'the file', same: 1, differing: ['b'] });
});

test('a step is compared with its file where it differs from it, and with drafts in other languages', () => {
  const disk = { type: 'kazaam', scope: 'row', source: '[]', hash: 'h', file: null, inline: true } as const;
  const step: Step = {
    id: 'one',
    type: 'kazaam',
    scope: 'row',
    drafts: { kazaam: '[]' },
    editable: true,
    disk,
    conflict: null,
  };
  expect(versionsOf(step)).toEqual([]);
  const rewritten = { ...step, type: 'javascript', drafts: { kazaam: '[]', javascript: 'js', jsonata: '$' } };
  expect(versionsOf(rewritten)).toEqual([
    { name: 'the file', step: { id: 'one' } },
    { name: 'jsonata', step: { id: 'one', type: 'jsonata', source: '$', scope: 'row' } },
  ]);
});
