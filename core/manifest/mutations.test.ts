// Whatever is done to a good manifest, loading it never throws, and every finding has a place in the text.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderFindings } from './frame.ts';
import { load } from './plugins-for-tests.ts';

const good = `version: 1
service: { log_level: info, state: { type: sqlite, path: ./.sluice/state.db }, metrics_port: 9464 }
x-handling: &handling { on_error: retry, max_retries: 2, retry_delay: 100ms, then: dead_letter }
authentication:
  - { id: shop, type: username_password, config: { username: "\${env:PGUSER}", password: "\${env:PGPASS:-none}" } }
transformations:
  - id: mask
    type: javascript
    code: |
      export default (row) => ({ ...row, email: null })
    limits: { timeout: 50ms, memory: 64MiB }
    error_handling: *handling
  - { id: loud, type: upper, columns: [name] }
streams:
  - id: orders
    source: { type: db, url: "db://\${env:PGUSER}@host/shop", auth_id: shop, tables: [public.orders] }
    transformations: [mask, loud]
    sinks:
      - { id: warehouse, type: db, url: "db://other", table: { public.orders: orders } }
      - id: hook
        type: hook
        address: 'https://example.org/hook'
        required: false
        error_handling: { <<: *handling, dead_letter_destination: bin }
      - { id: bin, type: file, path: ./bin.ndjson }
    commit_policy: required
    retry_policy: { max_attempts: 3, permanent_error_codes: ["28P01"] }
`;
const env = { PGUSER: 'reader' };

const pieces = [
  '\n',
  '  ',
  '- ',
  ': ',
  '{',
  '}',
  '[',
  ']',
  '&a ',
  '*a',
  '*handling',
  '<<: *handling',
  '"',
  "'",
  '|',
  '>',
  '${env:X}',
  '${file:x}',
  '$${',
  '${',
  '#',
  '\t',
  '---\n',
  '!!str ',
  'null',
  '~',
  '1e999',
  '99999999999999999999',
  '\u0000',
  '\u2028',
  '\ud800',
  '__proto__',
  'constructor',
  '%YAML 1.1\n',
  '? ',
  ',',
  'id: ',
  '-1s',
  'é',
];

const change = fc.record({
  at: fc.nat(good.length),
  remove: fc.oneof(fc.nat(3), fc.nat(80)),
  add: fc.oneof(
    fc.constantFrom(...pieces),
    fc.string({ maxLength: 8 }),
    fc.nat(good.length).map((from) => good.slice(from, from + 30)),
  ),
});

function changed(changes: readonly { at: number; remove: number; add: string }[]): string {
  return changes.reduce((text, { at, remove, add }) => text.slice(0, at) + add + text.slice(at + remove), good);
}

describe('a changed manifest', () => {
  it('is good before it is changed', async () => {
    const { manifest, findings } = await load(good, { env });
    expect(findings).toEqual([]);
    expect(manifest?.streams[0]?.home).toBe('warehouse');
  });

  it('never makes loading throw, and its findings have a place', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const text = changed(changes);
        const { manifest, findings, sources } = await load(text, { env });
        const lines = text.split('\n').length;
        for (const { at, message, code } of findings) {
          expect(code).toMatch(/^E_/);
          expect(message).not.toBe('');
          expect(at?.file).toBe('sluice.yaml');
          expect(at?.line).toBeGreaterThanOrEqual(1);
          expect(at?.line).toBeLessThanOrEqual(lines);
          expect(at?.column).toBeGreaterThanOrEqual(1);
          expect(typeof at?.pointer).toBe('string');
        }
        expect(manifest === null).toBe(findings.some((each) => each.severity === 'error'));
        expect(typeof renderFindings(findings, { sources })).toBe('string');
      }),
      { numRuns: process.env['SLUICE_LONG'] ? 10_000 : 2000 },
    );
  });

  it('of any value in any place of the tree gives findings, not a crash', async () => {
    const tree = await import('yaml').then(({ parse }) => parse(good, { merge: true }) as Record<string, unknown>);
    const paths: (string | number)[][] = [];
    const walk = (value: unknown, path: (string | number)[]): void => {
      paths.push(path);
      if (Array.isArray(value)) value.forEach((each, i) => void walk(each, [...path, i]));
      else if (typeof value === 'object' && value !== null)
        for (const [key, each] of Object.entries(value)) walk(each, [...path, key]);
    };
    walk(tree, []);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 2 }), async (path, value) => {
        const copy = structuredClone({ root: tree }) as Record<string, unknown>;
        let target: Record<string | number, unknown> = copy;
        const full = ['root', ...path];
        for (const part of full.slice(0, -1)) target = target[part] as Record<string | number, unknown>;
        target[full.at(-1)!] = value;
        const { manifest, findings } = await load(JSON.stringify(copy['root'], null, 1), { env });
        expect(manifest === null).toBe(findings.some((each) => each.severity === 'error'));
      }),
      { numRuns: process.env['SLUICE_LONG'] ? 10_000 : 1000 },
    );
  });
});
