// Ranges of the plugin API, in the cases where readings of npm's rules differ.

import { expect, test } from 'vitest';
import { isRange, satisfies } from './compat.ts';

test.each([
  ['1.0.0', '^1.0', true],
  ['1.9.3', '^1.2.3', true],
  ['1.2.2', '^1.2.3', false],
  ['2.0.0', '^1.2.3', false],
  ['0.2.9', '^0.2.3', true],
  ['0.3.0', '^0.2.3', false],
  ['0.0.4', '^0.0.3', false],
  ['1.2.9', '~1.2.3', true],
  ['1.3.0', '~1.2.3', false],
  ['1.9.0', '~1', true],
  ['1.4.7', '1.x', true],
  ['1.4.7', '1.4.*', true],
  ['1.4.7', '1.5', false],
  ['1.4.7', '', true],
  ['1.4.7', '*', true],
  ['1.4.7', '>=1.2 <2', true],
  ['2.0.0', '>=1.2 <2', false],
  ['1.4.7', '>= 1.4.7', true],
  ['1.4.7', '>1.4', false],
  ['1.5.0', '>1.4', true],
  ['1.4.7', '<=1.4', true],
  ['1.4.7', '1.0.0 - 1.4.7', true],
  ['1.4.8', '1.0.0 - 1.4.7', false],
  ['3.0.0', '^1 || ^3', true],
  ['1.4.7', '=1.4.7', true],
  ['1.4.7', '1.4.8', false],
])('%s in %j is %s', (version, range, expected) => {
  expect(satisfies(version, range)).toBe(expected);
});

test('a pre-release comes before its release and is in the range of the versions before it', () => {
  expect(satisfies('1.3.0-rc.1', '^1.2.0')).toBe(true);
  expect(satisfies('1.3.0-rc.1', '^1.3.0')).toBe(false);
  expect(satisfies('1.3.0-rc.10', '>1.3.0-rc.9')).toBe(true);
  expect(satisfies('1.3.0-rc.1', '>1.3.0-beta')).toBe(true);
  expect(satisfies('2.0.0-rc.1', '^1.2.0')).toBe(false);
  expect(satisfies('1.0.0+build.7', '1.0.0')).toBe(true);
});

test('what is no range refuses every version', () => {
  for (const range of ['latest', '^', '1.2.3.4', '>=a', '^1.0 oder ^2', 'file:../x']) {
    expect(isRange(range), range).toBe(false);
    expect(satisfies('1.0.0', range), range).toBe(false);
  }
  expect(satisfies('1.0', '*')).toBe(false);
});
