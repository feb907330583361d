// The ten examples of the README, in the fast and in the reference lane.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { batchOf, type Row } from 'sluice/sdk';
import { expect, test } from 'vitest';
import { bench, eventOf, rowsOf } from '../test-rule.ts';

const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/```jsonata\n([\s\S]*?)```\s+```json\n([\s\S]*?)```\s+```json\n([\s\S]*?)```/g)];
const { run } = bench();

test('there are ten examples', () => {
  expect(blocks.length).toBe(10);
});

for (const [i, [, expression, row, expected]] of blocks.entries()) {
  test.each(['fast', 'reference'])(`example ${i + 1} in the %s lane`, async (lane) => {
    const batch = batchOf([eventOf(1, { after: JSON.parse(row!) as Row })]);
    const result = await run(expression!, batch, { type: 'jsonata', config: { lane } });
    const must = JSON.parse(expected!) as unknown;
    if (typeof must === 'string') expect(result.failed[0]!.error.message).toBe(must);
    else expect([result.failed.map(({ error }) => error.message), rowsOf(result)]).toEqual([[], must]);
  });
}
