// The house's own rules, enforced: who may import whom (DESIGN section 2), and how files are named, opened and sized.
// Rooms' rules hold for what runs in production; tests, and files that only tests import, may import everything.

import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { productionFiles, sourceFiles } from './architecture/files.ts';
import { refusal } from './architecture/rooms.ts';
import { scan } from './architecture/scan.ts';

const files = sourceFiles();
const production = productionFiles(files);
const all = [...files.values()];

describe('rooms', () => {
  test('the files that run in production are found', () => {
    for (const path of [
      'core/engine/deliver.ts',
      'core/registry/resolve.ts',
      'plugins/file/sink.ts',
      'sandbox/pool.ts',
    ]) {
      expect(production, path).toContain(path);
    }
    expect([...production].filter((path) => path.endsWith('.test.ts'))).toEqual([]);
  });

  test('no file imports what its room may not', () => {
    const wrong = all
      .filter(({ path }) => production.has(path))
      .flatMap(({ path, imports }) =>
        imports.flatMap((one) => {
          const why = refusal(path, one);
          return why === null ? [] : [`${path} imports ${one.specifier}: ${why}`];
        }),
      );
    expect(wrong).toEqual([]);
  });

  test('every relative import names its file with its ending', () => {
    const wrong = all.flatMap(({ path, imports }) =>
      imports
        .filter(({ specifier }) => specifier.startsWith('.') && !/\.(ts|tsx|json|mjs|css)$/.test(specifier))
        .map(({ specifier }) => `${path}: ${specifier}`),
    );
    expect(wrong).toEqual([]);
  });

  test.each([
    ['core/engine/x.ts', '../../plugins/file/index.ts'],
    ['core/engine/x.ts', '../cli/main.ts'],
    ['core/engine/x.ts', '../../transforms/run.ts'],
    ['core/x.ts', 'hono'],
    ['core/x.ts', 'pg'],
    ['core/cli/x.ts', '../../plugins/file/index.ts'],
    ['core/cli/x.ts', '../../sandbox/index.ts'],
    ['core/cli/x.ts', '../../playground/server/app.ts'],
    ['plugins/a/x.ts', '../../core/sdk.ts'],
    ['plugins/a/x.ts', '../b/index.ts'],
    ['plugins/a/x.ts', '../shared.ts'],
    ['plugins/a/x.ts', '../../sandbox/index.ts'],
    ['plugins/a/x.ts', 'sluice'],
    ['plugins/a/x.ts', 'pg'],
    ['transforms/jsonata/x.ts', '../../sandbox/index.ts'],
    ['transforms/jsonata/x.ts', '../javascript/index.ts'],
    ['transforms/jsonata/x.ts', '../run.ts'],
    ['transforms/run.ts', '../core/languages.ts'],
    ['transforms/run.ts', '../core/engine/deliver.ts'],
    ['sandbox/x.ts', 'sluice/sdk'],
    ['sandbox/x.ts', '../core/errors.ts'],
    ['playground/server/x.ts', '../../core/engine/deliver.ts'],
    ['playground/web/x.ts', '../../core/event.ts'],
    ['schemas/x.ts', '../core/event.ts'],
    ['core/x.ts', '../../outside.ts'],
  ])('%s may not import %s', (path, specifier) => {
    expect(refusal(path, { specifier, typeOnly: false, dynamic: false })).not.toBeNull();
  });

  test.each([
    ['core/engine/x.ts', '../batch.ts', {}],
    ['core/x.ts', 'ajv/dist/2020.js', {}],
    ['core/x.ts', 'node:sqlite', {}],
    ['core/cli/x.ts', '../../transforms/index.ts', {}],
    ['core/cli/x.ts', '../../playground/server/app.ts', { dynamic: true }],
    ['plugins/a/x.ts', 'sluice/sdk', {}],
    ['plugins/a/x.ts', 'pg', { dynamic: true }],
    ['plugins/a/x.ts', 'pg', { typeOnly: true }],
    ['transforms/run.ts', '../core/languages.ts', { typeOnly: true }],
    ['transforms/run.ts', '../sandbox/index.ts', {}],
    ['sandbox/x.ts', 'isolated-vm', {}],
    ['playground/web/x.ts', '../../core/event.ts', { typeOnly: true }],
  ])('%s may import %s %j', (path, specifier, more) => {
    expect(refusal(path, { specifier, typeOnly: false, dynamic: false, ...more })).toBeNull();
  });
});

