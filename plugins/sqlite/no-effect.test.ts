// Which settings are told to have no effect.

import { expect, test } from 'vitest';
import { sourceNoEffect } from './no-effect.ts';

const keys = (given: Readonly<Record<string, unknown>>): string[] => sourceNoEffect(given).map(({ key }) => key);

test('what only following needs has none without it', () => {
  expect(keys({ path: 'a', follow: false, poll: '1s', heartbeat: '1s' })).toEqual(['poll', 'heartbeat']);
  expect(keys({ path: 'a', poll: '1s', heartbeat: '1s' })).toEqual([]);
  expect(keys({ path: 'a', follow: false })).toEqual([]);
});

test.each([
  ['nope', undefined, false],
  ['.id', undefined, false],
  ['orders.', undefined, false],
  ['orders.id', undefined, true],
  ['Orders.id', ['orders'], true],
  ['my.table.id', ['my.table'], true],
  ['others.id', ['orders'], false],
])('the kind of column %s, where %j are read: %s', (name, tables, works) => {
  expect(keys({ path: 'a', columns: { [name]: 'int' }, tables })).toEqual(works ? [] : ['columns']);
});
