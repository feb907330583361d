// What user code can do wrong: it does not compile, it throws or hangs while it is loaded, or it throws, hangs or eats memory
// on one event. The first two stop the run before it starts, with the author's own line; the third costs that event alone.

import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { expectSum, expectTold, fileToFile, javascript, ndjson, numbered, parsed, pipeline } from './pipeline.ts';
import { sideBySide } from './side-by-side.ts';

const ofFile = (file: string): object => fileToFile({ transformations: [{ id: 'code', type: 'javascript', file }] });

describe.concurrent('a transform that', () => {
  const broken = [
    {
      name: 'does not compile, in JavaScript',
      file: 'code.js',
      code: '// a comment\nexport default (row) => {\n  return row +;\n};\n',
      error: 'E_TRANSFORM_SYNTAX',
      place: '3:15',
    },
    {
      name: 'does not compile, in TypeScript',
      file: 'code.ts',
      code: 'interface Row {\n  id: number;\n}\n\nexport default (row: Row): Row => {\n  const twice: number = * 2;\n  return row;\n};\n',
      error: 'E_TRANSFORM_SYNTAX',
      place: '6:25',
    },
    {
      name: 'uses TypeScript that cannot be stripped',
      file: 'code.ts',
      code: 'enum Color {\n  Red,\n}\nexport default (row: { id: number }) => ({ ...row, c: Color.Red });\n',
      error: 'E_TRANSFORM_SYNTAX',
      place: '1:1',
    },
    {
      name: 'has no default export',
      file: 'code.js',
      code: 'export const other = (row) => row;\n',
      error: 'E_TRANSFORM_',
      place: '',
    },
    {
      name: 'imports a module of Node',
      file: 'code.js',
      code: "import fs from 'node:fs';\nexport default (row) => row;\n",
      error: 'E_TRANSFORM_PACKAGE',
      place: '1:',
    },
  ];

  it.for(broken)('$name never starts, and is told at its own line', async ({ file, code, error, place }) => {
    await using p = await pipeline(ofFile(`./${file}`), { 'in.ndjson': ndjson(numbered(3)), [file]: code });
    const [validated, ran] = [await p.sluice(['validate', 'sluice.json']), await p.run()];
    for (const result of [validated, ran]) {
      expect(result.code, result.stderr).toBe(2);
      expect(result.stderr).toMatch(new RegExp(`✗ ${error}\\w*  ${p.path(file)}:${place}`));
      expect(result.stderr).toContain('→');
    }
    expect(existsSync(p.path('out.ndjson'))).toBe(false);
  });

  const atLoad = [
    {
      name: 'throws',
      code: 'const table: number[] = [];\n\nthrow new Error("no table " + table.length);\n\nexport default (row: object) => row;\n',
      says: /no table 0/,
      place: { line: 3, column: 7 },
    },
    {
      name: 'never ends',
      code: 'let n = 0;\nwhile (true) n++;\nexport default (row: object) => row;\n',
      says: /limits\.load/,
      place: {},
    },
  ];

  it.for(atLoad)(
    '$name while it is loaded fails its stream before the first event, at its own line',
    async (planted) => {
      await using p = await pipeline(ofFile('./code.ts'), {
        'in.ndjson': ndjson(numbered(3)),
        'code.ts': planted.code,
      });
      const ran = await p.run('--json');
      expect(ran.code, ran.stderr).toBe(2);
      expect(parsed<object>(ran)).toMatchObject({
        streams: [
          {
            id: 's',
            state: 'failed',
            error: {
              code: 'E_TRANSFORM_LOAD',
              message: expect.stringMatching(planted.says),
              at: { file: p.path('code.ts'), ...planted.place },
            },
          },
        ],
      });
      expect(p.rows('out.ndjson')).toEqual([]);
      expect(await p.letters()).toEqual([]);
      p.write('code.ts', 'export default (row: object) => row;\n');
      expect((await p.run()).code).toBe(0);
      expect(p.rows('out.ndjson')).toEqual(numbered(3));
    },
  );

  it('is written in the manifest is told at its place there', async () => {
    const yaml = [
      'version: 1',
      'transformations:',
      '  - id: code',
      '    type: javascript',
      '    code: |',
      '      export default (row) => {',
      '        return row +;',
      '      };',
      'streams:',
      '  - id: s',
      '    source: { type: file, path: ./in.ndjson }',
      '    transformations: [code]',
      '    sinks: [{ id: out, type: file, path: ./out.ndjson }]',
      '',
    ].join('\n');
    await using p = await pipeline(undefined, { 'sluice.yaml': yaml });
    const result = await p.sluice(['run']);
    expectTold(result, 'E_TRANSFORM_SYNTAX', 2);
    expect(result.stderr).toContain(`${p.path('sluice.yaml')}:7:21`);
  });
});

