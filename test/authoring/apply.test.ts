// `sluice apply` as a shell runs it: lines in, lines out, failures by their line numbers, exit codes.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { sluice, startSluice, until } from '../cli.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-apply-'));
afterAll(() => rmSync(dir, { recursive: true }));
const write = (name: string, text: string | Uint8Array): string => {
  writeFileSync(join(dir, name), text);
  return name;
};
const apply = (args: readonly string[], input = '') => sluice(['apply', ...args], { cwd: dir, input });

it('gives one result a line, one line an element, and nothing for what is filtered', async () => {
  write('code.ts', 'export default (n: number) => (n === 0 ? null : n < 0 ? [n, -n] : { n });\n');
  const result = await apply(['--file', 'code.ts'], '1\n0\n-2\n\n3');
  expect(result).toMatchObject({ code: 0, stdout: '{"n":1}\n-2\n2\n{"n":3}\n', stderr: '' });
});

it('takes an expression over row and ctx, a module, and TypeScript', async () => {
  const [expression, module, typed] = [
    await apply(['--expr', '({ total: row.total * 2, id: ctx.event.id })'], '{"total":4}\n'),
    await apply(['--expr', 'const f = 3; export default (row) => row.total * f'], '{"total":4}\n'),
    await apply(['--type', 'typescript', '--expr', '(row as { total: number }).total'], '{"total":4}\n'),
  ];
  expect(expression.stdout).toBe('{"total":8,"id":"1"}\n');
  expect(module.stdout).toBe('12\n');
  expect(typed.stdout).toBe('4\n');
});

it('tells each line that fails with its number, gives the others, and ends with 1', async () => {
  const input = '{"a":{"b":1}}\n{}\nno json\n{"a":{"b":12345678901234567890}}\n{"a":{"b":2}}\n';
  const result = await apply(['--expr', '\n  row.a.b'], input);
  expect(result.code).toBe(1);
  expect(result.stdout).toBe('1\n2\n');
  expect(result.stderr.trim().split('\n')).toEqual([
    expect.stringMatching(/^✗ line 2 {2}E_TRANSFORM_RUNTIME {2}--expr:2:9 /),
    expect.stringMatching(/^✗ line 3 {2}E_EVENT_PARSE /),
    expect.stringMatching(/^✗ line 4 {2}E_EVENT_NUMBER /),
  ]);
});

it('tells a line that is no UTF-8, also in several inputs whose lines are counted on', async () => {
  write('a.ndjson', '1\n2');
  write('b.ndjson', Buffer.concat([Buffer.from('3\n"'), Buffer.from([0xff]), Buffer.from('"\n5\n')]));
  const result = await apply(['--expr', 'row', 'a.ndjson', 'b.ndjson', '--json']);
  expect(result).toMatchObject({ code: 1, stdout: '1\n2\n3\n5\n' });
  expect(JSON.parse(result.stderr)).toMatchObject({ line: 4, error: { code: 'E_EVENT_ENCODING' } });
});

it('keeps the order over many slices', async () => {
  const n = 20_000;
  const input = Array.from({ length: n }, (_, i) => `${i}\n`).join('');
  const { stdout, code } = await apply(['--expr', 'row % 3 === 0 ? null : row'], input);
  expect(code).toBe(0);
  expect(stdout).toBe(
    Array.from({ length: n }, (_, i) => i)
      .filter((i) => i % 3 !== 0)
      .map((i) => `${i}\n`)
      .join(''),
  );
});

it('answers a slow input as it comes', async () => {
  const running = startSluice(['apply', '--expr', 'row + 1'], { cwd: dir, input: null });
  running.child.stdin!.write('41\n');
  await until('the first answer', () => running.said().stdout === '42\n');
  running.child.stdin!.end('1\n');
  expect(await running.exited).toMatchObject({ code: 0, stdout: '42\n2\n' });
});

