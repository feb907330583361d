// A list of a manifest as JSON text in the same places.

import { expect, it } from 'vitest';
import { laidOut } from './laid-out.ts';

it('puts every part at its line and column, and means the same', () => {
  const places: Record<string, [number, number]> = {
    '': [5, 7],
    '/0': [5, 9],
    '/0/a': [5, 12],
    '/0/b': [7, 14],
    '/1': [9, 9],
    '/1/c~1d': [3, 1], // an alias stands where it was first written
  };
  const value = [{ a: 'x', b: [1] }, { 'c/d': null }];
  const text = laidOut(value, '', (pointer) => {
    const [line, column] = places[pointer.replace(/^\/0\/b\/0$/, '/0/b')]!;
    return { line, column };
  });
  expect(JSON.parse(text)).toEqual(value);
  expect(text.split('\n')).toEqual(['[ {"a":"x","b":', '', '       [1]},', '', '  {"c/d":null}]']);
});
