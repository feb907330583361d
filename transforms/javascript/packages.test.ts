// Packages from npm in transforms: real ones in a node_modules of the test's own, in both module systems; and what is refused,
// with the place of the import.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { SluiceError } from 'sluice/sdk';
import { afterAll, describe, expect, test } from 'vitest';
import { batchOfIds, bench, type RuleParts, rowsOf, ruleOf } from '../test-rule.ts';

const { run, transform, languages } = bench();
const root = mkdtempSync(join(tmpdir(), 'sluice-packages-'));
afterAll(() => rmSync(root, { recursive: true }));
const shop = join(root, 'shop', 'transforms');

function put(path: string, content: string | object): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
}

function install(name: string, meta: object, files: Readonly<Record<string, string>>): void {
  put(`node_modules/${name}/package.json`, { name, version: '1.0.0', ...meta });
  for (const [file, content] of Object.entries(files)) put(`node_modules/${name}/${file}`, content);
}

put('shop/transforms/.keep', '');

// an ES module of several files, with conditions, a pattern, an internal name and a closed folder
install(
  'money',
  {
    type: 'module',
    exports: {
      '.': { node: './node.js', import: './src/index.js', require: './never.cjs' },
      './rates/*': './src/rates/*.js',
      './rates/secret/*': null,
    },
    imports: { '#round': { node: './node.js', default: './src/round.js' } },
  },
  {
    'node.js': "import 'node:fs';",
    'src/index.js':
      "import { round } from '#round';\nexport { default as vat } from './rates/de.js';\nexport const gross = (net, rate) => round(net * (1 + rate));\nexport class Price {\n  constructor(net) {\n    if (net < 0) throw new RangeError('a price below 0');\n    this.net = net;\n  }\n}\n",
    'src/round.js': 'export const round = (value) => Math.round(value * 100) / 100;',
    'src/rates/de.js': 'export default 0.19;',
    'src/rates/secret/x.js': 'export default 1;',
  },
);

// CommonJS: requires between files without endings, in a circle, JSON, an optional package, a choice by NODE_ENV, sloppy code
install(
  'slug',
  { main: './lib' },
  {
    'lib/index.js': [
      "'use strict';",
      'var map = require("./map.json");',
      "var words = require('./words');",
      'var fast; try { fast = require("slug-native"); } catch (error) { fast = error.code; }',
      'function slug(text) { if (typeof text !== "string") throw new TypeError("slug: no text");',
      '  return words.split(text).map(function (word) { return map[word] || word.toLowerCase(); }).join("-"); }',
      'module.exports = slug;',
      'module.exports.fast = fast;',
      'module.exports.build = process.env.NODE_ENV === "production" ? "small" : require("./never-mind");',
      'module.exports.top = typeof this;',
    ].join('\n'),
    'lib/never-mind.js': 'module.exports = "large"',
    'lib/map.json': '{ "&": "and", "__proto__": "none" }',
    'lib/words/index.js':
      "exports.name = 'words';\nvar other = require('../other');\nexports.split = function (text) { return text.split(' '); };\nexports.seen = other.seen;",
    'lib/other.js': "var words = require('./words');\nexports.seen = words.name;",
  },
);

install(
  '@acme/rules',
  { main: 'index.cjs', dependencies: { money: '1' } },
  {
    'index.cjs':
      "exports.vat = require('legacy').vat;\nexports.__esModule = true;\nexports.default = 'as Node has it';",
  },
);
install(
  'legacy',
  { type: 'commonjs', module: 'es.js', main: 'cjs.js' },
  {
    'es.js': 'export const vat = 7; export default function () { return "es" }',
    'cjs.js': 'exports.vat = 19;',
  },
);

const parts = (...packages: string[]): RuleParts => ({ dir: shop, file: 'transforms/t.ts', config: { packages } });

async function firstRow(source: string, ...packages: string[]): Promise<unknown> {
  const result = await run(source, batchOfIds(2), parts(...packages));
  expect(result.failed.map(({ error }) => error.message)).toEqual([]);
  const [first, second] = rowsOf(result);
  expect(second).toEqual(first);
  return first;
}

