// An instrumented module does what the module does, and says where it was.

import { expect, it } from 'vitest';
import { instrument } from './coverage.ts';

// as the sandbox would: a module's body is a function of its exports
async function run(
  source: string,
  input: unknown,
  typed = false,
): Promise<{ out: unknown; plain: unknown; lines: number[] }> {
  const { source: code, points, mark } = await instrument(source, typed);
  const hits: number[] = [];
  const log = { debug: (text: string) => void hits.push(Number(text.slice(mark.length))) };
  const evaluate = (text: string): unknown => {
    const body = text
      .replace(/^#!.*/, '')
      .replace(/export default/, 'exports.default =')
      .replace(/\bexport (?=const)/g, '');
    const exports: { default?: (input: unknown) => unknown } = {};
    new Function('exports', 'console', body)(exports, log);
    try {
      return exports.default!(structuredClone(input));
    } catch (error) {
      return String(error);
    }
  };
  const out = evaluate(code);
  const lines = [...new Set(hits.map((n) => points[n]!.line))].sort((a, b) => a - b);
  const plain = typed ? out : evaluate(source);
  return { out, plain, lines };
}

it.each([
  ['export default (row) => ({ ...row, n: row.n ? 1 : 2 });', { n: 0 }],
  ['export default (row) => (row.a && row.a.b) || (row.c ?? 3);', { c: 0 }],
  ['export default (row) => row.a?.b ?? (row.c ? row.d ? 1 : 2 : 3);', { c: 1 }],
  ['export default (row) => { for (const x of row.list) if (x > 1) return x; return null; };', { list: [1, 2, 3] }],
  [
    'export default (row) => { let i = 0; do i++; while (i < row.n); for (;;) { if (i-- < 0) break; else continue; } return i; };',
    { n: 4 },
  ],
  [
    'export default function (row) { "use strict"; a: for (const k in row) { switch (k) { case "x": continue a; default: break a; } } return row; };',
    { x: 1 },
  ],
  ['const f = (a) => (b) => a + b;\nexport default (row) => [row.n].map(f(1)).map((x) => x * 2);', { n: 3 }],
  ['class A { static #n = 1; static { this.m = A.#n; } get v() { return A.m; } }\nexport default () => new A().v;', {}],
  [
    'export const one = 1, two = () => one;\nexport default (row) => { try { throw row.n; } catch { return two(); } finally { row.x = 1; } };',
    { n: 1 },
  ],
  [
    'export default (row) => { if (row.n) throw new Error("x"); else if (row.m) return 1; else { return 2; } };',
    { m: 1 },
  ],
  ['#!/usr/bin/env node\nexport default ({ n = 1, ...rest }) => ((n) => (n, rest))(n);', { z: 1 }],
  ['export default (row) => { with_: { if (row.n) break with_; } return `${row.n ? "a" : "b"}`; };', { n: 0 }],
])('%s is what it was', async (source, input) => {
  const { out, plain } = await run(source, input);
  expect(out).toEqual(plain);
});

it('counts the lines that ran, and no others', async () => {
  const source = `export default (row) => {
  if (row.n > 1) {
    return 'big';
  }
  const text = row.t
    ? 'with'
    : 'without';
  return text;
};
`;
  expect((await run(source, { n: 1, t: 1 })).lines).toEqual([2, 5, 6, 8]);
  expect((await run(source, { n: 2 })).lines).toEqual([2, 3]);
  expect((await run(source.replace('(row)', '(row: { n: number; t?: string })'), { n: 1 }, true)).lines).toEqual([
    2, 5, 7, 8,
  ]);
});
