// The rules of a manifest, one by one: ranges, ids, references, policies, the home, places and circles.
// Each is tried on both sides of its border.

import { describe, expect, it } from 'vitest';
import { load, streamWith } from './plugins-for-tests.ts';

/** `CODE pointer` of each finding; warnings begin with `~`. */
async function found(text: string): Promise<string[]> {
  const { findings } = await load(text);
  return findings.map(({ code, at, severity }) => `${severity === 'error' ? '' : '~'}${code} ${at?.pointer}`);
}

const stream = (rest: string): string => streamWith(`source: { type: file, path: ./in }\n${rest}`);
const service = (keys: string): string =>
  `version: 1\nservice: { ${keys} }\nstreams: [{ id: s, source: { type: file, path: a }, sinks: [{ id: o, type: file, path: b }] }]`;

describe('service', () => {
  it.each([
    ['metrics_port: 1023', ['E_MANIFEST_INVALID /service/metrics_port']],
    ['metrics_port: 1024, health_port: 65535', []],
    ['health_port: 65536', ['E_MANIFEST_INVALID /service/health_port']],
    ['metrics_port: 9464, health_port: 9464', ['E_MANIFEST_INVALID /service/health_port']],
    ['metrics_port: "9464"', ['E_MANIFEST_INVALID /service/metrics_port']],
    ['graceful_shutdown_timeout: 0s', ['E_MANIFEST_INVALID /service/graceful_shutdown_timeout']],
    ['graceful_shutdown_timeout: 30', ['E_MANIFEST_INVALID /service/graceful_shutdown_timeout']],
    ['max_concurrent_streams: 0', ['E_MANIFEST_INVALID /service/max_concurrent_streams']],
    ['log_level: trace', ['E_MANIFEST_INVALID /service/log_level']],
    ['log_format: pretty', ['E_MANIFEST_INVALID /service/log_format']],
    ['state: { type: memory }', []],
    ['state: { type: memory, path: x }', ['E_MANIFEST_UNKNOWN_KEY /service/state/path']],
    ['state: { type: redis }', ['E_MANIFEST_INVALID /service/state/type']],
  ])('{ %s }', async (keys, expected) => {
    expect(await found(service(keys))).toEqual(expected);
  });
});

describe('ids', () => {
  it('stand once among the streams, the sinks of a stream and the transformations', async () => {
    const text = `version: 1
transformations:
  - { id: t, type: javascript, code: x }
  - { id: t, type: javascript, code: x }
streams:
  - { id: s, source: { type: file, path: a }, sinks: [{ id: o, type: file, path: b }, { id: o, type: file, path: c }] }
  - { id: s, source: { type: file, path: d }, sinks: [{ id: o, type: file, path: e }] }
`;
    const { findings } = await load(text);
    expect(findings.map((each) => [each.code, each.at?.pointer, /line (\d+)/.exec(each.message)?.[1]])).toEqual([
      ['E_MANIFEST_DUPLICATE', '/transformations/1/id', '3'],
      ['E_MANIFEST_DUPLICATE', '/streams/0/sinks/1/id', '6'],
      ['E_MANIFEST_DUPLICATE', '/streams/1/id', '6'],
    ]);
  });

  it('are plain words', async () => {
    expect(await found(stream('sinks: [{ id: "../o", type: file, path: b }]'))).toEqual([
      'E_MANIFEST_INVALID /streams/0/sinks/0/id',
    ]);
    expect(await found(stream('sinks: [{ id: state, type: file, path: b }]'))).toEqual([
      'E_MANIFEST_INVALID /streams/0/sinks/0/id',
    ]);
  });
});

