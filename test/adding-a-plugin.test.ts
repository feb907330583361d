// Adding a plugin changes no file outside of its folder: a folder that is dropped into plugins/ of a copy of the project is
// listed, described and run by the real command line.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { copyProject, type ProjectCopy } from './project-copy.ts';

let project: ProjectCopy;

interface Package {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly provides: 'sink' | 'language';
}

function addPlugin({ name, version, description, provides }: Package, source: string): void {
  const sluice = { plugin: './index.ts', api: '^1.0.0', name, provides: [provides] };
  const described = { name: `sluice-plugin-${name}`, version, description, private: true, type: 'module', sluice };
  mkdirSync(project.at('plugins', name));
  writeFileSync(project.at('plugins', name, 'package.json'), JSON.stringify(described));
  writeFileSync(project.at('plugins', name, 'index.ts'), source);
}

beforeAll(() => {
  project = copyProject();
  addPlugin(
    { name: 'tally', version: '3.2.1', description: 'counts events per table', provides: 'sink' },
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
beforeAll(() => {
  addPlugin(
    { name: 'picker', version: '1.0.0', description: 'a language that is a list of columns', provides: 'language' },
    `// A language: each line is a column that is kept.
import { definePlugin, sluiceError } from 'sluice/sdk';

const guest = \`(text) => {
  const { columns, prefix } = JSON.parse(text);
  return () => (row) => Object.fromEntries(columns.map((name) => [prefix + name, row[name]]));
}\`;

export default definePlugin({
  name: 'picker',
  language: {
    name: 'picker',
    config: {
      type: 'object',
      additionalProperties: false,
      properties: { prefix: { type: 'string', default: '', description: 'Put before every name.' } },
    },
    compile({ source, file, offset, config }) {
      const columns = source.trim().split('\\n');
      const bad = columns.findIndex((name) => !/^[a-z_]+$/.test(name));
      if (bad >= 0) {
        const at = { file, line: offset.line + bad, column: offset.column };
        throw sluiceError('E_TRANSFORM_SYNTAX', { message: \`"\${columns[bad]}" is no column\`, at });
      }
      return { guest, text: JSON.stringify({ columns, ...config }), version: '1', code: [source] };
    },
  },
});
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

function pickerManifest(code: string, more = ''): string {
  return `version: 1
service: { state: { type: memory } }
transformations:
  - id: pick
    type: picker
${more}    code: |
${code}
streams:
  - id: shop
    source: { type: sample, events: 30 }
    transformations: [pick]
    sinks: [{ id: out, type: file, path: ./picked.ndjson }]
`;
}

test('a language is a plugin too: its transform runs in the sandbox, with the settings that its schema has', () => {
  writeFileSync(
    project.at('picker.yaml'),
    pickerManifest('      id\n', '    prefix: its_\n    limits: { depth: 7 }\n'),
  );
  const run = sluice('run', project.at('picker.yaml'));
  expect(run.status, run.stderr).toBe(0);
  const lines = readFileSync(project.at('picked.ndjson'), 'utf8').trim().split('\n');
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(Object.keys(JSON.parse(line) as object)).toEqual(['its_id']);
});

test('its errors stand at their line and column in the manifest, and a wrong setting of it is found by its schema', () => {
  writeFileSync(project.at('bad-picker.yaml'), pickerManifest('      id\n      N°\n'));
  const run = sluice('validate', project.at('bad-picker.yaml'), '--json');
  expect(run.status).toBe(2);
  expect(run.stdout).toContain('"N°\\" is no column');
  expect(run.stdout).toMatch(/"line":\s*8,\s*"column":\s*7/);
  writeFileSync(project.at('odd-picker.yaml'), pickerManifest('      id\n', '    prefixes: x\n'));
  const odd = sluice('validate', project.at('odd-picker.yaml'));
  expect(odd.status).toBe(2);
  expect(odd.stdout + odd.stderr).toContain('prefixes');
});
