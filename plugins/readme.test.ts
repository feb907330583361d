// The example of plugins/README.md is taken from the page as it stands and put beside a manifest, in a project that has
// `sluice` installed: it compiles, passes the conformance kit under node:test, is found by name, and runs.

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const repository = fileURLToPath(new URL('..', import.meta.url));
let project: string;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'sluice-readme-'));
  const page = await readFile(new URL('./README.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/<!-- file: (\S+) -->\n```\w+\n(.*?)\n```\n/gs)];
  expect(blocks.map(([, name]) => name)).toEqual([
    'plugins/spool/package.json',
    'plugins/spool/index.ts',
    'plugins/spool/source.ts',
    'plugins/spool/sink.ts',
    'sluice.yaml',
    'plugins/spool/README.md',
    'plugins/spool/spool.test.ts',
  ]);
  for (const [, name, text] of blocks) {
    await mkdir(dirname(join(project, name!)), { recursive: true });
    await writeFile(join(project, name!), `${text}\n`);
  }
  await mkdir(join(project, 'node_modules'));
  await symlink(repository, join(project, 'node_modules', 'sluice'));
  await symlink(join(repository, 'node_modules', '@types'), join(project, 'node_modules', '@types'));
});

afterAll(() => rm(project, { recursive: true }));

/** Runs to its end in the project; what it said comes back, and in the failure's message when it failed. */
function run(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd: project, env: { ...process.env, NODE_TEST_CONTEXT: undefined, NO_COLOR: '1' } };
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      const said = `${stdout}${stderr}`;
      if (error === null) resolve(said);
      else reject(new Error(`exit code ${String(error.code)}\n${said}`));
    });
  });
}

const sluice = (...args: string[]): Promise<string> =>
  run(['--conditions=source', '--no-warnings', join(repository, 'core', 'cli', 'main.ts'), ...args]);

test('the example compiles under the strictest settings', async () => {
  const options = { extends: join(repository, 'tsconfig.json'), include: ['plugins'], exclude: [] };
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify(options));
  await run([join(repository, 'node_modules', 'typescript', 'bin', 'tsc'), '--noEmit', '-p', '.']);
});

test('the example passes the conformance kit', async () => {
  const said = await run(['--conditions=source', '--no-warnings', '--test', 'plugins/spool/spool.test.ts']);
  expect(Number(/^\S* ?pass (\d+)$/m.exec(said)?.[1])).toBeGreaterThan(15);
  expect(said).toMatch(/fail 0$/m);
});

test('the example is found beside the manifest and moves the twelve events of the sample shop', async () => {
  expect(await sluice('plugins', 'list')).toMatch(/spool/);
  await sluice('run', 'sluice.yaml');
  const names = (await readdir(join(project, 'spool'))).sort();
  expect(names).toEqual(Array.from({ length: 12 }, (_, i) => `${String(i + 1).padStart(12, '0')}.json`));
  const first = JSON.parse(await readFile(join(project, 'spool', names[0]!), 'utf8')) as { op: string; after: object };
  expect(first).toMatchObject({ op: 'r', after: { name: 'Zoë Ångström' } });
});
