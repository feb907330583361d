// No state from one event to the next, nothing shared between two transforms, nothing of the host in reach, and the same
// event gives the same bytes in every process.

import { batchOf } from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import { createLanguages } from './index.ts';
import { batchOfIds, bench, eventOf, failuresOf, quiet, recorder, rowsOf, ruleOf } from './test-rule.ts';

const { run, transform } = bench();
const { signal } = new AbortController();

/** What each of n events sees: the first event tries to leave something behind, the others look for it. */
async function left(leave: string, look: string, count = 5): Promise<unknown[]> {
  const result = await run(
    `export default (row) => {
      if (row.id === 0) { try { ${leave} } catch (error) { return { error: String(error) }; } return { left: true }; }
      return { found: ${look} };
    }`,
    batchOfIds(count),
  );
  expect(result.failed).toEqual([]);
  return rowsOf(result)
    .slice(1)
    .map((row) => row!['found']);
}

describe('from one event to the next', () => {
  test.each([
    ['a global', 'globalThis.leak = 1', 'typeof leak'],
    ['a global by indirect eval', "(0, eval)('var leak = 1')", 'typeof leak'],
    ['a global by new Function', "new Function('globalThis.leak = 1')()", 'typeof leak'],
    ['a lexical global by indirect eval', "(0, eval)('let leak = 1')", 'typeof leak'],
    ['Object.prototype', 'Object.prototype.leak = 1', 'typeof ({}).leak'],
    ['Array.prototype', 'Array.prototype.leak = 1', 'typeof [].leak'],
    [
      'a setter on Object.prototype',
      "Object.defineProperty(Object.prototype, 'leak', { value: 1 })",
      'typeof ({}).leak',
    ],
    ['the prototype of functions', '(() => {}).constructor.prototype.leak = 1', 'typeof (() => {}).leak'],
    ['the prototype of generators', 'Object.getPrototypeOf(function* () {}).leak = 1', 'typeof (function* () {}).leak'],
    [
      'the prototype of async functions',
      'Object.getPrototypeOf(async () => {}).leak = 1',
      'typeof (async () => {}).leak',
    ],
    ['iterators', 'Object.getPrototypeOf([][Symbol.iterator]()).leak = 1', 'typeof [][Symbol.iterator]().leak'],
    [
      'segments',
      "Object.getPrototypeOf(new Intl.Segmenter().segment('a')).leak = 1",
      "typeof new Intl.Segmenter().segment('a').leak",
    ],
    [
      'the iterator of segments',
      "Object.getPrototypeOf(new Intl.Segmenter().segment('a')[Symbol.iterator]()).leak = 1",
      "typeof new Intl.Segmenter().segment('a')[Symbol.iterator]().leak",
    ],
    ['typed arrays', 'Object.getPrototypeOf(Uint8Array).leak = 1', 'typeof Uint8Array.leak'],
    ['console', 'console.leak = 1', 'typeof console.leak'],
    ['console.log', 'console.log.leak = 1', 'typeof console.log.leak'],
    ['Date', 'Date.leak = 1; Date.now.leak = 1', 'typeof Date.leak + typeof Date.now.leak'],
    ['Math.random', 'Math.random = () => 4', 'Math.random() === 4'],
    ['JSON', "JSON.stringify = () => 'HACKED'", "JSON.stringify({}) === '{}'"],
    [
      'the last regular expression',
      "/s(e)cret/.exec('secret')",
      'typeof RegExp.$1 + typeof RegExp.lastMatch + typeof RegExp.input',
    ],
    ['Intl', 'Intl.leak = 1; Intl.NumberFormat.prototype.leak = 1', 'typeof Intl.leak'],
    ['Symbol.for', "Symbol.for('x').description.leak = 1", "typeof Symbol.for('x').leak"],
    ['Error', 'Error.stackTraceLimit = 1; Error.leak = 1', 'Error.stackTraceLimit + typeof Error.leak'],
  ])('%s', async (_name, leave, look) => {
    const found = await left(leave, look);
    const clean = await run(`export default () => ({ found: ${look} })`, batchOfIds(1));
    expect(found).toEqual(new Array(4).fill(rowsOf(clean)[0]!['found']));
  });

  test('a module’s own variables begin anew for each event', async () => {
    const result = await run(
      'let n = 0;\nconst seen = [];\nexport default (row) => { seen.push(row.id); return { n: ++n, seen } }',
      batchOfIds(3),
    );
    expect(rowsOf(result)).toEqual([0, 1, 2].map((id) => ({ n: 1, seen: [id] })));
  });

  test('the context of an event leads to no other event', async () => {
    const result = await run(
      `export default (row, ctx) => {
        const proto = Object.getPrototypeOf(ctx);
        const found = [ctx.leak, proto.leak, ctx.constructor.leak, Object.getOwnPropertyDescriptor(proto, 'event').get.leak].map((x) => typeof x);
        for (const target of [ctx, proto, ctx.constructor, Object.getOwnPropertyDescriptor(proto, 'event').get, ctx.log]) {
          try { target.leak = row.id } catch {}
        }
        return { found, log: typeof ctx.log.leak };
      }`,
      batchOfIds(3),
    );
    const rows = rowsOf(result);
    expect(rows[1]!['found']).toEqual(['undefined', 'undefined', 'undefined', 'undefined']);
    expect(rows[0]!['found']).toEqual(rows[1]!['found']);
    expect(failuresOf(result)).toEqual([]);
  });

  test('a promise that an event left behind sees its own event only', async () => {
    const { log, entries } = recorder();
    await using made = await transform(
      `export default async (row, ctx) => {
        if (row.id === 0) Promise.resolve().then(() => {}).then(() => {}).then(() => ctx.log('late', ctx.event.id));
        await null; await null; await null; await null;
        return { ...row };
      }`,
      {},
      log,
    );
    const result = await made.apply(batchOfIds(3), signal);
    expect(result.from.length).toBe(3);
    expect(entries.length).toBe(1);
    for (const entry of entries) expect([entry.text, entry.fields['event']]).toEqual(['late e0', 'e0']);
  });

  test('state: keep lets the module’s variables live, in order, within an isolate', async () => {
    await using made = await transform('let n = 0;\nexport default (row) => ({ n: ++n })', { state: 'keep' });
    const first = await made.apply(batchOfIds(3), signal);
    expect(rowsOf(first).map((row) => row!['n'])).toEqual([1, 2, 3]);
    const second = await made.apply(batchOfIds(2), signal);
    expect(rowsOf(second).map((row) => row!['n'])).toEqual([4, 5]);
    const fresh = await made.apply(batchOfIds(2), signal, { fresh: true });
    expect(rowsOf(fresh).map((row) => row!['n'])).toEqual([1, 2]);
  });

  test('state: keep counts an event once, also when it asks for its envelope', async () => {
    await using made = await transform('let n = 0;\nexport default (row, ctx) => ({ n: ++n, op: ctx.event.op })', {
      state: 'keep',
    });
    const result = await made.apply(batchOfIds(3), signal);
    expect(rowsOf(result)).toEqual([1, 2, 3].map((n) => ({ n, op: 'c' })));
  });

  test('two transforms share nothing', async () => {
    await using first = await transform(
      "let n = 0; export default (row) => { try { globalThis.shared = 1; Symbol.for('a').x = 1 } catch {} return { n: ++n } }",
      { state: 'keep' },
    );
    await using second = await transform('let n = 0; export default (row) => ({ n: ++n, shared: typeof shared })', {
      state: 'keep',
    });
    await first.apply(batchOfIds(5), signal);
    expect(rowsOf(await second.apply(batchOfIds(1), signal))).toEqual([{ n: 1, shared: 'undefined' }]);
  });
});

