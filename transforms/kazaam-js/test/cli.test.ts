// The command line, as a process.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
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

function kazaam(
  args: readonly string[],
  input: string | Uint8Array = '',
): { stdout: string; stderr: string; status: number | null } {
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

  test('says what it did when it is asked to', () => {
    const { stdout, stderr } = kazaam(['-spec', at('spec.json'), '-verbose'], '{"a":"ü"}');
    expect([stdout, stderr]).toEqual(['{"b":"ü"}', 'kazaam-js: 1 steps, 10 bytes read, 10 bytes written\n']);
    expect(kazaam(['-spec', at('spec.json'), '-verbose=false'], '{"a":1}').stderr).toBe('');
  });

  test('refuses bytes that are no UTF-8, of a document and of a specification', () => {
    const broken = Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    writeFileSync(at('latin.json'), broken);
    for (const result of [kazaam(['-spec', at('spec.json')], broken), kazaam(['-spec', at('latin.json')], '{}')]) {
      expect(result).toMatchObject({ stdout: '', status: 1 });
      expect(result.stderr).toContain('the bytes are not UTF-8');
    }
  });

  test('takes a specification with a byte order mark', () => {
    writeFileSync(at('bom.json'), '\ufeff[{"operation":"shift","spec":{"b":"a"}}]');
    expect(kazaam(['-spec', at('bom.json')], '{"a":1}')).toMatchObject({ stdout: '{"b":1}', status: 0 });
  });

  test('ends quietly when nobody reads what it prints', async () => {
    const child = spawn(process.execPath, ['--no-warnings', cli, '-spec', at('strict.json')], { stdio: 'pipe' });
    child.stdout.destroy();
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.stdin.end(JSON.stringify('x'.repeat(1 << 20)));
    const [status] = (await once(child, 'close')) as [number | null];
    expect([status, said]).toEqual([0, '']);
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
    expect(kazaam(['-spec', at('strict.json'), '-strict=false'], 'not json').stdout).toBe('not json');
  });

  test.each([
    [[], 'Must specify a Kazaam specification file'],
    [['-spec', '/nowhere.json'], 'Unable to read Kazaam specification file'],
    [['-nothing'], 'unknown argument -nothing'],
    [['-spec'], '-spec needs a value'],
    [['-strict=perhaps'], '-strict is true or false'],
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

  test.each(['-help', '--help', '-h'])('shows how it is used with %s', (flag) => {
    const { stdout, status } = kazaam([flag]);
    expect(status).toBe(0);
    expect(stdout).toContain('kazaam-js -spec spec.json -in event.json');
  });
});
