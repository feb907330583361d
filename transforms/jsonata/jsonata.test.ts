// JSONata through the real sandbox: scopes, bindings, lanes, errors with their places, versions side by side.

import { batchOf } from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import {
  batchOfIds,
  bench,
  eventOf,
  failuresOf,
  quiet,
  type RuleParts,
  recorder,
  rowsOf,
  ruleOf,
} from '../test-rule.ts';

const { languages, run, transform } = bench();
const signal = new AbortController().signal;
const jsonata = (parts: RuleParts = {}): RuleParts => ({ type: 'jsonata', file: 'transform.jsonata', ...parts });
const order = {
  id: 7,
  name: 'Ada',
  items: [
    { price: 2, qty: 3 },
    { price: 5, qty: 1 },
  ],
};
const orders = batchOf([eventOf(7, { after: order })]);

/** The rows and the failures that a lane gives. */
async function outcome(code: string, lane: 'fast' | 'reference'): Promise<[unknown, unknown]> {
  const result = await run(code, orders, jsonata({ config: { lane } }));
  return [rowsOf(result), result.failed.map(({ error: { code, message, at } }) => ({ code, message, at }))];
}

describe('results', () => {
  test('an object is the new row', async () => {
    const result = await run('{ "id": id, "total": $sum(items.(price * qty)) }', orders, jsonata());
    expect(rowsOf(result)).toEqual([{ id: 7, total: 11 }]);
  });

  test('an array is a fan-out, nothing and null are filtered', async () => {
    expect(rowsOf(await run('items', orders, jsonata()))).toEqual(order.items);
    for (const nothing of ['missing', 'null', 'items[price > 9]']) {
      expect([...(await run(nothing, orders, jsonata())).filtered]).toEqual([0]);
    }
  });

  test('what is no row fails the event and says so', async () => {
    const result = await run('$count(items)', orders, jsonata());
    expect(failuresOf(result)).toEqual([[0, 'E_TRANSFORM_OUTPUT']]);
    const holds = await run('{ "f": function($x) { $x } }', orders, jsonata());
    expect(holds.failed[0]!.error.message).toBe('the result holds a function');
  });

  test('scope event gets and gives the whole event', async () => {
    const result = await run('$ ~> |after|{ "table": %.source.table }|', orders, jsonata({ scope: 'event' })).catch(
      () => null,
    );
    expect(result).not.toBeNull();
    const plain = await run(
      '$merge([$, { "after": { "id": after.id, "t": source.table } }])',
      orders,
      jsonata({ scope: 'event' }),
    );
    expect(rowsOf(plain)).toEqual([{ id: 7, t: 't' }]);
  });
});

describe('bindings', () => {
  test('$event is the envelope', async () => {
    const result = await run('{ "id": id, "op": $event.op, "table": $event.source.table }', orders, jsonata());
    expect(rowsOf(result)).toEqual([{ id: 7, op: 'c', table: 't' }]);
  });

  test('constants are bound by name, and one may hide a built-in function', async () => {
    const config = { constants: { rate: 1.5, names: { x: ['a', 'b'] }, sum: 3 } };
    const result = await run('{ "a": id * $rate, "b": $names.x[1], "c": $sum }', orders, jsonata({ config }));
    expect(rowsOf(result)).toEqual([{ a: 10.5, b: 'b', c: 3 }]);
    const reserved = await languages.check(ruleOf('$', jsonata({ config: { constants: { event: 1 } } })));
    expect(reserved.map((error) => error.code)).toEqual(['E_TRANSFORM_SYNTAX']);
  });

  test('time and dice are the event’s own, in every lane, and the same again', async () => {
    const code = '{ "now": $now(), "millis": $millis(), "hour": $toMillis("10:30", "[H]:[m]") }';
    const dice = '$merge($each({"a": 1}, function($v, $k) {$random()}).{"r": $})';
    for (const lane of ['fast', 'reference']) {
      const times = rowsOf(await run(code, orders, jsonata({ config: { lane } })));
      expect(times).toEqual([{ now: '2023-11-14T22:13:20.000Z', millis: 1_700_000_000_000, hour: 1_699_957_800_000 }]);
    }
    const [first, second, reference] = [
      rowsOf(await run(dice, orders, jsonata())),
      rowsOf(await run(dice, orders, jsonata())),
      rowsOf(await run(dice, orders, jsonata({ config: { lane: 'reference' } }))),
    ];
    expect(first).toEqual(second);
    expect(first).toEqual(reference);
  });
});

