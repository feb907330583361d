// What becomes of each kind of event in a transform: DESIGN section 6 and DELIVERY section 4, sentence by sentence.
// Long because each sentence has its case.

import fc from 'fast-check';
import { batchOf, batchOfText, type ChangeEvent, type EventBatch, type Json } from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import { batchOfIds, bench, eventOf, failuresOf, rowsOf } from './test-rule.ts';

const { run, transform } = bench();
const { signal } = new AbortController();
const column = (name: string) => ({ name, type: 'any' as const });

function textBatch(rows: readonly string[], typed = false): EventBatch {
  const { source } = eventOf(0);
  return batchOfText({
    length: rows.length,
    bytes: 0,
    typed,
    readAt: 0,
    id: (i) => `e${i}`,
    op: () => 'c',
    key: () => null,
    source: () => source,
    before: () => null,
    after: (i) => rows[i]!,
  });
}

describe('one row in', () => {
  test('a returned object is the new row, and the envelope stays', async () => {
    const result = await run('export default (row) => ({ ...row, name: row.name.toUpperCase() })', batchOfIds(3));
    expect(rowsOf(result)).toEqual([
      { id: 0, name: 'N0' },
      { id: 1, name: 'N1' },
      { id: 2, name: 'N2' },
    ]);
    expect([...result.from]).toEqual([0, 1, 2]);
    expect(result.out.id(1)).toBe('e1');
    expect(result.out.op(1)).toBe('c');
    expect(result.out.key(1)).toEqual({ id: 1 });
  });

  test('null, undefined and an empty array filter the event', async () => {
    const result = await run('export default (row) => [null, undefined, [], row][row.id]', batchOfIds(4));
    expect([...result.filtered]).toEqual([0, 1, 2]);
    expect([...result.from]).toEqual([3]);
  });

  test('an array fans out, with ids that end in the place of the output', async () => {
    const result = await run(
      'export default (row) => Array.from({ length: row.id }, (_, i) => ({ i }))',
      batchOfIds(4),
    );
    expect([...result.filtered]).toEqual([0]);
    expect([...result.from]).toEqual([1, 2, 2, 3, 3, 3]);
    expect(Array.from({ length: 6 }, (_, j) => result.out.id(j))).toEqual([
      'e1',
      'e2/0',
      'e2/1',
      'e3/0',
      'e3/1',
      'e3/2',
    ]);
    expect(JSON.parse(result.out.head(1))).toMatchObject({ id: 'e2/0' });
    expect(rowsOf(result).map((row) => row!['i'])).toEqual([0, 0, 1, 0, 1, 2]);
  });

  test.each([
    ['a text', "'text'"],
    ['a number', '5'],
    ['true', 'true'],
    ['a function', '() => 1'],
    ['a symbol', 'Symbol("x")'],
    ['a date', 'new Date()'],
    ['a map', 'new Map([[1, 2]])'],
    ['a boxed text', 'new String("x")'],
    ['a bigint', '({ n: 1n })'],
    ['a circle', '(() => { const a = {}; a.a = a; return a })()'],
    ['NaN', '({ n: NaN })'],
    ['Infinity, nested', '({ a: [{ n: -Infinity }] })'],
    ['NaN behind toJSON', '({ a: { toJSON() { return { n: NaN } } } })'],
    ['NaN behind a hidden toJSON', "({ a: Object.defineProperty({}, 'toJSON', { value: () => ({ n: NaN }) }) })"],
    ['NaN behind a toJSON of a class', '({ a: new (class { toJSON() { return [NaN]; } })() })'],
    ['NaN in a class', '({ a: new (class { n = NaN })() })'],
    ['NaN in an array with holes', '({ a: [, NaN] })'],
    ['an invalid date', '({ at: new Date(NaN) })'],
    ['an array in an array', '[[row], row]'],
    ['null among several', '[row, null]'],
  ])('%s is no row', async (_name, expression) => {
    const result = await run(`export default (row) => row.id === 1 ? ${expression} : row`, batchOfIds(3));
    expect(failuresOf(result)).toEqual([[1, 'E_TRANSFORM_OUTPUT']]);
    expect([...result.from]).toEqual([0, 2]);
    expect(result.failed[0]!.error.message).not.toBe('');
  });

  test('a null in a row is a value like any other', async () => {
    const result = await run('export default (row) => ({ a: null, b: [null], c: row.gone })', batchOfIds(1));
    expect(rowsOf(result)).toEqual([{ a: null, b: [null] }]);
    const dates = await run(
      'export default () => ({ a: null, at: new Date(0), deep: { at: [new Date(0)] } })',
      batchOfIds(1),
    );
    expect(rowsOf(dates)).toEqual([
      { a: null, at: '1970-01-01T00:00:00.000Z', deep: { at: ['1970-01-01T00:00:00.000Z'] } },
    ]);
  });

  test('an async function gives its result in the call', async () => {
    const result = await run(
      'const wait = () => Promise.resolve();\nexport default async (row) => { await wait(); await wait(); if (row.id % 3 === 1) throw new Error("odd"); return row.id % 3 ? null : { id: row.id } }',
      batchOfIds(1000),
    );
    expect(result.from.length).toBe(334);
    expect(result.failed.length).toBe(333);
    expect(result.filtered.length).toBe(333);
    expect(rowsOf(result)[333]).toEqual({ id: 999 });
    expect(result.failed[1]!.index).toBe(4);
    expect(result.failed[1]!.error.message).toBe('Error: odd');
  });

  test('a promise that never settles is an error at once, and only of its event', async () => {
    const result = await run(
      'export default (row) => row.id % 50 === 7 ? new Promise(() => {}) : Promise.resolve(row)',
      batchOfIds(200),
    );
    expect(failuresOf(result)).toEqual([7, 57, 107, 157].map((i) => [i, 'E_TRANSFORM_OUTPUT']));
    expect(result.failed[0]!.error.message).toContain('never settles');
    expect(result.from.length).toBe(196);
  });

  test('an empty batch gives an empty batch', async () => {
    const result = await run('export default (row) => row', batchOfIds(0));
    expect([result.out.length, result.from.length, result.filtered.length, result.failed.length]).toEqual([0, 0, 0, 0]);
  });

  test('every index stands in exactly one of from, filtered and failed, whatever the function does', async () => {
    await using made = await transform(`export default (row) => {
      if (row.what === 'throw') throw new Error('x');
      if (row.what === 'filter') return null;
      if (row.what === 'fan') return [{ i: 0 }, { i: 1 }];
      if (row.what === 'bad') return 7;
      if (row.what === 'later') return Promise.resolve({ later: true });
      if (row.what === 'never') return new Promise(() => {});
      return row;
    }`);
    const kinds = ['throw', 'filter', 'fan', 'bad', 'later', 'never', 'same'];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...kinds), { maxLength: 120 }), async (what) => {
        const result = await made.apply(
          batchOfIds(what.length, (i) => ({ what: what[i]! })),
          signal,
        );
        const seen = [...new Set(result.from), ...result.filtered, ...result.failed.map(({ index }) => index)];
        expect(seen.sort((a, b) => a - b)).toEqual(what.map((_, i) => i));
        expect([...result.from]).toEqual([...result.from].sort((a, b) => a - b));
        for (const [i, kind] of what.entries()) {
          const count = result.from.filter((index) => index === i).length;
          expect(count).toBe(kind === 'fan' ? 2 : kind === 'same' || kind === 'later' ? 1 : 0);
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe('values', () => {
  test('any JSON row goes through a function that returns it unchanged', async () => {
    await using made = await transform('export default (row) => row');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 3 })), { maxLength: 20 }),
        async (rows) => {
          const texts = rows.map((row) => JSON.stringify(row));
          const result = await made.apply(textBatch(texts, true), signal);
          expect(result.failed).toEqual([]);
          expect(Array.from({ length: result.out.length }, (_, j) => JSON.parse(result.out.after(j)!) as Json)).toEqual(
            texts.map((text) => JSON.parse(text) as Json),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  test('unicode, separators and line breaks within the text of a row break nothing', async () => {
    const rows = ['{"a":"é漢🙂\u2028\\n\\u001e\\t"}', '{\n  "a": [\n    1,\r\n    2\n  ]\n}', '{"a":"\\ud800"}'];
    const result = await run('export default (row) => row', textBatch(rows));
    expect(rowsOf(result)).toEqual(rows.map((row) => JSON.parse(row) as Json));
  });

  test('a number that does not survive a double fails its event before the function sees it', async () => {
    const rows = ['{"n":9007199254740993}', '{"n":9007199254740991}', '{"n":1e400}', '{"n":"9007199254740993"}'];
    const result = await run('export default (row) => row', textBatch(rows));
    expect(failuresOf(result)).toEqual([
      [0, 'E_EVENT_NUMBER'],
      [2, 'E_EVENT_NUMBER'],
    ]);
    expect([...result.from]).toEqual([1, 3]);
    expect(JSON.stringify(result.failed)).not.toContain('9007199254740993');
    const typed = await run('export default (row) => row', textBatch(rows, true));
    expect(failuresOf(typed).filter(([i]) => i !== 2)).toEqual([]);
  });

  test('a row that does not parse is the source’s failure', async () => {
    const rows = ['{"a":1}', '{"a":', '[1]', '7', 'null', '{"a":2}', '{"a":"x\ny"}'];
    const result = await run('export default (row) => row', textBatch(rows));
    expect(failuresOf(result)).toEqual([1, 2, 3, 4, 6].map((i) => [i, 'E_EVENT_PARSE']));
    expect(rowsOf(result)).toEqual([{ a: 1 }, { a: 2 }]);
  });

  test('a column named __proto__ or constructor is a column', async () => {
    const text = '{"__proto__":{"x":1},"constructor":5,"toString":"t"}';
    const result = await run(
      'export default (row) => { const out = { ...row }; out.constructor = row.constructor + 1; return out }',
      textBatch([text]),
    );
    expect(result.out.after(0)).toBe('{"__proto__":{"x":1},"constructor":6,"toString":"t"}');
  });
});

describe('images', () => {
  const update = (parts: Partial<ChangeEvent> = {}): ChangeEvent =>
    eventOf(1, { op: 'u', before: { id: 1, mail: 'old@x' }, after: { id: 1, mail: 'new@x' }, ...parts });
  const mask = "export default (row) => ({ ...row, mail: row.mail && '***' })";

  test('the old image of an update is cut to its key columns', async () => {
    const result = await run(mask, batchOf([update()]));
    expect(result.out.before(0)).toBe('{"id":1}');
    expect(rowsOf(result)).toEqual([{ id: 1, mail: '***' }]);
  });

  test('after a key change the old image is the old key', async () => {
    const result = await run(mask, batchOf([update({ key: { id: 2 }, after: { id: 2, mail: 'new@x' } })]));
    expect(result.out.before(0)).toBe('{"id":1}');
    expect(result.out.oldKey(0)).toEqual({ id: 1 });
  });

  test('images: both runs the function on the old image too', async () => {
    const result = await run(mask, batchOf([update(), eventOf(5)]), { images: 'both' });
    expect(result.out.before(0)).toBe('{"id":1,"mail":"***"}');
    expect(result.out.after(0)).toBe('{"id":1,"mail":"***"}');
    expect(result.out.before(1)).toBe(null);
  });

  test('images: both and a fan-out become deletes of the old outputs and then the new ones', async () => {
    const batch = batchOf([update({ before: { id: 1, n: 2 }, after: { id: 1, n: 3 } })]);
    const split = 'export default (row) => Array.from({ length: row.n }, (_, i) => ({ id: row.id, i, of: row.n }))';
    const result = await run(split, batch, { images: 'both' });
    expect(Array.from({ length: 5 }, (_, j) => [result.out.op(j), result.out.before(j), result.out.after(j)])).toEqual([
      ['d', '{"id":1,"i":0,"of":2}', null],
      ['d', '{"id":1,"i":1,"of":2}', null],
      ['u', null, '{"id":1,"i":0,"of":3}'],
      ['u', null, '{"id":1,"i":1,"of":3}'],
      ['u', null, '{"id":1,"i":2,"of":3}'],
    ]);
    expect(result.out.id(4)).toBe('e1/4');
  });

  test('a delete with a complete row runs the function, and the result stands whole as `before`', async () => {
    const columns = new Map([['public.t', [column('id'), column('mail')]]]);
    const whole = eventOf(1, { op: 'd', before: { id: 1, mail: 'a@x' }, after: null });
    for (const images of ['key', 'both'] as const) {
      const result = await run(mask, batchOf([whole], { columns }), { images });
      expect([result.out.op(0), result.out.before(0), result.out.after(0)]).toEqual([
        'd',
        '{"id":1,"mail":"***"}',
        null,
      ]);
    }
    const filtered = await run('export default () => null', batchOf([whole], { columns }));
    expect([...filtered.filtered]).toEqual([0]);
  });

  test('a delete without its row passes by the function, with its key alone', async () => {
    const columns = new Map([['public.t', [column('id'), column('mail'), column('more')]]]);
    const batch = batchOf(
      [
        eventOf(1, { op: 'd', before: { id: 1, mail: 'secret@x' }, after: null }),
        eventOf(2, { op: 'd', before: null, after: null }),
      ],
      { columns },
    );
    const result = await run('export default () => { throw new Error("not me") }', batch);
    expect(result.failed).toEqual([]);
    expect([result.out.before(0), result.out.before(1)]).toEqual(['{"id":1}', null]);
  });

  test('truncates, schema changes and messages pass by the function', async () => {
    const batch = batchOf([
      eventOf(1, { op: 't', key: null, after: null }),
      eventOf(2, { op: 's', key: null, after: { columns: [] } }),
      eventOf(3, { op: 'm', key: null, after: { text: 'hello' } }),
    ]);
    const result = await run('export default () => { throw new Error("not me") }', batch);
    expect([...result.from]).toEqual([0, 1, 2]);
    expect(rowsOf(result)).toEqual([null, { columns: [] }, { text: 'hello' }]);
  });
});

describe('scope: event', () => {
  const parts = { scope: 'event' } as const;

  test('the function gets the whole envelope without ts_ms, and what it leaves alone stays', async () => {
    const event = eventOf(1, {
      op: 'u',
      before: { id: 1, a: 1 },
      after: { id: 1, a: 2 },
      headers: { h: '1' },
      transaction: { id: 't', order: 1 },
    });
    const result = await run(
      'export default (event) => ({ ...event, after: { names: Object.keys(event).sort(), before: event.before } })',
      batchOf([event]),
      parts,
    );
    expect(rowsOf(result)).toEqual([
      { names: ['after', 'before', 'headers', 'id', 'key', 'op', 'source', 'transaction'], before: { id: 1, a: 1 } },
    ]);
    expect(result.out.before(0)).toBe('{"id":1,"a":1}');
    expect(result.out.events()[0]).toMatchObject({ headers: { h: '1' }, transaction: { id: 't', order: 1 } });
  });

  test('op, key and headers may change', async () => {
    const result = await run(
      "export default (event) => ({ ...event, op: 'u', key: { k: 9 }, headers: { a: 'b' } })",
      batchOf([eventOf(1)]),
      parts,
    );
    expect(result.out.op(0)).toBe('u');
    expect(result.out.key(0)).toEqual({ k: 9 });
    expect(JSON.parse(result.out.head(0))).toMatchObject({ op: 'u', key: { k: 9 }, headers: { a: 'b' } });
  });

  test.each([
    ['changes id', "{ ...event, id: 'mine' }", 'E_TRANSFORM_ENVELOPE'],
    ['drops id', '(({ id, ...rest }) => rest)(event)', 'E_TRANSFORM_ENVELOPE'],
    ['changes source', "{ ...event, source: { ...event.source, table: 'other' } }", 'E_TRANSFORM_ENVELOPE'],
    ['changes source in place', "(event.source.table = 'other', event)", 'E_TRANSFORM_ENVELOPE'],
    ['drops source', '(({ source, ...rest }) => rest)(event)', 'E_TRANSFORM_ENVELOPE'],
    ['adds a transaction', "{ ...event, transaction: { id: 'x', order: 1 } }", 'E_TRANSFORM_ENVELOPE'],
    ['gives an unknown op', "{ ...event, op: 'x' }", 'E_TRANSFORM_OUTPUT'],
    ['gives an unknown field', '{ ...event, extra: 1 }', 'E_TRANSFORM_OUTPUT'],
    ['gives ts_ms', '{ ...event, ts_ms: 1 }', 'E_TRANSFORM_OUTPUT'],
    ['gives a key that is no object', '{ ...event, key: 5 }', 'E_TRANSFORM_OUTPUT'],
    ['gives a header that is no text', '{ ...event, headers: { a: 1 } }', 'E_TRANSFORM_OUTPUT'],
    ['gives a create without a row', '{ ...event, after: null }', 'E_TRANSFORM_OUTPUT'],
    ['gives a row that is no object', '{ ...event, after: [1] }', 'E_TRANSFORM_OUTPUT'],
  ])('an event fails that %s', async (_name, expression, code) => {
    const result = await run(
      `export default (event) => event.key.id === 1 ? (${expression}) : event`,
      batchOfIds(3),
      parts,
    );
    expect(failuresOf(result)).toEqual([[1, code]]);
    expect([...result.from]).toEqual([0, 2]);
  });

  test('a bad one among several fails the event whole', async () => {
    const result = await run("export default (event) => [event, { ...event, id: 'x' }]", batchOfIds(2), parts);
    expect(failuresOf(result).length).toBe(2);
    expect(result.out.length).toBe(0);
  });

  test('every op goes through the function', async () => {
    const batch = batchOf([
      eventOf(1, { op: 'd', before: { id: 1 }, after: null }),
      eventOf(2, { op: 't', key: null, after: null }),
      eventOf(3, { op: 'm', key: null, after: { text: 'hello' } }),
    ]);
    const result = await run("export default (event) => event.op === 't' ? null : event", batch, parts);
    expect([...result.filtered]).toEqual([1]);
    expect([...result.from]).toEqual([0, 2]);
  });
});

test('with images: both an update that gives nothing any more deletes what the old row gave', async () => {
  const update = (n: number, before: Json, after: Json) =>
    eventOf(n, { op: 'u', before: before as never, after: after as never });
  const batch = batchOf([
    update(1, { id: 1, on: true }, { id: 1, on: false }),
    update(2, { id: 2, on: false }, { id: 2, on: false }),
  ]);
  const result = await run('export default (row) => (row.on ? row : null)', batch, { images: 'both' });
  expect([...result.filtered]).toEqual([1]);
  expect([...result.from]).toEqual([0]);
  expect([result.out.op(0), result.out.before(0), result.out.after(0)]).toEqual(['d', '{"id":1,"on":true}', null]);
});

describe('lifetime', () => {
  test('an aborted signal rejects with its reason, before and during', async () => {
    await using made = await transform('export default (row) => { for (;;); }');
    const reason = new Error('stop');
    await expect(made.apply(batchOfIds(1), AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const applied = made.apply(batchOfIds(100), controller.signal);
    setImmediate(() => controller.abort(reason));
    await expect(applied).rejects.toBe(reason);
  });

  test('one transform serves several batches at one time', async () => {
    await using made = await transform('export default (row) => ({ ...row, twice: row.id * 2 })');
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, b) =>
        made.apply(
          batchOfIds(700, (i) => ({ id: b * 1000 + i })),
          signal,
        ),
      ),
    );
    for (const [b, result] of results.entries()) {
      expect(rowsOf(result).map((row) => row!['twice'])).toEqual(
        Array.from({ length: 700 }, (_, i) => 2 * (b * 1000 + i)),
      );
    }
  });

  test('the identity changes with code, options and limits, and with nothing else', async () => {
    const hash = async (source: string, parts = {}): Promise<string> => {
      await using made = await transform(source, parts);
      return made.identity.hash;
    };
    const code = 'export default (row) => row';
    const same = await hash(code);
    expect(await hash(code, { id: 'other' })).toBe(same);
    const others = await Promise.all([
      hash(`${code};`),
      hash(code, { state: 'keep' }),
      hash(code, { images: 'both' }),
      hash(code, { scope: 'event' }),
      hash(code, { limits: { depth: 5 } }),
    ]);
    expect(new Set([same, ...others]).size).toBe(6);
  });
});
