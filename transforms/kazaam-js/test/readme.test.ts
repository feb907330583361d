// The examples of the README are true.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { EXTENSIONS, Kazaam } from '../src/index.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const EXAMPLE =
  /^### (\d+\. .*)\n+```json spec\n([\s\S]*?)```\n+```json in\n([\s\S]*?)\n```\n+```json out\n([\s\S]*?)\n```/gm;
const examples = [...readme.matchAll(EXAMPLE)].map(([, name, spec, input, output]) => ({ name, spec, input, output }));

describe('examples', () => {
  test('there are ten', () => {
    expect(examples).toHaveLength(10);
  });

  test.each(examples)('$name', ({ spec, input, output }) => {
    for (const lanes of [true, false]) expect(new Kazaam(spec!, { lanes }).transform(input!)).toBe(output);
  });

  test('the first one', () => {
    const [, code] = /new Kazaam\('(.*)'\)/.exec(readme)!;
    expect(new Kazaam(code!).transform('{"user":{"name":"Ada"}}')).toBe('{"who":"Ada"}');
  });
});

test('every extension is told of', () => {
  for (const name of EXTENSIONS) expect(readme).toContain(`\`${name}\``);
});
