// The registry over real folders: where plugins are found, what is refused, and that nothing unasked runs.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isSluiceError } from '../errors.ts';
import { createRegistry } from './resolve.ts';

const here = dirname(fileURLToPath(import.meta.url));
let dir: string;
let bundledDir: string;

beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'sluice-registry-')));
  bundledDir = join(dir, 'bundled');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const sinkCode = (name: string, extra = ''): string => `
import { allOk, definePlugin } from 'sluice/sdk';
${extra}
export default definePlugin({
  name: '${name}',
  sink: {
    config: { type: 'object', additionalProperties: false, properties: {} },
    create: () => ({ keyed: false, write: async (batch) => allOk(batch.length), async [Symbol.asyncDispose]() {} }),
  },
});
`;

function put(path: string, entry: object, code: string, file = 'index.js'): string {
  const folder = join(dir, path);
  mkdirSync(folder, { recursive: true });
  const sluice = { plugin: `./${file}`, api: '^1.0.0', name: path.split('/').at(-1), provides: ['sink'], ...entry };
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({
      name: `sluice-plugin-${sluice.name}`,
      version: '1.2.3',
      type: 'module',
      description: 'd',
      sluice,
    }),
  );
  writeFileSync(join(folder, file), code);
  return folder;
}

const registry = (notice?: (message: string) => void) =>
  createRegistry({ manifestDir: dir, bundledDir, ...(notice === undefined ? {} : { notice }) });

async function failure(attempt: Promise<unknown>) {
  const error = await attempt.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!isSluiceError(error)) throw new Error(`expected an error of ours, got ${String(error)}`);
  return error;
}

test('a plugin is found by path, in ./plugins, bundled, and installed, in this order', async () => {
  put('elsewhere/one', {}, sinkCode('one', 'globalThis.where = "path";'));
  put('node_modules/sluice-plugin-one', { name: 'one' }, sinkCode('one'));
  expect(registry().find('one').from).toBe('installed');
  put('bundled/one', {}, sinkCode('one'));
  expect(registry().find('one').from).toBe('bundled');
  put('plugins/one', {}, sinkCode('one'));
  expect(registry().find('one').from).toBe('local');
  expect(registry().find('./elsewhere/one').from).toBe('path');
  expect(registry().find(join(dir, 'elsewhere/one')).from).toBe('path');
  expect(registry().find('sluice-plugin-one').from).toBe('installed');
  expect((await registry().resolve('./elsewhere/one', 'sink')).name).toBe('one');
});

test('a scoped package is found by its full name, and from folders above the manifest', () => {
  put('node_modules/@acme/sluice-plugin-two', { name: 'two' }, sinkCode('two'));
  const file = join(dir, 'node_modules/@acme/sluice-plugin-two/package.json');
  writeFileSync(
    file,
    JSON.stringify({
      name: '@acme/sluice-plugin-two',
      sluice: { plugin: './index.js', api: '*', name: 'two', provides: ['sink'] },
    }),
  );
  const below = join(dir, 'a/b');
  mkdirSync(below, { recursive: true });
  const found = createRegistry({ manifestDir: below, bundledDir });
  expect(found.find('@acme/sluice-plugin-two').name).toBe('two');
  expect(found.list().map((one) => one.name)).toEqual(['two']);
});

test('a local plugin in TypeScript works, and hides a bundled one with a notice, said once', async () => {
  put('bundled/three', {}, sinkCode('three'));
  put('plugins/three', {}, sinkCode('three', 'const n: number = 3; export { n };'), 'index.ts');
  const notices: string[] = [];
  const own = registry((message) => notices.push(message));
  expect((await own.resolve('three', 'sink')).sink).toBeDefined();
  await own.resolve('three', 'sink');
  expect(notices).toEqual(['plugin "three" is taken from ./plugins/three, not the bundled one']);
  expect(own.list()).toMatchObject([{ name: 'three', from: 'local', shadows: true, version: '1.2.3', api: '^1.0.0' }]);
});

test('listing imports nothing, and resolving one imports nothing else', async () => {
  const leave = (name: string): string =>
    sinkCode(name, `import { writeFileSync } from 'node:fs'; writeFileSync(new URL('./ran', import.meta.url), '');`);
  put('plugins/asked', {}, leave('asked'));
  put('plugins/other', {}, leave('other'));
  const own = registry();
  expect(own.list().map((one) => one.name)).toEqual(['asked', 'other']);
  const { existsSync } = await import('node:fs');
  expect(existsSync(join(dir, 'plugins/asked/ran'))).toBe(false);
  await own.resolve('asked', 'sink');
  expect(existsSync(join(dir, 'plugins/asked/ran'))).toBe(true);
  expect(existsSync(join(dir, 'plugins/other/ran'))).toBe(false);
});

test('a plugin for another API is refused before any of its code runs, with both versions and the mend', async () => {
  put('plugins/old', { api: '^7.1' }, 'globalThis.oldPluginRan = true;');
  const error = await failure(registry().resolve('old', 'sink'));
  expect(error.code).toBe('E_PLUGIN_API');
  expect(error.message).toContain('^7.1');
  expect(error.message).toContain('1.0.0');
  expect(error.fix).toContain('sluice-plugin-old');
  expect((globalThis as { oldPluginRan?: true }).oldPluginRan).toBeUndefined();
  expect(registry().list()[0]?.problem?.code).toBe('E_PLUGIN_API');
});

