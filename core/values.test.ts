// Values that a double cannot hold, and the one text that keys are compared by.

import { apiVersion } from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import { canonical, survivesDouble, unsafeNumber } from './values.ts';

describe('a number that does not survive a double', () => {
  test.each([
    ['{"a":9007199254740993}', '9007199254740993'],
    ['{"a":[1,{"b":-9223372036854775808}]}', '-9223372036854775808'],
    ['{"a":1e400}', '1e400'],
    ['{"a":1e-400}', '1e-400'],
    ['{"a":9007199254740993.0}', '9007199254740993.0'],
    ['{"a":90071992547409930e-1}', '90071992547409930e-1'],
    ['{"a":4503599627370497.5}', '4503599627370497.5'],
    ['{"a":0.12345678901234567890}', '0.12345678901234567890'],
  ])('is found in %s', (json, number) => {
    expect(unsafeNumber(json)).toBe(number);
  });

  test.each([
    '{"a":9007199254740991}',
    '{"a":"9007199254740993"}',
    '{"a":0.1,"b":1e10}',
    '{"a":"\\"9007199254740993"}',
    '{"a":-1.7976931348623157e+308}', // as JSON.stringify writes the largest doubles
    '{"a":1.7976931348623157E308,"b":1.9342813113834067e+25}',
  ])('is not seen in %s', (json) => {
    expect(unsafeNumber(json)).toBeNull();
  });

  test('is a matter of the digits, not of the length', () => {
    expect(survivesDouble('1.0000000000000000000')).toBe(true);
    expect(survivesDouble('100000000000000000000')).toBe(false);
    expect(survivesDouble('9007199254740992')).toBe(false);
  });
});

test('canonical text does not depend on the order of keys', () => {
  expect(canonical({ b: 1, a: [null, { d: 'x', c: 2 }] })).toBe(canonical({ a: [null, { c: 2, d: 'x' }], b: 1 }));
});

test('the door says its version', () => {
  expect(apiVersion).toMatch(/^\d+\.\d+\.\d+$/);
});
