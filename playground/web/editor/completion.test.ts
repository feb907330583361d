// Completion: the fields that events really have, where each language can name them.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import jsonata from 'jsonata';
import { expect, test } from 'vitest';
import { fieldsOf } from '../fields.ts';
import type { LanguageName } from '../language-names.ts';
import { complete } from './completion.ts';
import { jsonataFunctions } from './jsonata-functions.ts';

const row = {
  id: 1,
  total: '3.50',
  customer: { name: 'Ada', address: { city: 'Malmö' } },
  items: [
    { sku: 'TEA', qty: 2 },
    { sku: 'CUP', gift: true },
  ],
};
const event = { op: 'u', after: row, source: { table: 'orders' } };
const fields = { input: fieldsOf([row, { id: null, note: null }]), event: fieldsOf([event]) };

function labels(language: LanguageName, before: string, asked = false): readonly string[] {
  return complete(language, before, fields, asked)?.options.map((one) => one.label) ?? [];
}

test.each<readonly [LanguageName, string, readonly string[]]>([
  ['javascript', 'export default (row) => row.', ['id', 'total', 'customer', 'items', 'note']],
  ['javascript', 'export default (value) => value.cu', ['id', 'total', 'customer', 'items', 'note']],
  ['javascript', 'export default (row) => row.customer?.address.', ['city']],
  ['javascript', 'export default (row) => row.items[0].', ['sku', 'qty', 'gift']],
  ['javascript', 'export default (row, ctx) => ctx.', ['event', 'log']],
  ['javascript', 'export default (row, context) => context.event.source.', ['table']],
  ['javascript', 'export default (row) => other.', []],
  ['javascript', 'export default (row) => tomorrow.row.', []],
  ['typescript', 'export default (row: Row, ctx) => row.customer.', ['name', 'address']],
  ['typescript', 'export default function (r: Row) { return r.customer.address.', ['city']],
  ['jsonata', '{ "x": customer.', ['name', 'address']],
  ['jsonata', '{ "x": $event.source.', ['table']],
  ['jsonata', '$.', ['id', 'total', 'customer', 'items', 'note']],
  ['jsonata', '{ "x": cu', ['id', 'total', 'customer', 'items', 'note']],
  ['jsonata', '{ "cu', []],
  ['kazaam', '[{"operation": "shift", "spec": {"a": "', ['id', 'total', 'customer', 'items', 'note']],
  ['kazaam', '[{"operation": "shift", "spec": {"a": "customer.address.', ['city']],
  ['kazaam', '[{"operation": "shift", "spec": {"a": "items[0].', ['sku', 'qty', 'gift']],
])('%s: %s', (language, before, expected) => {
  expect(labels(language, before)).toEqual(expected);
});

test('a field says its kinds and an example', () => {
  const offer = complete('javascript', 'export default (row) => row.to', fields, false);
  expect(offer?.back).toBe(2);
  expect(offer?.options.find((one) => one.label === 'total')).toMatchObject({
    detail: 'string',
    info: 'for example "3.50"',
  });
});

test('after $ JSONata offers the event and its functions, and Kazaam its operations', () => {
  expect(labels('jsonata', '{ "x": $su')).toContain('$sum');
  expect(labels('jsonata', '{ "x": $')).toContain('$event');
  expect(labels('kazaam', '[{"operation": "sh')).toContain('shift');
});

test('nothing is offered for an empty place in JSONata unless it is asked for', () => {
  expect(labels('jsonata', '')).toEqual([]);
  expect(labels('jsonata', '', true)).toContain('customer');
});

test('the functions are those of the installed JSONata', async () => {
  const library = readFileSync(createRequire(import.meta.url).resolve('jsonata'), 'utf8');
  const bound = [...library.matchAll(/staticFrame\.bind\('(\w+)'/g)].map((found) => found[1]!);
  expect(Object.keys(jsonataFunctions)).toEqual(expect.arrayContaining(bound));
  for (const name of Object.keys(jsonataFunctions)) {
    expect(await jsonata(`$type($${name})`).evaluate({}), name).toBe('function');
  }
});