interface Bad {
  readonly name: string;
  /** What happens on row 3. */
  readonly code: string;
  readonly error: string;
  readonly says: RegExp;
  readonly line?: number;
  readonly limits?: object;
}

describe('one event on which the transform', () => {
  const bad: readonly Bad[] = [
    { name: 'throws', code: 'throw new Error("not three")', error: 'E_TRANSFORM_RUNTIME', says: /not three/, line: 2 },
    { name: 'throws what is no error', code: 'throw "text"', error: 'E_TRANSFORM_RUNTIME', says: /text/ },
    {
      name: 'never ends',
      code: 'for (;;) {}',
      error: 'E_TRANSFORM_TIMEOUT',
      says: /50 ms/,
      limits: { timeout: '50ms' },
    },
    {
      name: 'eats memory',
      code: 'const all = []; for (;;) all.push(new Array(1e5).fill(row.id))',
      error: 'E_TRANSFORM_MEMORY',
      says: /memory/,
      limits: { memory: '16MiB', timeout: '5s' },
    },
    {
      name: 'calls itself for ever',
      code: '(function f() { f(); f() })()',
      error: 'E_TRANSFORM_RUNTIME',
      says: /call stack/i,
    },
    { name: 'gives a number', code: 'return 5', error: 'E_TRANSFORM_OUTPUT', says: /number/ },
    { name: 'gives NaN', code: 'return { id: NaN }', error: 'E_TRANSFORM_OUTPUT', says: /NaN/ },
    { name: 'gives a bigint', code: 'return { id: 1n }', error: 'E_TRANSFORM_OUTPUT', says: /bigint/i },
    { name: 'gives a circle', code: 'row.self = row; return row', error: 'E_TRANSFORM_OUTPUT', says: /circ/i },
    {
      name: 'gives a promise that fails',
      code: 'return Promise.reject(new Error("later"))',
      error: 'E_TRANSFORM_',
      says: /./,
    },
    {
      name: 'gives too much',
      code: 'return { text: "x".repeat(2 ** 21) }',
      error: 'E_TRANSFORM_OUTPUT',
      says: /output/,
    },
    {
      name: 'gives too many',
      code: 'return new Array(50).fill(row)',
      error: 'E_TRANSFORM_FAN_OUT',
      says: /fan_out/,
      limits: { fan_out: 10 },
    },
    {
      name: 'reads process',
      code: 'return { env: process.env }',
      error: 'E_TRANSFORM_RUNTIME',
      says: /process is not defined/,
    },
    {
      name: 'changes a frozen global',
      code: '"use strict"; Array.prototype.x = 1',
      error: 'E_TRANSFORM_RUNTIME',
      says: /./,
    },
  ];

  const became = sideBySide(
    bad.map(({ code, limits }, n) => ({
      // time is the machine's: on a busy one an event takes 50 ms for no fault of its own
      transformation: {
        id: `code${n}`,
        type: 'javascript',
        file: `./code${n}.js`,
        limits: { timeout: '5s', ...limits },
      },
      input: ndjson(numbered(6)),
      files: {
        [`code${n}.js`]: `export default (row) => {\n  if (row.id === 3) { ${code} }\n  return { ...row, seen: true };\n};\n`,
      },
    })),
  );

  it.for([...bad.entries()].map(([n, one]) => ({ ...one, n })))(
    '$name is a dead letter, and the others pass in order',
    ({ n, error, says, line }) => {
      const { out, letters, shown, path } = became(n);
      expect(out).toEqual([1, 2, 4, 5, 6].map((id) => ({ id, seen: true })));
      expect(letters).toHaveLength(1);
      const letter = letters[0]!;
      expect(letter).toMatchObject({
        status: 'pending',
        place: { kind: 'transform', id: `code${n}` },
        event_id: expect.any(String),
        error: { code: expect.stringMatching(new RegExp(`^${error}`)), message: expect.stringMatching(says) },
      });
      expect(JSON.parse(letter.event)).toMatchObject({ op: 'c', after: { id: 3 } });
      if (line !== undefined) {
        expect(letter.error.at).toMatchObject({ file: path(`code${n}.js`), line, column: expect.any(Number) });
      }
      expect(shown.ledger).toEqual({ in: 6, delivered: 5, filtered: 0, skipped: 0, dead_lettered: 1, pending: 0 });
    },
  );
});

