// No setting is accepted that does nothing. Walks every key of the manifest's schema and of the bundled plugins' own, and
// demands of each: a value outside of its bounds is a finding at its own place; some code that runs reads it; and some test
// of that code names it. What a test of the schema alone says of a key does not count.

import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeConfig } from '../core/manifest/config.ts';
import { type AnySchema, validator } from '../core/manifest/keywords.ts';
import { manifestSchema } from '../core/manifest/written.ts';
import type { PluginDefinition } from '../core/plugin.ts';
import { productionFiles, root, sourceFiles } from './architecture/files.ts';

interface Leaf {
  readonly path: readonly (string | number)[];
  readonly key: string;
  readonly schema: AnySchema;
}

/** The keys of a schema that hold a value, as they stand in `value`, whose kinds choose between branches. */
function leavesOf(schema: AnySchema, value: unknown, path: Leaf['path'] = []): Leaf[] {
  if (schema['notBuilt'] !== undefined) return [];
  if (schema['if'] !== undefined) {
    const branch = validator(schema['if'] as AnySchema)(value) ? schema['then'] : schema['else'];
    return leavesOf(branch as AnySchema, value, path);
  }
  const own: Leaf[] = typeof path.at(-1) === 'string' ? [{ path, key: path.at(-1) as string, schema }] : [];
  const branches = (schema['anyOf'] ?? []) as readonly AnySchema[];
  const inner = branches.find((branch) => branch['properties'] !== undefined);
  if (inner !== undefined) return [...own, ...leavesOf(inner, {}, path)];
  if (schema['type'] === 'array' && (schema['items'] as AnySchema)['type'] !== 'string') {
    return leavesOf(schema['items'] as AnySchema, (value as readonly unknown[] | undefined)?.[0], [...path, 0]);
  }
  if (schema['properties'] === undefined) return own;
  const given = (value ?? {}) as Readonly<Record<string, unknown>>;
  return Object.entries(schema['properties'] as Readonly<Record<string, AnySchema>>).flatMap(([name, child]) =>
    leavesOf(child, given[name], [...path, name]),
  );
}

/** Values that break one rule of the schema each. */
function wrongValues(schema: AnySchema): unknown[] {
  const wrong: unknown[] = [{ no: 'value of any setting' }];
  const past = (bound: unknown, by: number): string => {
    const [, n, unit] = /^(\d+)(\D+)$/.exec(String(bound))!;
    return `${Number(n) + by}${unit}`;
  };
  if (schema['anyOf'] !== undefined) return [true];
  if (schema['type'] === 'object') return ['no object'];
  if (schema['enum'] !== undefined) wrong.push('none of these');
  if (schema['minimum'] !== undefined) wrong.push((schema['minimum'] as number) - 1);
  if (schema['exclusiveMinimum'] !== undefined) wrong.push(schema['exclusiveMinimum']);
  if (schema['maximum'] !== undefined) wrong.push((schema['maximum'] as number) + 1);
  if (schema['least'] !== undefined && !/^0/.test(String(schema['least']))) wrong.push(past(schema['least'], -1));
  if (schema['most'] !== undefined) wrong.push(past(schema['most'], 1));
  if (schema['minLength'] !== undefined) wrong.push('x'.repeat((schema['minLength'] as number) - 1));
  if (schema['maxLength'] !== undefined) wrong.push('x'.repeat((schema['maxLength'] as number) + 1));
  if (schema['pattern'] !== undefined) wrong.push('\u0000');
  if (schema['minItems'] !== undefined) wrong.push([]);
  if (schema['uniqueItems'] === true) wrong.push(['a', 'a']);
  return wrong;
}

function placed(base: unknown, path: Leaf['path'], value: unknown): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return value;
  if (typeof first === 'number') {
    const list = [...((base ?? [{}]) as unknown[])];
    list[first] = placed(list[first], rest, value);
    return list;
  }
  const object = (typeof base === 'object' && base !== null ? base : {}) as Readonly<Record<string, unknown>>;
  return { ...object, [first]: placed(object[first], rest, value) };
}

/** Which wrong values of a key are taken, or complained of somewhere else. */
function notKept(schema: AnySchema, base: unknown, leaf: Leaf): unknown[] {
  const pointer = `/${leaf.path.join('/')}`;
  return wrongValues(leaf.schema).filter((wrong) => {
    const { findings } = decodeConfig(schema, placed(base, leaf.path, wrong), { dir: root });
    return !findings.some((finding) => finding.pointer === pointer || finding.pointer.startsWith(`${pointer}/`));
  });
}

const files = sourceFiles();
const production = productionFiles(files);

/** Read: `.key`, `['key']`, or taken apart in braces. Comments do not count. */
function isRead(key: string, paths: readonly string[]): boolean {
  const reading = new RegExp(`[.']${key}\\b(?!\\()|[{,(]\\s*${key}\\s*[,:}=]`);
  return paths.some((path) =>
    files
      .get(path)!
      .text.split('\n')
      .some((line) => !/^\s*(\/\/|\*|\/\*)/.test(line) && reading.test(line)),
  );
}

