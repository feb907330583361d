// Names that are imported and not exported: found before anything runs, where they are asked for.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { batchOfIds, bench, rowsOf, ruleOf } from '../test-rule.ts';

const { run, languages } = bench();
const folder = mkdtempSync(join(tmpdir(), 'sluice-linking-'));
afterAll(() => rmSync(folder, { recursive: true }));
const parts = { dir: folder, file: 'transform.js' };

const helpers = {
  'names.js':
    'export const one = 1, { a, b: [two] } = { a: 0, b: [2] };\nexport function f() {}\nexport { f as "odd name" };',
  'default.js': 'export default 7;',
  'through.js':
    "export { one as uno, f } from './names.js';\nexport { default } from './default.js';\nexport * as all from './names.js';",
  'star.js': "export * from './names.js';\nexport * from './default.js';\nexport const own = 1;",
  'twice.js': "export * from './star.js';\nexport * from './names.js';",
  'other.js': 'export const one = 11, only = 12;',
  'clash.js': "export * from './names.js';\nexport * from './other.js';",
  'chosen.js': "export * from './clash.js';\nexport { one } from './other.js';",
  'wrong.js': "export const ok = 1;\nexport { none } from './names.js';",
  'empty.js': '1;',
};
for (const [name, code] of Object.entries(helpers)) writeFileSync(join(folder, name), code);

describe('an import of a name', () => {
  test.each([
    ["import { one, two as due, f } from './names.js'", '[one, due, typeof f]', [1, 2, 'function']],
    ["import { 'odd name' as odd } from './names.js'", '[typeof odd]', ['function']],
    ["import seven, { uno, all } from './through.js'", '[seven, uno, all.two]', [7, 1, 2]],
    [
      "import * as all from './star.js'",
      "[all.one, all.own, 'default' in all, all.none === undefined]",
      [1, 1, false, true],
    ],
    ["import { one } from './twice.js'", '[one]', [1]],
    ["import { one, only } from './chosen.js'", '[one, only]', [11, 12]],
    ["import './empty.js'", '[]', []],
  ])('that is there is what it is in ESM: %s', async (line, value, want) => {
    const result = await run(`${line};\nexport default () => ({ value: ${value} });`, batchOfIds(1), parts);
    expect(rowsOf(result)).toEqual([{ value: want }]);
  });

  test.each([
    [
      "import { one, three } from './names.js';",
      'transform.js',
      2,
      15,
      'no export "three"',
      'it exports a, f, odd name, one, two',
    ],
    ["import names from './names.js';", 'transform.js', 2, 8, 'no export "default"', 'it exports a,'],
    ["import seven from './star.js';", 'transform.js', 2, 8, 'no export "default"', 'own'],
    ["import { default as x } from './names.js';", 'transform.js', 2, 10, 'no export "default"', ''],
    ["import { f, __proto__ as p } from './names.js';", 'transform.js', 2, 13, 'no export "__proto__"', ''],
    ["import { x } from './empty.js';", 'transform.js', 2, 10, 'no export "x"', 'exports nothing'],
    ["import { one } from './clash.js';", 'transform.js', 2, 10, 'comes from two modules', 'by name'],
    ["import { ok } from './wrong.js';", 'wrong.js', 2, 10, 'no export "none"', 'it exports a,'],
    ["export { nothing } from './names.js';", 'transform.js', 2, 10, 'no export "nothing"', ''],
  ])('that is not there is found: %s', async (line, file, row, column, message, fix) => {
    const [error] = await languages.check(ruleOf(`\n${line}\nexport default () => null;`, parts));
    expect(error).toMatchObject({
      code: 'E_TRANSFORM_SYNTAX',
      message: expect.stringContaining(message),
      fix: expect.stringContaining(fix),
      at: { file, line: row, column },
    });
  });
});

test('a type that is imported as a value is found in TypeScript too, as Node finds it, and the mend works', async () => {
  writeFileSync(join(folder, 'types.ts'), 'export interface Order { id: number }');
  const typed = { ...parts, file: 'transform.ts', type: 'typescript' };
  const source = (word: string): string =>
    `import ${word} { Order } from './types.ts';\nexport default (row: Order) => ({ id: row.id });`;
  const [error] = await languages.check(ruleOf(source(''), typed));
  expect(error).toMatchObject({ fix: expect.stringContaining('import type'), at: { line: 1 } });
  expect(rowsOf(await run(source('type'), batchOfIds(1), typed))).toEqual([{ id: 0 }]);
});