test.each([
  ['no "sluice" entry', { name: 'x' }],
  ['no API', { sluice: { plugin: './index.js', name: 'bad', provides: ['sink'] } }],
  ['an API that is no range', { sluice: { plugin: './index.js', api: 'newest', name: 'bad', provides: ['sink'] } }],
  ['nothing provided', { sluice: { plugin: './index.js', api: '*', name: 'bad', provides: [] } }],
  ['an unknown kind', { sluice: { plugin: './index.js', api: '*', name: 'bad', provides: ['well'] } }],
  ['an entry outside', { sluice: { plugin: './../../x.js', api: '*', name: 'bad', provides: ['sink'] } }],
  ['an entry that is not there', { sluice: { plugin: './nope.js', api: '*', name: 'bad', provides: ['sink'] } }],
  ['another name', { sluice: { plugin: './index.js', api: '*', name: 'good', provides: ['sink'] } }],
])('a package.json with %s is refused and says which file', async (_what, json) => {
  const folder = put('plugins/bad', {}, sinkCode('bad'));
  writeFileSync(join(folder, 'package.json'), JSON.stringify(json));
  const error = await failure(registry().resolve('bad', 'sink'));
  expect(error.code).toBe('E_PLUGIN_PACKAGE');
  expect(error.at?.file).toBe(join(folder, 'package.json'));
});

test('a package.json that is no JSON is refused and listed with its problem', async () => {
  const folder = put('plugins/torn', {}, sinkCode('torn'));
  writeFileSync(join(folder, 'package.json'), '{ "name": ');
  expect((await failure(registry().resolve('torn', 'sink'))).code).toBe('E_PLUGIN_PACKAGE');
  expect(registry().list()).toMatchObject([{ name: 'torn', problem: { code: 'E_PLUGIN_PACKAGE' } }]);
});

test('TypeScript under node_modules is refused with the mend', async () => {
  put('node_modules/sluice-plugin-typed', { name: 'typed' }, sinkCode('typed'), 'index.ts');
  const error = await failure(registry().resolve('typed', 'sink'));
  expect(error.code).toBe('E_PLUGIN_PACKAGE');
  expect(error.fix).toContain('JavaScript');
});

test.each([
  ['no default export', 'export const a = 1;'],
  ['an object that looks like one', "export default { name: 'odd', sink: { config: {}, create() {} } };"],
  ['another name in the code', sinkCode('even')],
  ['a schema outside of the subset', sinkCode('odd').replace('properties: {}', 'properties: { a: { type: "null" } }')],
  ['an open schema', sinkCode('odd').replace('additionalProperties: false', 'additionalProperties: true')],
  ['no create', sinkCode('odd').replace('create:', 'make:')],
])('a plugin with %s is refused', async (_what, code) => {
  put('plugins/odd', {}, code);
  expect((await failure(registry().resolve('odd', 'sink'))).code).toBe('E_PLUGIN_SHAPE');
});

test('a part that package.json promises and the code does not have is refused', async () => {
  put('plugins/half', { provides: ['sink', 'source'] }, sinkCode('half'));
  expect((await failure(registry().resolve('half', 'sink'))).code).toBe('E_PLUGIN_SHAPE');
});

test('code that throws while it is imported is an error with its cause', async () => {
  put('plugins/boom', {}, 'throw new Error("boom at load");');
  const error = await failure(registry().resolve('boom', 'sink'));
  expect(error.code).toBe('E_PLUGIN_LOAD');
  expect((error.cause as Error).message).toBe('boom at load');
});

test('the wrong kind says what the plugin provides, without importing it', async () => {
  put('plugins/four', {}, 'globalThis.fourRan = true;');
  const error = await failure(registry().resolve('four', 'source'));
  expect(error.code).toBe('E_PLUGIN_KIND');
  expect(error.message).toContain('provides sink');
  expect((globalThis as { fourRan?: true }).fourRan).toBeUndefined();
});

test('a name that is not found says where it looked and which names are near', async () => {
  put('plugins/sqlite', {}, sinkCode('sqlite'));
  const error = await failure(registry().resolve('sqllite', 'sink'));
  expect(error.code).toBe('E_PLUGIN_NOT_FOUND');
  expect(error.fix).toBe('did you mean "sqlite"?');
  expect(error.message).toContain(join(dir, 'plugins', 'sqllite'));
  expect(error.message).toContain(join(bundledDir, 'sqllite'));
  const far = await failure(registry().resolve('kafka', 'sink'));
  expect(far.fix).toContain('sluice-plugin-kafka');
});

test('in plain Node a plugin folder outside of any node_modules gets the one SDK of this host', () => {
  put('plugins/far', {}, sinkCode('far', "import * as kit from 'sluice/sdk'; globalThis.farSdk = kit;"));
  const program = `
    const { createRegistry } = await import(${JSON.stringify(join(here, 'resolve.ts'))});
    const sdk = await import(${JSON.stringify(join(here, '../sdk.ts'))});
    const plugin = await createRegistry({ manifestDir: ${JSON.stringify(dir)} }).resolve('far', 'sink');
    console.log(plugin.name, globalThis.farSdk.batchOf === sdk.batchOf);
  `;
  const run = spawnSync(process.execPath, ['--no-warnings', '--input-type=module', '-e', program], {
    cwd: dir,
    encoding: 'utf8',
  });
  expect(run.stderr).toBe('');
  expect(run.stdout).toBe('far true\n');
});
