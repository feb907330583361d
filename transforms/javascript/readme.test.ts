// The ten examples of the README.

import { expect, test } from 'vitest';
import { examplesOf, given } from '../readme-examples.ts';
import { bench } from '../test-rule.ts';

const examples = examplesOf(new URL('README.md', import.meta.url), 'js|ts');
const here = bench();

test('there are ten examples', () => {
  expect(examples).toHaveLength(10);
});

test.each(examples.map((example, i) => ({ n: i + 1, ...example })))('example $n', async (example) => {
  const type = example.language === 'ts' ? 'typescript' : 'javascript';
  expect(await given(example, here, { type, file: `transform.${example.language}` })).toEqual(example.expected);
});
