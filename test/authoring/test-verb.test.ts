// `sluice test` as people run it: what passes, what fails and how it is told, exit codes, snapshots, JUnit.

import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parsed, pipeline, until } from '../faults/pipeline.ts';

interface Told {
  readonly passed: number;
  readonly failed: number;
  readonly invalid: number;
  readonly files: readonly {
    readonly file: string;
    readonly findings: readonly {
      readonly code: string;
      readonly at?: { readonly line: number; readonly column: number };
    }[];
    readonly tests: readonly {
      readonly name: string;
      readonly line: number;
      readonly passed: boolean;
      readonly differences: readonly string[];
      readonly logs: readonly string[];
    }[];
    readonly obsolete_snapshots: readonly string[];
  }[];
}

const CODE = `export default (row, ctx) => {
  if (row.test) return null;
  if (row.total === 'x') throw new Error('no total');
  ctx.log.info('seen', row.id);
  if (row.twice) return [row, { ...row, again: true }];
  return { id: row.id, total: Number(row.total) };
};
`;

const yaml = (tests: string): string => `tests:\n${tests}`;

async function told(tests: string, args: readonly string[] = [], files: Readonly<Record<string, string>> = {}) {
  await using p = await pipeline(undefined, { 'code.js': CODE, 'code.tests.yaml': yaml(tests), ...files });
  const result = await p.sluice(['test', '--json', ...args]);
  return { code: result.code, stderr: result.stderr, told: parsed<Told>(result) };
}

/** By its name: what a test had to say. */
const byName = ({ files }: Told): Record<string, readonly string[]> =>
  Object.fromEntries(files.flatMap((file) => file.tests.map((test) => [test.name, test.differences])));