describe('error_handling', () => {
  const sink = (handling: string): string =>
    stream(
      `sinks: [{ id: o, type: file, path: b, error_handling: { ${handling} } }, { id: bin, type: file, path: c }]`,
    );
  const at = '/streams/0/sinks/0/error_handling';
  it.each([
    ['on_error: retry', []],
    ['on_error: retry, max_retries: 0, retry_delay: 1s, then: skip', []],
    ['on_error: retry, max_retries: -1', [`E_MANIFEST_INVALID ${at}/max_retries`]],
    ['on_error: retry, then: retry', [`E_MANIFEST_INVALID ${at}/then`]],
    ['on_error: retry, retry_delay: 0ms', [`E_MANIFEST_INVALID ${at}/retry_delay`]],
    ['on_error: explode', [`E_MANIFEST_INVALID ${at}/on_error`]],
    ['on_error: dead_letter, dead_letter_destination: bin', []],
    ['dead_letter_destination: bin, max_retries: 9', []],
    ['dead_letter_destination: bim', [`E_MANIFEST_REFERENCE ${at}/dead_letter_destination`]],
    ['dead_letter_destination: o', [`E_MANIFEST_REFERENCE ${at}/dead_letter_destination`]],
    ['on_error: skip, dead_letter_destination: bin', [`~E_MANIFEST_NO_EFFECT ${at}/dead_letter_destination`]],
    ['on_error: skip, then: skip', [`~E_MANIFEST_NO_EFFECT ${at}/then`]],
  ])('of a sink: { %s }', async (handling, expected) => {
    expect(await found(sink(handling))).toEqual(expected);
  });

  it('of a source knows no retry: reading again would give the same', async () => {
    const text = (handling: string): string =>
      streamWith(
        `source: { type: file, path: a, error_handling: { ${handling} } }\nsinks: [{ id: o, type: file, path: b }]`,
      );
    expect(await found(text('on_error: skip'))).toEqual([]);
    expect(await found(text('on_error: retry'))).toEqual([
      'E_MANIFEST_INVALID /streams/0/source/error_handling/on_error',
    ]);
    expect(await found(text('max_retries: 1'))).toEqual([
      'E_MANIFEST_UNKNOWN_KEY /streams/0/source/error_handling/max_retries',
    ]);
  });

  it('a stream whose every sink gets dead letters only has nowhere to go', async () => {
    const text = streamWith(
      'source: { type: file, path: a, error_handling: { dead_letter_destination: o } }\nsinks: [{ id: o, type: file, path: b }]',
    );
    expect(await found(text)).toEqual(['E_MANIFEST_INVALID /streams/0/sinks']);
  });
});

describe('retry_policy', () => {
  it.each([
    ['max_attempts: 0', ['E_MANIFEST_INVALID /streams/0/retry_policy/max_attempts']],
    ['backoff_multiplier: 0.9', ['E_MANIFEST_INVALID /streams/0/retry_policy/backoff_multiplier']],
    ['backoff_multiplier: 1.5, max_attempts: 3, permanent_error_codes: ["28P01"]', []],
    ['permanent_error_codes: [28000]', ['E_MANIFEST_INVALID /streams/0/retry_policy/permanent_error_codes/0']],
    ['initial_delay: 1m', ['E_MANIFEST_INVALID /streams/0/retry_policy/initial_delay']],
    ['initial_delay: 2s, max_delay: 1s', ['E_MANIFEST_INVALID /streams/0/retry_policy/max_delay']],
    ['initial_delay: -1s', ['E_MANIFEST_INVALID /streams/0/retry_policy/initial_delay']],
  ])('{ %s }', async (policy, expected) => {
    expect(await found(stream(`sinks: [{ id: o, type: file, path: b }]\nretry_policy: { ${policy} }`))).toEqual(
      expected,
    );
  });
});

describe('commit_policy', () => {
  const two = (policy: string, keys = ''): string =>
    stream(`sinks: [{ id: o, type: file, path: b }, { id: p, type: file, path: c${keys} }]\ncommit_policy: ${policy}`);
  const at = '/streams/0/commit_policy';
  it.each([
    ['required', []],
    ['{ quorum: 2 }', []],
    ['{ quorum: 3 }', [`E_MANIFEST_INVALID ${at}/quorum`]],
    ['{ quorum: 0 }', [`E_MANIFEST_INVALID ${at}/quorum`]],
    ['{ quorum: many }', [`E_MANIFEST_INVALID ${at}/quorum`]],
    ['{ quorm: 1 }', [`E_MANIFEST_UNKNOWN_KEY ${at}/quorm`]],
    ['{}', [`E_MANIFEST_INVALID ${at}`]],
    ['most', [`E_MANIFEST_INVALID ${at}`]],
    ['[all]', [`E_MANIFEST_INVALID ${at}`]],
  ])('%s: one finding at most', async (policy, expected) => {
    expect(await found(two(policy))).toEqual(expected);
  });

  it('warns of `required` and `write_timeout` where they do nothing', async () => {
    expect(await found(two('all', ', required: false'))).toEqual(['~E_MANIFEST_NO_EFFECT /streams/0/sinks/1/required']);
    expect(await found(two('required', ', required: false, write_timeout: 1s'))).toEqual([]);
    expect(await found(two('required', ', write_timeout: 1s'))).toEqual([
      '~E_MANIFEST_NO_EFFECT /streams/0/sinks/1/write_timeout',
    ]);
    expect(await found(two('{ quorum: 1 }', ', write_timeout: 1s'))).toEqual([]);
  });
});

