// Kazaam through the real sandbox: results, bytes, clocks and dice, errors with their places.

import { batchOf } from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import { bench, eventOf, failuresOf, type RuleParts, rowsOf, ruleOf } from '../test-rule.ts';

const { languages, run } = bench();
const kazaam = (parts: RuleParts = {}): RuleParts => ({ type: 'kazaam', file: 'spec.json', ...parts });
const orders = batchOf([eventOf(7, { after: { id: 7, name: 'Ada', items: [{ price: 2 }, { price: 5 }] } })]);
const spec = (...steps: readonly object[]): string => JSON.stringify(steps);
const shift = (moves: object, more: object = {}): object => ({ operation: 'shift', spec: moves, ...more });

describe('results', () => {
  test('an object is the new row', async () => {
    const steps = spec(shift({ key: 'id', prices: 'items[*].price' }), {
      operation: 'default',
      spec: { kind: 'order' },
    });
    expect(rowsOf(await run(steps, orders, kazaam()))).toEqual([{ key: 7, prices: [2, 5], kind: 'order' }]);
  });

  test('an array is a fan-out, null is filtered', async () => {
    const items = spec({ operation: 'extract', spec: { path: 'items' } });
    expect(rowsOf(await run(items, orders, kazaam()))).toEqual([{ price: 2 }, { price: 5 }]);
    const nothing = spec({ operation: 'extract', spec: { path: 'nothing' } });
    expect([...(await run(nothing, orders, kazaam())).filtered]).toEqual([0]);
  });

  test('what is no row fails the event', async () => {
    const name = spec({ operation: 'extract', spec: { path: 'name' } });
    expect(failuresOf(await run(name, orders, kazaam()))).toEqual([[0, 'E_TRANSFORM_OUTPUT']]);
  });

  test('scope event gets and gives the whole event', async () => {
    const steps = spec(shift({ 'after.table': 'source.table', 'after.items': 'op' }, { inplace: true }));
    expect(rowsOf(await run(steps, orders, kazaam({ scope: 'event' })))).toEqual([
      { id: 7, name: 'Ada', items: 'c', table: 't' },
    ]);
  });

  test('extensions and a time zone are members of the specification', async () => {
    const source = JSON.stringify({
      spec: [
        shift({ last: 'items[-1].price', at: 'id' }),
        { operation: 'timestamp', spec: { at: { inputFormat: '$now', outputFormat: '15:04 MST' } } },
      ],
      extensions: ['negative-index'],
      time_zone: 'Asia/Kolkata',
    });
    expect(rowsOf(await run(source, orders, kazaam()))).toEqual([{ last: 5, at: '03:43 IST' }]);
  });
});

test('the clock stands at the event and the dice are its own, so a replay gives the same bytes', async () => {
  const steps = spec(
    { operation: 'timestamp', spec: { at: { inputFormat: '$now', outputFormat: '2006-01-02T15:04:05.000Z07:00' } } },
    { operation: 'uuid', spec: { uuid: { version: 4 } } },
  );
  const two = batchOf([eventOf(1), eventOf(2)]);
  const [first, second] = rowsOf(await run(steps, two, kazaam()));
  expect(first).toMatchObject({ at: '2023-11-14T22:13:20.000Z' });
  expect(first!['uuid']).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(first!['uuid']).not.toBe(second!['uuid']);
  expect(rowsOf(await run(steps, two, kazaam()))).toEqual([first, second]);
});

describe('errors', () => {
  const source = `[
  { "operation": "pass" },
    { "operation": "shift", "spec": { "a": "missing" }, "require": true }
]`;

  test('of an event have the place of the step, and the others pass', async () => {
    const mixed = batchOf([eventOf(1), eventOf(2, { after: { id: 2, missing: 0 } })]);
    const result = await run(source, mixed, kazaam({ offset: { line: 10, column: 1 } }));
    expect(failuresOf(result)).toEqual([[0, 'E_TRANSFORM_RUNTIME']]);
    const error = result.failed[0]!.error.toJSON();
    expect(error).toMatchObject({
      message: 'step 2: RequiredError - Path does not exist',
      at: { file: 'spec.json', line: 12, column: 5 },
    });
    expect(rowsOf(result)).toEqual([{ a: 0 }]);
  });

  test.each([
    ['[{"operation":"pass"},\n {"operation":"none"}]', 'step 2: SpecError - Invalid spec operation specified', 2, 2],
    ['[{"operation":"pass"}\n x]', "invalid character 'x' after array element", 2, 2],
    ['[{"operation":"pass"},{"operation":"shift","spec":{"a":5}}]', 'Unknown type in message for key: a', 1, 23],
    ['[{"operation":"shift","spec":{"a":"b[x]"}}]', 'Unable to coerce index to integer: x', 1, 2],
    ['[{"operation":"delete","spec":{"path":[]}}]', 'Unable to get paths to delete', 1, 2],
    ['{"spec":[{"operation":"none"}],"extensions":["steps"]}', 'Invalid spec operation specified', 1, 10],
    ['{"spec":[],"extensions":["nothing"]}', 'there is no extension "nothing"', 1, 1],
    ['{"spec":[],"option":1}', '"option" is no member of a specification', 1, 1],
    ['{"spec":[],"time_zone":"Nowhere"}', 'Nowhere', 1, 1],
    ['{"operation":"pass"}', 'cannot unmarshal object', 1, 1],
    ['null', 'the spec is null', 1, 1],
  ])('of a specification are found before it runs: %s', async (wrong, message, line, column) => {
    const [error, ...more] = await languages.check(ruleOf(wrong, kazaam()));
    expect(more).toEqual([]);
    expect(error!.toJSON()).toMatchObject({ code: 'E_TRANSFORM_SYNTAX', at: { file: 'spec.json', line, column } });
    expect(error!.message).toContain(message);
  });

  test('what only the data can tell is no error of the specification', async () => {
    for (const fine of [
      spec(shift({ a: 'm' }, { require: true }), { operation: 'default', spec: { 'l[*].x': 1 } }),
      spec({ operation: 'uuid', spec: { u: { version: 5, namespace: 'DNS', names: [{ path: 'm' }] } } }),
      spec({ operation: 'shift', spec: { a: 'b' }, over: 'list' }),
    ]) {
      expect(await languages.check(ruleOf(fine, kazaam()))).toEqual([]);
    }
  });
});