describe.concurrent('a test', () => {
  it('passes when what it expects is what comes out, and only then', async () => {
    const { code, told: result } = await told(`
  - { name: row, row: { id: 1, total: "2" }, expect: { row: { total: 2 } } }
  - { name: wrong row, row: { id: 1, total: "2" }, expect: { row: { total: 3, more: 1 } } }
  - { name: exact, row: { id: 1, total: "2" }, expect: { row: { id: 1, total: 2 }, exact: true } }
  - { name: not exact, row: { id: 1, total: "2" }, expect: { row: { id: 1 }, exact: true } }
  - { name: filtered, row: { test: true }, expect: filtered }
  - { name: not filtered, row: { id: 1 }, expect: filtered }
  - { name: fan-out, row: { id: 1, twice: true }, expect: { rows: [{ id: 1 }, { again: true }] } }
  - { name: one of two, row: { id: 1, twice: true }, expect: { row: { id: 1 } } }
  - { name: error, row: { id: 1, total: x }, expect: { error: { code: E_TRANSFORM_RUNTIME, line: 3, column: 32, file: code.js, message: no total } } }
  - { name: wrong error, row: { id: 1, total: x }, expect: { error: { code: E_TRANSFORM_OUTPUT, line: 4 } } }
  - { name: no error, row: { id: 1, total: "1" }, expect: { error: { code: E_TRANSFORM_RUNTIME } } }
  - { name: unexpected error, row: { id: 1, total: x }, expect: { row: { id: 1 } } }
  - { name: several, rows: [{ id: 1, total: 1 }, { test: true }, { total: x }], expect: { row: { id: 1 }, filtered: 1, error: { code: E_TRANSFORM_RUNTIME } } }
  - { name: several with one forgotten, rows: [{ id: 1, total: 1 }, { test: true }], expect: { row: { id: 1 } } }
  - { name: event, event: { op: u, key: { id: 1 }, before: { id: 1 }, after: { id: 1, total: "3" } }, expect: { event: { op: u, key: { id: 1 }, before: { id: 1 }, after: { total: 3 } } } }
  - { name: wrong event, event: { op: u, key: { id: 1 }, before: { id: 1 }, after: { id: 1, total: "3" } }, expect: { event: { op: c } } }
`);
    const differing = byName(result);
    expect(code).toBe(1);
    const passing = Object.keys(differing).filter((name) => differing[name]!.length === 0);
    expect(passing).toEqual(['row', 'exact', 'filtered', 'fan-out', 'error', 'several', 'event']);
    expect(differing['wrong row']).toEqual(['row.total: expected 3, got 2', 'row.more: expected 1, and it is missing']);
    expect(differing['not exact']).toEqual(['row.total: not expected, and it is 2']);
    expect(differing['one of two']).toEqual([
      'rows: expected 1, got 2',
      'not expected: {"id":1,"twice":true,"again":true}',
    ]);
    expect(differing['wrong error']).toEqual([
      'error.code: expected "E_TRANSFORM_OUTPUT", got "E_TRANSFORM_RUNTIME"',
      'error.line: expected 4, got 3',
    ]);
    expect(differing['several with one forgotten']).toEqual(['filtered: expected 0, got 1']);
    expect(result).toMatchObject({ passed: 7, failed: 9, invalid: 0 });
    expect(result.files[0]!.tests[0]).toMatchObject({ line: 3, logs: ['info 4:11 seen 1'] });
  });

  it('takes its events from files, as JSON, an array or lines', async () => {
    const { told: result } = await told(
      `
  - { name: row, row: ./row.json, expect: { row: { total: 5 } } }
  - { name: events, events: ./events.ndjson, expect: { events: [{ id: a }, { id: b }] } }
  - { name: array, events: ./array.json, expect: { events: [{ id: a }] } }
`,
      [],
      {
        'row.json': '{"id":1,"total":"5"}',
        'events.ndjson': '{"id":"a","after":{"id":1}}\n{"id":"b","after":{"id":2}}\n',
        'array.json': '[{"id":"a","after":{"id":1,"total":0}}]',
      },
    );
    // Number(undefined) is NaN, which is an error of the transform: the files were read
    expect(byName(result)['row']).toEqual([]);
    expect(byName(result)['array']).toEqual([]);
    expect(byName(result)['events']!.join()).toContain('E_TRANSFORM_OUTPUT');
  });

  it('tries policies with faults in the real engine', async () => {
    await using p = await pipeline(
      {
        transformations: [
          {
            id: 'code',
            type: 'javascript',
            file: './code.js',
            limits: { timeout: '40ms' },
            error_handling: { on_error: 'retry', max_retries: 2, retry_delay: '1h', then: 'skip' },
          },
        ],
        streams: [
          {
            id: 's',
            source: { type: 'sample', events: 1 },
            transformations: ['code'],
            sinks: [
              { id: 'needed', type: 'console', error_handling: { on_error: 'dead_letter' } },
              { id: 'other', type: 'http', url: '${env:NOT_SET_HERE}', required: false },
            ],
            commit_policy: 'required',
            retry_policy: { max_attempts: 4, initial_delay: '1m', max_delay: '1h' },
          },
        ],
      },
      {
        'code.js': 'export default (row) => row;\n',
        'code.tests.yaml': yaml(`
  - { name: retried and well, rows: [{ id: 1 }, { id: 2 }], inject: [{ transform: throws, at: [1], times: 2 }], expect: { delivered: 2 } }
  - { name: retried and skipped, rows: [{ id: 1 }, { id: 2 }], inject: [{ transform: loops, at: [1] }], expect: { delivered: 1, skipped: 1 } }
  - { name: memory, row: { id: 1 }, inject: [{ transform: memory }], expect: { skipped: 1 } }
  - { name: rejected, rows: [{ id: 1 }, { id: 2 }], inject: [{ sink: needed, does: rejects, at: [2] }], expect: { delivered: 1, dead_letter: 1, error: { code: E_SINK_REJECT } } }
  - { name: the other is away, row: { id: 1 }, inject: [{ sink: other, does: away }], expect: { delivered: 1, state: ended, error: [{ code: E_SINK_ABSENT }] } }
  - { name: away for a while, row: { id: 1 }, inject: [{ sink: needed, does: away, times: 3 }], expect: { delivered: 1, state: ended } }
  - { name: away for good, row: { id: 1 }, inject: [{ sink: needed, does: away }], expect: { pending: 1, state: failed, error: { code: E_STREAM_ATTEMPTS } } }
  - { name: too many, row: { id: 1 }, inject: [{ sink: needed, does: 429, times: 2 }], expect: { delivered: 1 } }
  - { name: wrong count, rows: [{ id: 1 }, { id: 2 }], inject: [{ sink: needed, does: rejects }], expect: { delivered: 2 } }
  - { name: untold rest, rows: [{ id: 1 }, { id: 2 }], inject: [{ sink: needed, does: rejects, at: [1] }], expect: { delivered: 1 } }
`),
      },
    );
    const result = await p.sluice(['test', 'sluice.json', '--json']);
    const differing = byName(parsed<Told>(result));
    const failing = Object.keys(differing).filter((name) => differing[name]!.length > 0);
    expect([failing, differing['the other is away'], result.stderr]).toEqual([['wrong count', 'untold rest'], [], '']);
    expect(differing['wrong count']).toEqual(['delivered: expected 2, got 0']);
    expect(differing['untold rest']![0]).toContain('make up 1 of 2 events');
  });

  it('without a limit of attempts waits for ever for a sink that stays away, and says so', async () => {
    const { told: result } = await told(`
  - { name: waits, row: { id: 1, total: 1 }, inject: [{ sink: out, does: away }], expect: { pending: 1, state: waiting } }
`);
    expect(byName(result)).toEqual({ waits: [] });
  });

  it('starts with no state of another, also where a state is kept', async () => {
    const tests = 'transform: { file: ./count.js, state: keep }\n'.concat(
      yaml(`
  - { name: one, rows: [{ id: 1 }, { id: 2 }], expect: { rows: [{ n: 1 }, { n: 2 }] } }
  - { name: two, row: { id: 1 }, expect: { row: { n: 1 } } }
`),
    );
    await using p = await pipeline(undefined, {
      'count.js': 'let n = 0;\nexport default () => ({ n: ++n });\n',
      'count.tests.yaml': tests,
    });
    expect(byName(parsed<Told>(await p.sluice(['test', '--json'])))).toEqual({ one: [], two: [] });
  });
});

