import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { newFolder, readAll } from './fixture.ts';

test('reads lines', async () => {
  await using folder = await newFolder();
  const path = folder.at('orders.2024.ndjson');
  await writeFile(path, '\ufeff{"a":1}\r\n\n  {"b":"ü"} \nnope\n{"c":3}');
  const { events } = await readAll({ path });
  expect(events.length).toBe(4);
});
