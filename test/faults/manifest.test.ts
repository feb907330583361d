// What is wrong before anything runs: the manifest, its plugins, its variables and files. Each is a finding with its code,
// its place and its mend, told the same by validate, run and --json, and nothing is made on the disk.

import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { expectTold, fileToFile, javascript, ndjson, parsed, pipeline } from './pipeline.ts';

interface Finding {
  readonly code: string;
  readonly message: string;
  readonly fix: string;
  readonly at: { readonly file: string; readonly line?: number; readonly column?: number; readonly pointer?: string };
}

const HEAD = 'version: 1\nstreams:\n  - id: s\n';
const SOURCE = '    source: { type: file, path: ./in.ndjson }\n';
const SINKS = '    sinks: [{ id: out, type: file, path: ./out.ndjson }]\n';
const GOOD = HEAD + SOURCE + SINKS;

const plugin = (entry: object, code: string): Record<string, string> => ({
  'plugins/mine/package.json': JSON.stringify({
    name: 'sluice-plugin-mine',
    version: '1.0.0',
    type: 'module',
    sluice: { plugin: './index.js', api: '^1.0.0', name: 'mine', provides: ['source'], ...entry },
  }),
  'plugins/mine/index.js': code,
});
const mine = HEAD + '    source: { type: mine }\n' + SINKS;

interface Case {
  readonly name: string;
  readonly text: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly code: string;
  readonly exit?: number;
  readonly says: RegExp;
  readonly line?: number;
  readonly pointer?: string;
}

const cases: readonly Case[] = [
  {
    name: 'YAML that is none',
    text: `${HEAD}    source: { type: file, path: [\n`,
    code: 'E_MANIFEST_SYNTAX',
    says: /./,
  },
  {
    name: 'a tab for an indent',
    text: 'version: 1\nstreams:\n\t- id: s\n',
    code: 'E_MANIFEST_SYNTAX',
    says: /tab/i,
    line: 3,
  },
  { name: 'an empty file', text: '', code: 'E_MANIFEST_INVALID', says: /empty/ },
  {
    name: 'an unknown key, with the nearest',
    text: `${GOOD}    commit_polcy: all\n`,
    code: 'E_MANIFEST_UNKNOWN_KEY',
    says: /commit_policy/,
    line: 6,
    pointer: '/streams/0/commit_polcy',
  },
  {
    name: 'a value of the wrong type',
    text: `${GOOD}    enabled: 17\n`,
    code: 'E_MANIFEST_INVALID',
    says: /enabled/,
    line: 6,
    pointer: '/streams/0/enabled',
  },
  {
    name: 'an unknown plugin, with the nearest',
    text: GOOD.replace('type: file, path: ./in', 'type: flie, path: ./in'),
    code: 'E_PLUGIN_NOT_FOUND',
    says: /did you mean "file"/,
    line: 4,
    pointer: '/streams/0/source/type',
  },
  {
    name: 'a plugin for another version of the API',
    text: mine,
    files: plugin({ api: '^9.0.0' }, 'throw new Error("its code must not run")'),
    code: 'E_PLUGIN_API',
    says: /\^9\.0\.0.*1\.0\.0|1\.0\.0.*\^9\.0\.0/s,
    line: 4,
  },
  {
    name: 'a plugin that throws when it is imported',
    text: mine,
    files: plugin({}, 'throw new Error("no such luck")'),
    code: 'E_PLUGIN_LOAD',
    exit: 3,
    says: /no such luck/,
    line: 4,
  },
  {
    name: 'a plugin that exports something else',
    text: mine,
    files: plugin({}, 'export default { name: "mine" }'),
    code: 'E_PLUGIN_SHAPE',
    says: /definePlugin/,
    line: 4,
  },
  {
    name: 'a plugin without the part that is asked for',
    text: mine,
    files: plugin({ provides: ['sink'] }, 'throw new Error("its code must not run")'),
    code: 'E_PLUGIN_KIND',
    says: /no source/,
    line: 4,
  },
  {
    name: 'a transform file that is not there',
    text: `${GOOD}    transformations: [t]\ntransformations:\n  - { id: t, type: javascript, file: ./gone.js }\n`,
    code: 'E_MANIFEST_FILE',
    says: /ENOENT/,
    line: 8,
    pointer: '/transformations/0/file',
  },
  {
    name: 'a variable that is not set',
    text: GOOD.replace('./in.ndjson', '"${env:SLUICE_TEST_NOT_SET}"'),
    code: 'E_MANIFEST_VARIABLE',
    says: /SLUICE_TEST_NOT_SET/,
    line: 4,
  },
  {
    name: 'a secret file that is not there',
    text: GOOD.replace('./in.ndjson', '"${file:./gone}"'),
    code: 'E_MANIFEST_VARIABLE',
    says: /ENOENT/,
    line: 4,
  },
  {
    name: 'a sink where its own stream reads',
    text: GOOD.replace('./out.ndjson', './in.ndjson'),
    code: 'E_MANIFEST_SAME_PLACE',
    says: /reads/,
    line: 5,
  },
  {
    name: 'two sinks on one file',
    text: GOOD.replace('[{ id', '[{ id: a, type: file, path: ./out.ndjson }, { id'),
    code: 'E_MANIFEST_SAME_PLACE',
    says: /./,
    line: 5,
  },
  {
    name: 'a setting that waits for a later version',
    text: `${GOOD}service: { hot_reload: true }\n`,
    code: 'E_NOT_BUILT',
    says: /not built yet/,
    line: 6,
  },
];