describe.concurrent('a test file', () => {
  it.each([
    [
      'an unknown key',
      '  - { name: a, row: { id: 1 }, expct: filtered, expect: filtered }',
      'E_TEST_UNKNOWN_KEY',
      2,
      32,
    ],
    [
      'an unknown key deep down',
      '  - { name: a, row: { id: 1 }, expect: { filterd: 1 } }',
      'E_TEST_UNKNOWN_KEY',
      2,
      42,
    ],
    [
      'an unknown field of an event',
      '  - { name: a, event: { aftr: {} }, expect: filtered }',
      'E_TEST_UNKNOWN_KEY',
      2,
      25,
    ],
    ['nothing expected', '  - { name: a, row: { id: 1 }, expect: { exact: true } }', 'E_TEST_INVALID', 2, 32],
    ['two inputs', '  - { name: a, row: { id: 1 }, rows: [{ id: 2 }], expect: filtered }', 'E_TEST_INVALID', 2, 5],
    [
      'a name that stands twice',
      '  - { name: a, row: {}, expect: filtered }\n  - { name: a, row: {}, expect: filtered }',
      'E_TEST_INVALID',
      3,
      7,
    ],
    [
      'a number beyond a double',
      '  - { name: a, row: { id: 12345678901234567890 }, expect: filtered }',
      'E_TEST_INVALID',
      2,
      27,
    ],
    ['a file that is missing', '  - { name: a, row: ./no.json, expect: filtered }', 'E_TEST_READ', 2, 21],
    ['an event that is none', '  - { name: a, event: { op: c }, expect: filtered }', 'E_TEST_INVALID', 2, 23],
    [
      'faults at no sink',
      '  - { name: a, row: { id: 1 }, inject: [{ sink: no, does: away }], expect: { pending: 1 } }',
      'E_TEST_INVALID',
      2,
      49,
    ],
    ['broken YAML', '  - { name: a, row: { id: 1 ', 'E_TEST_SYNTAX', 2, 29],
  ])('with %s is refused as a whole, with its place', async (_, tests, code, line, column) => {
    const { code: exit, told: result } = await told(tests);
    expect(exit).toBe(2);
    expect(result.files[0]!.findings).toMatchObject([{ code, at: { line, column } }]);
    expect(result.files[0]!.tests).toEqual([]);
  });

  it('whose transform does not compile fails its tests, with the place in the transform', async () => {
    const { code, told: result } = await told('  - { name: a, row: { id: 1 }, expect: filtered }', [], {
      'code.js': 'export default (row) => {\n  return row +;\n};\n',
    });
    expect(code).toBe(1);
    expect(byName(result)['a']).toEqual([
      expect.stringMatching(/^it could not be run: E_TRANSFORM_SYNTAX .*code\.js:2:15/),
      expect.stringMatching(/^→ /),
    ]);
  });

  it('whose transform cannot be found says how to name it', async () => {
    const { code, told: result } = await told('  - { name: a, row: {}, expect: filtered }', [], {
      'other.tests.yaml': yaml('  - { name: b, row: {}, expect: filtered }\n'),
    });
    expect(code).toBe(2);
    expect(result.files.map((file) => file.findings.map((finding) => finding.code))).toEqual([[], ['E_TEST_TARGET']]);
  });

  it('takes limits and scope of the transformation from the manifest that names it', async () => {
    const tests = yaml('  - { name: a, event: { id: x, after: { id: 1 } }, expect: { event: { after: { op: c } } } }');
    const code = 'export default (event) => ({ ...event, after: { op: event.op } });\n';
    await using p = await pipeline(undefined, {
      'shape.js': code,
      'shape.tests.yaml': tests,
      'sluice.yaml':
        'version: 1\ntransformations: [{ id: t, type: javascript, file: ./shape.js, scope: event }]\nstreams: [{ id: s, source: { type: sample }, transformations: [t], sinks: [{ id: o, type: console }] }]\n',
    });
    for (const args of [[], ['shape.tests.yaml'], ['sluice.yaml']]) {
      const result = await p.sluice(['test', ...args]);
      expect([args, result.code, result.stderr]).toEqual([args, 0, '']);
    }
  });
});

