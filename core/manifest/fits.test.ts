// The plain walk and ajv must say the same of every value, or the walk says that it does not know.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { PluginDefinition } from '../plugin.ts';
import { fits } from './fits.ts';
import { type AnySchema, validator } from './keywords.ts';
import { manifestSchema } from './written.ts';

const good = parse(`
version: 1
x-mine: { a: 1 }
service: { log_level: info, state: { type: sqlite, path: ./state.db }, metrics_port: 9464, graceful_shutdown_timeout: 30s }
authentication: [{ id: shop, type: username_password, config: { username: me, password: secret } }]
transformations:
  - { id: mask, type: javascript, code: x, limits: { timeout: 50ms, memory: 64MiB }, error_handling: { on_error: retry, max_retries: 2 } }
  - { id: names, type: jsonata, expression: a, engine: jsonata@2.2.2, constants: { a: [1] } }
streams:
  - id: orders
    source: { type: file, path: a.ndjson, table: t, key: [id], follow: true, time: at, numbers: double }
    sinks: [{ id: out, type: file, path: b, rotate: { size: 1MiB, every: 1h }, key: { a: b } }, { id: web, type: http, url: 'https://a.example/x', headers: { a: b }, batch: 10 }]
    batch: { max_events: 10, max_bytes: 1MiB, max_wait: 50ms }
    commit_policy: { quorum: 2 }
    retry_policy: { max_attempts: 3, initial_delay: 1s, permanent_error_codes: [a] }
`) as unknown;

const odd = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    '',
    '1s',
    '5MiB',
    '-1s',
    '1h',
    'retry',
    'all',
    'http://x',
    '\0',
    0,
    -1,
    0.5,
    1e9,
    [],
    {},
  ),
  fc.constantFrom<unknown>(
    { quorum: 0 },
    { a: '1' },
    ['a', 'a'],
    { __proto__x: 1 },
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ),
  fc.string(),
  fc.integer(),
);

/** The value with one of its places (as paths of keys) given another value, or taken out, or with a key more. */
function changed(value: unknown, path: number[], by: unknown, how: 'set' | 'drop' | 'add'): unknown {
  if (typeof value !== 'object' || value === null || path.length === 0) return how === 'set' ? by : value;
  if (Array.isArray(value) && path.length === 1 && how !== 'set')
    return how === 'drop' ? value.slice(1) : [...value, by];
  const keys = Object.keys(value);
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
  const key = keys[path[0]! % Math.max(1, keys.length)] ?? 'a';
  if (path.length > 1) copy[key] = changed(copy[key], path.slice(1), by, how);
  else if (how === 'drop') delete copy[key];
  else copy[how === 'add' ? `${key}x` : key] = by;
  return copy;
}

const mutated = fc
  .tuple(
    fc.array(
      fc.tuple(fc.array(fc.nat(12), { minLength: 1, maxLength: 5 }), odd, fc.constantFrom('set', 'drop', 'add')),
      { maxLength: 3 },
    ),
  )
  .map(([steps]) =>
    steps.reduce((value, [path, by, how]) => changed(value, path, by, how as 'set' | 'drop' | 'add'), good),
  );

describe('the walk before ajv', () => {
  it('knows every keyword of the manifest, and takes a good one', () => {
    expect(fits(manifestSchema, good)).toBe(true);
  });

  it('says the same as ajv of manifests with things changed, or nothing', () => {
    let known = 0;
    fc.assert(
      fc.property(mutated, (value) => {
        const verdict = fits(manifestSchema, value);
        if (verdict === null) return;
        known++;
        expect(verdict).toBe(validator(manifestSchema)(value));
      }),
      { numRuns: 2000 },
    );
    expect(known).toBeGreaterThan(1500);
  });

  it("says the same as ajv of bundled plugins' configurations", async () => {
    const folder = join(import.meta.dirname, '../../plugins');
    const values = fc.dictionary(
      fc.constantFrom('path', 'url', 'table', 'key', 'tables', 'format', 'follow', 'batch', 'headers', 'poll'),
      odd,
    );
    for (const name of readdirSync(folder).filter((name) => existsSync(join(folder, name, 'index.ts')))) {
      const { default: plugin } = (await import(join(folder, name, 'index.ts'))) as { default: PluginDefinition };
      for (const part of [plugin.source, plugin.sink, plugin.transform]) {
        if (part === undefined) continue;
        const schema = part.config as unknown as AnySchema;
        fc.assert(
          fc.property(values, (value) => {
            const verdict = fits(schema, value);
            if (verdict !== null) expect(verdict).toBe(validator(schema)(value));
          }),
          { numRuns: 300 },
        );
      }
    }
  });
});