describe('a package that is listed', () => {
  test('can be an ES module of several files, by its own entries', async () => {
    const source = [
      "import { gross, vat } from 'money';",
      "import * as money from 'money';",
      "import rate from 'money/rates/de';",
      'export default () => ({ total: gross(9.99, vat), rate, names: Object.keys(money).sort() });',
    ].join('\n');
    expect(await firstRow(source, 'money')).toEqual({ total: 11.89, rate: 0.19, names: ['Price', 'gross', 'vat'] });
  });

  test('can be CommonJS with requires between its files', async () => {
    const source = [
      "import slug, { fast, build, top } from 'slug';",
      "import words from 'slug/lib/words/index.js';",
      "export default () => ({ text: slug('Salt & Pepper'), fast, build, top, seen: words.seen });",
    ].join('\n');
    expect(await firstRow(source, 'slug')).toEqual({
      text: 'salt-and-pepper',
      fast: 'MODULE_NOT_FOUND',
      build: 'small',
      top: 'object',
      seen: 'words',
    });
  });

  test('brings what it needs itself, and takes the entry for how it is asked for', async () => {
    const source = [
      "import rules, { vat } from '@acme/rules';",
      "import es, { vat as other } from 'legacy';",
      'export default () => ({ vat, rules: rules.default, es: es(), other });',
    ].join('\n');
    expect(await firstRow(source, '@acme/rules', 'legacy')).toEqual({
      vat: 19,
      rules: 'as Node has it',
      es: 'es',
      other: 7,
    });
  });

  test('is found through a link, as package managers lay them', async () => {
    put('store/linked@2.0.0/node_modules/linked/package.json', { name: 'linked', version: '2.0.0', main: 'a.js' });
    put('store/linked@2.0.0/node_modules/linked/a.js', "exports.near = require('near');");
    put('store/linked@2.0.0/node_modules/near/index.js', "module.exports = 'beside it in the store';");
    put('store/linked@2.0.0/node_modules/near/package.json', { name: 'near' });
    symlinkSync(join(root, 'store/linked@2.0.0/node_modules/linked'), join(root, 'node_modules/linked'));
    expect(await firstRow("import { near } from 'linked';\nexport default () => ({ near })", 'linked')).toEqual({
      near: 'beside it in the store',
    });
  });

  test('runs anew for each event, like the transform itself', async () => {
    install('counter', {}, { 'index.js': 'var n = 0; exports.next = function () { return ++n; };' });
    const source = "import { next } from 'counter';\nexport default () => ({ n: next() + next() })";
    expect(rowsOf(await run(source, batchOfIds(3), parts('counter')))).toEqual([{ n: 3 }, { n: 3 }, { n: 3 }]);
  });

  test('can be used from a helper module', async () => {
    put(
      'shop/transforms/helper.ts',
      "import { gross } from 'money';\nexport const total = (net: number) => gross(net, 0.5);",
    );
    expect(
      await firstRow("import { total } from './helper.ts';\nexport default () => ({ total: total(2) })", 'money'),
    ).toEqual({
      total: 3,
    });
  });
});

test('an error within a package has its place there', async () => {
  const es = await run(
    "import { Price } from 'money';\nexport default () => new Price(-1)",
    batchOfIds(1),
    parts('money'),
  );
  expect(es.failed[0]!.error.toJSON()).toMatchObject({
    code: 'E_TRANSFORM_RUNTIME',
    message: 'RangeError: a price below 0',
    at: { file: '../node_modules/money/src/index.js', line: 6, column: 24 },
  });
  const common = await run("import slug from 'slug';\nexport default () => slug(5)", batchOfIds(1), parts('slug'));
  expect(common.failed[0]!.error.toJSON()).toMatchObject({
    message: 'TypeError: slug: no text',
    at: { file: '../node_modules/slug/lib/index.js', line: 5, column: 59 },
  });
});

test('the identity covers the code and the version of packages', async () => {
  const hashOf = async (): Promise<string> => {
    await using made = await transform("import 'aging';\nexport default (row) => row", parts('aging'));
    return made.identity.hash;
  };
  const hashes: string[] = [];
  for (const [version, code] of [
    ['1.0.0', 'exports.a = 1'],
    ['1.0.0', 'exports.a = 2'],
    ['1.0.1', 'exports.a = 2'],
    ['1.0.0', 'exports.a = 1'],
  ] as const) {
    install('aging', { version }, { 'index.js': code });
    hashes.push(await hashOf());
  }
  expect(hashes[3]).toBe(hashes[0]);
  expect(new Set(hashes).size).toBe(3);
});

