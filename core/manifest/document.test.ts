// How the text of a manifest is read: placeholders, YAML's traps, anchors, and frames that show no secret.
// Every finding is compared with its line and column.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderFindings } from './frame.ts';
import { loadManifest } from './load.ts';
import { languages, load, placesIn, resolvePlugin, streamWith } from './plugins-for-tests.ts';

const rest = '    source: { type: file, path: a }\n    sinks: [{ id: o, type: file, path: b }]\n';
const withName = (name: string): string => `version: 1\nstreams:\n  - id: s\n    name: ${name}\n${rest}`;
const nameIn = async (name: string, env: Record<string, string> = {}): Promise<unknown> =>
  (await load(withName(name), { env })).manifest?.streams[0]?.name;

describe('placeholders', () => {
  it.each([
    ['"${env:A}"', 'one'],
    ['${env:A}', 'one'],
    ['x-${env:A}-${env:B}', 'x-one-two'],
    ['"${env:NONE:-else where}"', 'else where'],
    ['${env:EMPTY:-else}', 'else'],
    ['"${env:NONE:-}"', ''],
    ['"$${env:A}"', '${env:A}'],
    ['"a $${b} ${env:A}"', 'a ${b} one'],
    ['"100% $ {env:A} ${other:thing}"', '100% $ {env:A} ${other:thing}'],
    ['"${env:NUMBER}"', '12'],
    ['>-\n      ${env:A}\n      ${env:B}', 'one two'],
  ])('%s', async (written, expected) => {
    const env = { A: 'one', B: 'two', EMPTY: '', NUMBER: '12' };
    expect(await nameIn(written, env)).toBe(expected);
  });

  it('that stand alone and unquoted are typed as YAML would; in quotes they stay text', async () => {
    const text = (value: string): string =>
      `version: 1\nservice:\n  metrics_port: ${value}\nstreams:\n  - id: s\n${rest}`;
    const env = { PORT: '9464' };
    expect((await load(text('${env:PORT}'), { env })).manifest?.service.metrics_port).toBe(9464);
    expect((await load(text('${env:NONE:-9465}'), { env })).manifest?.service.metrics_port).toBe(9465);
    const quoted = await load(text('"${env:PORT}"'), { env });
    expect(quoted.findings.map((each) => each.fix)).toEqual(['write it without quotes']);
    expect(await nameIn('${env:LONG}', { LONG: '12345678901234567890' })).toBe('12345678901234567890');
  });

  it('that cannot be resolved are named, each at its own column, and nothing else is said of the value', async () => {
    const { findings } = await load(withName('"${env:A} and ${env:B}"').replace('id: s', 'id: ${env:C}'));
    expect(findings.map(({ code, message, at }) => [code, message, at?.line, at?.column])).toEqual([
      ['E_MANIFEST_VARIABLE', 'the variable C is not set', 3, 9],
      ['E_MANIFEST_VARIABLE', 'the variable A is not set', 4, 12],
      ['E_MANIFEST_VARIABLE', 'the variable B is not set', 4, 25],
    ]);
    expect(findings[0]?.at?.pointer).toBe('/streams/0/id');
  });

  it.each([
    '"${env:}"',
    '"${env:1A}"',
    '"${env:A"',
    '"${env:A:-${env:B}}"',
    '"${file:}"',
    '"${file:/}"',
    '"${file:./none}"',
  ])('%s is a finding at its place', async (written) => {
    const { findings } = await load(withName(written), { env: { A: 'x', B: 'y' } });
    expect(findings.map(({ code, at }) => `${code} ${at?.line}:${at?.column}`)).toEqual(['E_MANIFEST_VARIABLE 4:12']);
  });

  it('in the style of a shell are taken as text, with a warning', async () => {
    const { manifest, findings } = await load(withName('"${HOME}"'));
    expect(findings.map(({ code, severity }) => [code, severity])).toEqual([['E_MANIFEST_VARIABLE', 'warning']]);
    expect(manifest?.streams[0]?.name).toBe('${HOME}');
  });

  it('within brackets need quotes, and that is the only finding', async () => {
    const text = streamWith(
      'source: { type: file, path: ${env:P:-in}, key: [${env:K:-a}, b] }\nsinks: [{ id: o, type: file, path: "${env:P:-x}{}" }]',
    );
    expect(placesIn(await load(text))).toEqual(['E_MANIFEST_SYNTAX 4:33', 'E_MANIFEST_SYNTAX 4:53']);
  });

  it('take files from beside the manifest, without the last line break, and count them as secrets however short', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'sluice-document-'));
    try {
      await writeFile(join(dir, 'a.txt'), 'pw\r\n');
      await writeFile(join(dir, 'b.txt'), 'line 1\nline 2\n\n');
      const { manifest } = await load(withName('"${file:a.txt} ${file:./b.txt}"'), { file: join(dir, 'sluice.yaml') });
      expect(manifest?.streams[0]?.name).toBe('pw line 1\nline 2\n');
      expect(manifest?.secrets).toEqual(['line 1\nline 2\n', 'pw']);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('make no secrets of what would mask everything', async () => {
    const env = { A: 'true', B: '9464', C: 'abc', D: 'abcd', E: '123456' };
    const { manifest } = await load(withName('"${env:A} ${env:B} ${env:C} ${env:D} ${env:E}"'), { env });
    expect(manifest?.secrets).toEqual(['123456', 'abcd']);
  });

  it('collect the password within an address as well: a driver may show it alone', async () => {
    const { manifest } = await load(withName('"${env:URL}"'), { env: { URL: 'db://u:p%40ssword@h/d' } });
    expect(new Set(manifest?.secrets)).toEqual(new Set(['db://u:p%40ssword@h/d', 'p%40ssword', 'p@ssword']));
  });
});

