// What a run writes to its log, as the manifest says: which form, and how much.

import { describe, expect, it } from 'vitest';
import { fileToFile, ndjson, numbered, pipeline } from './pipeline.ts';

const CODE = 'export default (row, ctx) => { ctx.log.debug("quiet"); ctx.log.warn("loud"); return row };\n';

async function logged(service: object): Promise<string[]> {
  const transformations = [{ id: 'code', type: 'javascript', code: CODE }];
  await using p = await pipeline(fileToFile({ service, transformations }), { 'in.ndjson': ndjson(numbered(1)) });
  const ran = await p.run();
  expect(ran.code, ran.stderr).toBe(0);
  const account = ran.stderr.indexOf('\nstream ');
  return ran.stderr
    .slice(0, account < 0 ? undefined : account)
    .split('\n')
    .filter(Boolean);
}

const isJson = (line: string): boolean => {
  try {
    return typeof JSON.parse(line) === 'object';
  } catch {
    return false;
  }
};

describe.concurrent('the log of a run', () => {
  it.each(['auto', 'json'])('in a pipe is JSON, an object a line, with `log_format: %s`', async (log_format) => {
    const lines = await logged({ log_format });
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.filter((line) => !isJson(line))).toEqual([]);
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'info', stream: 's', message: 'stream s starts' });
  });

  it('is text for people with `log_format: text`, also in a pipe', async () => {
    const lines = await logged({ log_format: 'text' });
    expect(lines.filter(isJson)).toEqual([]);
    expect(lines.join('\n')).toMatch(/stream s starts/);
  });

  it.each([
    ['debug', ['quiet', 'loud', 'stream s starts']],
    ['info', ['loud', 'stream s starts']],
    ['warn', ['loud']],
    ['error', []],
  ] as const)('holds what `log_level: %s` lets through', async (log_level, wanted) => {
    const text = (await logged({ log_level, log_format: 'json' })).join('\n');
    for (const word of ['quiet', 'loud', 'stream s starts'] as const)
      expect(text.includes(word), `${word} in ${text}`).toBe(wanted.some((one) => one === word));
  });
});
