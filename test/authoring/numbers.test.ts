// Numbers that no double holds, through a language that keeps texts: they go through where what comes after takes text, and are
// refused as everywhere where it does not.

import { expect, it } from 'vitest';
import { fileToFile, type Pipeline, pipeline } from '../faults/pipeline.ts';

const keep = { id: 'keep', type: 'kazaam', specification: [{ operation: 'shift', spec: { n: 'a.n', m: 'm' } }] };
const script = { id: 'script', type: 'javascript', code: 'export default (row) => row;' };
const input = '{"a":{"n":12345678901234567890},"m":1e400}\n{"a":{"n":1.0},"m":2}\n';

async function run(manifest: object): Promise<[rows: string, letters: string[], p: Pipeline]> {
  const p = await pipeline(manifest, { 'in.ndjson': input });
  const { code, stderr } = await p.run();
  expect(code, stderr).toBe(0);
  const letters = (await p.letters()).map(({ error, place }) => `${error.code} at ${place.kind}`);
  return [manifest === sqlite ? '' : p.read('out.ndjson'), letters, p];
}

const sqlite = fileToFile({
  transformations: [keep],
  sinks: [{ id: 'out', type: 'sqlite', path: './out.db', table: 'items', key: ['n'] }],
});

it('they go from file to file, digit by digit', async () => {
  const [rows, letters, p] = await run(
    fileToFile({ transformations: [keep, { ...keep, id: 'again', specification: [{ operation: 'pass' }] }] }),
  );
  await using _ended = p;
  expect([rows, letters]).toEqual(['{"n":12345678901234567890,"m":1e400}\n{"n":1.0,"m":2}\n', []]);
  const spec = p.write('spec.json', JSON.stringify(keep.specification));
  const applied = await p.sluice(['apply', '--type', 'kazaam', '--file', spec], { input });
  expect([applied.code, applied.stdout]).toEqual([0, rows]);
});

it.each([
  ['a transform in another language', fileToFile({ transformations: [keep, script] })],
  ['a sink that takes values', sqlite],
])('they fail their event before %s', async (_what, manifest) => {
  const [, letters, p] = await run(manifest);
  await using _ended = p;
  expect(letters).toEqual(['E_EVENT_NUMBER at source']);
});