describe.concurrent('a manifest with', () => {
  it.for(cases)('$name is told by validate and by run, alike', async (planted) => {
    await using p = await pipeline(undefined, {
      'sluice.yaml': planted.text,
      'in.ndjson': '{"id":1}\n',
      ...planted.files,
    });
    const [shown, ran, listed] = await Promise.all([
      p.sluice(['validate']),
      p.sluice(['run']),
      p.sluice(['validate', '--json']),
    ]);
    const exit = planted.exit ?? 2;
    expectTold(shown, planted.code, exit);
    expectTold(ran, planted.code, exit);
    expect(listed.code).toBe(exit);
    const { findings } = parsed<{ findings: Finding[] }>(listed);
    const finding = findings.find(({ code }) => code === planted.code);
    expect(finding, listed.stdout).toBeDefined();
    const { message, fix, at } = finding!;
    expect(`${message} ${fix}`).toMatch(planted.says);
    expect(fix).toBeTruthy();
    expect(at.file).toBe(p.path('sluice.yaml'));
    if (planted.line !== undefined) expect(at).toMatchObject({ line: planted.line, column: expect.any(Number) });
    if (planted.pointer !== undefined) expect(at.pointer).toBe(planted.pointer);
    expect(existsSync(p.path('.sluice')), 'nothing is made').toBe(false);
    expect(existsSync(p.path('out.ndjson')), 'nothing is written').toBe(false);
  });
});

