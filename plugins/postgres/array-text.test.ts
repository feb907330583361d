// Arrays: any nested array of any texts comes back from PostgreSQL's text of it.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { arrayJson } from './array-text.ts';

type Nested = string | null | readonly Nested[];

// As array_out writes it: quoted where the text would be taken for something else.
function written(value: Nested): string {
  if (value === null) return 'NULL';
  if (typeof value !== 'string') return `{${value.map(written).join(',')}}`;
  if (value !== '' && value.toUpperCase() !== 'NULL' && !/[\s{},"\\]/.test(value)) return value;
  return `"${value.replace(/["\\]/g, '\\$&')}"`;
}

const element = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 10 }).map((text) => text.toWellFormed()),
  fc.constantFrom('NULL', 'null', '', '{', '"', '\\', 'a,b', '{}', ' '),
  fc.constant(null),
);
const flat = fc.array(element, { maxLength: 6 });
const nested: fc.Arbitrary<Nested> = fc.oneof(
  flat,
  fc.array(fc.array(element, { minLength: 2, maxLength: 2 }), { minLength: 1, maxLength: 4 }),
  fc.array(fc.array(fc.array(element, { minLength: 1, maxLength: 1 }), { minLength: 2, maxLength: 2 }), {
    minLength: 1,
    maxLength: 3,
  }),
);

test('an array is the same nested JSON', () => {
  fc.assert(
    fc.property(nested, (value) => {
      expect(JSON.parse(arrayJson(written(value), ',', JSON.stringify))).toEqual(value);
    }),
    { numRuns: 1000 },
  );
});

test('numbers stay numbers, boxes are divided by semicolons, and bounds of their own leave the text as it is', () => {
  expect(arrayJson('{1,NULL,-3}', ',', (text) => text)).toBe('[1,null,-3]');
  expect(arrayJson('{(1,1),(0,0);(2,2),(1,1)}', ';', JSON.stringify)).toBe('["(1,1),(0,0)","(2,2),(1,1)"]');
  expect(arrayJson('[0:1]={7,8}', ',', (text) => text)).toBe('"[0:1]={7,8}"');
  expect(arrayJson('{}', ',', (text) => text)).toBe('[]');
});
