// Results that look like rows to JSON and are none: built-in objects, in place of a row and in a column, generators, and deletes
// with a row after them.

import { batchOf } from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import { batchOfIds, bench, eventOf, failuresOf, rowsOf, ruleOf } from './test-rule.ts';

const { languages, run } = bench();

describe('in place of a row', () => {
  test.each([
    ['a typed array', 'new Uint8Array(3)'],
    ['an empty typed array', 'new Float64Array(0)'],
    ['an ArrayBuffer', 'new ArrayBuffer(3)'],
    ['a DataView', 'new DataView(new ArrayBuffer(3))'],
    ['a Number', 'new Number(1)'],
    ['a String', 'new String("x")'],
    ['a Boolean', 'new Boolean(true)'],
    ['a BigInt', 'Object(1n)'],
    ['a Symbol', 'Object(Symbol())'],
    ['a Map', 'new Map([[1, 2]])'],
    ['a class of maps', 'new (class extends Map { x = 1 })()'],
    ['a Set', 'new Set([1])'],
    ['a WeakMap', 'new WeakMap()'],
    ['a RegExp', '/x/'],
    ['an Error', 'new TypeError("x")'],
    ['a Date', 'new Date(0)'],
    ['a promise among several', '[Promise.resolve({}), row]'],
    ['a generator', '(function* () { yield row; })()'],
    ['an async generator', '(async function* () { yield row; })()'],
    ['an iterator', '[row].values()'],
    ['an iterator of a map', 'new Map([[1, 2]]).entries()'],
    ['the arguments of a function', '(function () { return arguments; })(1, 2)'],
    ['an object with an iterator', '({ *[Symbol.iterator]() { yield row; } })'],
    ['an array-like', 'Object.create(Array.prototype)'],
    ['a Proxy of a map', 'new Proxy(new Map(), {})'],
  ])('%s fails its event', async (_name, expression) => {
    const result = await run(`export default (row) => row.id === 1 ? ${expression} : row`, batchOfIds(3));
    expect(failuresOf(result)).toEqual([[1, 'E_TRANSFORM_OUTPUT']]);
    expect([...result.from]).toEqual([0, 2]);
  });

  test("an object of the author's class, and one without a prototype, are rows", async () => {
    const source = `class Order { constructor(id) { this.id = id; } get twice() { return 2 * this.id; } }
      export default ({ id }) => [new Order(id), Object.assign(Object.create(null), { id })]`;
    expect(rowsOf(await run(source, batchOfIds(1)))).toEqual([{ id: 0 }, { id: 0 }]);
  });
});

describe('in a column', () => {
  test.each([
    ['new Map([[1, 2]])', 'a Map in "x"'],
    ['new Set([1])', 'a Set in "x"'],
    ['Promise.resolve(1)', 'a Promise in "x"'],
    ['new ArrayBuffer(3)', 'an ArrayBuffer in "x"'],
    ['new Uint8Array(3)', 'a Uint8Array in "x"'],
    ['new Uint8Array(0)', 'a Uint8Array in "x"'],
    ['/x/', 'a RegExp in "x"'],
    ['new Error("x")', 'an Error in "x"'],
    ['{ deep: [new Map()] }', 'a Map in "0"'],
    ['[row].values()', 'an Iterator in "x"'],
    ['new Number(NaN)', 'NaN, Infinity or an invalid date'],
    ['[new Number(NaN)]', 'NaN, Infinity or an invalid date'],
  ])('%s fails its event', async (expression, what) => {
    const result = await run(`export default (row) => row.id === 1 ? { x: ${expression} } : row`, batchOfIds(3));
    expect(failuresOf(result)).toEqual([[1, 'E_TRANSFORM_OUTPUT']]);
    expect(result.failed[0]!.error.message).toContain(what);
  });

  test('what JSON keeps, and empty objects, are values like others', async () => {
    const source = `class Point { constructor() { this.x = 1; this.at = new Date(0); } }
      class Tags extends Set { toJSON() { return [...this]; } }
      export default () => ({ a: {}, b: null, '0': { '0': 1 }, point: new Point(), tags: new Tags(['t']), no: new Number(5),
        text: new String('x'), yes: new Boolean(true), braces: '{}', map: Object.fromEntries(new Map([['k', {}]])) })`;
    expect(rowsOf(await run(source, batchOfIds(1)))).toEqual([
      {
        a: {},
        b: null,
        '0': { '0': 1 },
        point: { x: 1, at: '1970-01-01T00:00:00.000Z' },
        tags: ['t'],
        no: 5,
        text: 'x',
        yes: true,
        braces: '{}',
        map: { k: {} },
      },
    ]);
  });
});

describe('a generator function as default export is refused with its place', () => {
  test.each([
    ['as a declaration', 'export default function* (row) { yield row; }', 1, 16],
    ['async', '\nexport default async function* (row) { yield row; }', 2, 16],
    ['by name', 'function* rows(row) { yield row; }\nexport { rows as default }', 1, 1],
    ['as a const', 'const rows = function* (row) { yield row; };\nexport default rows', 1, 14],
  ])('%s', async (_name, source, line, column) => {
    const [error] = await languages.check(ruleOf(source, { file: 'my.js' }));
    expect(error).toMatchObject({ code: 'E_TRANSFORM_LOAD', at: { file: 'my.js', line, column } });
    expect(error!.fix).toContain('return an array');
  });

  test('where only running it shows it', async () => {
    const source = 'export default [function* (row) { yield row; }][0]';
    await expect(run(source, batchOfIds(1), { file: 'my.js' })).rejects.toMatchObject({
      code: 'E_TRANSFORM_LOAD',
      message: expect.stringContaining('return an array'),
      at: { file: 'my.js', line: 1, column: 1 },
    });
  });
});

test('an event that becomes a delete must have no row after it', async () => {
  const events = batchOf([eventOf(0), eventOf(1)]);
  const source = `export default (event) => event.id === 'e0' ? { ...event, op: 'd' }
    : { ...event, op: 'd', before: event.after, after: null }`;
  const result = await run(source, events, { scope: 'event' });
  expect(failuresOf(result)).toEqual([[0, 'E_TRANSFORM_OUTPUT']]);
  expect(result.failed[0]!.error.message).toContain('before: event.after, after: null');
  expect([result.out.op(0), result.out.before(0), result.out.after(0)]).toEqual(['d', '{"id":1,"name":"n1"}', null]);
});