describe('lanes', () => {
  test('the lane is chosen when the transform is made, logged, and reported with its reason', async () => {
    const lanes: [string, string, RegExp | undefined][] = [
      ['{ "id": id }', 'compiled', undefined],
      ['items@$i.{ "id": id, "p": $i.price }', 'interpreted', /along a path/],
      ['{ "a": $eval("1") }', 'reference', /\$eval/],
      ['[$x := 1, $x]', 'reference', /assigns a variable/],
      ['{ "a": $random() }', 'reference', /dice/],
    ];
    for (const [code, name, why] of lanes) {
      const { log, entries } = recorder();
      await using made = await transform(code, jsonata(), log);
      expect([code, made.lane()]).toEqual([
        code,
        { name, ...(why && { why: expect.stringMatching(why) as string }), events: 0, deopts: 0 },
      ]);
      expect(entries.map((entry) => entry.text)).toEqual([`under-test runs in the ${name} lane`]);
    }
    await using made = await transform('{ "id": id }', jsonata({ config: { lane: 'reference' } }));
    expect(made.lane()!.name).toBe('reference');
  });

  test('an event that the compiled lane cannot answer is answered by the next one, and counted', async () => {
    await using made = await transform('{ "id": id, "n": name }', jsonata());
    const rows = [
      { id: 1, name: 'a' },
      { id: 2, name: { _jsonata_lambda: true } },
      { id: 3, name: 'c' },
    ];
    const result = await made.apply(batchOf(rows.map((after) => eventOf(after.id, { after }))), signal);
    expect(rowsOf(result).map((row) => row!['id'])).toEqual([1, 2, 3]);
    expect(made.lane()).toEqual({ name: 'compiled', events: 3, deopts: 1 });
  });

  test('an error has the words and the place that the reference gives it', async () => {
    const codes = [
      'name - 1', // an operator's own
      '(id = 0 or id - name)', // on the right of `or`: that of `or`
      '$map(items, function($i) { $i < $i })', // of the call that runs the function
      '$map([1], function($i) { $power(name, id) })', // of the tail call
      '( $f := function($x) { $x - name }; $f(1); $map([1], $f) )', // of the function's last call
      '(function($x) { $uppercase($x - name) })(1)', // in the arguments of a tail call
      '( $g := $string ~> function($x) { $x - 1 }; $g(1) )', // in a chain
      '{ "a": $uppercase(id), "b": $uppercase(items) }', // two that fail side by side
      '$reduce([1, 2], function($a, $b) { $substringBefore(1, 2) })',
    ];
    for (const code of codes) {
      const [fast, reference] = [await outcome(code, 'fast'), await outcome(code, 'reference')];
      expect([code, fast]).toEqual([code, reference]);
      expect(fast[1]).toMatchObject([{ code: 'E_TRANSFORM_RUNTIME', at: { file: 'transform.jsonata' } }]);
    }
  });

  test('a function that $replace writes out as its source is left to the reference, whose source it is', async () => {
    for (const code of ['{ "r": $replace(name, "d", function($x) { $x }) }', '{ "r": name.$replace("d", /a/) }']) {
      const [fast, reference] = [await outcome(code, 'fast'), await outcome(code, 'reference')];
      expect([code, fast]).toEqual([code, reference]);
      expect(JSON.stringify(fast)).toContain('function');
    }
  });

  test('an event that fails beside an array constructor has its error from the compiled lane', async () => {
    await using made = await transform('{ "m": $max(["1", "2"]) }', jsonata());
    const result = await made.apply(orders, signal);
    expect(result.failed.map(({ error }) => error.message)).toEqual([expect.stringMatching(/^T0412: .*"max"/)]);
    expect(made.lane()).toEqual({ name: 'compiled', events: 1, deopts: 0 });
  });

  test('recursion that is too deep for a stack is answered by the reference', async () => {
    const code = '( $f := function($n) { $n = 0 ? 0 : 1 + $f($n - 1) }; { "n": $f(depth) } )';
    const batch = batchOf([10, 20_000].map((depth) => eventOf(depth, { after: { depth } })));
    await using made = await transform(code, jsonata({ limits: { timeout: 5000 } }));
    expect(rowsOf(await made.apply(batch, signal))).toEqual([{ n: 10 }, { n: 20_000 }]);
    expect(made.lane()!.deopts).toBe(1);
  });

  test('a tail call needs no stack in the compiled lane', async () => {
    const code = '( $f := function($n, $s) { $n = 0 ? $s : $f($n - 1, $s + $n) }; { "n": $f(depth, 0) } )';
    await using made = await transform(code, jsonata({ limits: { timeout: 5000 } }));
    expect(rowsOf(await made.apply(batchOf([eventOf(1, { after: { depth: 50_000 } })]), signal))).toEqual([
      { n: 1_250_025_000 },
    ]);
    expect(made.lane()).toEqual({ name: 'compiled', events: 1, deopts: 0 });
  });

  test('a tail call that is kept, filtered or grouped is left to the interpreted lane', async () => {
    const codes = [
      '{ "r": $map([1], function($v) { ($filter([$v], function($w) { $w > 0 }))[] }) }',
      '{ "r": $map([1], function($v) { ($string($v))[0] }) }',
      '{ "r": $map([1, 2], function($v) { (1; ($string($v))[]) }) }',
      '{ "r": $map([1], function($v) { true ? ($string($v))[0] : 2 }) }',
    ];
    const why = expect.stringMatching(/tail call/) as string;
    for (const code of codes) {
      await using made = await transform(code, jsonata());
      expect([code, made.lane()]).toEqual([code, { name: 'interpreted', why, events: 0, deopts: 0 }]);
      expect([code, await outcome(code, 'fast')]).toEqual([code, await outcome(code, 'reference')]);
    }
    expect(await outcome(codes[0]!, 'fast')).toEqual([[{ r: [1] }], []]);
  });

  test('a tail call that is grouped may come out as a function, and is refused as one', async () => {
    const code = '{ "r": $map([1], function($v) { ($string($v)){ "a": $ } }) }';
    for (const lane of ['fast', 'reference'] as const) {
      const result = await run(code, orders, jsonata({ config: { lane } }));
      expect(result.failed[0]!.error.message).toBe('the result holds a function');
    }
  });

  test('$sort with a function as a tail call fails in every lane, as it does in the library', async () => {
    const sort = '$sort([3, 1, 2], function($l, $r) { $l > $r })';
    const bodies = [sort, `(1; ${sort})`, `true ? ${sort} : 2`, '$by([3, 1, 2], function($l, $r) { $l > $r })'];
    for (const body of bodies) {
      const code = `( $by := $sort; { "r": $map([1, 2], function($x) { ${body} }) } )`;
      const fast = await outcome(code, 'fast');
      expect(fast).toMatchObject([[], [{ code: 'E_TRANSFORM_RUNTIME' }]]);
      expect(fast).toEqual(await outcome(code, 'reference'));
    }
    expect(await outcome(`{ "r": ${sort} }`, 'fast')).toEqual([[{ r: [1, 2, 3] }], []]);
  });

  test('a function’s body takes its sequence apart once, and once more for each block around it', async () => {
    const bodies = ['[[]] ~> $map(function($v) { $v })', '1 ~> $map(function($v) { $spread([]) })'];
    bodies.push(...bodies.map((body) => `(${body})`), ...bodies.map((body) => `false ? $count(1) : ((${body}))`));
    for (const body of bodies) {
      const code = `{ "r": $map(1, function($w) { ${body} }), "f": $type((function($w) { ${body} })(1)) }`;
      await using made = await transform(code, jsonata());
      expect([code, made.lane()!.name]).toEqual([code, 'compiled']);
      expect([code, await outcome(code, 'fast')]).toEqual([code, await outcome(code, 'reference')]);
    }
  });

  test('endless work is stopped at its time limit, and the next event is answered', async () => {
    const code = '( $f := function($n) { $n < 0 ? $n : $f($n + 1) }; { "id": id = 1 ? $f(1) : id } )';
    const result = await run(code, batchOfIds(3), jsonata({ limits: { timeout: 100 } }));
    expect(failuresOf(result)).toEqual([[1, 'E_TRANSFORM_TIMEOUT']]);
    expect(rowsOf(result)).toEqual([{ id: 0 }, { id: 2 }]);
  });
});

