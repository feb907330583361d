// JavaScript and TypeScript as authors write them: places of errors in their own files, helper modules, module syntax.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { batchOfIds, bench, recorder, rowsOf, ruleOf } from '../test-rule.ts';
import { loadParser, rewriteModule } from './rewrite.ts';

const { run, transform, languages } = bench();
const folder = mkdtempSync(join(tmpdir(), 'sluice-javascript-'));
afterAll(() => rmSync(folder, { recursive: true }));
const put = (name: string, text: string): void => writeFileSync(join(folder, name), text);
const helpers = { dir: folder, file: 'shop/transform.ts' };

describe('syntax errors', () => {
  test.each([
    ['export default (row) => {\n  return row +;\n}', 2, 15],
    ['export default (row) => row;\nconst a = 1;\nconst a = 2;', 3, 7],
    ['export default (row) => "never ends', 1, 25],
    ['return 5', 1, 1],
    ['await 5;\nexport default (row) => row', 1, 1],
  ])('%j fails at its line and column', async (source, line, column) => {
    const [error] = await languages.check(ruleOf(source, { file: 'my.js' }));
    expect(error).toMatchObject({ code: 'E_TRANSFORM_SYNTAX', at: { file: 'my.js', line, column } });
    await expect(transform(source)).rejects.toMatchObject({ code: 'E_TRANSFORM_SYNTAX' });
  });

  test.each([
    ['const x: number = ;\nexport default (row: object) => row', 1, 19],
    ['\n\n  const y = 1;\n foo bar\n', 4, 6],
    ['export default (row: any) => row;\n\tenum X { A }', 2, 2],
    ['type A = { a: string };\n  namespace N { export const x = 1 }\nexport default (row: A) => row', 2, 3],
    ['interface A { a: string }\nexport default (row: A) => row.;', 2, 32],
  ])('TypeScript %j fails at its line and column', async (source, line, column) => {
    const [error] = await languages.check(ruleOf(source, { file: 'my.ts' }));
    expect(error).toMatchObject({ code: 'E_TRANSFORM_SYNTAX', at: { file: 'my.ts', line, column } });
  });

  test('a module without a default export says so', async () => {
    const [error] = await languages.check(ruleOf('export const f = (row) => row'));
    expect(error).toMatchObject({
      code: 'E_TRANSFORM_SYNTAX',
      message: expect.stringContaining('export default') as string,
    });
  });

  test('inline code is placed in the manifest', async () => {
    const inline = { file: 'sluice.yaml', offset: { line: 10, column: 7 } };
    const [error] = await languages.check(ruleOf('export default (row) =>\n  row +;', inline));
    expect(error!.at).toEqual({ file: 'sluice.yaml', line: 11, column: 14 });
    const result = await run('export default (row) =>\n  row.a.b', batchOfIds(1), inline);
    expect(result.failed[0]!.error.at).toEqual({ file: 'sluice.yaml', line: 11, column: 15 });
  });

  test('code that is right has no findings, and nothing of it runs', async () => {
    expect(await languages.check(ruleOf('throw new Error("ran"); export default (row) => row'))).toEqual([]);
  });

  test('code that is nested too deep is a finding', async () => {
    const found = await languages.check(ruleOf(`export default ${'('.repeat(1e5)}1${')'.repeat(1e5)}`));
    expect(found[0]).toMatchObject({ code: 'E_TRANSFORM_SYNTAX' });
  });
});

