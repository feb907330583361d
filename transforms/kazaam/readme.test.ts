// The ten examples of the README, whose specifications are YAML, as in a manifest.

import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { examplesOf, given } from '../readme-examples.ts';
import { bench } from '../test-rule.ts';

const examples = examplesOf(new URL('README.md', import.meta.url), 'yaml');
const here = bench();

test('there are ten examples', () => {
  expect(examples).toHaveLength(10);
});

test.each(examples.map((example, i) => ({ n: i + 1, ...example })))('example $n', async (example) => {
  const code = JSON.stringify(parse(example.code));
  expect(await given({ ...example, code }, here, { type: 'kazaam' })).toEqual(example.expected);
});