describe('the scanner', () => {
  test('finds every way to import, and none in comments, strings, templates and regular expressions', () => {
    const text = `#!/usr/bin/env node
      // import a from 'comment-1';
      /* import a from 'comment-2'; */
      import 'bare';
      import one, { type Two } from "mixed";
      import type { Three } from 'type';
      import {
        four,
      } from 'lines'; import five from 'same-line';
      export { six } from 'again'; export * from 'star'; export type { Seven } from 'again-type';
      export const text = 'import a from "string"';
      const template = \`
      import a from 'template';
      \${(await import('inner')).x} import('not-this')
      \`;
      const pattern = /['"\`]/.test(x) ? 1 / 2 : /import 'no'/;
      const lazy = () => import('lazy');
      type Driver = typeof import('driver');
      import type from 'named-type';
    `;
    const { imports, code } = scan(text);
    const show = imports.map(
      ({ specifier, typeOnly, dynamic }) => specifier + (typeOnly ? ' type' : '') + (dynamic ? ' dynamic' : ''),
    );
    expect(show.sort()).toEqual(
      ['bare', 'mixed', 'type type', 'lines', 'same-line', 'again', 'star', 'again-type type']
        .concat(['inner dynamic', 'lazy dynamic', 'driver type', 'named-type'])
        .sort(),
    );
    expect(code).not.toContain('comment-1');
    expect(code.split('\n')).toHaveLength(text.split('\n').length);
  });
});

describe('files', () => {
  test('names are in kebab-case', () => {
    const wrong = all.filter(({ path }) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)*\.tsx?$/.test(basename(path)));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  test('every file opens with a comment that says what it is', () => {
    const wrong = all.filter(({ text }) => !/^(#![^\n]*\n)?\/\/ \S/.test(text));
    // a shopper's example opens with its code where the README tells what it is
    expect(wrong.map(({ path }) => path).filter((path) => !path.startsWith('examples/'))).toEqual([]);
  });

  test('a file of more than 400 lines says in its head why ("long because")', () => {
    const wrong = all.filter(
      ({ text }) => lines(text) > 400 && !/long because/i.test(text.split('\n').slice(0, 12).join(' ')),
    );
    expect(wrong.map(({ path, text }) => `${path}: ${lines(text)}`)).toEqual([]);
  });

  test('only a plugin, an author’s transform and a tool’s configuration have a default export', () => {
    const allowed =
      /^(plugins\/[^/]+\/index\.ts|test\/vitest\.config\.ts|examples\/.*|(plugins|test)\/.*\/fixtures?\/.*)$/;
    const wrong = all.filter(({ path, code }) => /(^|\n)\s*export\s+default\b/.test(code) && !allowed.test(path));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  test('what crosses the SDK border is known by its brand, never by instanceof', () => {
    const wrong = all.filter(({ code }) => /\binstanceof\s+(SluiceError|PluginDefinition)\b/.test(code));
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  test('nothing is called Manager, Helper or Util', () => {
    // the author's helper modules are called so in DESIGN section 6
    const known = ['readHelper'];
    const wrong = all.flatMap(({ path, code }) =>
      [...code.matchAll(/\b\w*(?:Manager|Helper|Utils?)\b|\b(?:manager|utils?)\w*/g)]
        .map(([name]) => name)
        .filter((name) => !known.includes(name) && !/^util(s)?$/.test(name) && !/^(utility|utilis|utiliz)/.test(name))
        .map((name) => `${path}: ${name}`),
    );
    expect(wrong).toEqual([]);
    expect(all.map(({ path }) => path).filter((path) => /(^|[/-])(managers?|helpers?|utils?)[./-]/.test(path))).toEqual(
      [],
    );
  });
});

function lines(text: string): number {
  return text.split('\n').length - 1;
}