describe('run-time errors', () => {
  test('point at the author’s line and column', async () => {
    const source = [
      'const cents = (row) =>',
      '  row.price.toFixed(2);',
      '',
      'export default (row) => {',
      '  return { p: cents(row) };',
      '};',
    ].join('\n');
    const result = await run(source, batchOfIds(1), { file: 'prices.js' });
    expect(result.failed[0]!.error.toJSON()).toMatchObject({
      code: 'E_TRANSFORM_RUNTIME',
      message: "TypeError: Cannot read properties of undefined (reading 'toFixed')",
      at: { file: 'prices.js', line: 2, column: 13 },
    });
  });

  test('point at the author’s TypeScript, types and all', async () => {
    const source = [
      'interface Order {',
      '  readonly id: number;',
      '}',
      'type Out = Record<string, unknown>;',
      'const fail = <T extends Order>(order: T, why: string): never => { throw new RangeError(why) };',
      'export default (row: Order): Out => fail(row as Order, "here");',
    ].join('\n');
    const result = await run(source, batchOfIds(1), { file: 'orders.ts' });
    expect(result.failed[0]!.error.toJSON()).toMatchObject({
      message: 'RangeError: here',
      at: { file: 'orders.ts', line: 5, column: source.split('\n')[4]!.indexOf('new RangeError') + 1 },
    });
  });

  test('point into the helper that threw', async () => {
    put(
      'deep.ts',
      'export type T = string;\n\nexport const explode = (text: T): never => {\n  throw new Error(text);\n};\n',
    );
    const result = await run(
      "import { explode } from './deep.ts';\nexport default () => explode('in the helper')",
      batchOfIds(1),
      helpers,
    );
    expect(result.failed[0]!.error.toJSON()).toMatchObject({
      message: 'Error: in the helper',
      at: { file: 'shop/deep.ts', line: 4, column: 9 },
    });
  });

  test('log lines carry event, line and column', async () => {
    const { log, entries } = recorder();
    await run(
      'export default (row, ctx) => {\n  console.warn("odd", { id: row.id }, [1], null, undefined);\n  ctx.log("plain");\n  ctx.log.error("bad");\n  return row;\n}',
      batchOfIds(1),
      { file: 'logs.js' },
      log,
    );
    expect(entries).toEqual([
      {
        level: 'warn',
        text: 'odd {"id":0} [1] null undefined',
        fields: { transform: 'under-test', event: 'e0', at: { file: 'logs.js', line: 2, column: 11 } },
      },
      {
        level: 'info',
        text: 'plain',
        fields: { transform: 'under-test', event: 'e0', at: { file: 'logs.js', line: 3, column: 7 } },
      },
      {
        level: 'error',
        text: 'bad',
        fields: { transform: 'under-test', event: 'e0', at: { file: 'logs.js', line: 4, column: 11 } },
      },
    ]);
  });
});