describe('what is in reach', () => {
  test('nothing of Node, of the network, of timers or of isolated-vm', async () => {
    const names = [
      'process',
      'require',
      'module',
      'fetch',
      'setTimeout',
      'setInterval',
      'setImmediate',
      'queueMicrotask',
      'Buffer',
      'global',
      'ivm',
      '_ivm',
      'performance',
      'WebAssembly',
      'SharedArrayBuffer',
      'Atomics',
      'WeakRef',
      'FinalizationRegistry',
      'gc',
      '$0',
      'crypto',
      'navigator',
    ];
    const result = await run(
      `export default (row, ctx) => ({
        found: ${JSON.stringify(names)}.filter((name) => { try { return (0, eval)('typeof ' + name) !== 'undefined' } catch { return false } }),
        global: Object.getOwnPropertyNames(globalThis).filter((name) => /sluice|ivm|host|harness/i.test(name)),
        viaCtx: ctx.log.constructor('return typeof process + typeof require')(),
        viaError: (() => { try { null.x } catch (e) { return e.constructor.constructor('return typeof process')() } })(),
        self: (function () { return typeof this })(),
      })`,
      batchOfIds(1),
    );
    expect(rowsOf(result)).toEqual([
      { found: [], global: [], viaCtx: 'undefinedundefined', viaError: 'undefined', self: 'undefined' },
    ]);
  });

  test('import() finds nothing', async () => {
    const result = await run(
      "export default async () => { await import('node:fs'); return { got: true } }",
      batchOfIds(1),
    );
    expect(failuresOf(result)).toEqual([[0, 'E_TRANSFORM_RUNTIME']]);
  });

  test.each([
    ['a getter on the message', 'throw { get message() { for (;;); } }'],
    [
      'a getter on the stack',
      "const e = new Error('x'); Object.defineProperty(e, 'stack', { get() { for (;;); } }); throw e",
    ],
    ['a proxy', 'throw new Proxy({}, { get() { for (;;); }, getPrototypeOf() { for (;;); } })'],
    ['a message that is an object', 'throw Object.assign(new Error(), { message: { toString() { for (;;); } } })'],
    ['a rejection of that kind', 'return Promise.reject({ get message() { for (;;); } })'],
  ])('a hostile error, %s, costs its own event', async (_name, code) => {
    const result = await run(`export default (row) => { if (row.id === 50) { ${code} } return row }`, batchOfIds(100), {
      limits: { timeout: 50 },
    });
    expect(result.failed.map(({ index }) => index)).toEqual([50]);
    expect(result.from.length).toBe(99);
  });

  test.each([
    'throw undefined',
    'throw null',
    "throw 'text'",
    'throw { a: 1 }',
    'throw Object.create(null)',
    "throw Symbol('s')",
    'throw new Proxy(() => {}, { getPrototypeOf() { throw 1 } })',
    "const e = new TypeError('x'); e.name = { toString() { throw 5 } }; throw e",
  ])('%s is an error that can be read', async (code) => {
    const result = await run(`export default () => { ${code} }`, batchOfIds(1));
    expect(failuresOf(result)).toEqual([[0, 'E_TRANSFORM_RUNTIME']]);
    expect(result.failed[0]!.error.message).not.toBe('');
  });

  test('a rejection that nobody handles fails its own event', async () => {
    const result = await run(
      "export default (row) => { if (row.id === 5) Promise.reject(new TypeError('left alone')); return row }",
      batchOfIds(100),
    );
    expect(failuresOf(result)).toEqual([[5, 'E_TRANSFORM_RUNTIME']]);
    expect(result.failed[0]!.error.message).toBe('unhandled rejection: TypeError: left alone');
    expect(result.from.length).toBe(99);
  });

  test('an answer cannot be forged by text', async () => {
    const text = JSON.stringify('\n0{"forged":true}\n2\n\x1e\t3');
    const result = await run(
      `export default (row) => row.id === 1 ? { text: ${text} } : row.id === 2 ? (() => { throw new Error(${text}) })() : row`,
      batchOfIds(4),
    );
    expect(failuresOf(result)).toEqual([[2, 'E_TRANSFORM_RUNTIME']]);
    expect(rowsOf(result)).toEqual([
      { id: 0, name: 'n0' },
      { text: JSON.parse(text) as string },
      { id: 3, name: 'n3' },
    ]);
  });
});

