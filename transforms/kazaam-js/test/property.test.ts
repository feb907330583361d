// Random specs on random documents: nothing but text or a KazaamError comes out, and in good time; a document that is JSON gives JSON;
// the result is the model's; and the fast lane and the general way agree to the byte, also on broken documents.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { long } from '../../../test/long.ts';
import { EXTENSIONS, Kazaam, KazaamError, type KazaamOptions, type Step } from '../src/index.ts';
import { type Json, ModelError, type ModelStep, run } from './model.ts';

const numRuns = long ? 10_000 : 1_000;
const options = { numRuns };
/** Milliseconds for one small document; a hang would take far longer. */
const LIMIT = 2_000;

const name = fc.constantFrom('a', 'b', 'c', 'd', 'é');
const scalar = fc.constantFrom<Json>(
  null,
  true,
  false,
  0,
  -1.5,
  1e21,
  '',
  'x',
  'null',
  'a"b',
  '\\',
  'é\n',
  '}',
  '[{',
  ',:',
);
const { value: json } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalar,
    fc.dictionary(name, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    fc.array(tie('value'), { maxLength: 3 }),
  ),
}));
const record = fc.dictionary(name, json, { maxKeys: 5, noNullPrototype: true });
const document = fc.oneof({ weight: 6, arbitrary: record as fc.Arbitrary<Json> }, json);

const index = fc.constantFrom('0', '1', '2', '+', '-', '*', '*', 'x');
const segment = fc.oneof(
  { weight: 3, arbitrary: name as fc.Arbitrary<string> },
  fc.tuple(name, index).map(([key, at]) => `${key}[${at}]`),
);
const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => segments.join('.'));
const target = path;

const flags = { require: fc.boolean(), inplace: fc.boolean() };
const stepOf = <T extends ModelStep['operation']>(operation: T, spec: fc.Arbitrary<Record<string, unknown>>) =>
  fc.record({ operation: fc.constant(operation), spec, ...flags }, { requiredKeys: ['operation', 'spec'] });
const targets = (value: fc.Arbitrary<unknown>) =>
  fc.dictionary(target, value, { minKeys: 1, maxKeys: 4, noNullPrototype: true });
const part = fc.oneof(fc.record({ value: fc.constantFrom('x', 'é', '"', '') }), fc.record({ path }));
const modelStep: fc.Arbitrary<ModelStep> = fc
  .oneof(
    stepOf('shift', targets(fc.oneof({ weight: 5, arbitrary: path }, fc.constant('$')))),
    stepOf('default', targets(json)),
    stepOf(
      'concat',
      fc.record(
        {
          sources: fc.array(part, { minLength: 1, maxLength: 3 }),
          targetPath: target,
          delim: fc.constantFrom('-', '"'),
        },
        { requiredKeys: ['sources', 'targetPath'] },
      ),
    ),
    stepOf('coalesce', targets(fc.array(path, { maxLength: 3 }))),
    stepOf('delete', fc.record({ paths: fc.array(path, { minLength: 1, maxLength: 2 }) })),
    stepOf('extract', fc.record({ path })),
  )
  .chain((step) =>
    fc.option(name, { freq: 5, nil: undefined }).map((over) => (over === undefined ? step : { ...step, over })),
  );
const pipeline = fc.array(modelStep, { minLength: 1, maxLength: 4 });

const layout = fc.constantFrom('2006-01-02', 'Jan _2 3:04PM', '$unix', '$now', '', '"2006"', '002.000Z07:00');
const otherStep: fc.Arbitrary<Step> = fc.oneof(
  modelStep as fc.Arbitrary<Step>,
  targets(fc.record({ inputFormat: layout, outputFormat: layout })).map((spec) => ({ operation: 'timestamp', spec })),
  targets(
    fc.record({
      version: fc.constantFrom(3, 4, 5, 6),
      namespace: fc.constantFrom('DNS', 'URL', 'nothing'),
      names: fc.array(fc.record({ path, default: fc.constantFrom('d', 5) }), { maxLength: 2 }),
    }),
  ).map((spec) => ({ operation: 'uuid', spec })),
  targets(json).map((spec) => ({ operation: 'shift', spec })),
  json.map((spec) => ({ operation: 'delete', spec: { paths: spec } })),
);
const anySpec = fc.array(otherStep, { minLength: 1, maxLength: 3 });

