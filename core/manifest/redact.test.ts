// What a stream's `capture` and `redact` become, and what is refused of them.

import { expect, it } from 'vitest';
import { load } from './plugins-for-tests.ts';

const stream = (more: object): string =>
  JSON.stringify({
    version: 1,
    streams: [{ id: 's', source: { type: 'file', path: 'a' }, sinks: [{ id: 'o', type: 'file', path: 'b' }], ...more }],
  });

it('fills in what is not said, and has neither where neither is', async () => {
  const { manifest, findings } = await load(stream({ capture: { max_bytes: '1MiB' }, redact: { columns: ['mail'] } }));
  expect(findings).toEqual([]);
  expect(manifest?.streams[0]).toMatchObject({
    capture: { per_second: 10, max_events: 1000, max_bytes: 1 << 20, max_age: 7 * 86_400_000 },
    redact: { columns: ['mail'], paths: [], patterns: ['email', 'card', 'iban'] },
  });
  const plain = (await load(stream({}))).manifest?.streams[0];
  expect([plain?.capture, plain?.redact]).toEqual([undefined, undefined]);
});

it.each([
  [{ capture: { per_second: 0 } }, '/streams/0/capture/per_second', 'E_MANIFEST_INVALID'],
  [{ capture: { max_age: 7 } }, '/streams/0/capture/max_age', 'E_MANIFEST_INVALID'],
  [{ capture: { rate: 1 } }, '/streams/0/capture/rate', 'E_MANIFEST_UNKNOWN_KEY'],
  [{ redact: { patterns: ['emial'] } }, '/streams/0/redact/patterns/0', 'E_MANIFEST_INVALID'],
  [{ redact: { patterns: ['email', '/(/'] } }, '/streams/0/redact/patterns/1', 'E_MANIFEST_INVALID'],
  [{ redact: { patterns: ['/a*/'] } }, '/streams/0/redact/patterns/0', 'E_MANIFEST_INVALID'],
  [{ redact: { paths: ['a..b'] } }, '/streams/0/redact/paths/0', 'E_MANIFEST_INVALID'],
  [{ redact: { fields: [] } }, '/streams/0/redact/fields', 'E_MANIFEST_UNKNOWN_KEY'],
])('refuses %j at its place', async (more, pointer, code) => {
  const { findings } = await load(stream(more));
  expect(findings.map((each) => [each.at?.pointer, each.code])).toEqual([[pointer, code]]);
});
