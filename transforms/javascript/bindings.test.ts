// Exports that change after their module has run: found where they are, and only they.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { batchOfIds, bench, rowsOf, ruleOf } from '../test-rule.ts';
import { loadParser, rewriteModule } from './rewrite.ts';

const { run, languages } = bench();
const folder = mkdtempSync(join(tmpdir(), 'sluice-bindings-'));
afterAll(() => rmSync(folder, { recursive: true }));
await loadParser();

describe('an export that a function changes later', () => {
  test.each([
    ['export let n = 0;\nexport function inc() { n++; }', 'n', 2, 25],
    ['let n = 0;\nconst inc = () => { n += 1 };\nexport { n as count, inc };', 'n', 2, 21],
    ['export let a, b;\nexport const set = (x) => { [a, { x: b = 1 }] = x };', 'a', 2, 29],
    ['export var last;\nexport class C { m(x) { for (last of x); } }', 'last', 2, 25],
    ['export let n = 0;\nfunction outer(n) { return n++ }\nexport const inc = () => () => --n;', 'n', 3, 32],
    ['export default function f() { f = null }', 'f', 1, 31],
  ])('%j is found', (source, name, line, column) => {
    expect(rewriteModule(source).changed).toEqual({ name, line, column });
  });

  test.each([
    'export let n = 0; n = 5; n++;',
    'export let n = 0; export const f = (n) => { n++ };',
    'export let n = 0; export function f() { let n = 1; n = 2; for (n of []); }',
    'export let n = 0; export function f() { { var { n } = {}; } n = 2; try {} catch (n) { n = 1 } }',
    'export const n = { m: 0 }; export const f = () => { n.m++; n.x = 1 };',
    'let n = 0; export const f = () => ++n;',
    `export const long = () => ${'1+'.repeat(1000)}1;`,
  ])('%.90s is nothing of the kind', (source) => {
    expect(rewriteModule(source).changed).toBe(null);
  });
});

test('such a helper is refused at its own place, and the mend that is named works', async () => {
  const source = "import { n, inc } from './count.js';\nexport default () => { inc(); return { n } }";
  const parts = { dir: folder, file: 'transform.js' };
  writeFileSync(join(folder, 'count.js'), 'export let n = 0;\nexport const inc = () => { n++ };');
  const [error] = await languages.check(ruleOf(source, parts));
  expect(error).toMatchObject({ code: 'E_TRANSFORM_SYNTAX', at: { file: 'count.js', line: 2, column: 28 } });
  expect(error?.message).toContain('"n" is exported and changed later');

  writeFileSync(join(folder, 'count.js'), 'let n = 0;\nexport const get = () => n;\nexport const inc = () => { n++ };');
  const mended = "import { get, inc } from './count.js';\nexport default () => { inc(); return { n: get() } }";
  expect(rowsOf(await run(mended, batchOfIds(2), parts))).toEqual([{ n: 1 }, { n: 1 }]);
});

test('the transform itself may: nobody imports it', async () => {
  const source = 'export let n = 0;\nexport default () => { n++; return { n } }';
  expect(rowsOf(await run(source, batchOfIds(2)))).toEqual([{ n: 1 }, { n: 1 }]);
});