describe('settings of a batch', () => {
  const of = (source: string, batch: string): string =>
    streamWith(`source: ${source}\nsinks: [{ id: o, type: file, path: b }]\nbatch: { ${batch} }`);
  const quick = '{ type: db, url: long-secret, tables: [t] }'; // gives what it has at once, and tells of no transactions
  it.each([
    ['{ type: file, path: a }', 'max_wait: 1s, respect_source_tx: false', []],
    [quick, 'max_wait: 1s', ['~E_MANIFEST_NO_EFFECT /streams/0/batch/max_wait']],
    [quick, 'respect_source_tx: false', ['~E_MANIFEST_NO_EFFECT /streams/0/batch/respect_source_tx']],
    [quick, 'respect_source_tx: true, max_events: 5, max_bytes: 1KB', []],
  ])('that the source %s cannot keep are told: { %s }', async (source, batch, expected) => {
    expect(await found(of(source, batch))).toEqual(expected);
  });
});

describe('what is declared and used by nothing', () => {
  const manifest = (uses: string, auth: string): string => `version: 1
authentication: [{ id: me, type: username_password, config: { username: u, password: long-secret } }]
transformations: [{ id: mask, type: javascript, code: x }]
streams: [{ id: s, source: { type: file, path: a${auth} }, transformations: [${uses}], sinks: [{ id: o, type: file, path: b }] }]`;

  it('is told: a transformation that a stream forgot masks nothing', async () => {
    expect(await found(manifest('mask', ', auth_id: me'))).toEqual([]);
    expect(await found(manifest('', ''))).toEqual([
      '~E_MANIFEST_NO_EFFECT /authentication/0',
      '~E_MANIFEST_NO_EFFECT /transformations/0',
    ]);
  });

  it('is not told beside an error: it may follow from it', async () => {
    expect(await found(manifest('msak', ''))).toEqual(['E_MANIFEST_REFERENCE /streams/0/transformations/0']);
  });
});

describe('the home of the checkpoint', () => {
  const sinks = (choice: string, keys = ''): string =>
    stream(
      `sinks: [{ id: a, type: file, path: b }, { id: d, type: db, url: long-secret-1 }, { id: e, type: db, url: long-secret-2${keys} }]\n${choice}`,
    );
  const homeIn = async (text: string): Promise<string | null | undefined> =>
    (await load(text)).manifest?.streams[0]?.home;

  it('is the only transactional sink, the chosen one, or none', async () => {
    expect(await homeIn(sinks('', ', transactional: false'))).toBe('d');
    expect(await homeIn(sinks('checkpoint: e'))).toBe('e');
    expect(await homeIn(sinks('checkpoint: state'))).toBeNull();
  });

  it('must be chosen when there are two, and must be able to', async () => {
    expect(await found(sinks(''))).toEqual(['E_MANIFEST_INVALID /streams/0/sinks']);
    expect(await found(sinks('checkpoint: a'))).toEqual(['E_MANIFEST_INVALID /streams/0/checkpoint']);
    expect(await found(sinks('checkpoint: f'))).toEqual(['E_MANIFEST_REFERENCE /streams/0/checkpoint']);
  });

  it('is never a sink for dead letters', async () => {
    const text = stream(
      `sinks: [{ id: a, type: file, path: b, error_handling: { dead_letter_destination: d } }, { id: d, type: db, url: long-secret }]`,
    );
    expect(await homeIn(text)).toBeNull();
    expect(await found(`${text}\n    checkpoint: d`)).toEqual(['E_MANIFEST_INVALID /streams/0/checkpoint']);
  });
});