describe.concurrent('the verb', () => {
  const TWO =
    '  - { name: keeps ids, row: { id: 1, total: 1 }, expect: { row: { id: 1 } } }\n  - { name: drops tests, row: { test: false, total: 1 }, expect: filtered }\n';

  it('runs only tests with a word in their name, and says when there are none', async () => {
    await using p = await pipeline(undefined, { 'code.js': CODE, 'code.tests.yaml': yaml(TWO) });
    expect(await p.sluice(['test', '-t', 'KEEPS'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('1 passed'),
    });
    expect(await p.sluice(['test', '-t', 'nothing'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no test has'),
    });
    expect(await p.sluice(['test'])).toMatchObject({ code: 1, stdout: expect.stringContaining('code.tests.yaml:3') });
  });

  it('finds tests below a folder, and says when there are none', async () => {
    await using p = await pipeline(undefined, {
      'a/b/code.js': CODE,
      'a/b/code.tests.yaml': yaml(TWO),
      'empty/x.txt': '',
    });
    expect((await p.sluice(['test', '-t', 'keeps'])).stdout).toContain('a/b/code.tests.yaml');
    expect(await p.sluice(['test', 'empty'])).toMatchObject({ code: 2 });
    expect(await p.sluice(['test', 'missing'])).toMatchObject({ code: 2 });
  });

  it('fails without a snapshot, stores it with --update, and then holds to it', async () => {
    await using p = await pipeline(undefined, {
      'code.js': CODE,
      'code.tests.yaml': yaml(
        '  - { name: snap, rows: [{ id: 1, total: 1 }, { test: true }, { total: x }], expect: snapshot }\n',
      ),
    });
    expect((await p.sluice(['test'])).code).toBe(1);
    expect(existsSync(p.path('code.tests.snap.json'))).toBe(false);
    expect((await p.sluice(['test', '--update'])).code).toBe(0);
    expect(JSON.parse(p.read('code.tests.snap.json'))).toMatchObject({
      snap: {
        events: [{ after: { id: 1, total: 1 } }],
        filtered: 1,
        errors: [{ code: 'E_TRANSFORM_RUNTIME', line: 3 }],
      },
    });
    expect(p.read('code.tests.snap.json')).not.toContain(p.dir);
    expect((await p.sluice(['test'])).code).toBe(0);
    p.write('code.js', CODE.replace('Number(row.total)', '-Number(row.total)'));
    expect(await p.sluice(['test'])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('snapshot.events[0].after.total: expected 1, got -1'),
    });
    p.write('code.tests.yaml', yaml('  - { name: other, row: { test: true }, expect: filtered }\n'));
    expect((await p.sluice(['test'])).stdout).toContain('the snapshot of "snap" belongs to no test');
    await p.sluice(['test', '--update']);
    expect(existsSync(p.path('code.tests.snap.json'))).toBe(false);
  });

  it('writes JUnit XML that names what failed', async () => {
    await using p = await pipeline(undefined, {
      'code.js': CODE,
      'code.tests.yaml': yaml(
        '  - { name: "a <b> & \\"c\\"", row: { id: 1, total: 1 }, expect: { row: { id: 2 } } }\n',
      ),
      'wrong.tests.yaml': yaml('  - { nme: x }\n'),
    });
    expect((await p.sluice(['test', '--junit', 'out.xml'])).code).toBe(2);
    const xml = p.read('out.xml');
    expect(xml).toContain('<testcase name="a &lt;b&gt; &amp; &quot;c&quot;" classname="code.tests.yaml"');
    expect(xml).toContain('<failure message="row.id: expected 2, got 1">');
    expect(xml).toContain('<testsuite name="wrong.tests.yaml"');
  });

  it('says which lines ran, of a transform in a file and in the manifest', async () => {
    const code = [
      'const rate = (n: number): number => (n > 10 ? n * 2 : n);',
      '',
      'export default (row: { n: number; kind?: string }) => {',
      '  if (row.kind === undefined) return { n: rate(row.n) };',
      '  switch (row.kind) {',
      "    case 'a':",
      '      return { a: 1 };',
      '    default:',
      '      return null;',
      '  }',
      '};',
      '',
    ].join('\n');
    const tests = (rows: string): string => yaml(`  - { name: all, rows: [${rows}], expect: snapshot }\n`);
    await using p = await pipeline(undefined, { 'code.ts': code, 'code.tests.yaml': tests('{ n: 1 }') });
    await p.sluice(['test', '-u']);
    expect((await p.sluice(['test', '--coverage'])).stdout).toContain(
      'coverage of code.ts: 1 of 5 lines (20 %)\n    never ran: 5, 7, 9\n    ran in part: 1',
    );
    p.write('code.tests.yaml', tests('{ n: 1 }, { n: 11 }, { n: 1, kind: a }, { n: 1, kind: b }'));
    const all = await p.sluice(['test', '-u', '--coverage', '--json']);
    expect(JSON.parse(all.stdout)).toMatchObject({ coverage: [{ file: 'code.ts', lines: 5, covered: 5, missed: [] }] });
  });

  it('with --watch runs again after a change, also of a transform, until a signal comes', async () => {
    await using p = await pipeline(undefined, {
      'src/code.js': 'export default (row) => row;\n',
      'src/code.tests.yaml': yaml('  - { name: same, row: { id: 1 }, expect: { row: { id: 1 } } }\n'),
    });
    const running = p.start(['test', '--watch']);
    const times = (text: RegExp): number => [...running.said().stdout.matchAll(text)].length;
    const waits = (): number => [...running.said().stderr.matchAll(/waiting for a change/g)].length;
    await until('the first run', () => times(/1 passed/g) === 1 && waits() === 1);
    p.write('src/code.js', 'export default () => null;\n');
    await until('the second run', () => times(/0 passed, 1 failed/g) === 1 && waits() === 2);
    p.write('src/code.tests.yaml', yaml('  - { name: none, row: { id: 1 }, expect: filtered }\n'));
    await until('the third run', () => times(/1 passed/g) === 2 && waits() === 3);
    expect((await running.kill('SIGINT')).code).toBe(130);
  });
});