describe.concurrent('findings', () => {
  it('come all at once, in the order of the file, each with its place', async () => {
    const text = [
      'version: 1',
      'servce: {}',
      'streams:',
      '  - id: "not an id"',
      '    source: { type: file, pth: ./in.ndjson }',
      '    transformations: [nobody]',
      '    sinks: [{ id: out, type: file, path: ./out.ndjson, rotate: 5 }]',
      '    batch: { max_wait: 50 }',
      '',
    ].join('\n');
    await using p = await pipeline(undefined, { 'sluice.yaml': text });
    const result = await p.sluice(['validate', '--json']);
    expect(result.code).toBe(2);
    expect(Object.keys(JSON.parse(result.stdout))).toEqual(['findings']);
    const { findings } = parsed<{ findings: Finding[] }>(result);
    for (const finding of findings) {
      expect(finding).toMatchObject({
        code: expect.stringMatching(/^E_[A-Z_]+$/),
        message: expect.any(String),
        fix: expect.any(String),
        at: {
          file: p.path('sluice.yaml'),
          line: expect.any(Number),
          column: expect.any(Number),
          pointer: expect.any(String),
        },
      });
    }
    const lines = findings.map(({ at }) => at.line!);
    expect(lines).toEqual([...lines].sort((a, b) => a - b));
    expect(new Set(lines)).toEqual(new Set([2, 4, 5, 6, 7, 8]));
  });

  it('of a manifest that is not there name the way to make one', async () => {
    await using p = await pipeline();
    for (const args of [['run'], ['validate', 'other.yaml'], ['status'], ['check']]) {
      const result = await p.sluice(args);
      expectTold(result, 'E_MANIFEST_READ', 2);
      expect(result.stderr).toContain('sluice new pipeline');
    }
    const listed = parsed<{ findings: Finding[] }>(await p.sluice(['validate', '--json']));
    expect(listed.findings).toMatchObject([{ code: 'E_MANIFEST_READ', at: { file: p.path('sluice.yaml') } }]);
  });

  it('of a folder and of a file that is no text are told, not thrown', async () => {
    await using p = await pipeline();
    expectTold(await p.sluice(['validate', '.']), 'E_MANIFEST_READ', 2);
    p.write('binary.yaml', Buffer.from([0xff, 0xfe, 0x00, 0x81]));
    expectTold(await p.sluice(['validate', 'binary.yaml']), 'E_MANIFEST_SYNTAX', 2);
  });
});

describe.concurrent('a disabled stream', () => {
  const streams = (enabled: readonly boolean[]): object => ({
    streams: enabled.map((on, i) => ({
      id: `s${i}`,
      enabled: on,
      source: { type: 'file', path: './in.ndjson' },
      sinks: [{ id: 'out', type: 'file', path: `./out${i}.ndjson` }],
    })),
  });

  it('is left out of a run, and run when --stream names it', async () => {
    await using p = await pipeline(streams([true, false]), { 'in.ndjson': ndjson([{ a: 1 }]) });
    expect((await p.run()).code).toBe(0);
    expect([p.rows('out0.ndjson').length, existsSync(p.path('out1.ndjson'))]).toEqual([1, false]);
    expect(await p.status()).toMatchObject([
      { id: 's0', enabled: true },
      { id: 's1', enabled: false, ledger: { in: 0 } },
    ]);
    expect((await p.run('--stream', 's1')).code).toBe(0);
    expect(p.rows('out1.ndjson')).toEqual([{ a: 1 }]);
    expect((await p.status())[0]!.ledger.in).toBe(1);
  });

  it('alone leaves nothing to run, which is said', async () => {
    await using p = await pipeline(streams([false]), { 'in.ndjson': '' });
    expectTold(await p.run(), 'E_USAGE', 2);
  });

  it('is told by name when --stream names one that is not there', async () => {
    await using p = await pipeline(streams([true]), { 'in.ndjson': '' });
    const result = await p.run('--stream', 's9');
    expectTold(result, 'E_USAGE', 2);
    expect(result.stderr).toContain('s0');
  });
});

