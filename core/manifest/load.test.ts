// Whole manifests: defaults, authentication, transformations, what is not built, and loading to look only.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadManifest } from './load.ts';
import { languages, load, placesIn, resolvePlugin, streamWith } from './plugins-for-tests.ts';

const small = streamWith(`
source: { type: file, path: ./in.ndjson }
sinks: [{ id: out, type: file, path: ./out.ndjson }]`);

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-manifest-'));
});
afterAll(async () => {
  await rm(dir, { recursive: true });
});

async function onDisk(text: string, files: Record<string, string> = {}) {
  for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), content);
  const path = join(dir, 'sluice.yaml');
  await writeFile(path, text);
  return { path, loaded: await loadManifest(path, { resolvePlugin, languages, env: {} }) };
}

describe('a manifest', () => {
  it('of a few lines has every default', async () => {
    const { manifest, findings } = await load(small);
    expect(findings).toEqual([]);
    expect(manifest).toMatchObject({
      file: 'sluice.yaml',
      dir: resolve('.'),
      service: {
        log_level: 'info',
        log_format: 'auto',
        state: { type: 'sqlite', path: resolve('./.sluice/state.db') },
        graceful_shutdown_timeout: 30_000,
        max_concurrent_streams: 16,
      },
      transformations: [],
      secrets: [],
    });
    const stream = manifest!.streams[0]!;
    expect(stream).toMatchObject({
      id: 's',
      enabled: true,
      batch: { max_events: 1000, max_bytes: 1024 ** 2, max_wait: 50, respect_source_tx: true },
      commit_policy: 'all',
      retry_policy: { initial_delay: 200, max_delay: 30_000, backoff_multiplier: 2, permanent_error_codes: [] },
      home: null,
      dead_letters: { max_bytes: 1024 ** 3 },
    });
    expect(stream.retry_policy).not.toHaveProperty('max_attempts');
    expect(stream.source).toMatchObject({
      type: 'file',
      auth: null,
      verify: false,
      config: { path: resolve('in.ndjson'), format: 'row', key: [], follow: false, max_line: 8 * 1024 ** 2 },
      error_handling: { on_error: 'dead_letter', max_retries: 0 },
      at: { file: 'sluice.yaml', line: 5, column: 13, pointer: '/streams/0/source' },
    });
    expect(stream.sinks[0]).toMatchObject({
      id: 'out',
      required: true,
      write_timeout: 30_000,
      config: { path: resolve('out.ndjson') },
      error_handling: { on_error: 'dead_letter', max_retries: 5, retry_delay: 100, then: 'dead_letter' },
    });
    expect((stream.sinks[0]!.config as object) && stream.sinks[0]!.config).not.toHaveProperty('id');
  });

  it('may be JSON, with a $schema', async () => {
    const text = JSON.stringify({
      $schema: './schemas/manifest.schema.json',
      version: 1,
      streams: [
        { id: 's', source: { type: 'file', path: 'a' }, sinks: [{ id: 'o', type: 'file', path: 'b', required: true }] },
      ],
    });
    expect((await load(text, { file: 'sluice.json' })).findings).toEqual([]);
    const broken = await load(text.replace('"version":1', '"version":2'));
    expect(placesIn(broken)).toEqual([`E_MANIFEST_INVALID 1:${text.indexOf('"version":1') + 11}`]);
  });

  it('that cannot be read is one finding', async () => {
    for (const [path, code] of [
      [join(dir, 'nowhere.yaml'), 'E_MANIFEST_READ'],
      [dir, 'E_MANIFEST_READ'],
    ] as const) {
      const { manifest, findings } = await loadManifest(path, { resolvePlugin, languages });
      expect(manifest).toBeNull();
      expect(findings.map((each) => [each.code, each.at?.file, each.severity])).toEqual([[code, path, 'error']]);
    }
    await writeFile(join(dir, 'latin.yaml'), Buffer.from([0x61, 0x3a, 0xe9]));
    const latin = await loadManifest(join(dir, 'latin.yaml'), { resolvePlugin, languages });
    expect(latin.findings.map((each) => each.code)).toEqual(['E_MANIFEST_SYNTAX']);
  });

  it('that is empty, a list or a text says what it must be', async () => {
    for (const text of ['', '# nothing\n', '- 1\n', 'hello', '[]']) {
      expect(placesIn(await load(text)).map((each) => each.split(' ')[0])).toEqual(['E_MANIFEST_INVALID']);
    }
  });

  it('keeps unknown keys out, and says the nearest known one', async () => {
    const text = small.replace('id: s\n', 'id: s\n    batchSize: 3\n    retry_polcy: {}\n    transformation_id: x\n');
    const { findings } = await load(text);
    expect(findings.map((each) => [each.code, each.at?.line, each.at?.column, each.fix])).toEqual([
      ['E_MANIFEST_UNKNOWN_KEY', 4, 5, 'did you mean `batch`?'],
      ['E_MANIFEST_UNKNOWN_KEY', 5, 5, 'did you mean `retry_policy`?'],
      ['E_MANIFEST_UNKNOWN_KEY', 6, 5, 'did you mean `transformations`?'],
    ]);
  });

  it('names what is not built yet, and what it waits for', async () => {
    const text = `version: 1
service: { hot_reload: true }
authentication: [{ id: a, type: azure_entra, config: { tenant: x } }]
transformations:
  - { id: j, type: jsonata, expression: "$" }
  - { id: k, type: javascript, code: "export default (row) => row", columns: {} }
streams:
  - id: s
    source: { type: mysql, connection_string: x }
    sinks: [{ id: out, type: file, path: ./o }]
`;
    const { findings } = await load(text);
    expect(findings.map((each) => [each.code, each.at?.pointer])).toEqual([
      ['E_NOT_BUILT', '/service/hot_reload'],
      ['E_NOT_BUILT', '/authentication/0/type'],
      ['E_NOT_BUILT', '/transformations/0/type'],
      ['E_NOT_BUILT', '/transformations/1/columns'],
      ['E_NOT_BUILT', '/streams/0/source/type'],
    ]);
    for (const finding of findings) expect(finding.message).toMatch(/waits for/);
  });

  it("refuses a language's settings at another language", async () => {
    const rule = '{ id: k, type: javascript, code: "export default (row) => row", constants: {}, lane: reference }';
    const { findings } = await load(small.replace('version: 1\n', `version: 1\ntransformations: [${rule}]\n`));
    expect(findings.map((each) => [each.code, each.at?.pointer])).toEqual([
      ['E_MANIFEST_UNKNOWN_KEY', '/transformations/0/constants'],
      ['E_MANIFEST_UNKNOWN_KEY', '/transformations/0/lane'],
    ]);
  });

  it('warns of a state that a language cannot keep', async () => {
    const rule = '{ id: k, type: jsonata, expression: "$", state: keep }';
    const all = { ...languages, names: ['javascript', 'jsonata'] };
    const text = small.replace('version: 1\n', `version: 1\ntransformations: [${rule}]\n`);
    const { findings } = await load(text, { languages: all });
    const state = ['E_MANIFEST_NO_EFFECT', '/transformations/0/state', 'warning'];
    expect(findings.map((each) => [each.code, each.at?.pointer, each.severity])).toContainEqual(state);
  });

  it('has room for anchors under x- keys, and merges them', async () => {
    const text = `version: 1
x-defaults: &policy { initial_delay: 1s, max_delay: 2s }
streams:
  - id: s
    source: { type: file, path: a }
    sinks: [{ id: out, type: file, path: b }]
    retry_policy:
      <<: *policy
      max_delay: 1m
`;
    const { manifest, findings } = await load(text);
    expect(findings).toEqual([]);
    expect(manifest!.streams[0]!.retry_policy).toMatchObject({ initial_delay: 1000, max_delay: 60_000 });
  });
});

