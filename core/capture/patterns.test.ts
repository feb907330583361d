// The named patterns: what they find, and that no text makes them look at it again and again.

import { expect, it } from 'vitest';
import { patternOf } from './patterns.ts';

function found(name: string, text: string): readonly string[] {
  const { regex, within } = patternOf(name);
  return [...text.matchAll(regex)].flatMap(([whole]) => within?.(whole) ?? [whole]);
}

it('finds addresses wherever they begin, and behind each other', () => {
  expect(found('email', 'to jane@shop.example, "Jörg.K+x@büro.example"')).toEqual([
    'jane@shop.example',
    'Jörg.K+x@büro.example',
  ]);
  expect(found('email', 'a@b.example+c@d.example')).toEqual(['a@b.example', '+c@d.example']);
  const long = `${'x'.repeat(500)}@shop.example`;
  expect(found('email', long)).toEqual([long]);
  expect(found('email', `a@b.example+${long}`)).toEqual(['a@b.example', `+${long}`]);
});

it('finds a card among other groups of digits', () => {
  expect(found('card', '12 4111 1111 1111 1111 12/28')).toEqual(['4111 1111 1111 1111']);
});

// What tried each beginning with each end took minutes for them.
it.each([
  ['email', 'x'.repeat(200_000)],
  ['email', 'a1'.repeat(100_000)],
  ['email', `${'x@'.repeat(100_000)}x`],
  ['card', '1 '.repeat(20_000)],
])('looks for %s in a long text about once', (name, text) => {
  const began = performance.now();
  expect(found(name, text)).toEqual([]);
  expect(performance.now() - began).toBeLessThan(10_000);
});

it('costs a row of a megabyte that holds no address little more than one look at it', () => {
  const text = 'x'.repeat(1_000_000);
  const { regex } = patternOf('email');
  const took = (look: RegExp): number => {
    const began = performance.now();
    text.replace(look, '');
    return performance.now() - began;
  };
  const best = (look: RegExp): number => Math.min(...[1, 2, 3].map(() => took(look)));
  expect(best(regex)).toBeLessThan(25 * best(/(?<!\p{L})\p{L}+@/gu)); // 50 times, when each letter began one
});
