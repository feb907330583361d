// A language that takes and gives texts, as somebody's package may: what it gives is not trusted to be JSON, nor one line.

import { batchOf, definePlugin } from 'sluice/sdk';
import { expect, test } from 'vitest';
import { bench, eventOf, failuresOf, rowsOf } from './test-rule.ts';

const { run } = bench();

const plugin = definePlugin({
  name: 'wild',
  language: {
    name: 'wild',
    config: { type: 'object', properties: {}, additionalProperties: false },
    compile: ({ source }) => ({
      guest: `(text) => ({ texts: () => (json) => {
        const { id } = JSON.parse(json);
        if (id === 1) return JSON.stringify({ id, note: 'on several lines' }, null, 1);
        if (id === 2) return '{oops';
        if (id === 3) return '[1]';
        return json;
      } })`,
      text: source,
      version: '1',
      code: [source],
    }),
  },
});

test('a text of several lines is put on one, one that is no row fails its event, and the neighbours pass', async () => {
  const events = batchOf([0, 1, 2, 3, 4].map((id) => eventOf(id, { after: { id } })));
  const result = await run('x', events, { type: 'wild', plugin });
  expect(rowsOf(result)).toEqual([{ id: 0 }, { id: 1, note: 'on several lines' }, { id: 4 }]);
  expect(failuresOf(result)).toEqual([
    [2, 'E_TRANSFORM_OUTPUT'],
    [3, 'E_TRANSFORM_OUTPUT'],
  ]);
});