describe('errors', () => {
  test('of an expression stand at their place in its file, with JSONata’s code', async () => {
    const [error] = await languages.check(ruleOf('{\n  "a": b +\n}', jsonata()));
    expect(error).toMatchObject({ code: 'E_TRANSFORM_SYNTAX', at: { file: 'transform.jsonata', line: 3, column: 1 } });
    expect(error!.message).toMatch(/^S0\d\d\d: /);
  });

  test('of an event carry code, place and value, the same in every lane', async () => {
    const code = '(\n  $x := 1;\n  $x + name\n)';
    const seen = [];
    for (const lane of ['fast', 'reference']) {
      const result = await run(code, orders, jsonata({ config: { lane }, offset: { line: 10, column: 5 } }));
      seen.push(result.failed[0]!.error.toJSON());
    }
    expect(seen[0]).toMatchObject({
      code: 'E_TRANSFORM_RUNTIME',
      message: 'T2002: The right side of the "+" operator must evaluate to a number (value: "Ada")',
      at: { file: 'transform.jsonata', line: 12, column: 10 },
      cause: { code: 'T2002' },
    });
    expect(seen[1]).toEqual(seen[0]);
  });

  test('of several parts side by side it is the one that the reference meets first', async () => {
    const code = '{ "a": $sum($map([1..3], function($v) { $v > 2 ? -"late" : $v })), "b": $error("early") }';
    const seen = [];
    for (const lane of ['fast', 'reference']) {
      const result = await run(code, orders, jsonata({ config: { lane } }));
      seen.push(result.failed[0]!.error.message);
    }
    expect(seen[0]).toBe(seen[1]);
  });
});

