// The ten examples of the README, in the fast and in the reference lane.

import { describe, expect, test } from 'vitest';
import { examplesOf, given } from '../readme-examples.ts';
import { bench } from '../test-rule.ts';

const examples = examplesOf(new URL('README.md', import.meta.url), 'jsonata');
const here = bench();

test('there are ten examples', () => {
  expect(examples).toHaveLength(10);
});

describe.each(['fast', 'reference'])('in the %s lane', (lane) => {
  test.each(examples.map((example, i) => ({ n: i + 1, ...example })))('example $n', async (example) => {
    expect(await given(example, here, { type: 'jsonata', config: { lane } })).toEqual(example.expected);
  });
});
