// `sluice apply` as a shell runs it: lines in, lines out, failures by their line numbers, exit codes.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

it.each([
  [[], /needs a transform/],
  [['--expr', 'row', '--file', 'code.ts'], /not both/],
  [['--expr', 'row', '--type', 'jsonatta'], /knows no language/],
  [['--file', 'code.txt'], /does not tell its language/],
  [['--file', 'missing.ts'], /cannot be read/],
  [['--expr', 'row +'], /E_TRANSFORM_SYNTAX/],
  [['--expr', 'row', 'missing.ndjson'], /cannot be read/],
])('refuses %j with 2', async (args, says) => {
  const result = await apply(args, '1\n');
  expect(result.code, result.stderr).toBe(2);
  expect(result.stderr).toMatch(says);
});