describe('secrets', () => {
  it('from variables and files are in no output, log, error, dead letter or database', async () => {
    const inEnv = 'canary-4f1c9e-env';
    const inFile = 'canary-8b2d7a-file';
    await using p = await pipeline(
      {
        service: { log_level: 'debug' },
        transformations: [
          {
            ...javascript(
              "export default (row, ctx) => { ctx.log.info('saw ' + row.id); throw new Error('no ' + row.id) }",
            ),
          },
        ],
        streams: [
          {
            id: 's',
            source: { type: 'file', path: './in.ndjson', table: 'items', key: ['id'] },
            transformations: ['code'],
            sinks: [
              {
                id: 'out',
                type: 'http',
                url: 'http://user:${env:SLUICE_TEST_SECRET}@127.0.0.1:9/x',
                headers: { 'x-key': '${file:./secret.txt}' },
              },
            ],
            retry_policy: { max_attempts: 1, initial_delay: '1ms' },
          },
          {
            id: 'away',
            source: { type: 'file', path: './in.ndjson', table: 'items', key: ['id'] },
            sinks: [
              {
                id: 'out',
                type: 'http',
                url: 'http://127.0.0.1:9/${env:SLUICE_TEST_SECRET}',
                headers: { 'x-key': '${file:./secret.txt}' },
              },
            ],
            retry_policy: { max_attempts: 2, initial_delay: '1ms' },
          },
        ],
      },
      { 'in.ndjson': ndjson([{ id: 1 }]), 'secret.txt': `${inFile}\n` },
    );
    const env = { SLUICE_TEST_SECRET: inEnv };
    const said: string[] = [];
    for (const args of [
      ['validate'],
      ['run', 'sluice.json', '--verbose'],
      ['check', 'sluice.json'],
      ['check', 'sluice.json', '--json'],
      ['status', 'sluice.json', '--json'],
      ['checkpoint', 'show', 'sluice.json', '--json'],
      ['dead-letters', 'show', '1', 'sluice.json', '--json'],
    ]) {
      const result = await p.sluice(args, { env });
      said.push(`${args.join(' ')}\n${result.stdout}${result.stderr}`);
    }
    // the manifest broken at the very line of the secret: the frame must not show it
    p.manifest({
      streams: [
        { id: 's', source: { type: 'file', path: ['${env:SLUICE_TEST_SECRET}', '${file:./secret.txt}'] }, sinks: 5 },
      ],
    });
    for (const args of [
      ['validate', 'sluice.json'],
      ['validate', 'sluice.json', '--json'],
    ]) {
      const result = await p.sluice(args, { env });
      expect(result.code).toBe(2);
      said.push(result.stdout + result.stderr);
    }
    for (const name of ['.sluice/state.db', '.sluice/state.db-wal']) {
      if (existsSync(p.path(name))) said.push(p.read(name));
    }
    expect(said.join('\n')).toContain('E_STREAM_ATTEMPTS'); // it did run, and it did fail
    for (const text of said) {
      expect(text).not.toContain(inEnv);
      expect(text).not.toContain(inFile);
      expect(text).not.toContain(Buffer.from(`user:${inEnv}`).toString('base64'));
    }
  });

  it('in a path that an error shows as its place are in no log line, database or status', async () => {
    const canaries = ['canary-77aa01-env', 'canary-77aa02-file'] as const;
    const lost = { type: 'file', path: './${file:./secret.txt}-${env:SLUICE_TEST_SECRET}.ndjson' };
    await using p = await pipeline(fileToFile({ source: lost }), { 'secret.txt': canaries[1] });
    const env = { SLUICE_TEST_SECRET: canaries[0] };
    const ran = await p.sluice(['run', 'sluice.json', '--verbose'], { env });
    const status = await p.sluice(['status', 'sluice.json', '--json'], { env });
    expect(JSON.parse(status.stdout)).toMatchObject({
      streams: [{ state: 'failed', reason: { code: 'E_SOURCE_CONNECT', at: { file: p.path('***-***.ndjson') } } }],
    });
    const logged = ran.stderr.split('\n').filter((line) => line.startsWith('{'));
    const stored = ['.sluice/state.db', '.sluice/state.db-wal'].filter((name) => existsSync(p.path(name))).map(p.read);
    expect(logged.join('')).toContain('E_SOURCE_CONNECT');
    for (const canary of canaries) expect([...logged, ...stored, status.stdout].join('\n')).not.toContain(canary);
  });
});