describe('authentication', () => {
  const text = `version: 1
authentication:
  - id: shop
    type: username_password
    config: { username: "\${env:PGUSER}", password: "\${file:pg.txt}" }
streams:
  - id: s
    source: { type: db, url: "db://\${env:PGUSER}@host/\${env:NAME:-shop}", tables: [orders], auth_id: shop }
    sinks: [{ id: out, type: file, path: ./o }]
`;

  it('reaches the ends that name it, and its secrets are collected', async () => {
    await writeFile(join(dir, 'pg.txt'), 'pw\n');
    await writeFile(join(dir, 'auth.yaml'), text);
    const env = { PGUSER: 'reader', NAME: '' };
    const { manifest, findings } = await loadManifest(join(dir, 'auth.yaml'), { resolvePlugin, languages, env });
    expect(findings).toEqual([]);
    const { source } = manifest!.streams[0]!;
    expect(source.auth).toEqual({ type: 'username_password', config: { username: 'reader', password: 'pw' } });
    expect(source.config).toMatchObject({ url: 'db://reader@host/shop' });
    expect(new Set(manifest!.secrets)).toEqual(new Set(['db://reader@host/shop', 'reader', 'pw']));
  });

  it('must be declared, and unique', async () => {
    const twice = text.replace(
      'streams:',
      '  - { id: shop, type: certificate, config: { certificate: c, key: k } }\nstreams:',
    );
    const env = { PGUSER: 'reader' };
    const loaded = await load(
      twice.replace('auth_id: shop', 'auth_id: shp').replace('${file:pg.txt}', 'long-password'),
      { env },
    );
    expect(loaded.findings.map((each) => [each.code, each.at?.line, each.message, each.fix])).toEqual([
      ['E_MANIFEST_DUPLICATE', 6, 'this id is that of another authentication already, at line 3', 'give each its own'],
      ['E_MANIFEST_REFERENCE', 9, 'there is no authentication of this id', 'did you mean `shop`?'],
    ]);
  });

  it('needs the fields of its type', async () => {
    const loaded = await load(text.replace('username_password', 'certificate'), { env: { PGUSER: 'reader' } });
    expect(placesIn(loaded).filter((each) => !each.includes('VARIABLE'))).toEqual([
      'E_MANIFEST_INVALID 5:13',
      'E_MANIFEST_INVALID 5:13',
      'E_MANIFEST_UNKNOWN_KEY 5:42',
    ]);
  });
});