describe('versions', () => {
  test('two transforms run two versions side by side', async () => {
    const code = '{ "a": a ?? 5 }';
    await using now = await transform(code, jsonata({ config: { engine: 'jsonata@2.2.2' } }));
    await using before = await transform(code, jsonata({ config: { engine: 'jsonata@2.1.0' } }));
    expect([now.identity.version, before.identity.version]).toEqual(['jsonata@2.2.2', 'jsonata@2.1.0']);
    expect(before.lane()).toMatchObject({ name: 'interpreted', why: 'jsonata@2.1.0 is not compiled' });
    const batch = batchOf([eventOf(1, { after: { a: 1 } })]);
    expect([rowsOf(await now.apply(batch, signal)), rowsOf(await before.apply(batch, signal))]).toEqual([
      [{ a: 1 }],
      [{ a: 1 }],
    ]);
  });

  test('a version that is not installed is refused, with the command that installs it', async () => {
    const [error] = await languages.check(ruleOf('$', jsonata({ config: { engine: 'jsonata@1.0.0' } })));
    expect(error).toMatchObject({ code: 'E_TRANSFORM_ENGINE' });
    expect(error!.fix).toContain('npm install jsonata-1.0.0@npm:jsonata@1.0.0');
  });

  test('base64 is what it is in Node', async () => {
    const code = '{ "e": $base64encode(name), "d": $base64decode($base64encode(name)) }';
    const name = 'Grüße, ~ÿ?>';
    const made = await languages.create(ruleOf(code, jsonata()), { stream: 's', log: quiet });
    await using ended = made;
    const rows = rowsOf(await ended.apply(batchOf([eventOf(1, { after: { name } })]), signal));
    const encoded = Buffer.from(name, 'binary').toString('base64');
    expect(rows).toEqual([{ e: encoded, d: Buffer.from(encoded, 'base64').toString('binary') }]);
  });
});

describe('expressions that are large', () => {
  test('nested very deep, they run in the reference lane, or are refused', async () => {
    await using made = await transform(`{ "n": ${Array(300).fill('1').join(' + ')} }`, jsonata());
    expect(made.lane()!.name).toBe('reference');
    expect(rowsOf(await made.apply(orders, signal))).toEqual([{ n: 300 }]);
    const [error] = await languages.check(ruleOf(`${'('.repeat(50_000)}1${')'.repeat(50_000)}`, jsonata()));
    expect(error).toMatchObject({ code: 'E_TRANSFORM_SYNTAX' });
    expect(error!.message).toMatch(/too deep/);
  });

  test('objects within functions within objects do not make the code grow without bound', async () => {
    let code = 'id';
    for (let i = 0; i < 12; i++) code = `{ "a": $map([1], function($v${i}) { ${code} }) }`;
    await using made = await transform(code, jsonata());
    expect(made.lane()!.name).toBe('compiled');
    const [row] = rowsOf(await made.apply(orders, signal));
    expect(JSON.stringify(row)).toBe(`${'{"a":'.repeat(12)}7${'}'.repeat(12)}`);
  });
});

describe('what the library does to its document', () => {
  test('is not seen by what is evaluated beside it', async () => {
    // the reference's group puts an item into the empty array, after `b` has read it
    const code = '{ "a": nested.{ "x": 1 }.y, "b": $string(nested) }';
    const batch = batchOf([eventOf(1, { after: { nested: [[1], []] } })]);
    const seen = [];
    for (const lane of ['fast', 'reference']) seen.push(rowsOf(await run(code, batch, jsonata({ config: { lane } }))));
    expect(seen[0]).toEqual([{ b: '[[1],[]]' }]);
    expect(seen[0]).toEqual(seen[1]);
  });

  test('marks on kept arrays are read by a wildcard only in the reference lane', async () => {
    await using made = await transform('{ "a": nested[0][], "b": nested.* }', jsonata());
    expect(made.lane()).toMatchObject({ name: 'reference', why: expect.stringMatching(/marks/) as string });
  });
});
