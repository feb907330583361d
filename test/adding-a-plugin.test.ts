// Adding a plugin changes no file outside of its folder: a folder that is dropped into plugins/ of a copy of the project is
// listed, described and run by the real command line.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { copyProject, type ProjectCopy } from './project-copy.ts';

let project: ProjectCopy;

beforeAll(() => {
  project = copyProject();
  mkdirSync(project.at('plugins', 'tally'));
  writeFileSync(
    project.at('plugins', 'tally', 'package.json'),
    JSON.stringify({
      name: 'sluice-plugin-tally',
      version: '3.2.1',
      description: 'counts events per table',
      private: true,
      type: 'module',
      sluice: { plugin: './index.ts', api: '^1.0.0', name: 'tally', provides: ['sink'] },
    }),
  );
  writeFileSync(
    project.at('plugins', 'tally', 'index.ts'),
    `// Counts events per table, and writes the counts into a file.
import { writeFileSync } from 'node:fs';
import { allOk, definePlugin } from 'sluice/sdk';

export default definePlugin({
  name: 'tally',
  sink: {
    config: {
      type: 'object',
      additionalProperties: false,
      required: ['path'],
      properties: { path: { type: 'string', format: 'path', description: 'Where the counts go.' } },
    },
    create(config) {
      const counts: Record<string, number> = {};
      return {
        keyed: false,
        async write(batch) {
          for (let i = 0; i < batch.length; i++) counts[batch.table(i)] = (counts[batch.table(i)] ?? 0) + 1;
          writeFileSync(config.path, JSON.stringify(counts));
          return allOk(batch.length);
        },
        async [Symbol.asyncDispose]() {},
      };
    },
  },
});
`,
  );
  writeFileSync(
    project.at('tally.yaml'),
    `version: 1
service: { state: { type: memory } }
streams:
  - id: shop
    source: { type: sample, events: 30 }
    sinks: [{ id: counts, type: tally, path: ./counts.json }]
`,
  );
});
afterAll(() => project[Symbol.dispose]());

function sluice(...args: string[]) {
  const flags = ['--no-warnings', '--conditions=source', project.at('core/cli/main.ts')];
  return spawnSync(process.execPath, [...flags, ...args], { cwd: project.at(), encoding: 'utf8', timeout: 60_000 });
}

test('it is listed with where it comes from', () => {
  const run = sluice('plugins', 'list', '--json');
  expect(run.stderr).toBe('');
  expect(run.stdout).toContain('"tally"');
  expect(run.stdout).toContain('3.2.1');
  expect(run.stdout).toContain('"file"');
});

test('it is described from its schema', () => {
  const run = sluice('plugins', 'describe', 'tally');
  expect(run.status, run.stderr).toBe(0);
  expect(run.stdout).toContain('Where the counts go.');
});

test('it runs in a stream', () => {
  const run = sluice('run', project.at('tally.yaml'));
  expect(run.status, run.stderr).toBe(0);
  const counts = JSON.parse(readFileSync(project.at('counts.json'), 'utf8')) as Record<string, number>;
  expect(Object.values(counts).reduce((sum, n) => sum + n, 0)).toBe(30);
});

test('a wrong setting of it is found by its schema', () => {
  writeFileSync(
    project.at('wrong.yaml'),
    'version: 1\nstreams:\n  - id: s\n    source: { type: sample }\n    sinks: [{ id: o, type: tally, paths: x }]\n',
  );
  const run = sluice('validate', project.at('wrong.yaml'));
  expect(run.status).toBe(2);
  expect(run.stdout + run.stderr).toContain('paths');
});
