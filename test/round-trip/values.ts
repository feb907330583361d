// Values that are easily changed on the way: what each kind of column must bring through unharmed.

export const LONG = 1 << 20; // 1 MiB of text, and of bytes

export const TEXTS: readonly (string | null)[] = [
  null,
  '',
  ' ',
  'NaN',
  'Infinity',
  '-Infinity',
  '1e400',
  '-0',
  '007',
  '0x10',
  'null',
  'undefined',
  'true',
  '9223372036854775808',
  '1.10',
  '2024-02-30',
  'it\'s "quoted" \\ and / done',
  'line\nbreak\r\n\ttab',
  'a\u0000b',
  '\u2028\u2029\u007f\u0001',
  '日本語 Ελληνικά עברית',
  '𝒳👩‍👩‍👧🏝',
  'e\u0301 is not \u00e9',
  '\ufeffmark',
  '\uffff\ufffd',
  '__proto__',
  '[1,2]',
  '{"a":1}',
  'x'.repeat(LONG),
  '日𝒳'.repeat(LONG / 8),
];

export const BIGS: readonly (bigint | null)[] = [
  null,
  0n,
  -1n,
  2n ** 31n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];

export const INTS: readonly (bigint | null)[] = [null, 0n, -1n, 2n ** 31n, 2n ** 53n - 1n, -(2n ** 53n) + 1n];

export const DECIMALS: readonly (string | null)[] = [
  null,
  '0',
  '0.10',
  '-0.00',
  '1.10',
  '99999999999999999999999999.999999999',
  '-12345678901234567890.12345678901234567890',
  '1e3',
];

export const REALS: readonly (number | null)[] = [
  null,
  0.1,
  -0.5,
  1e308,
  Number.MAX_VALUE,
  5e-324,
  123456789.12345679,
  1e21,
  2,
];

export const BLOBS: readonly (Uint8Array | null)[] = [
  null,
  new Uint8Array(0),
  Uint8Array.of(0),
  Uint8Array.from({ length: 256 }, (_, i) => i),
  new TextEncoder().encode('{"a":1}'),
  Uint8Array.of(0xff, 0xfe, 0xed, 0xa0, 0x80),
  Uint8Array.from({ length: LONG }, (_, i) => (i * 31 + (i >> 8)) & 255),
];

export const TIMES: readonly (string | null)[] = [
  null,
  '2024-02-29T12:34:56.789012Z',
  '2024-02-29 12:34:56',
  '0001-01-01T00:00:00Z',
];