it('takes the settings of a transformation as flags, and says which flag is wrong', async () => {
  symlinkSync(new URL('../../node_modules', import.meta.url).pathname, join(dir, 'node_modules'));
  const jsonata = ['--type', 'jsonata'];
  const last = ['--expr', '[1, 2, 3][-1] ?: 42'];
  const [own, older, constant, packaged, short, reference] = [
    await apply([...jsonata, ...last], '1\n'),
    await apply([...jsonata, '--engine', 'jsonata@2.1.0', ...last], '1\n'),
    await apply([...jsonata, '--constants', '{ "rate": 3 }', '--expr', '$ * $rate'], '2\n'),
    await apply(
      ['--packages', 'acorn', '--expr', "import { version } from 'acorn'; export default () => version"],
      '1\n',
    ),
    await apply(['--limit', 'timeout=20ms', '--limit', 'depth=7', '--expr', '(() => { for (;;); })()'], '1\n'),
    await apply([...jsonata, '--lane', 'reference', ...last], '1\n'),
  ];
  expect([own.stdout, older.stdout, constant.stdout, reference.stdout]).toEqual(['3\n', '2\n', '6\n', '3\n']);
  expect(packaged.stdout).toMatch(/^"8\./);
  expect(short).toMatchObject({ code: 1, stderr: expect.stringContaining('E_TRANSFORM_TIMEOUT') as string });
  const cases: [string[], RegExp][] = [
    [['--engine', 'jsonata@2.1.0', '--expr', 'row'], /engine/],
    [[...jsonata, '--engine', 'jsonata@1.0.0', ...last], /jsonata@1\.0\.0 is not installed here/],
    [[...jsonata, '--constants', '[1]', ...last], /--constants takes a JSON object/],
    [['--limit', 'timeout', '--expr', 'row'], /--limit takes a name and a value/],
    [['--limit', 'timeout=soon', '--expr', 'row'], /--limit: /],
    [['--limit', 'time=1s', '--expr', 'row'], /time/],
    [
      ['--packages', 'not-installed-here', '--expr', "import 'not-installed-here'; export default () => 1"],
      /not-installed-here/,
    ],
  ];
  for (const [args, says] of cases) {
    const result = await apply(args, '1\n');
    expect([args, result.code === 0, result.stderr]).toEqual([args, false, expect.stringMatching(says)]);
  }
});

it("runs a plugin's language, with its settings, also in a test file, and refuses a plugin that is none", async () => {
  mkdirSync(join(dir, 'plugins/shout'), { recursive: true });
  write(
    'plugins/shout/package.json',
    JSON.stringify({
      name: 'sluice-plugin-shout',
      version: '1.0.0',
      description: 'adds a mark',
      type: 'module',
      sluice: { plugin: './index.js', api: '^1.0.0', name: 'shout', provides: ['language'] },
    }),
  );
  write(
    'plugins/shout/index.js',
    `import { definePlugin } from 'sluice/sdk';
export default definePlugin({
  name: 'shout',
  language: {
    name: 'shout',
    config: { type: 'object', additionalProperties: false, properties: { mark: { type: 'string', default: '!' } } },
    compile: ({ source, config }) => ({
      guest: '(text) => () => (value) => value + JSON.parse(text)',
      text: JSON.stringify(source + config.mark),
      version: '1',
      code: [source],
    }),
  },
});
`,
  );
  const node = { cwd: dir, input: '"a"\n' };
  const plain = await sluice(['apply', '--type', 'shout', '--expr', 'h'], node);
  const asked = await sluice(['apply', '--type', 'shout', '--expr', 'h', '--config', '{ "mark": "?" }'], node);
  expect([plain.stdout, asked.stdout], plain.stderr + asked.stderr).toEqual(['"ah!"\n', '"ah?"\n']);
  expect((await apply(['--type', 'shout', '--expr', 'h', '--config', '{ "mork": 1 }'], '1\n')).stderr).toContain(
    'mork',
  );
  expect(await apply(['--type', 'file', '--expr', 'h'], '1\n')).toMatchObject({ code: 2 });
  const test = 'name: adds, row: { a: 1 }, expect: { error: { code: E_TRANSFORM_OUTPUT } }'; // a text is no row
  write('shout.tests.yaml', `transform: { type: shout, code: h }\ntests: [{ ${test} }]\n`);
  const tested = await sluice(['test', 'shout.tests.yaml'], { cwd: dir });
  expect(tested.stdout, tested.stderr).toContain('1 passed');
});

it.each([
  [[], /needs a transform/],
  [['--expr', 'row', '--file', 'code.ts'], /not both/],
  [['--expr', 'row', '--type', 'jsonatta'], /knows no language/],
  [['--file', 'code.txt'], /does not tell its language/],
  [['--file', 'missing.ts'], /missing\.ts: the file cannot be read/],
  [['--expr', 'row +'], /E_TRANSFORM_SYNTAX/],
  [['--expr', 'row', 'missing.ndjson'], /missing\.ndjson cannot be read/],
])('refuses %j with 2', async (args, says) => {
  const result = await apply(args, '1\n');
  expect(result.code, result.stderr).toBe(2);
  expect(result.stderr).toMatch(says);
});
