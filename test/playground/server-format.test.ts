// What the formatter does to code, and what it must never do: change anything but white space at the ends of lines.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatted } from '../../playground/server/format.ts';
import { root } from '../architecture/files.ts';

const unindented = (text: string): string => text.replaceAll(/^[ \t]+/gm, '');

describe('code is indented by its brackets', () => {
  test.each([
    ['export default (row) => {\nreturn {\n...row,\nn: [\n1,\n],\n};\n};'],
    ['const f = (a) => a.map((one) => ({\nx: one,\n}));\nexport default f;'],
    ['switch (row.kind) {\ncase 1: {\nreturn row;\n}\n}'],
    ['const x = row\n.items\n?.filter((i) => i.ok)\n.map((i) => {\nreturn i;\n});'],
    ['const t = `\n  kept ${row.a.map((x) => {\nreturn x;\n})} as\n it is`;\nexport default () => t;'],
    ['/* {\n  a comment ( stays\n*/\nexport default () => ({\na: 1,\n});'],
    ['const r = /[{(]/.test(row.s) ? "}" : \'{\';\nif (r) {\nf();\n}'],
    ['f(() => {\ng();\n}, [\n1,\n]);'],
  ])('%j', (source) => {
    const text = formatted('javascript', source);
    expect(text).toMatchSnapshot();
    expect(formatted('javascript', text)).toBe(text);
  });

  test('JSONata too, and its text stays what it was', () => {
    const text = formatted(
      'jsonata',
      '(\n$sum := function($l) {\n$reduce($l, function($a, $b) {\n$a + $b\n})\n};\n$merge([$, {\n"n": $sum(items.quantity)\n}])\n)',
    );
    expect(text).toMatchSnapshot();
  });

  test('JSON is written as JSON, unless a number of it would become another one', () => {
    expect(formatted('kazaam', '[{"operation":"pass"}]')).toBe('[\n  {\n    "operation": "pass"\n  }\n]\n');
    for (const source of ['{"n":12345678901234567890}', '{"a":', '']) expect(formatted('json', source)).toBe(source);
  });

  test('what has brackets that do not match stays as it came', () => {
    for (const source of ['export default (row) => {\nreturn {\n', '}\n{', '(]', 'const s = `open', '"open']) {
      expect(formatted('javascript', source)).toBe(source);
    }
  });
});

test('of the files of this project nothing changes but white space, and what comes out comes out again', () => {
  const folder = join(root, 'core/engine');
  for (const name of readdirSync(folder).filter((one) => one.endsWith('.ts'))) {
    const source = readFileSync(join(folder, name), 'utf8');
    const text = formatted('typescript', source);
    expect(unindented(text), name).toBe(unindented(source));
    expect(formatted('typescript', text), name).toBe(text);
  }
});

test('a text that nobody wrote by hand takes no time', () => {
  for (const source of [
    '/'.repeat(1 << 20),
    '/[\n'.repeat(1 << 18),
    '{'.repeat(1 << 20),
    '`${'.repeat(1 << 18),
    'a\n'.repeat(1 << 19),
  ]) {
    const began = performance.now();
    formatted('javascript', source);
    expect(performance.now() - began).toBeLessThan(2_000);
  }
});

test('of any text nothing changes but white space at the ends of lines', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '(',
    ')',
    '[',
    ']',
    '`',
    '${',
    '"',
    "'",
    '/',
    '//',
    '/*',
    '*/',
    '\\',
    'a',
    ' ',
    '\n',
    '  ',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const source = pieces.join('');
      const bare = (text: string): string => text.replaceAll(/[ \t]*\n[ \t]*/g, '\n').trim();
      expect(bare(formatted('javascript', source))).toBe(bare(source));
    }),
    { numRuns: 3000 },
  );
});