/** JSON text as nobody's serialiser would write it: names twice, escapes in names, numbers in any form, spaces anywhere. */
const space = fc.constantFrom('', '', '', ' ', '\n', ' \t');
const spaced = (inner: fc.Arbitrary<string>) => fc.tuple(space, inner, space).map((three) => three.join(''));
const { value: text } = fc.letrec<{ value: string; member: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalar.map((value) => JSON.stringify(value)),
    fc.constantFrom('1e400', '-0', '1.50', '12345678901234567890', '"\\u00e9\\/"', '"\\ud800"'),
    fc.array(tie('member'), { maxLength: 4 }).map((members) => `{${members}}`),
    fc.array(spaced(tie('value')), { maxLength: 3 }).map((items) => `[${items}]`),
    fc.array(tie('member'), { maxLength: 4 }).map((members) => ` {${members}}\n`),
  ),
  member: fc
    .tuple(
      spaced(fc.constantFrom('"a"', '"b"', '"c"', '"d"', '"\\u0061"', '"\\ud800"', '"[0]"', '"x\\"y"')),
      spaced(tie('value')),
    )
    .map(([key, value]) => `${key}:${value}`),
}));

/** One edit somewhere. */
const broken = fc
  .tuple(
    text,
    fc.nat(),
    fc.constantFrom('', '{', '}', '[', ']', '"', ',', ':', '\\', 'x', '1', ' ', '\u0000'),
    fc.boolean(),
  )
  .map(([whole, at, put, cut]) => {
    const place = at % (whole.length + 1);
    return cut ? whole.slice(0, place) : whole.slice(0, place) + put + whole.slice(place + 1);
  });

describe(`${numRuns} random cases each`, () => {
  test('what comes out of JSON is JSON, or an error of one of the three kinds, in good time', () => {
    fc.assert(
      fc.property(anySpec, text, fc.boolean(), (spec, input, extended) => {
        const result = attempt(spec, input, extended ? { extensions: EXTENSIONS } : {});
        if (typeof result === 'string') JSON.parse(result);
      }),
      options,
    );
  });

  test('what comes out of broken text is text or an error of one of the three kinds, in good time', () => {
    fc.assert(
      fc.property(anySpec, broken, (spec, input) => {
        attempt(spec, input, {});
      }),
      options,
    );
  });

  test('strict refuses broken text, and prints only JSON', () => {
    fc.assert(
      fc.property(anySpec, broken, (spec, input) => {
        const result = attempt(spec, input, { strict: true });
        if (typeof result === 'string') return result === '' ? input === '' : JSON.parse(result) !== undefined;
        return isJson(input) || result.type === 'ParseError';
      }),
      options,
    );
  });

  test('the result is the one of the rules', () => {
    fc.assert(
      fc.property(pipeline, document, (spec, value) => {
        const result = attempt(spec, JSON.stringify(value), {});
        expect(typeof result === 'string' ? JSON.parse(result) : result.type).toEqual(expected(spec, value));
      }),
      options,
    );
  });

  test('the fast lanes give the bytes and the errors of the general way', () => {
    fc.assert(
      fc.property(pipeline, fc.oneof(text, broken), (spec, input) => {
        expect(show(attempt(spec, input, {}))).toBe(show(attempt(spec, input, { lanes: false })));
      }),
      options,
    );
  });
});

function attempt(
  spec: readonly Step[] | readonly ModelStep[],
  input: string,
  more: KazaamOptions,
): string | KazaamError {
  const start = performance.now();
  try {
    return new Kazaam(JSON.stringify(spec), { now: () => 0, random: () => 0.5, ...more }).transform(input);
  } catch (error) {
    if (error instanceof KazaamError) return error;
    throw error;
  } finally {
    expect(performance.now() - start).toBeLessThan(LIMIT);
  }
}

const show = (result: string | KazaamError): string => (typeof result === 'string' ? result : result.message);

function expected(spec: readonly ModelStep[], value: Json): unknown {
  try {
    return run(spec, value);
  } catch (error) {
    if (error instanceof ModelError) return error.type;
    throw error;
  }
}

function isJson(input: string): boolean {
  try {
    JSON.parse(input);
    return true;
  } catch {
    return false;
  }
}
