// What is published, as somebody gets it: the project is built and packed in a copy, the tarball installed into an empty folder
// as a dependency, and the command line, the SDK, its types and the plugins are used there. Nothing of ours runs on install.

import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { copyProject, type ProjectCopy } from './project-copy.ts';

const bin = fileURLToPath(new URL('../node_modules/.bin/', import.meta.url));
const env = { ...process.env, PATH: `${dirname(process.execPath)}:${bin}:${process.env['PATH']}` };
let project: ProjectCopy;
let home = '';

function command(cwd: string, tool: string, ...args: string[]) {
  return spawnSync(tool, args, { cwd, env, encoding: 'utf8', timeout: 300_000 });
}

function node(code: string) {
  return command(home, process.execPath, '--no-warnings', '--input-type=module', '-e', code);
}

beforeAll(() => {
  project = copyProject();
  const built = command(project.at(), process.execPath, 'scripts/build.mjs');
  expect(built.status, built.stderr).toBe(0);
  const packed = command(project.at(), 'npm', 'pack', '--ignore-scripts', '--silent');
  expect(packed.status, packed.stderr).toBe(0);
  // not inside of the copy: there Node would find the project's own packages on its way up
  home = realpathSync(mkdtempSync(join(tmpdir(), 'sluice-somebody-')));
  writeFileSync(join(home, 'package.json'), '{ "name": "somebody", "private": true, "type": "module" }');
  const tarball = project.at(packed.stdout.trim().split('\n').at(-1)!);
  const flags = ['--prefer-offline', '--omit=optional', '--no-audit', '--no-fund', '--loglevel=error'];
  const installed = command(home, 'npm', 'install', tarball, ...flags);
  expect(installed.status, installed.stderr).toBe(0);
}, 600_000);
afterAll(() => {
  project?.[Symbol.dispose]();
  if (home !== '') rmSync(home, { recursive: true, force: true });
});

test('the package has what it needs and nothing of the tests', () => {
  const files = readdirSync(join(home, 'node_modules/sluice'), { recursive: true, encoding: 'utf8' });
  for (const file of [
    'LICENSE',
    'CHANGELOG.md',
    'schemas/manifest.schema.json',
    'dist/core/cli/main.js',
    'dist/plugins/file/package.json',
    'dist/playground/web/app.js',
  ]) {
    expect(files, file).toContain(file);
  }
  // chunks are named after the verbs that they hold, and test-files is about the tests of transforms
  const others = files.filter((file) => !file.startsWith('dist/chunks/') && !file.endsWith('/test-files.d.ts'));
  expect(others.filter((file) => /\.test\.|(^|\/)test(\/|-)|fixture|scripts\/|\.mjs$/.test(file))).toEqual([]);
  expect(files.filter((file) => /\.ts$/.test(file) && !file.endsWith('.d.ts'))).toEqual([]);
});