describe('places', () => {
  const many = (...streams: string[]): string =>
    `version: 1\nstreams:\n${streams.map((each, i) => `  - { id: s${i}, ${each} }`).join('\n')}\n`;
  const files = (from: string, to: string, more = ''): string =>
    `source: { type: file, path: ${from} }, sinks: [{ id: o, type: file, path: ${to} }]${more}`;

  it('source and sink of a stream differ', async () => {
    expect(await found(many(files('./a', 'x/../a')))).toEqual(['E_MANIFEST_SAME_PLACE /streams/0/sinks/0']);
    const db =
      'source: { type: db, url: long-secret, tables: [a, b] }, sinks: [{ id: o, type: db, url: long-secret, table: b }]';
    expect(await found(many(db))).toEqual(['E_MANIFEST_SAME_PLACE /streams/0/sinks/0']);
    expect(await found(many(db.replace('table: b', 'table: c')))).toEqual([]);
  });

  it('are compared also where other ends have mistakes, and `#*` is every table', async () => {
    const sinks = 'sinks: [{ id: n, type: nothing }, { id: o, type: file, path: a, required: false }]';
    expect(await found(many(`source: { type: file, path: a }, ${sinks}`))).toEqual([
      'E_PLUGIN_NOT_FOUND /streams/0/sinks/0/type',
      'E_MANIFEST_SAME_PLACE /streams/0/sinks/1',
      '~E_MANIFEST_NO_EFFECT /streams/0/sinks/1/required',
    ]);
    const db = (tables: string, table: string): string =>
      `source: { type: db, url: long-secret, tables: [${tables}] }, sinks: [{ id: o, type: db, url: long-secret, table: ${table} }]`;
    for (const [tables, table] of [
      ['a', '"*"'],
      ['"*"', 'b'],
      ['"*"', '"*"'],
    ] as const) {
      expect(await found(many(db(tables, table)))).toEqual(['E_MANIFEST_SAME_PLACE /streams/0/sinks/0']);
    }
    expect(await found(many(db('a', 'b')))).toEqual([]);
  });

  it('a file has one writer; a table may have several; a stream that is not enabled writes nothing', async () => {
    expect(await found(many(files('a', 'c'), files('b', 'c')))).toEqual(['E_MANIFEST_SAME_PLACE /streams/1/sinks/0']);
    expect(await found(many(files('a', 'c'), files('b', 'c', ', enabled: false')))).toEqual([]);
    const db = (from: string): string =>
      `source: { type: file, path: ${from} }, sinks: [{ id: o, type: db, url: long-secret, table: b }]`;
    expect(await found(many(db('a'), db('b')))).toEqual([]);
  });

  it('streams may follow each other, and not in a circle', async () => {
    expect(await found(many(files('a', 'b'), files('b', 'c'), files('c', 'd')))).toEqual([]);
    expect(await found(many(files('a', 'b'), files('b', 'c'), files('c', 'a')))).toEqual([
      'E_MANIFEST_CYCLE /streams/2/sinks/0',
    ]);
    expect(await found(many(files('a', 'b'), files('b', 'a', ', enabled: false')))).toEqual([]);
    const { findings } = await load(many(files('z', 'a'), files('a', 'b'), files('b', 'a')));
    expect(findings.map((each) => each.code)).toEqual(['E_MANIFEST_SAME_PLACE', 'E_MANIFEST_CYCLE']);
  });
});

describe('the configuration of a plugin', () => {
  it('is checked by its own schema, and the keys of the engine are known there', async () => {
    const text = streamWith(`
source: { type: db, url: long-secret, tables: [], slots: 99, cdc: x, auth: y }
sinks:
  - { id: o, type: hook, address: nowhere, timeout: 5, requird: true, retry_after: [1], headers: { a: 1 } }`);
    expect(await found(text)).toEqual([
      'E_CONFIG_INVALID /streams/0/source/tables',
      'E_CONFIG_INVALID /streams/0/source/slots',
      'E_NOT_BUILT /streams/0/source/cdc',
      'E_MANIFEST_UNKNOWN_KEY /streams/0/source/auth',
      'E_CONFIG_INVALID /streams/0/sinks/0/address',
      'E_CONFIG_INVALID /streams/0/sinks/0/timeout',
      'E_MANIFEST_UNKNOWN_KEY /streams/0/sinks/0/requird',
      'E_CONFIG_INVALID /streams/0/sinks/0/retry_after',
      'E_CONFIG_INVALID /streams/0/sinks/0/headers/a',
    ]);
  });

  it('never shows a value: planted secrets are in no finding and no frame, however wrong the manifest is', async () => {
    const planted = 'hunter22-planted';
    const text = `version: 1
authentication: [{ id: a, type: username_password, config: { usrname: u, pasword: ${planted} } }]
streams:
  - id: s
    source: { type: db, url: "db://u:${planted}@h/d", tables: ${planted}, slots: ${planted}, pass_phrase: ${planted} }
    sinks: [{ id: o, type: hook, address: ${planted}, headers: { x: ${planted} }, retry_after: ${planted} }]
    token: ${planted}
`;
    const loaded = await load(text);
    expect(loaded.findings.length).toBeGreaterThan(7);
    expect(JSON.stringify(loaded.findings)).not.toContain(planted);
  });

  it('that is no schema is a finding, not a crash', async () => {
    const { definePlugin } = await import('../plugin.ts');
    const bad = definePlugin({
      name: 'bad',
      source: {
        positionVersion: 1,
        config: { type: 'object', additionalProperties: false, properties: { a: { type: 'txt' as 'string' } } },
        create: () => Promise.reject(),
      },
    });
    const { findings } = await load(stream('sinks: []'), { resolvePlugin: async () => bad });
    expect(findings.map((each) => each.code)).toContain('E_PLUGIN_SHAPE');
  });
});
