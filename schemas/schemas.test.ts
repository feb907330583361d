// The schemas are JSON Schema that any validator takes, their examples are valid, and they say what the code does.

import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitEnvelope } from '../core/envelope.ts';
import { load } from '../core/manifest/plugins-for-tests.ts';
import { manifestSchema } from '../core/manifest/written.ts';

const here = new URL('.', import.meta.url);
const files = readdirSync(here).filter((name) => name.endsWith('.schema.json'));
const read = (name: string) => JSON.parse(readFileSync(new URL(name, here), 'utf8')) as Record<string, unknown>;

/** As an editor sees it: our own keywords and formats mean nothing there. */
const asEditor = (schema: object) => new Ajv2020({ strict: false, validateFormats: false }).compile(schema);

describe.each(files)('%s', (name) => {
  const schema = read(name);

  it('names itself, its version of JSON Schema, and describes itself', () => {
    expect(schema['$schema']).toBe('https://json-schema.org/draft/2020-12/schema');
    expect(schema['$id']).toMatch(/^urn:sluice:schemas:[a-z-]+:1$/);
    expect(String(schema['description']).length).toBeGreaterThan(40);
  });

  it('is a schema, and its examples are valid', () => {
    const validate = asEditor(schema);
    const examples = schema['examples'] as unknown[];
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples)
      expect([example, validate(example), validate.errors]).toEqual([example, true, null]);
  });
});

describe('the manifest schema in an editor', () => {
  const validate = asEditor(read('manifest.schema.json'));
  const base = {
    version: 1,
    service: { metrics_port: '${env:PORT}', graceful_shutdown_timeout: '${env:T:-30s}' },
    streams: [
      {
        id: 's', // names a checkpoint: an editor should not expect it from the environment
        enabled: '${env:ON:-true}',
        source: { type: 'file', path: 'a' },
        sinks: [{ id: 'o', type: 'file', path: 'b' }],
        commit_policy: { quorum: '${env:N}' },
      },
    ],
  };

  it('lets placeholders stand for what they become', () => {
    expect([validate(base), validate.errors]).toEqual([true, null]);
  });

  it.each([
    ['an unknown key', { ...base, stream: [] }],
    ['a port in text', { ...base, service: { metrics_port: '9464' } }],
    ['a duration without its unit', { ...base, service: { graceful_shutdown_timeout: '30' } }],
    ['no streams', { version: 1, streams: [] }],
  ])('refuses %s', (_, manifest) => {
    expect(validate(manifest)).toBe(false);
  });

  it('has no reference left when it is lowered, and keeps every key', () => {
    expect(JSON.stringify(manifestSchema)).not.toContain('$ref');
    const keys = (text: string): number => text.split('"description"').length;
    expect(keys(JSON.stringify(manifestSchema))).toBeGreaterThanOrEqual(60);
  });
});

describe('the change event schema', () => {
  const validate = asEditor(read('change-event.schema.json'));
  const row = fc.oneof(
    fc.constant(null),
    fc.dictionary(fc.string(), fc.integer()),
    fc.constant('text'),
    fc.constant([1]),
  );
  const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });

  it('takes exactly what `format: event` takes', () => {
    let taken = 0;
    fc.assert(
      fc.property(
        fc.record({
          id: maybe(fc.constantFrom<unknown>('a', '', 1)),
          op: maybe(fc.constantFrom<unknown>('c', 'u', 'd', 'r', 't', 'm', 's', 'x', 1)),
          key: maybe(row),
          before: maybe(row),
          after: maybe(row),
          source: maybe(fc.constantFrom<unknown>({ table: 't' }, { table: 't', plugin: 'p' }, { table: 1 }, {}, 't')),
        }),
        (event) => {
          let split = true;
          try {
            splitEnvelope(JSON.stringify(event));
          } catch {
            split = false;
          }
          taken += Number(split);
          expect([event, validate(JSON.parse(JSON.stringify(event)))]).toEqual([event, split]);
        },
      ),
      { numRuns: 3000 },
    );
    expect(taken).toBeGreaterThan(10);
  });
});

describe('README.md', () => {
  const readme = readFileSync(new URL('README.md', here), 'utf8');

  it('names only schemas that are there, and all of them', () => {
    const named = new Set(readme.match(/[a-z-]+\.schema\.json/g));
    expect([...named].sort()).toEqual(files.toSorted());
  });

  it('shows a manifest that loads', async () => {
    const manifest = /```yaml\n([\s\S]*?)```/.exec(readme)?.[1];
    expect((await load(manifest ?? '', { env: { ORDERS: 'x' } })).findings).toEqual([]);
  });

  it('lists what is not built, and each is refused so', async () => {
    const listed = [...readme.matchAll(/^\| `([a-z_]+)` in (the service|a stream|a transformation) *\|/gm)];
    expect(listed.length).toBeGreaterThan(0);
    for (const [, key, where] of listed) {
      const text = JSON.stringify({
        version: 1,
        ...(where === 'the service' ? { service: { [key!]: 1 } } : {}),
        transformations: [
          { id: 't', type: 'javascript', code: 'x', ...(where === 'a transformation' ? { [key!]: 1 } : {}) },
        ],
        streams: [
          {
            id: 's',
            source: { type: 'file', path: 'a' },
            sinks: [{ id: 'o', type: 'file', path: 'b' }],
            ...(where === 'a stream' ? { [key!]: 1 } : {}),
          },
        ],
      });
      const { findings } = await load(text);
      expect([key, findings.map((each) => each.code)]).toEqual([key, ['E_NOT_BUILT']]);
    }
  });
});
