// What this package adds to the original: operations of one's own, extensions, values, errors of a specification with their places, and
// the promise to run in a browser.

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import {
  type Extension,
  findSpecErrors,
  isJson,
  isJsonFast,
  Kazaam,
  type KazaamOptions,
  type Step,
} from '../src/index.ts';
import { errorOf, shift, transform } from './single-cases.ts';

const having = (...extensions: readonly Extension[]): KazaamOptions => ({ extensions });

describe('custom operations', () => {
  const transforms = { upper: (_config: unknown, text: string) => text.toUpperCase() };

  test('get the document, or the elements with over', () => {
    expect(transform([{ operation: 'upper' }], '{"a":"b"}', { transforms })).toBe('{"A":"B"}');
    expect(transform([{ operation: 'upper', over: 'l', require: true }], '{"l":["a",{"b":1}]}', { transforms })).toBe(
      '{"l":["A",{"B":1}]}',
    );
  });

  test('get their configuration', () => {
    const seen: unknown[] = [];
    const look = (config: unknown, text: string): string => {
      seen.push(config);
      return text;
    };
    new Kazaam('[{"operation":"look","spec":{"2":[1],"1":null},"inplace":true}]', { transforms: { look } }).transform(
      '{}',
    );
    const spec = new Map<string, unknown>([
      ['2', [1]],
      ['1', null],
    ]);
    expect(seen).toEqual([{ spec, require: false, inplace: true, keySeparator: '.' }]);
  });

  test('replace no built-in one', () => {
    expect(() => new Kazaam([], { transforms: { shift: transforms.upper } })).toThrow('already registered');
  });
});

describe('extensions', () => {
  test.each<[Extension, Step, string, string]>([
    ['negative-index', shift({ o: 'a[-1].b' }), '{"a":[{"b":1},{"b":2}]}', '{"o":2}'],
    ['root-wildcard', shift({ o: '[*].b' }), '[{"b":1},{}]', '{"o":[1,null]}'],
    ['wildcard-pairs', shift({ 'o[*].n': 'l[*].a' }), '{"l":[{"a":1},{"a":2}]}', '{"o":[{"n":1},{"n":2}]}'],
    [
      'delete-wildcard',
      { operation: 'delete', spec: { paths: ['a[*].b', 'c[*]'] } },
      '{"a":[{"b":1},{"c":2}],"c":[1]}',
      '{"a":[{},{"c":2}],"c":[]}',
    ],
    ['over-path', shift({ i: 'id' }, { over: 'l[*].m' }), '{"l":[{"m":[{"id":1}]}]}', '{"l":[{"m":[{"i":1}]}]}'],
    [
      'compare-values',
      { operation: 'coalesce', spec: { o: ['a', 'b'], ignore: [{ x: 1, y: 2 }] } },
      '{"a":{"y":2,"x":1.0},"b":1}',
      '{"a":{"y":2,"x":1.0},"b":1,"o":1}',
    ],
    [
      'unescape-times',
      { operation: 'timestamp', spec: { t: { inputFormat: '2006/01', outputFormat: '06' } } },
      '{"t":"2017\\/05"}',
      '{"t":"17"}',
    ],
    [
      'conditional-paths',
      shift({ o: 'a ? b == 2 && !c : "no" | upper', p: 'l[*] | add .5' }),
      '{"a":"yes","b":2,"c":false,"l":[1,2.5]}',
      '{"o":"YES","p":[1.5,3]}',
    ],
    ['steps', { operation: 'steps', spec: { steps: [{ a: 'x' }, { b: 'a' }] } }, '{"x":1}', '{"a":1,"b":1}'],
    [
      'merge',
      {
        operation: 'merge',
        spec: {
          m: [
            { name: 'p', array: 'a' },
            { name: 'q', array: 'b' },
          ],
        },
      },
      '{"a":[1,2],"b":["x",null]}',
      '{"m":[{"p":1,"q":"x"},{"p":2,"q":null}]}',
    ],
  ])('%s is there if it is named, and not otherwise', (extension, step, document, expected) => {
    expect(transform([step], document, having(extension))).toBe(expected);
    const without = ((): unknown => {
      try {
        return transform([step], document);
      } catch (error) {
        return error;
      }
    })();
    expect(without).not.toBe(expected);
  });

  test('unknown ones are refused', () => {
    expect(() => new Kazaam([], { extensions: ['nothing' as Extension] })).toThrow('there is no extension "nothing"');
  });

  test.each([
    ['s | add 1', 'ParseError'],
    ['n | add', 'SpecError'],
    ['n | div 0', 'SpecError'],
    ['n | nothing', 'SpecError'],
    ['s | split', 'SpecError'],
    ['n | regex nothing', 'SpecError'],
    ['s | substr 0 9', 'ParseError'],
    ['s | ston', 'ParseError'],
    ['n | float x', 'SpecError'],
    ['n ? n : 1', 'SpecError'],
    ['n ? true < false : 1', 'SpecError'],
    [' | upper', 'SpecError'],
  ])('the error of %s is thrown', (source, type) => {
    const run = () => transform([shift({ o: source })], '{"n":1,"s":"x"}', having('conditional-paths'));
    expect(errorOf(run).type).toBe(type);
  });

  test('patterns that need an engine that goes back are refused', () => {
    const converters = { regex: { r: { match: '(a+)\\1', replace: '' } } };
    const step = { ...shift({ o: 's | regex r' }), converters };
    expect(errorOf(() => transform([step], '{"s":"aa"}', having('conditional-paths'))).type).toBe('SpecError');
  });
});

