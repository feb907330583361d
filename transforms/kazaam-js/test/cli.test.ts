// The command line, as a process.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kazaam-js-'));
  writeFileSync(at('spec.json'), '[{"operation":"shift","spec":{"b":"a"}}]');
  writeFileSync(at('strict.json'), '[{"operation":"pass"}]');
  writeFileSync(at('negative.json'), '[{"operation":"extract","spec":{"path":"a[-1]"}}]');
  writeFileSync(at('broken.json'), '[{"operation":"none"}]');
  writeFileSync(at('in.json'), '{"a":1.0}\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

function kazaam(args: readonly string[], input = ''): { stdout: string; stderr: string; status: number | null } {
  return spawnSync(process.execPath, ['--no-warnings', cli, ...args], { input, encoding: 'utf8' });
}

describe('kazaam-js', () => {
  test('reads a file and prints the result without a newline', () => {
    expect(kazaam(['-spec', at('spec.json'), '-in', at('in.json')])).toMatchObject({ stdout: '{"b":1.0}', status: 0 });
  });

  test('reads standard input, and takes flags in all forms of Go', () => {
    expect(kazaam([`--spec=${at('spec.json')}`, '-verbose'], '{"a":2}')).toMatchObject({
      stdout: '{"b":2}',
      status: 0,
    });
  });

  test('writes a file', () => {
    expect(kazaam(['-spec', at('spec.json'), '-in', at('in.json'), '-out', at('out.json')]).status).toBe(0);
    expect(readFileSync(at('out.json'), 'utf8')).toBe('{"b":1.0}');
  });

  test('has the extensions and the strictness that are asked for', () => {
    const negative = kazaam(['-spec', at('negative.json'), '-extensions', 'negative-index'], '{"a":[1,2]}');
    expect(negative).toMatchObject({ stdout: '2', status: 0 });
    const strict = kazaam(['-spec', at('strict.json'), '-strict'], 'not json');
    expect(strict).toMatchObject({ stdout: '', status: 1 });
    expect(strict.stderr).toContain('the document is not JSON');
  });

  test.each([
    [[], 'Must specify a Kazaam specification file'],
    [['-spec', '/nowhere.json'], 'Unable to read Kazaam specification file'],
    [['-nothing'], 'unknown argument -nothing'],
    [['-spec'], '-spec needs a value'],
  ])('ends with 1 and says why for %j', (args, message) => {
    const result = kazaam(args);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain(message);
  });

  test('says what is wrong with a spec, an extension and a document', () => {
    expect(kazaam(['-spec', at('broken.json')]).stderr).toContain('SpecError - Invalid spec operation specified');
    expect(kazaam(['-spec', at('spec.json'), '-extensions', 'none']).stderr).toContain('there is no extension "none"');
    expect(kazaam(['-spec', at('spec.json')], '{"a":tru}').stderr).toContain('Unknown value type');
  });

  test('shows how it is used', () => {
    const { stdout, status } = kazaam(['-help']);
    expect(status).toBe(0);
    expect(stdout).toContain('kazaam-js -spec spec.json -in event.json');
  });
});