describe('refused, at the place of the import:', () => {
  const refusal = async (source: string, ...packages: string[]): Promise<SluiceError> => {
    const [error] = await languages.check(ruleOf(source, parts(...packages)));
    expect(`${error!.message} ${error!.fix} ${error!.at!.file}`).not.toContain(root);
    return error!;
  };

  test('a package that is not listed, with the key that lists it', async () => {
    const error = await refusal("const a = 1;\nimport { vat } from 'money';\nexport default () => ({ vat })", 'slug');
    expect(error.toJSON()).toMatchObject({
      code: 'E_TRANSFORM_PACKAGE',
      message: 'the package "money" is not listed',
      fix: 'add it to the transformation: `packages: [slug, money]`',
      at: { file: 'transforms/t.ts', line: 2, column: 21 },
    });
  });

  test('one that only another one needs', async () => {
    const error = await refusal("import 'legacy';\nimport '@acme/rules';\nexport default (row) => row", '@acme/rules');
    expect(error.message).toBe('the package "legacy" is not listed');
  });

  test('one that is not installed', async () => {
    const error = await refusal("import x from 'nowhere';\nexport default x", 'nowhere');
    expect(error.toJSON()).toMatchObject({
      code: 'E_TRANSFORM_PACKAGE',
      message: expect.stringContaining('"nowhere" is not installed') as string,
      fix: 'install it where the transform is: npm install nowhere',
      at: { line: 1, column: 15 },
    });
  });

  test('a module of Node, in the transform and in a package, which is named', async () => {
    const own = await refusal("import fs from 'fs';\nexport default fs");
    expect([own.code, own.message]).toEqual([
      'E_TRANSFORM_PACKAGE',
      expect.stringMatching(/^"fs" is a module of Node/),
    ]);
    install(
      'reader',
      {},
      { 'index.js': "'use strict';\n\n  const fs = require('node:fs');\nexports.read = fs.readFileSync;" },
    );
    const error = await refusal("import { read } from 'reader';\nexport default read", 'reader');
    expect(error.toJSON()).toMatchObject({
      code: 'E_TRANSFORM_PACKAGE',
      message: expect.stringMatching(/^the package "reader" imports "node:fs", which is a module of Node/) as string,
      at: { file: '../node_modules/reader/index.js', line: 3, column: 14 },
    });
  });

  test.each([
    ["import 'money/node.js'", '"money/node.js" is nothing that money 1.0.0 gives for import'],
    ["import 'money/rates/secret/x'", '"money/rates/secret/x" is nothing that money 1.0.0 gives for import'],
    ["import 'https://example.org/x.js'", 'neither a relative path nor the name of a package'],
    ["import '/etc/passwd'", 'neither a relative path nor the name of a package'],
    ["import { none } from 'money'", 'the module has no export "none"'],
  ])('%s', async (statement, message) => {
    expect((await refusal(`${statement};\nexport default (row) => row`, 'money')).message).toContain(message);
  });

  test('files of this machine that a package has no business with', async () => {
    put('secrets.json', '{ "password": "hunter2" }');
    install('nosy', {}, { 'index.js': "exports.found = require('../../secrets.json');" });
    symlinkSync(join(root, 'secrets.json'), join(root, 'node_modules/nosy/linked.json'));
    const source = "import { found } from 'nosy';\nexport default () => found";
    expect((await refusal(source, 'nosy')).message).toContain('there is no such file in it');
    install('nosy', {}, { 'index.js': "exports.found = require('./linked.json');" });
    expect((await refusal(source, 'nosy')).message).toContain('there is no such file in it');
  });

  test('a package that does not parse, or imports in a circle of ES modules', async () => {
    install('broken', {}, { 'index.js': 'var a;\nvar = 5;' });
    expect((await refusal("import 'broken';\nexport default 1", 'broken')).toJSON()).toMatchObject({
      code: 'E_TRANSFORM_PACKAGE',
      message: expect.stringContaining('the package "broken" cannot be taken in') as string,
      at: { file: '../node_modules/broken/index.js', line: 2, column: 5 },
    });
    install('round', { type: 'module' }, { 'index.js': "import './b.js';", 'b.js': "\nimport './index.js';" });
    expect((await refusal("import 'round';\nexport default 1", 'round')).toJSON()).toMatchObject({
      code: 'E_TRANSFORM_PACKAGE',
      message: expect.stringContaining('imports in a circle') as string,
      at: { file: '../node_modules/round/b.js', line: 2, column: 8 },
    });
  });
});

describe('what shows when the package runs', () => {
  const failure = (source: string, name: string): Promise<unknown> =>
    transform(source, { ...parts(name), limits: { load: 200 } }).then(
      () => null,
      (error: SluiceError) => error.toJSON(),
    );

  test('one that never ends while it is loaded', async () => {
    install('endless', {}, { 'index.js': 'for (;;);' });
    expect(await failure("import 'endless';\nexport default (row) => row", 'endless')).toMatchObject({
      code: 'E_TRANSFORM_LOAD',
      message: 'loading took longer than limits.load, which is 200 ms',
    });
  });

  test('one that throws, at its own line', async () => {
    install('needy', {}, { 'index.js': "var a;\n  document.write('x');" });
    expect(await failure("import 'needy';\nexport default (row) => row", 'needy')).toMatchObject({
      code: 'E_TRANSFORM_LOAD',
      message: 'ReferenceError: document is not defined',
      at: { file: '../node_modules/needy/index.js', line: 2, column: 3 },
    });
  });

  test('a name that a CommonJS package does not have, where it is imported', async () => {
    expect(await failure("import {\n  slug } from 'slug';\nexport default () => slug()", 'slug')).toMatchObject({
      code: 'E_TRANSFORM_LOAD',
      message: expect.stringContaining('the module has no export "slug"') as string,
      at: { file: 'transforms/t.ts', line: 2, column: 3 },
    });
  });
});