describe('modules', () => {
  test('helpers are imported by relative path, in every form', async () => {
    put(
      'a.js',
      'export const one = 1; export let two = 2;\nexport function three() { return 3 }\nexport class Four { n = 4 }\nexport default () => "default";\nconst five = 5; export { five, five as "odd name" };\nexport const { x: six, y: [seven] } = { x: 6, y: [7] };',
    );
    put(
      'b.ts',
      "import type { Nothing } from './types.ts';\nexport * from './a.js';\nexport { default as fallback } from './a.js';\nexport * as all from './a.js';\nexport const own: string = 'b';",
    );
    mkdirSync(join(folder, 'more'), { recursive: true });
    writeFileSync(
      join(folder, 'more', 'c.mjs'),
      "import * as b from '../b.ts';\nexport default { one: b.one, seven: b.seven, has: 'default' in b, all: Object.keys(b.all).sort() };",
    );
    const result = await run(
      [
        "import def, { one, two as zwei, three, Four, six, 'odd name' as odd } from './a.js';",
        "import * as b from './b.ts'; import c from './more/c.mjs';",
        "import './a.js';",
        'export default (row) => ({ def: def(), one, zwei, three: three(), four: new Four().n, six, odd, own: b.own, fallback: b.fallback(), five: b.five, c });',
        'export const ignored = 1;',
      ].join('\n'),
      batchOfIds(2),
      helpers,
    );
    expect(result.failed).toEqual([]);
    const all = ['Four', 'default', 'five', 'odd name', 'one', 'seven', 'six', 'three', 'two'];
    expect(rowsOf(result)[1]).toEqual({
      def: 'default',
      one: 1,
      zwei: 2,
      three: 3,
      four: 4,
      six: 6,
      odd: 5,
      own: 'b',
      fallback: 'default',
      five: 5,
      c: { one: 1, seven: 7, has: false, all },
    });
  });

  test('helpers begin anew for each event too', async () => {
    put('count.js', 'let n = 0;\nexport const next = () => ++n;');
    const source = "import { next } from './count.js';\nexport default () => ({ n: next() + next() })";
    expect(rowsOf(await run(source, batchOfIds(3), helpers))).toEqual([{ n: 3 }, { n: 3 }, { n: 3 }]);
    expect(rowsOf(await run(source, batchOfIds(3), { ...helpers, state: 'keep' }))).toEqual([
      { n: 3 },
      { n: 7 },
      { n: 11 },
    ]);
  });

  test('the identity covers the code of helpers', async () => {
    const source = "import { a } from './identity.js';\nexport default () => ({ a })";
    const hashes: string[] = [];
    for (const a of [1, 2, 1]) {
      put('identity.js', `export const a = ${a};`);
      await using made = await transform(source, helpers);
      hashes.push(made.identity.hash);
    }
    expect(hashes[0]).toBe(hashes[2]);
    expect(hashes[0]).not.toBe(hashes[1]);
  });

  test.each([
    ["import _ from 'lodash';\nexport default (row) => row", 'E_TRANSFORM_PACKAGE', 1],
    ["const a = 1;\nimport fs from 'node:fs';\nexport default (row) => row", 'E_TRANSFORM_PACKAGE', 2],
    ["import x from './not-there.js';\nexport default (row) => row", 'E_TRANSFORM_SYNTAX', 1],
    ["import x from './circle.js';\nexport default (row) => row", 'E_TRANSFORM_SYNTAX', 1],
    ["import x from './broken.ts';\nexport default (row) => row", 'E_TRANSFORM_SYNTAX', 2],
  ])('%j is a finding', async (source, code, line) => {
    put('circle.js', "import y from './circle.js'; export default 1");
    put('broken.ts', 'export default 5;\nconst a: = 5;');
    const [error] = await languages.check(ruleOf(source, helpers));
    expect(error).toMatchObject({ code, at: { line } });
    expect(error!.message).not.toContain(folder);
    expect(error!.at!.file).toMatch(/^shop\//);
  });

  test.each([
    ['an arrow function', 'export default (row) => ({ v: 1 })'],
    [
      'a named function, used before it stands',
      'const kept = again;\nexport default function again(row) { return { v: typeof kept === "function" ? 1 : 0 } }',
    ],
    ['a function without a name', 'export default function (row) { return { v: 1 } }\n(0, [1])'],
    ['an async function', 'export default async function (row) { return { v: 1 } }'],
    ['a declaration exported later', 'const f = () => ({ v: 1 });\nexport { f as default };'],
    ['an expression', 'const f = (n) => () => ({ v: n });\nexport default f(1)'],
    ['text between the words', 'export /* the */ default\n  (row) => ({ v: 1 });'],
    ['a comment at the end', 'export default (row) => ({ v: 1 }) // done'],
    ['a hashbang', '#!/usr/bin/env node\nexport default (row) => ({ v: 1 })'],
    ['carriage returns', 'const a = 1;\r\nexport default (row) => ({ v: a })\r\n'],
    [
      'what looks like an export in a text',
      'const s = `export default 5`;\nexport default (row) => ({ v: s.length === 16 ? 1 : 0 })',
    ],
    ['strict mode', 'export default function (row) { return { v: this === undefined ? 1 : 0 } }'],
  ])('%s can be the default export', async (_name, source) => {
    const result = await run(source, batchOfIds(1));
    expect(result.failed).toEqual([]);
    expect(rowsOf(result)).toEqual([{ v: 1 }]);
  });

  test('rewriting moves nothing: every word of the code keeps its line and column', async () => {
    await loadParser();
    const statements = [
      "import { a, b as c } from './x.js';",
      "import def from './y.js'; import * as all from './z.js';",
      'const word = 1;',
      'export const other = 2, third = 3;',
      'export function named() { return word }',
      'export { word_ as "given name" };',
      "export * from './w.js';",
      '/* a comment\n over lines */ let late = 5;',
      "import {\n  long,\n  longer as longest,\n} from './v.js'; let after = 6;",
      'label: for (const item of []) break label;',
    ];
    const endings = [
      'export default (row) => word',
      'export default function () { return 1 } let tail = 7;',
      'export default class {} let tail2 = 8;',
    ];
    fc.assert(
      fc.property(
        fc.shuffledSubarray(statements),
        fc.constantFrom(...endings),
        fc.constantFrom('\n', '\r\n', ' '),
        (some, ending, space) => {
          const source = ['let word_ = 0;', ...some, ending].join(space);
          const rewritten = rewriteModule(source);
          const script = rewritten
            .script(
              0,
              rewritten.imports.map((_, i) => i + 1),
            )
            .split('\n')
            .slice(1);
          const lines = source.split('\n');
          for (const word of [
            'word = 1',
            'other = 2',
            'third = 3',
            'late = 5',
            'after = 6',
            'label:',
            'return word',
            'row) =>',
          ]) {
            const line = lines.findIndex((text) => text.includes(word));
            if (line < 0) continue;
            expect([word, script[line]!.indexOf(word)]).toEqual([word, lines[line]!.indexOf(word)]);
          }
        },
      ),
    );
  });
});

test('a helper is named as the transform is: by its whole path, where the transform has one', async () => {
  const source = "import { deep } from './h.js';\nexport default (row) => deep(row)";
  writeFileSync(join(folder, 'h.js'), 'export const deep = (row) => row.gone.x;\n');
  const result = await run(source, batchOfIds(1), { dir: folder, file: join(folder, 'transform.js') });
  expect(result.failed[0]!.error.at).toMatchObject({ file: join(folder, 'h.js'), line: 1 });
});