describe('YAML', () => {
  it.each([
    ['a key twice', 'version: 1\nversion: 1\n', ['E_MANIFEST_INVALID 1:1', 'E_MANIFEST_DUPLICATE 2:1']],
    ['a missing quote', 'version: 1\nstreams: "x\n', ['E_MANIFEST_SYNTAX 3:1']],
    ['a tab', 'version: 1\nstreams:\n\t- id: s\n', ['E_MANIFEST_SYNTAX 3:1']],
    ['an open bracket', 'version: 1\nstreams: [\nservice: {}\n', ['E_MANIFEST_SYNTAX 3:1']],
    ['an unknown alias', 'version: 1\nstreams: *none\n', ['E_MANIFEST_SYNTAX 2:10', 'E_MANIFEST_INVALID 2:10']],
    ['a key that is a map', 'version: 1\n? { a: 1 }\n: 2\n', ['E_MANIFEST_INVALID 1:1', 'E_MANIFEST_SYNTAX 2:3']],
  ])('%s is a finding at its place', async (_, text, expected) => {
    expect(placesIn(await load(text))).toEqual(expected);
  });

  it('a byte order mark and Windows line ends change no place', async () => {
    const text = withName('${env:GONE}').replace('id: s', 'id: s\n    nam: x');
    const expected = ['E_MANIFEST_UNKNOWN_KEY 4:5', 'E_MANIFEST_VARIABLE 5:11'];
    expect(placesIn(await load(text))).toEqual(expected);
    expect(placesIn(await load(text.replaceAll('\n', '\r\n')))).toEqual(expected);
    const dir = await mkdtemp(join(tmpdir(), 'sluice-document-'));
    try {
      await writeFile(join(dir, 's.yaml'), `\ufeff${text}`);
      const loaded = await loadManifest(join(dir, 's.yaml'), { resolvePlugin, languages, env: {} });
      expect(placesIn(loaded)).toEqual(expected);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('a second document is refused', async () => {
    expect(placesIn(await load(`${withName('n')}---\nversion: 1\n`))).toEqual(['E_MANIFEST_SYNTAX 7:1']);
  });

  it('anchors cannot grow without bound, nor contain themselves', async () => {
    const bomb = ['x-a: &a [x, x, x, x, x, x, x, x, x, x]'];
    for (const [name, from] of ['ba', 'cb', 'dc', 'ed', 'fe', 'gf', 'hg'].map((pair) => [...pair])) {
      bomb.push(`x-${name}: &${name} [${Array.from({ length: 10 }, () => `*${from}`).join(', ')}]`);
    }
    const { findings } = await load(`${bomb.join('\n')}\n${withName('n')}`);
    expect(findings.map((each) => each.message)).toEqual(['anchors expand to too many values']);
    const self = await load(`x-a: &a { b: *a }\nx-b: &b { <<: *b }\n${withName('n')}`);
    expect(placesIn(self)).toEqual(['E_MANIFEST_SYNTAX 1:14', 'E_MANIFEST_SYNTAX 2:11']);
  });

  it('nesting without end is a finding', async () => {
    for (const text of ['['.repeat(100_000), `x-a: ${'['.repeat(500)}${']'.repeat(500)}`, '{"a":'.repeat(50_000)]) {
      const { findings } = await load(text);
      expect(findings.map((each) => each.code)).toContain('E_MANIFEST_SYNTAX');
    }
  });

  it('a mistake behind an anchor that is used twice is one finding, at the anchor', async () => {
    const text = `version: 1
x-r: &r { max_attempts: 0 }
streams:
  - { id: a, source: { type: file, path: a }, sinks: [{ id: o, type: file, path: b }], retry_policy: *r }
  - { id: b, source: { type: file, path: c }, sinks: [{ id: o, type: file, path: d }], retry_policy: *r }
`;
    expect(placesIn(await load(text))).toEqual(['E_MANIFEST_INVALID 2:25']);
  });

  it('keys of objects that JavaScript treats as special are keys like others', async () => {
    const { findings } = await load(
      withName('n').replace('id: s', 'id: s\n    __proto__: { a: 1 }\n    constructor: 2'),
    );
    expect(findings.map(({ code, at }) => [code, at?.pointer])).toEqual([
      ['E_MANIFEST_UNKNOWN_KEY', '/streams/0/__proto__'],
      ['E_MANIFEST_UNKNOWN_KEY', '/streams/0/constructor'],
    ]);
    expect(({} as Record<string, unknown>)['a']).toBeUndefined();
  });
});

describe('frames', () => {
  it('show no secret, in a broken manifest neither', async () => {
    const planted = 'hunter22-planted';
    for (const text of [
      `authentication: [{ id: a, type: username_password, config: { username: 1, passwrd: ${planted} } }]\n`,
      `password: ${planted}\npassword: ${planted}\n`,
      `db_password: "${planted}\n`,
      `url: db://u:${planted}@h: x: y\n`,
      `streams: [{ id: s, source: { type: db, url: ${planted}, slots: 0 } }]\n`,
      `streams: [{ id: s, source: { type: db, url: "\${env:U:-${planted}}", slots: 0 } }]\n`,
      `x-s: &p ${planted}\nauthentication: [{ id: a, type: username_password, config: { password: *p, user: 1 } }]\n`,
    ]) {
      const { findings, sources } = await load(text);
      const shown = renderFindings(findings, { sources });
      expect(findings).not.toEqual([]);
      expect(shown).toContain('│');
      expect(shown).not.toContain(planted);
    }
  });
});
