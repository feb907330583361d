// `sluice test --against`: what a change of code changes, on captures, dead letters and files; the old code from git or a file.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { fileToFile, ndjson, type Pipeline, pipeline } from '../faults/pipeline.ts';

interface Told {
  readonly events: number;
  readonly old: string;
  readonly transformations: readonly { readonly id: string; readonly old: string; readonly now: string }[];
  readonly counts: Readonly<Record<string, number>>;
  readonly fields: readonly { readonly path: string; readonly events: number }[];
  readonly samples: readonly { readonly id: string; readonly change: string }[];
  readonly unreadable: number;
}

const OLD = `import { rate } from './rate.js';
export default (row) => {
  if (row.n === 7) throw new Error('seven');
  if (row.n === 8) return null;
  return { n: row.n * rate, mail: row.mail, tags: [{ t: row.n }] };
};
`;
const NEW = OLD.replace('throw new Error', 'return String')
  .replace('return null', 'return row')
  .replace('[{ t: row.n }]', '[{ t: -row.n }]')
  .replace('row.n * rate', 'row.n < 3 ? row.n * rate : 0')
  .replace('return { n', "if (row.n === 5) throw new Error('five');\n  if (row.n === 6) return null;\n  return { n");
const rows = Array.from({ length: 9 }, (_, i) => ({ id: i, n: i, mail: 'jane.doe@example.org' }));

const git = (p: Pipeline, ...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { cwd: p.dir, encoding: 'utf8' });

function made(): Promise<Pipeline> {
  const manifest = fileToFile({
    transformations: [{ id: 'code', type: 'javascript', file: './code.js' }],
  });
  return pipeline(manifest, { 'in.ndjson': ndjson(rows), 'code.js': OLD, 'rate.js': 'export const rate = 2;\n' });
}

const EXPECTED = {
  events: 9,
  counts: { same: 1, changed: 4, fails_now: 1, mended: 0, fails_otherwise: 1, filtered_now: 1, passes_now: 1 },
};

it('compares with the last commit, its helper modules too, on captures, and shows counts, fields and samples', async () => {
  await using p = await made();
  git(p, 'init', '-q');
  git(p, 'add', 'code.js', 'rate.js', 'sluice.json');
  git(p, 'commit', '-q', '-m', 'old');
  await p.sluice(['capture', 'sluice.json']);
  const same = await p.sluice(['test', 'sluice.json', '--against', 'captures']);
  expect([same.code, same.stdout]).toEqual([0, expect.stringContaining('(the same code)')]);
  expect(same.stdout).toMatch(/9 events:\n +9 give the same\n$/);

  p.write('code.js', NEW);
  p.write('rate.js', 'export const rate = 3;\n');
  const before = git(p, 'status', '--porcelain');
  const temporary = mkdtempSync(join(tmpdir(), 'sluice-against-'));
  const options = { env: { TMPDIR: temporary } };
  const result = await p.sluice(['test', 'sluice.json', '--against', 'captures', '--json'], options);
  expect(result.code, result.stderr).toBe(1); // an event fails now that did not
  const told = JSON.parse(result.stdout) as Told;
  expect(told).toMatchObject(EXPECTED);
  expect(told.transformations).toMatchObject([{ id: 'code' }]);
  expect(told.transformations[0]!.old).not.toBe(told.transformations[0]!.now);
  expect(told.fields).toEqual([
    { path: 'after.n', events: 4 },
    { path: 'after.tags[].t', events: 4 },
  ]);
  expect(git(p, 'status', '--porcelain')).toBe(before); // the repository was not touched
  const text = (await p.sluice(['test', 'sluice.json', '--against', 'captures'], options)).stdout;
  expect(text).toMatch(/1 fail now/);
  expect(text).toMatch(/now: E_TRANSFORM_RUNTIME Error: five .*code\.js:5:26/);
  expect(text).toMatch(/- +"n": 2,\n[\s\S]*\+ +"n": 3,/);
  expect(text).not.toContain('"ts_ms"'); // only what differs is shown
  expect(text).not.toContain('jane.doe@example.org');
  expect(readdirSync(temporary).filter((name) => name.startsWith('sluice-old-'))).toEqual([]);
  rmSync(temporary, { recursive: true });
});

it('compares with a file or a manifest that is named, on dead letters and on a file of events', async () => {
  await using p = await made();
  expect((await p.run()).code).toBe(0);
  p.write('code.js', OLD.replace("throw new Error('seven')", 'return { seven: row.mail }'));
  p.write('old/code.js', OLD.replace('./rate.js', '../rate.js'));
  const letters = await p.sluice(['test', 'sluice.json', '--against', 'dead-letters', '--old', 'old/code.js']);
  expect(letters.code).toBe(0);
  expect(letters.stdout).toMatch(/1 events:\n +1 failed before, and pass now\n/);
  expect(letters.stdout).toContain('before: E_TRANSFORM_RUNTIME Error: seven');
  expect(letters.stdout).not.toContain('jane.doe@example.org'); // redacted before it is shown
  p.write('events.ndjson', ndjson(rows.slice(0, 3).map((after) => ({ after }))));
  p.write('old/sluice.yaml', p.read('sluice.json'));
  p.write('old/code.js', NEW.replace('./rate.js', '../rate.js'));
  const named = await p.sluice([
    'test',
    'sluice.json',
    '--against',
    'events.ndjson',
    '--old',
    'old/sluice.yaml',
    '--json',
  ]);
  expect(JSON.parse(named.stdout)).toMatchObject({ events: 3, counts: { same: 1, changed: 2 } });
});

it('says what is missing', async () => {
  await using p = await made();
  p.write('empty.ndjson', '\n');
  p.write('rows.ndjson', '3\n{"op":"x","after":{}}\n');
  p.write('events.ndjson', ndjson([{ after: rows[0] }, { op: 'x' }]));
  const some = await p.sluice(['test', 'sluice.json', '--against', 'events.ndjson', '--old', 'code.js', '--json']);
  expect(JSON.parse(some.stdout)).toMatchObject({ events: 1, unreadable: 1 });
  const cases: [string[], RegExp][] = [
    [['--against', 'captures', '--old', 'code.js'], /has no captures/],
    [['--against', 'dead-letters', '--old', 'code.js'], /no pending dead letters/],
    [['--against', 'events.ndjson'], /E_TEST_TARGET[\s\S]*--old/],
    [['--against', 'nothing.ndjson'], /nothing\.ndjson: the file cannot be read/],
    [['--against', 'empty.ndjson', '--old', 'code.js'], /empty\.ndjson holds no events/],
    [['--against', 'rows.ndjson', '--old', 'code.js'], /none of the events of rows\.ndjson can be read; event 1: /],
    [['--against', 'events.ndjson', '--old', 'nothing.js'], /nothing\.js cannot be read/],
    [['--old', 'code.js'], /--old is for --against/],
  ];
  for (const [args, says] of cases) {
    const result = await p.sluice(['test', 'sluice.json', ...args]);
    expect([args, result.code, result.stderr]).toEqual([args, 2, expect.stringMatching(says)]);
  }
});
