// Which settings are told to have no effect.

import { expect, test } from 'vitest';
import { sourceNoEffect } from './no-effect.ts';

const keys = (given: Readonly<Record<string, unknown>>): string[] => sourceNoEffect(given).map(({ key }) => key);

test('what only following needs has none where the rows are all', () => {
  const following = { slot: 's', publication: 'p', create: true, messages: true, heartbeat: '1s' };
  expect(keys({ ...following, partition_changes: 'log', snapshot: 'only' })).toEqual([
    ...Object.keys(following),
    'partition_changes',
  ]);
  expect(keys({ ...following, snapshot: 'initial' })).toEqual([]);
});

test('to read a table again after its partitions changed has none where no rows are read', () => {
  expect(keys({ snapshot: 'never', partition_changes: 'snapshot' })).toEqual(['partition_changes']);
  expect(keys({ snapshot: 'never', partition_changes: 'log' })).toEqual([]);
  expect(keys({ partition_changes: 'snapshot' })).toEqual([]);
});
