// The table of a configuration says everything that its schema says.

import { expect, test } from 'vitest';
import type { ObjectSchema } from '../schema.ts';
import { schemaProblems } from './config-subset.ts';
import { settingsOf, settingsText } from './describe.ts';

const schema: ObjectSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['url'],
  properties: {
    url: { type: 'string', format: 'uri', secret: true, description: 'where it is' },
    mode: { type: 'string', enum: ['row', 'event'], default: 'row', description: 'a | b' },
    size: { type: 'integer', minimum: 1, maximum: 9, default: 3 },
    tables: { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] },
    tls: {
      type: 'object',
      additionalProperties: false,
      properties: { ca: { type: 'string', format: 'path', notBuilt: 'certificates' } },
    },
    columns: { type: 'object', additionalProperties: { type: 'string', enum: ['bytes', 'text'] } },
    every: { type: 'string', format: 'duration', least: '1ms', most: '1d' },
  },
};

test('each setting has its name, type, default, and whether it is required or secret', () => {
  expect(schemaProblems(schema)).toEqual([]);
  expect(settingsOf(schema)).toEqual([
    { name: 'url', type: 'uri', default: '', required: true, secret: true, description: 'where it is' },
    { name: 'mode', type: 'row | event', default: '"row"', required: false, secret: false, description: 'a | b' },
    { name: 'size', type: 'integer ≥ 1, ≤ 9', default: '3', required: false, secret: false, description: '' },
    { name: 'tables', type: 'string | list of string', default: '', required: false, secret: false, description: '' },
    { name: 'tls', type: 'object', default: '', required: false, secret: false, description: '' },
    {
      name: 'tls.ca',
      type: 'path',
      default: '',
      required: false,
      secret: false,
      description: 'Not built yet: certificates.',
    },
    { name: 'columns', type: 'map of bytes | text', default: '', required: false, secret: false, description: '' },
    { name: 'every', type: 'duration ≥ 1ms, ≤ 1d', default: '', required: false, secret: false, description: '' },
  ]);
});

test('the text is aligned', () => {
  expect(settingsText(schema)).toBe(`\
setting  type                     default   what it does
url      uri                      required  (secret) where it is
mode     row | event              "row"     a | b
size     integer ≥ 1, ≤ 9         3
tables   string | list of string
tls      object
tls.ca   path                               Not built yet: certificates.
columns  map of bytes | text
every    duration ≥ 1ms, ≤ 1d
`);
  const none: ObjectSchema = { type: 'object', additionalProperties: false, properties: {} };
  expect(settingsText(none)).toBe('no settings\n');
});

test('a schema outside of the subset is told with its place', () => {
  const odd = {
    type: 'object',
    additionalProperties: false,
    required: ['gone'],
    properties: {
      a: { type: 'string', format: 'email' },
      b: { oneOf: [] },
      c: { type: 'array', items: { type: 'object', properties: {}, additionalProperties: true } },
      d: { type: 'integer', multipleOf: 2 },
    },
  };
  expect(schemaProblems(odd).map((problem) => problem.split(':')[0])).toEqual([
    '/properties/a',
    '/properties/b',
    '/properties/c/items',
    '/properties/d',
    '/',
  ]);
  expect(schemaProblems(null)).toHaveLength(1);
});