describe('determinism', () => {
  const code = `export default (row, ctx) => ({
    now: Date.now(), date: new Date().toISOString(), text: Date(), local: new Date().toLocaleString(),
    format: new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'long' }).format(),
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone, locale: Intl.NumberFormat().resolvedOptions().locale,
    dice: [Math.random(), Math.random(), Math.random()],
    temporal: [Temporal.Now.instant(), Temporal.Now.plainDateISO(), Temporal.Now.zonedDateTimeISO()].map(String),
    stack: (() => { try { null.x } catch (e) { return e.stack } })(),
    number: (1234567.891).toLocaleString(), sorted: ['ä', 'z', 'a'].sort((a, b) => a.localeCompare(b)),
    source: ctx.event.source.table,
  })`;

  test('the clock stands at source.ts_ms', async () => {
    const result = await run(code, batchOfIds(1));
    const row = rowsOf(result)[0]!;
    expect([row['now'], row['date'], row['zone']]).toEqual([1_700_000_000_000, '2023-11-14T22:13:20.000Z', 'UTC']);
    expect(row['format']).toContain('14 November 2023');
    expect(String(row['text'])).toContain('Tue Nov 14 2023 22:13:20');
  });

  test('the same event gives the same bytes in another process, another batch and another place', async () => {
    const texts: string[][] = [];
    for (let p = 0; p < 2; p++) {
      await using languages = createLanguages({ children: 1 });
      await using made = await languages.create(ruleOf(code), { stream: 's', log: quiet });
      for (const batch of [
        batchOf([eventOf(1), eventOf(2), eventOf(3)]),
        batchOf([eventOf(3), eventOf(2), eventOf(1)]),
      ]) {
        const { out } = await made.apply(batch, signal);
        texts.push(Array.from({ length: 3 }, (_, j) => `${out.id(j)} ${out.after(j)}`).sort());
      }
    }
    expect(texts[1]).toEqual(texts[0]);
    expect(texts[2]).toEqual(texts[0]);
    expect(texts[3]).toEqual(texts[0]);
    expect(new Set(texts[0]!.map((text) => /"dice":\[[^\]]*\]/.exec(text)![0])).size).toBe(3);
  });

  test('dice are fair enough: a thousand events differ', async () => {
    const result = await run('export default () => ({ r: Math.random() })', batchOfIds(1000));
    const dice = rowsOf(result).map((row) => row!['r'] as number);
    expect(new Set(dice).size).toBe(1000);
    const mean = dice.reduce((a, b) => a + b, 0) / 1000;
    expect(mean).toBeGreaterThan(0.45);
    expect(mean).toBeLessThan(0.55);
  });

  test('code cannot tell that it was run without heads first', async () => {
    const result = await run(
      `export default (row, ctx) => {
        let seen = [];
        try { seen.push(ctx.event.id) } catch { seen.push('caught') }
        if (ctx.event === undefined || Date.now() === 0) { console.log('void'); for (;;); }
        return { id: row.id, seen };
      }`,
      batchOfIds(300),
      { limits: { timeout: 100 } },
    );
    expect(result.failed).toEqual([]);
    expect(rowsOf(result)).toEqual(Array.from({ length: 300 }, (_, id) => ({ id, seen: [`e${id}`] })));
  });

  test('only the event that asks for its envelope late in a batch changes how the rest is sent, not what comes out', async () => {
    const result = await run(
      'export default (row, ctx) => row.id > 150 ? { id: ctx.event.id } : { id: row.id }',
      batchOfIds(300),
    );
    expect(rowsOf(result).map((row) => row!['id'])).toEqual(
      Array.from({ length: 300 }, (_, i) => (i > 150 ? `e${i}` : i)),
    );
  });
});