describe('transformations', () => {
  const withRule = (rule: string): string =>
    `version: 1
transformations:
${rule.replaceAll(/^(?=.)/gm, '  ')}
streams:
  - id: s
    source: { type: file, path: a }
    transformations: [t]
    sinks: [{ id: out, type: file, path: b }]
`;

  it('have defaults for all limits', async () => {
    const { manifest } = await load(withRule('- { id: t, type: javascript, code: "export default (row) => row" }'));
    expect(manifest!.streams[0]!.transformations).toEqual(manifest!.transformations);
    expect(manifest!.transformations[0]).toMatchObject({
      type: 'javascript',
      scope: 'row',
      images: 'key',
      state: 'reset',
      source: 'export default (row) => row',
      file: 'sluice.yaml',
      offset: { line: 3, column: 39 },
      dir: resolve('.'),
      limits: {
        timeout: 50,
        memory: 128 * 1024 ** 2,
        output: 1024 ** 2,
        fan_out: 1000,
        logs: 64 * 1024,
        load: 500,
        input: 8 * 1024 ** 2,
        depth: 100,
        deaths: 30,
      },
      error_handling: { on_error: 'dead_letter', max_retries: 3, retry_delay: 100, then: 'dead_letter' },
    });
  });

  it('come from files, relative to the manifest, and a .ts file is TypeScript', async () => {
    const text = withRule('- { id: t, type: javascript, file: ./mask.ts }');
    const { path, loaded } = await onDisk(text, { 'mask.ts': 'export default (row: Row) => row;\n' });
    expect(loaded.findings).toEqual([]);
    expect(loaded.manifest!.transformations[0]).toMatchObject({
      type: 'typescript',
      source: 'export default (row: Row) => row;\n',
      file: join(path, '..', 'mask.ts'),
      offset: { line: 1, column: 1 },
      dir,
    });
  });

  it('whose file is missing, or that have none or two, are findings', async () => {
    const text = withRule(`- { id: t, type: javascript, file: ./gone.js }
- { id: u, type: javascript }
- { id: v, type: typescript, file: ./gone.js, code: "x" }
- { id: w, type: javascript, expression: "$" }
- { id: x, type: custom, script: "x" }
- { id: y, type: javscript }`);
    const { findings } = await load(text);
    expect(findings.map((each) => [each.code, each.at?.line, each.at?.column])).toEqual([
      ['E_MANIFEST_FILE', 3, 38],
      ['E_MANIFEST_INVALID', 4, 5],
      ['E_MANIFEST_INVALID', 5, 49],
      ['E_MANIFEST_UNKNOWN_KEY', 6, 32],
      ['E_PLUGIN_NOT_FOUND', 7, 20],
      ['E_PLUGIN_NOT_FOUND', 8, 20],
    ]);
    expect(findings.at(-1)?.fix).toBe('did you mean `javascript`?');
  });

  it.each([
    ['a block', '- id: t\n  type: javascript\n  code: |\n\n    // first\n    let x = !!!'],
    ['a block with its own indentation', '- id: t\n  type: javascript\n  code: |2\n      let x = !!!'],
    ['a quoted line', '- { id: t, type: javascript, code: "let x = !!!" }'],
    ['a plain line', '- id: t\n  type: javascript\n  code: let x = !!!'],
  ])('compile: an error in %s is shown at its line and column in the manifest', async (_, rule) => {
    const { manifest, findings } = await load(withRule(rule));
    expect(manifest).toBeNull();
    expect(findings.map(({ code, at }) => [code, at?.file, at?.pointer])).toEqual([
      ['E_TRANSFORM_SYNTAX', 'sluice.yaml', '/transformations/0/code'],
    ]);
    const { line = 0, column = 0 } = findings[0]!.at!;
    expect(
      withRule(rule)
        .split('\n')
        [line - 1]!.slice(column - 1),
    ).toMatch(/^!!!/);
  });

  it('compile: an error in a file is shown in that file', async () => {
    const text = withRule('- { id: t, type: javascript, file: ./bad.js }');
    const { loaded } = await onDisk(text, { 'bad.js': 'let a;\n  !!!' });
    const finding = loaded.findings[0]!;
    expect([finding.code, finding.at?.file, finding.at?.line, finding.at?.column]).toEqual([
      'E_TRANSFORM_SYNTAX',
      join(dir, 'bad.js'),
      2,
      3,
    ]);
    expect(loaded.sources.get(join(dir, 'bad.js'))).toContain('!!!');
  });

  it('replace nothing in code, and say so', async () => {
    const loaded = await load(withRule('- { id: t, type: javascript, code: "const a = `${env:HOME}`" }'), {
      env: { HOME: 'x' },
    });
    expect(placesIn(loaded)).toEqual(['E_MANIFEST_VARIABLE 3:38']);
    expect(
      (await load(withRule("- { id: t, type: javascript, code: 'export default (r) => `${r.a}`' }"))).findings,
    ).toEqual([]);
  });

  it('of a plugin have its configuration and nothing of the sandbox', async () => {
    const { manifest } = await load(withRule('- { id: t, type: upper, columns: [name] }'));
    expect(manifest!.transformations[0]).toMatchObject({
      type: 'upper',
      config: { columns: ['name'] },
      plugin: { name: 'upper' },
    });
    const { findings } = await load(withRule('- { id: t, type: upper, columns: [], limits: { timeout: 1s } }'));
    expect(findings.map((each) => [each.code, each.at?.pointer])).toEqual([
      ['E_CONFIG_INVALID', '/transformations/0/columns'],
      ['E_MANIFEST_UNKNOWN_KEY', '/transformations/0/limits'],
    ]);
  });

  it('that a stream names must be declared', async () => {
    const { findings } = await load(withRule('- { id: tt, type: javascript, code: "export default (row) => row" }'));
    expect(findings.map((each) => [each.code, each.at?.pointer])).toEqual([
      ['E_MANIFEST_REFERENCE', '/streams/0/transformations/0'],
    ]);
  });

  it('send dead letters only to sinks of the streams that use them', async () => {
    const rule = '- { id: t, type: javascript, code: "x", error_handling: { dead_letter_destination: bin } }';
    const { findings } = await load(withRule(rule));
    expect(findings.map((each) => [each.code, each.at?.pointer])).toEqual([
      ['E_MANIFEST_REFERENCE', '/transformations/0/error_handling/dead_letter_destination'],
    ]);
    const both = withRule(rule).replace('path: b }', 'path: b }, { id: bin, type: file, path: c }');
    expect((await load(both)).findings).toEqual([]);
  });
});

describe('inspect', () => {
  it('lets a verb that only looks load a manifest whose variables are not set', async () => {
    const text = streamWith(`
source: { type: db, url: "\${env:URL}", tables: ["\${env:T}"], slots: "\${env:N}" }
sinks: [{ id: out, type: db, url: "\${env:URL}", table: t }]`);
    expect((await load(text)).manifest).toBeNull();
    const { manifest, findings } = await load(text, { inspect: true });
    expect(findings.map((each) => each.severity)).toEqual(['warning', 'warning', 'warning', 'warning']);
    expect(manifest!.streams[0]).toMatchObject({ id: 's', home: 'out' });
  });
});
