// Corners of the operations that the vectors leave out.

import { describe, expect, test } from 'vitest';
import { Kazaam, type KazaamOptions, type Step } from '../src/index.ts';
import { errorOf, shift, transform } from './single-cases.ts';

describe('reading', () => {
  test.each([
    ['a name with an escape in the document', '{"\\u0061\\/b":1}', 'a/b', '1'],
    ['a lone surrogate in another name does not hide what follows', '{"\\ud800":1,"a":2}', 'a', '2'],
    ['a pair of surrogates in a name', '{"\\ud83d\\ude00":1}', '😀', '1'],
    ['a second object of the same name, if the first one lacks the rest', '{"a":{"x":1},"a":{"b":2}}', 'a.b', '2'],
    ['no sibling of an array', '{"a":[{"b":1}],"c":{"b":2}}', 'a.b', 'null'],
    [
      'digits of any length',
      '{"a":123456789012345678901234567890.10e-400}',
      'a',
      '123456789012345678901234567890.10e-400',
    ],
    ['nested arrays', '{"a":[[1,[2,3]]]}', 'a[0].[1].[0]', '2'],
    ['a wildcard in a wildcard', '{"a":[{"b":[1,2]},{"b":[3]},{}]}', 'a[*].b[*]', '[[1,2],[3],[]]'],
    ['a string that looks like everything', '{"x":"\\"a\\":[{","a":3}', 'a', '3'],
  ])('finds %s', (_what, document, path, value) => {
    for (const lanes of [true, false]) {
      expect(transform([shift({ o: path })], document, { lanes })).toBe(`{"o":${value}}`);
    }
  });

  test('depth costs no stack', () => {
    const depth = 200_000;
    const deep = `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
    expect(transform([shift({ o: 'b' })], deep)).toBe('{"o":null}');
    expect(transform([{ operation: 'default', spec: { b: 1 } }], deep)).toBe(`${deep.slice(0, -1)},"b":1}`);
    expect(transform([{ operation: 'delete', spec: { paths: ['a'] } }], deep)).toBe('{}');
    const path = new Array(2_000).fill('a').join('.');
    expect(transform([shift({ o: path })], deep).length).toBeGreaterThan(depth);
  });

  test('a long document takes time in proportion to its length', () => {
    const member = (i: number): string => `"k${i}":{"v":"\\\\","l":[1,2,{"x":"${'y'.repeat(20)}"}]}`;
    const document = `{${Array.from({ length: 20_000 }, (_, i) => member(i))},"a":[${Array.from({ length: 20_000 }, () => '{}')}]}`;
    const steps = [shift({ o: 'k19999.v', l: 'a' }), { operation: 'default', spec: { 'l[*].n': 1 } }];
    const out = JSON.parse(transform(steps, document)) as { o: string; l: { n: number }[] };
    expect(out.o).toBe('\\');
    expect(out.l).toHaveLength(20_000);
    expect(out.l.every(({ n }) => n === 1)).toBe(true);
  });
});

describe('writing', () => {
  test.each([
    ['escapes names', 'a"b\\c', '{}', '{"a\\"b\\\\c":1}'],
    ['replaces what an escaped name names', 'a', '{"\\u0061":0}', '{"\\u0061":1}'],
    [
      'keeps the spaces of what it does not touch',
      'c.d',
      '{ "a" : [ 1 ] ,"c":{ "x":1 } }\n',
      '{ "a" : [ 1 ] ,"c":{ "x":1 ,"d":1} }\n',
    ],
    ['pads with nulls', 'a[3]', '{"a":["x"]}', '{"a":["x",null,null,1]}'],
    ['prepends and appends', 'a[-].b[+]', '{"a":[0]}', '{"a":[{"b":[1]},0]}'],
    ['overwrites a scalar on the way', 'a.b.c', '{"a":5}', '{"a":{"b":{"c":1}}}'],
  ])('%s', (_what, path, document, expected) => {
    expect(transform([{ operation: 'default', spec: { [path]: 1 } }], document)).toBe(expected);
  });

  test('padding has a limit', () => {
    const error = errorOf(() => transform([{ operation: 'default', spec: { 'a[999999999]': 1 } }], '{}'));
    expect(error).toMatchObject({ type: 'SpecError', code: 2, step: 0 });
  });

  test.each(['{"a":1', '{"a":"x}', '{', '{"a":[1}', '{"a":1}}', '{"a":1}{"b":2}', '  '])(
    'adds nothing to %s',
    (text) => {
      for (const operation of [
        { operation: 'default', spec: { z: 1 } },
        { operation: 'concat', spec: { sources: [{ value: 'x' }], targetPath: 'z' } },
      ]) {
        expect(errorOf(() => transform([operation], text)).type).toBe('ParseError');
      }
    },
  );

  test('several defaults at once, there and not there, in one walk', () => {
    const steps = [{ operation: 'default', spec: { z: 0, b: [], a: 1, y: '<' } }];
    for (const lanes of [true, false]) {
      expect(transform(steps, '{"a": 2, "b":{"a":3} }\n', { lanes })).toBe('{"a": 1, "b":[] ,"z":0,"y":"\\u003c"}\n');
      expect(transform(steps, '{ }', { lanes })).toBe('{ "z":0,"b":[],"a":1,"y":"\\u003c"}');
    }
  });

  test('targets are written in the order of the spec, also if their names are numbers', () => {
    const spec = '[{"operation":"shift","spec":{"10":"a","9":"a","x":"a","1":"a"}}]';
    expect(new Kazaam(spec).transform('{"a":0}')).toBe('{"10":0,"9":0,"x":0,"1":0}');
  });
});

describe('deleting', () => {
  test.each([
    ['the last member of a pretty document', '{\n  "a": 1,\n  "b": 2\n}\n', 'b', '{\n  "a": 1\n}\n'],
    ['in a document with spaces before it', '  {"a":1 , "b":2}', 'a', '  { "b":2}'],
    ['the only element', '{"a":[ 1 ]}', 'a[0]', '{"a":[  ]}'],
    ['a member named like an index', '{"[0]":1,"a":2}', '[0]', '{"a":2}'],
    ['a member with an escape in its name', '{"\\u0062":1,"a":2}', 'b', '{"a":2}'],
  ])('%s', (_what, document, path, expected) => {
    expect(transform([{ operation: 'delete', spec: { paths: [path] } }], document)).toBe(expected);
  });
});

describe('require', () => {
  test.each<[string, Step['spec'], string]>([
    ['shift', { o: 'm' }, '{"a":1}'],
    ['concat', { sources: [{ path: 'm' }], targetPath: 'o' }, '{"a":1}'],
    ['extract', { path: 'm' }, '{"a":1}'],
    ['delete', { paths: ['m'] }, '{"a":1}'],
    ['timestamp', { m: { inputFormat: '2006', outputFormat: '06' } }, '{"a":1}'],
  ])('%s asks for what it reads', (operation, spec, document) => {
    const step = { operation, ...(spec === undefined ? {} : { spec }) };
    expect(errorOf(() => transform([{ ...step, require: true }], document)).type).toBe('RequireError');
    expect(() => transform([step], document)).not.toThrow();
  });

  test('a null that is there is there', () => {
    expect(transform([shift({ o: 'a' }, { require: true })], '{"a":null}')).toBe('{"o":null}');
  });

  test('an error names its step, and the same Kazaam goes on with the next document', () => {
    const kazaam = new Kazaam([shift({ o: 'a' }), shift({ p: 'o.x' }, { require: true })]);
    expect(errorOf(() => kazaam.transform('{"a":1}')).step).toBe(1);
    expect(kazaam.transform('{"a":{"x":2}}')).toBe('{"p":2}');
  });
});

describe('timestamps', () => {
  const stamp = (inputFormat: string, outputFormat: string, value: string, options: KazaamOptions = {}): string =>
    transform([{ operation: 'timestamp', spec: { t: { inputFormat, outputFormat } } }], `{"t":${value}}`, options);

  test.each<[() => string | number | Date]>([
    [() => '2024-02-29T12:00:00.5Z'],
    [() => 1709208000500],
    [() => new Date(1709208000500)],
  ])('the clock may be given as text, milliseconds or a Date', (now) => {
    expect(stamp('$now', '2006-01-02 002 15:04:05.000', '0', { now })).toBe(
      '{"t":"2024-02-29 060 12:00:05.500"}'.replace(':05.', ':00.'),
    );
  });

  test('without a clock it is the system’s', () => {
    const before = Date.now();
    const { t } = JSON.parse(stamp('$now', '$unix', '0')) as { t: string };
    expect(Number(t) * 1000).toBeGreaterThanOrEqual(before - 1000);
    expect(Number(t) * 1000).toBeLessThanOrEqual(Date.now());
  });

  test('the clock is in the zone, as Go’s is', () => {
    const options = { timeZone: 'Asia/Kolkata', now: () => 0 };
    expect(stamp('$now', '15:04 MST', '0', options)).toBe('{"t":"05:30 IST"}');
  });

  test('a zone that changes its clock', () => {
    const berlin = { timeZone: 'Europe/Berlin' };
    expect(stamp('$unix', '15:04 -0700', '"1711846799"', berlin)).toBe('{"t":"01:59 +0100"}');
    expect(stamp('$unix', '15:04 -0700', '"1711846800"', berlin)).toBe('{"t":"03:00 +0200"}');
  });

  test('an unknown zone is refused', () => {
    expect(() => new Kazaam([], { timeZone: 'Nowhere/Never' })).toThrow(RangeError);
  });

  test.each(['"9223372036854775807"', '"-9223372036854775808"'])('seconds keep all digits: %s', (value) => {
    expect(stamp('$unix', '$unix', value)).toBe(`{"t":${value}}`);
  });
});

describe('uuid', () => {
  test('the dice may be given', () => {
    const steps = [{ operation: 'uuid', spec: { id: { version: 4 } } }];
    expect(transform(steps, '{}', { random: () => 0 })).toBe('{"id":"00000000-0000-4000-8000-000000000000"}');
    expect(transform(steps, '{}', { random: () => 0.999 })).toBe('{"id":"ffffffff-ffff-4fff-bfff-ffffffffffff"}');
    expect(transform(steps, '{}')).not.toBe(transform(steps, '{}'));
  });

  test.each([0, 1, 55, 56, 63, 64, 119, 120, 1000])('names of %i characters hash as in Node', async (length) => {
    const { createHash } = await import('node:crypto');
    const namespace = Buffer.from('6ba7b8109dad11d180b400c04fd430c8', 'hex');
    for (const [version, algorithm] of [[3, 'md5'] as const, [5, 'sha1'] as const]) {
      const name = 'é'.repeat(length);
      const bytes = createHash(algorithm).update(namespace).update(name).digest().subarray(0, 16);
      bytes[6] = (bytes[6]! & 15) | (version << 4);
      bytes[8] = (bytes[8]! & 63) | 128;
      const names = [{ path: 'm', default: name }];
      const out = transform([{ operation: 'uuid', spec: { id: { version, namespace: 'DNS', names } } }], '{}');
      expect(out.replaceAll('-', '')).toBe(`{"id":"${bytes.toString('hex')}"}`);
    }
  });
});
