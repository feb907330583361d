// What a batch of rows says of its table: the key columns, which is all that a file knows.

import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { newFolder, sourceOf } from './fixture.ts';

const never = new AbortController().signal;

test('a row tells the key columns of its table, also where it lacks one itself', async () => {
  await using folder = await newFolder();
  const path = folder.at('orders.ndjson');
  await writeFile(path, '{"id":null}\n');
  await using keyed = sourceOf({ path, key: ['shop', 'id'] });
  for await (const { batch } of keyed.read(null, never)) {
    expect(batch.key(0)).toBeNull();
    expect(batch.columns('orders')).toEqual([
      { name: 'shop', type: 'any', key: 1 },
      { name: 'id', type: 'any', key: 2 },
    ]);
    expect(batch.columns('others')).toEqual([]);
  }
  await using keyless = sourceOf({ path });
  for await (const { batch } of keyless.read(null, never)) expect(batch.columns('orders')).toEqual([]);
});