const isNamed = (key: string, paths: readonly string[]): boolean =>
  paths.some((path) => new RegExp(`\\b${key}\\b`).test(files.get(path)!.text));

describe('the manifest', () => {
  const end = { type: 'file', path: 'a' };
  const bases = [
    {
      version: 1,
      authentication: [{ id: 'a', type: 'username_password', config: { username: 'u', password: 'p' } }],
      transformations: [{ id: 't', type: 'javascript', code: 'x' }],
      streams: [{ id: 's', source: end, sinks: [{ id: 'o', ...end }] }],
    },
    {
      version: 1,
      service: { state: { type: 'memory' } },
      authentication: [{ id: 'a', type: 'certificate', config: { certificate: 'c', key: 'k' } }],
      transformations: [{ id: 't', type: 'a-plugin' }],
      streams: [{ id: 's', source: end, sinks: [{ id: 'o', ...end }] }],
    },
  ];
  const all = bases.flatMap((base) => leavesOf(manifestSchema, base).map((leaf) => ({ base, leaf })));
  const keys = [...new Set(all.map(({ leaf }) => leaf.key))];

  // Why some keys need no reader or no test of their own.
  const HANDED_ON = ['certificate', 'ca', 'passphrase']; // with the whole authentication, to plugins that take a certificate; none here does
  const BEING_BUILT = ['lane', 'constants']; // JSONata
  const FOR_PEOPLE = ['$schema', 'version', 'name']; // the loader's alone, or shown and nothing else

  test('is walked whole', () => {
    expect(keys.length).toBeGreaterThan(50);
    expect(keys).toEqual(
      expect.arrayContaining(['log_level', 'quorum', 'passphrase', 'fan_out', 'permanent_error_codes']),
    );
  });

  test.each(all.map(({ base, leaf }) => [leaf.path.join('/'), base, leaf] as const))(
    'keeps the bounds of %s',
    (_path, base, leaf) => {
      if (leaf.key === '$schema') return;
      expect(notKept(manifestSchema, base, leaf)).toEqual([]);
    },
  );

  // What the loader does with a key (its own checks) does not yet make it do anything; but code and references are read there.
  const readers = [...production].filter(
    (path) => !/^core\/manifest\//.test(path) || /\/(transformations|ends)\.ts$/.test(path),
  );
  const tests = [...files.keys()].filter(
    (path) => path.endsWith('.test.ts') && !/^(core\/manifest|schemas)\/|^test\/settings/.test(path),
  );

  test('has no key that nothing reads', () => {
    const fine = new Set([...HANDED_ON, ...FOR_PEOPLE]);
    expect(keys.filter((key) => !fine.has(key) && !isRead(key, readers))).toEqual([]);
  });

  test('has no key that no test of its effect names', () => {
    const fine = new Set([...HANDED_ON, ...FOR_PEOPLE, ...BEING_BUILT]);
    expect(keys.filter((key) => !fine.has(key) && !isNamed(key, tests))).toEqual([]);
  });
});

const names = readdirSync(`${root}plugins`, { withFileTypes: true }).flatMap((entry) =>
  entry.isDirectory() ? [entry.name] : [],
);

describe.each(names)('the plugin %s', async (name) => {
  const { default: plugin } = (await import(`../plugins/${name}/index.ts`)) as { default: PluginDefinition };
  const parts = (['source', 'sink', 'transform'] as const).flatMap((kind) => {
    const schema = plugin[kind]?.config as AnySchema | undefined;
    return schema === undefined ? [] : leavesOf(schema, {}).map((leaf) => ({ kind, schema, leaf }));
  });
  const own = (path: string): boolean => path.startsWith(`plugins/${name}/`);
  const readers = [...production].filter((path) => own(path) && !/\/(config|no-effect)\.ts$/.test(path));
  const tests = [...files.keys()].filter(
    (path) => path.endsWith('.ts') && (own(path) ? !production.has(path) : path.startsWith('test/')),
  );

  test.each(parts.map(({ kind, schema, leaf }) => [kind, leaf.path.join('/'), schema, leaf] as const))(
    'keeps the bounds of its %s’s %s',
    (_kind, _path, schema, leaf) => {
      expect(notKept(schema, {}, leaf)).toEqual([]);
    },
  );

  test('bounds every duration and size, at least from above or from below', () => {
    const open = parts.filter(
      ({ leaf: { schema } }) =>
        /^(duration|size)$/.test(String(schema['format'])) && !schema['least'] && !schema['most'],
    );
    expect(open.map(({ kind, leaf }) => `${kind}: ${leaf.path.join('/')}`)).toEqual([]);
  });

  test('has no key that nothing reads', () => {
    expect(parts.filter(({ leaf }) => !isRead(leaf.key, readers)).map(({ leaf }) => leaf.key)).toEqual([]);
  });

  test('has no key that no test names', () => {
    expect(parts.filter(({ leaf }) => !isNamed(leaf.key, tests)).map(({ leaf }) => leaf.key)).toEqual([]);
  });
});
