// Builds what is published, into dist/: the sources with their types taken off, at the same relative places, so that a worker
// or child that is started beside its parent's file is found in a checkout and in the package alike. tsc does all of it,
// declarations too; those that are started so become .cjs (ALONE below), which their parents know. Only what can be reached from the entries below is built: no tests. What is built is then joined (bundle.mjs),
// and the playground's page is put beside it (build-web.mjs).
// Each plugin keeps its package.json, which then names ./index.js; its `sluice/sdk` is resolved by the registry (one SDK).

import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildWeb } from './build-web.mjs';
import { bundle } from './bundle.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const json = (file) => JSON.parse(readFileSync(file, 'utf8'));

const plugins = readdirSync(join(root, 'plugins'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(join(root, 'plugins', entry.name, 'package.json')))
  .map((entry) => {
    const folder = `plugins/${entry.name}`;
    const meta = json(join(root, folder, 'package.json'));
    return { folder, meta, entry: join(folder, meta.sluice.plugin) };
  });

// what a person, a plugin or npm starts from, and what a running process starts by its file name
const entries = [
  'core/cli/main.ts',
  'core/cli/index.ts',
  'core/sdk.ts',
  'core/testkit.ts',
  'core/testkit/lodger.ts',
  'core/registry/one-sdk.ts',
  'core/state/worker.ts',
  'plugins/sqlite/worker.ts',
  'sandbox/child.ts',
  ...plugins.map(({ entry }) => entry),
];
const missing = entries.filter((entry) => !existsSync(join(root, entry)));
if (missing.length > 0) fail(`these entries are missing: ${missing.join(', ')}`);

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
const config = join(dist, 'tsconfig.json');
writeFileSync(
  config,
  JSON.stringify({
    extends: '../tsconfig.json',
    compilerOptions: {
      noEmit: false,
      rootDir: '..',
      outDir: '.',
      declaration: true,
      declarationDir: './types',
      rewriteRelativeImportExtensions: true,
      typeRoots: ['../node_modules/@types'],
    },
    include: [],
    files: entries.map((entry) => `../${entry}`),
  }),
);
const tsc = spawnSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', config], { cwd: root, encoding: 'utf8' });
rmSync(config);
if (tsc.status !== 0) fail(`${tsc.error?.message ?? `${tsc.stdout}${tsc.stderr}`.trimEnd()}`);

for (const { folder, meta } of plugins) {
  const sluice = { ...meta.sluice, plugin: meta.sluice.plugin.replace(/\.ts$/, '.js') };
  writeFileSync(join(dist, folder, 'package.json'), `${JSON.stringify({ ...meta, sluice }, null, 2)}\n`);
  if (existsSync(join(root, folder, 'README.md')))
    cpSync(join(root, folder, 'README.md'), join(dist, folder, 'README.md'));
}
const ALONE = ['core/state/worker.js', 'plugins/sqlite/worker.js', 'sandbox/child.js'];
const outputs = entries.map((entry) => entry.replace(/\.ts$/, '.js'));
const shared = outputs.filter((entry) => !ALONE.includes(entry));
await bundle(dist, { shared, alone: ALONE }, ['transforms/kazaam-js']);
await buildWeb(join(dist, 'playground', 'web'));
chmodSync(join(dist, 'core', 'cli', 'main.js'), 0o755);
console.error(`built dist/ with ${plugins.length} plugins`);

function fail(message) {
  console.error(message);
  process.exit(1);
}
