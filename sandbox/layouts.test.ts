// Where the packages may stand: the child may read no more than it needs, and finds its addon all the same when node_modules or a
// package in it is a symbolic link, or when the packages stand in a store.

import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const here = import.meta.dirname;
const installed = realpathSync(join(here, '..', 'node_modules'));
let root = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-layouts-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** What a sandbox of its own, in a project whose node_modules `lay` has made, answers. */
async function answerIn(name: string, lay: (modules: string) => void): Promise<string> {
  const project = join(root, name);
  mkdirSync(project, { recursive: true });
  cpSync(here, join(project, 'sandbox'), { recursive: true, filter: (path) => !path.endsWith('.test.ts') });
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  lay(join(project, 'node_modules'));
  writeFileSync(
    join(project, 'main.ts'),
    `import { createSandbox } from './sandbox/index.ts';
    import { program, slice } from './sandbox/test-program.ts';
    await using sandbox = createSandbox({ children: 1 });
    const loaded = await sandbox.load(program('return main + main', { limits: { memory: 128 << 20 } }));
    console.log((await loaded.run(slice(1, () => 'x'))).answers[0]);`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', join(project, 'main.ts')]);
  return stdout.trim();
}

const copy = (name: string, to: string): void => {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(join(installed, name), to, {
    recursive: true,
    filter: (path) => !/\/(src|vendor|native-example)(\/|$)|\.tgz$/.test(path.slice(installed.length)),
  });
};

test('node_modules is a link', async () => {
  expect(await answerIn('linked', (modules) => symlinkSync(installed, modules))).toBe('xx');
});

test('node_modules is a link to a link', async () => {
  symlinkSync(installed, join(root, 'between'));
  expect(await answerIn('linked-twice', (modules) => symlinkSync(join(root, 'between'), modules))).toBe('xx');
});

test('the packages are links', async () => {
  const lay = (modules: string): void => {
    mkdirSync(modules);
    for (const name of ['isolated-vm', 'node-gyp-build']) symlinkSync(join(installed, name), join(modules, name));
  };
  expect(await answerIn('packages', lay)).toBe('xx');
});

test('the packages stand in a store, and what the addon needs only beside the addon', async () => {
  const lay = (modules: string): void => {
    const store = join(modules, '.store', 'isolated-vm', 'node_modules');
    copy('isolated-vm', join(store, 'isolated-vm'));
    copy('node-gyp-build', join(modules, '.store', 'node-gyp-build'));
    symlinkSync(join('..', '..', 'node-gyp-build'), join(store, 'node-gyp-build'));
    symlinkSync(join('.store', 'isolated-vm', 'node_modules', 'isolated-vm'), join(modules, 'isolated-vm'));
  };
  expect(await answerIn('store', lay)).toBe('xx');
});

test('the packages stand in a folder above', async () => {
  mkdirSync(join(root, 'above'), { recursive: true });
  symlinkSync(installed, join(root, 'above', 'node_modules'));
  expect(await answerIn(join('above', 'inner'), () => {})).toBe('xx');
});