test('nothing of ours runs when it is installed, and nothing was compiled', () => {
  const { scripts } = JSON.parse(readFileSync(join(home, 'node_modules/sluice/package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  for (const name of ['preinstall', 'install', 'postinstall']) expect(scripts).not.toHaveProperty(name);
  expect(existsSync(join(home, 'node_modules/sluice/build'))).toBe(false);
  expect(existsSync(join(home, 'node_modules/isolated-vm/build'))).toBe(false); // its prebuilt is taken
});

test('the command line says its version and lists the bundled plugins', () => {
  const { version } = JSON.parse(readFileSync(project.at('package.json'), 'utf8')) as { version: string };
  const run = command(home, join(home, 'node_modules/.bin/sluice'), '--version');
  expect([run.stdout.trim(), run.status]).toEqual([version, 0]);
  const list = command(home, join(home, 'node_modules/.bin/sluice'), 'plugins', 'list', '--json');
  expect(list.status, list.stderr).toBe(0);
  for (const name of ['console', 'file', 'http', 'sample', 'sqlite']) expect(list.stdout).toContain(`"${name}"`);
});

test('a stream runs, with a transform in the sandbox and state in SQLite', () => {
  writeFileSync(
    join(home, 'sluice.yaml'),
    `version: 1
transformations:
  - { id: shout, type: typescript, code: "export default (row: any) => ({ ...row, loud: true })" }
streams:
  - id: shop
    source: { type: sample, events: 10, poison: false }
    transformations: [shout]
    sinks: [{ id: out, type: file, path: ./out.ndjson, format: event }]
`,
  );
  const run = command(home, join(home, 'node_modules/.bin/sluice'), 'run');
  expect(run.status, run.stdout + run.stderr).toBe(0);
  const lines = readFileSync(join(home, 'out.ndjson'), 'utf8').trimEnd().split('\n');
  expect(lines).toHaveLength(10);
  expect(lines.filter((line) => line.includes('"loud":true')).length).toBeGreaterThan(0);
  expect(existsSync(join(home, '.sluice/state.db'))).toBe(true);
});

test('the sandbox holds in the built package, where its children are other files', () => {
  const checked = command(home, join(home, 'node_modules/.bin/sluice'), 'check');
  expect(checked.stdout + checked.stderr).toMatch(/missing globals.*costs its own event only/);
  expect(checked.status, checked.stdout + checked.stderr).toBe(0);
});

test('an older Node is told which one is needed', () => {
  const old = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.1.0'}})`;
  const run = command(home, process.execPath, '--import', old, join(home, 'node_modules/sluice/dist/core/cli/main.js'));
  expect([run.status, run.stderr]).toEqual([3, 'Sluice needs Node 24 or later, and this is 20.1.0\n']);
});

test('a stream writes to SQLite with nothing else installed, and says nothing on the way', () => {
  writeFileSync(
    join(home, 'sqlite.yaml'),
    'version: 1\nstreams:\n  - id: s\n    source: { type: sample, events: 10, poison: false }\n    sinks: [{ id: o, type: sqlite, path: ./o.db }]\n',
  );
  const run = command(home, join(home, 'node_modules/.bin/sluice'), 'run', 'sqlite.yaml', '--quiet');
  expect([run.status, run.stdout, run.stderr]).toEqual([0, '', '']);
  expect(existsSync(join(home, 'o.db'))).toBe(true);
});

test('sluice, sluice/sdk and sluice/testkit can be imported, and are one copy for plugins too', () => {
  const run = node(`
    const sdk = await import('sluice/sdk');
    const kit = await import('sluice/testkit');
    const main = await import('sluice');
    console.log(typeof sdk.definePlugin, typeof kit.conformance, Object.keys(main).length > 0);
  `);
  expect([run.stdout, run.stderr]).toEqual(['function function true\n', '']);
});

test("somebody's plugin in ./plugins is typed by the package and found beside the manifest", () => {
  mkdirSync(join(home, 'plugins/mine'), { recursive: true });
  writeFileSync(
    join(home, 'plugins/mine/package.json'),
    JSON.stringify({ type: 'module', sluice: { plugin: './index.ts', api: '^1', name: 'mine', provides: ['sink'] } }),
  );
  const code = (field: string): string => `
import { allOk, definePlugin, type EventBatch } from 'sluice/sdk';
export default definePlugin({
  name: 'mine',
  sink: {
    config: {
      type: 'object', additionalProperties: false, required: ['path'],
      properties: { path: { type: 'string', format: 'path' }, size: { type: 'string', format: 'size', default: '1MiB' } },
    },
    create(config) {
      const path: string = config.path;
      const size: number = config.${field};
      return { keyed: size < 0, write: async (batch: EventBatch) => allOk(batch.length + path.length - path.length), async [Symbol.asyncDispose]() {} };
    },
  },
});
`;
  writeFileSync(join(home, 'plugins/mine/index.ts'), code('size'));
  const types = realpathSync(fileURLToPath(new URL('../node_modules/@types', import.meta.url)));
  const compilerOptions = {
    ...{ strict: true, noEmit: true, module: 'nodenext', target: 'es2024', lib: ['es2024', 'esnext.disposable'] },
    ...{ types: ['node'], typeRoots: [types], skipLibCheck: false, allowImportingTsExtensions: true },
  };
  writeFileSync(join(home, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['plugins'] }));
  const good = command(home, join(bin, 'tsc'));
  expect(good.stdout + good.stderr).toBe('');
  writeFileSync(join(home, 'plugins/mine/index.ts'), code('path')); // a path is no number
  expect(command(home, join(bin, 'tsc')).stdout).toContain('TS2322');
  writeFileSync(join(home, 'plugins/mine/index.ts'), code('size'));
  const list = command(home, join(home, 'node_modules/.bin/sluice'), 'plugins', 'describe', 'mine');
  expect(list.status, list.stderr).toBe(0);
  expect(list.stdout).toContain('path');
});