describe('values instead of text', () => {
  test('go in and come out', () => {
    expect(new Kazaam([shift({ b: 'a' })]).transformValue({ a: [1] })).toEqual({ b: [1] });
  });

  test('names like __proto__ are names', () => {
    const out = transform([{ operation: 'default', spec: JSON.parse('{"__proto__.x":1}') }], '{}');
    expect(out).toBe('{"__proto__":{"x":1}}');
    expect(({} as { x?: number }).x).toBeUndefined();
  });
});

describe('isJson and isJsonFast', () => {
  test.each([
    ['{"a":1}', true, true],
    ['null', true, false],
    ['[1]', false, true],
    ['', false, false],
    ['{"a":1,}', false, true],
    ['{"a":01}', false, true],
    ['{"a":1} x', false, true],
    ['{"a":tru}', false, false],
    ['{"a" 1}', false, false],
    ['[1 2]', false, false],
    ['[[[', false, false],
  ])('%s', (text, whole, fast) => {
    expect([isJson(text), isJsonFast(text)]).toEqual([whole, fast]);
  });
});

test('nothing but the command line needs Node', () => {
  const folder = fileURLToPath(new URL('../src/', import.meta.url));
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  expect(files.length).toBeGreaterThan(30);
  const wrong = files.filter((file) => {
    const code = readFileSync(`${folder}${file}`, 'utf8');
    return file !== 'cli.ts' && /from '(?!\.)|\b(process|Buffer|require)\b\s*[.(]|import\(/.test(code);
  });
  expect(wrong).toEqual([]);
});

describe('the text of a spec', () => {
  test.each([
    ['', undefined],
    ['  ', 'unexpected end of JSON input'],
    ['[{"operation":"pa', 'unexpected end of JSON input'],
    ['nul', "invalid character ' ' in literal null (expecting 'l')"],
    ['[1.', "invalid character ' ' after decimal point in numeric literal"],
    ['[{"operation":"pa\tss"}]', "invalid character '\\t' in string literal"],
    ["[{'a':1}]", "invalid character '\\'' looking for beginning of object key string"],
    [
      '[{"operation":"shift","spec":{"a":1e400}}]',
      'json: cannot unmarshal number 1e400 into Go struct field specInt.spec of type float64',
    ],
    ['[null]', 'SpecError - Spec must contain an "operation" field'],
    ['[1]', 'json: cannot unmarshal number into Go value of type kazaam.specInt'],
  ])('%j is told as Go tells it', (spec, message) => {
    if (message === undefined) expect(new Kazaam(spec).transform('x')).toBe('x');
    else expect(errorOf(() => new Kazaam(spec))).toMatchObject({ type: 'SpecError', message });
  });

  test('an error has its step and its place', () => {
    const spec = '[{"operation":"pass"},\n {"operation":"none"}]';
    const error = errorOf(() => new Kazaam(spec));
    expect(error.step).toBe(1);
    expect(spec.slice(error.offset)).toBe('{"operation":"none"}]');
  });

  test('what is sure to fail is found without a document', () => {
    const spec = '[{"operation":"default","spec":{"a":1}}, {"operation":"shift","spec":{"a":["b",5]}}]';
    const [error, ...more] = findSpecErrors(spec);
    expect(more).toEqual([]);
    expect(error).toMatchObject({ step: 1, offset: spec.indexOf('{"operation":"shift"') });
    expect(findSpecErrors([shift({ a: 'm' }, { require: true })])).toEqual([]);
  });
});