describe.concurrent('the policy of a transform', () => {
  const throwing = (handling: object): object =>
    javascript('export default (row) => { if (row.id === 3) throw new Error("no"); return row }', {
      error_handling: handling,
    });
  const files = { 'in.ndjson': ndjson(numbered(6)) };

  it('`retry`, then dead letter: counts every attempt', async () => {
    await using p = await pipeline(
      fileToFile({ transformations: [throwing({ on_error: 'retry', max_retries: 2, retry_delay: '5ms' })] }),
      files,
    );
    expect((await p.run()).code).toBe(0);
    expect(await p.letters()).toMatchObject([{ attempts: 3, status: 'pending' }]);
    expect(p.rows('out.ndjson').map((row) => row['id'])).toEqual([1, 2, 4, 5, 6]);
  });

  it('`skip`: leaves the event out and counts it', async () => {
    await using p = await pipeline(fileToFile({ transformations: [throwing({ on_error: 'skip' })] }), files);
    expect((await p.run()).code).toBe(0);
    expect(await p.letters()).toEqual([]);
    expect((await p.status())[0]!.ledger).toMatchObject({ in: 6, delivered: 5, skipped: 1 });
  });

  it('`fail_stream`: exit code 1, its event is not passed, and mending the code loses nothing', async () => {
    await using p = await pipeline(
      fileToFile({ transformations: [throwing({ on_error: 'fail_stream' })], stream: { batch: { max_events: 1 } } }),
      files,
    );
    const ran = await p.run();
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('E_STREAM_FAILED');
    const [failed] = await p.status();
    expect(failed).toMatchObject({ state: 'failed', reason: { code: 'E_STREAM_FAILED' } });
    expect(failed!.ledger.in).toBeLessThanOrEqual(2);
    expect(p.rows('out.ndjson').map((row) => row['id'])).toEqual([1, 2].slice(0, failed!.ledger.in));
    p.manifest(fileToFile({ transformations: [javascript('export default (row) => row')] }));
    expect((await p.run()).code).toBe(0);
    expect(p.rows('out.ndjson').map((row) => row['id'])).toEqual([1, 2, 3, 4, 5, 6]);
    const [mended] = await p.status();
    expect(mended!.ledger.in).toBe(6);
    expectSum(mended!.ledger);
  });

  it('`dead_letter_destination`: a sink gets a copy, and nothing else', async () => {
    await using p = await pipeline(
      fileToFile({
        transformations: [throwing({ dead_letter_destination: 'letters' })],
        sinks: [
          { id: 'out', type: 'file', path: './out.ndjson' },
          { id: 'letters', type: 'file', path: './letters.ndjson', format: 'event' },
        ],
      }),
      files,
    );
    const ran = await p.run();
    expect(ran.code, ran.stderr).toBe(0);
    const [letter] = await p.letters();
    const copies = p.rows<{ op: string; after: object }>('letters.ndjson');
    expect(copies).toHaveLength(1);
    expect(copies[0]).toMatchObject({
      op: 'm',
      after: { event_id: letter!.event_id, error: { code: 'E_TRANSFORM_RUNTIME' } },
    });
    expect(p.rows('out.ndjson')).toHaveLength(5);
  });
});
