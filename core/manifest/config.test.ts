// Configurations decoded by their schema: defaults, units, paths, branches, secrets; and what is said of wrong ones.
// Guarantee under test: no finding shows a value.

import { resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConfigSchema } from '../schema.ts';
import { decodeConfig } from './config.ts';
import { nearest } from './nearest.ts';
import { durationMs, sizeBytes } from './units.ts';

const schema = {
  type: 'object',
  additionalProperties: false,
  required: ['path'],
  properties: {
    path: { type: 'string', format: 'path' },
    every: { type: 'string', format: 'duration', default: '1m' },
    room: { type: 'string', format: 'size' },
    token: { type: 'string', secret: true },
    headers: { type: 'object', additionalProperties: { type: 'string', secret: true } },
    nested: {
      type: 'object',
      additionalProperties: false,
      default: {},
      properties: {
        deep: { type: 'integer', default: 3 },
        wait: { type: 'string', format: 'duration', default: '2s' },
      },
    },
    absent: { type: 'object', additionalProperties: false, properties: { deep: { type: 'integer', default: 3 } } },
    key: {
      anyOf: [
        { type: 'array', items: { type: 'string' } },
        { type: 'object', additionalProperties: { type: 'string' } },
      ],
    },
    pause: {
      anyOf: [
        { type: 'string', format: 'duration' },
        { type: 'string', enum: ['never'] },
      ],
    },
    times: { type: 'array', items: { type: 'string', format: 'duration' } },
    free: { type: 'object', additionalProperties: true },
  },
} as const satisfies ConfigSchema;

const decode = (value: unknown) => decodeConfig(schema, value, { dir: '/base' });

describe('decodeConfig', () => {
  it('fills defaults in and decodes durations, sizes and paths', () => {
    const { config, findings } = decode({
      path: './x/../in.ndjson',
      room: '1.5KiB',
      pause: '5m',
      times: ['1s', '1d'],
      free: { a: '1s' },
    });
    expect(findings).toEqual([]);
    expect(config).toEqual({
      path: resolve('/base/in.ndjson'),
      every: 60_000,
      room: 1536,
      nested: { deep: 3, wait: 2000 },
      pause: 300_000,
      times: [1000, 86_400_000],
      free: { a: '1s' },
    });
  });

  it('takes the branch of an anyOf that the value fits', () => {
    expect(decode({ path: 'a', pause: 'never', key: { a: 'b' } }).config).toMatchObject({
      pause: 'never',
      key: { a: 'b' },
    });
    expect(decode({ path: 'a', key: ['a'] }).config).toMatchObject({ key: ['a'] });
  });

  it('says what is wrong with the branch that fits best, once', () => {
    const { findings } = decode({ path: 'a', key: ['a', 1], pause: 7 });
    expect(findings.map((each) => [each.pointer, each.code])).toEqual([
      ['/key/1', 'E_CONFIG_INVALID'],
      ['/pause', 'E_CONFIG_INVALID'],
    ]);
    expect(findings[1]?.message).toContain('a duration with its unit');
    expect(findings[1]?.message).toContain('`never`');
  });

  it('collects secrets with their pointers', () => {
    expect(decode({ path: 'a', token: 't', headers: { 'x/y': 'h' } }).secrets).toEqual([
      { pointer: '/token', value: 't' },
      { pointer: '/headers/x~1y', value: 'h' },
    ]);
  });

  it('never shows a value in a finding', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(schema.properties)),
        fc.string({ minLength: 6, maxLength: 12 }),
        (key, random) => {
          const value = `zq${random.replaceAll(/[^a-z]/g, 'x')}qz`;
          for (const wrong of [value, [value], { a: [value] }]) {
            const { findings } = decode({ [key]: wrong, version: value });
            expect(JSON.stringify(findings)).not.toContain(value);
          }
        },
      ),
    );
  });

  it('for any value gives findings or a configuration that has no text where there should be a number', () => {
    fc.assert(
      fc.property(
        fc.record(
          { path: fc.string(), every: fc.anything(), room: fc.anything(), nested: fc.anything() },
          { requiredKeys: ['path'] },
        ),
        (value) => {
          const { config, findings } = decode(value);
          if (findings.length > 0) return;
          expect(typeof (config as { every: unknown }).every).toBe('number');
        },
      ),
    );
  });
});

describe('units', () => {
  it.each([
    ['30s', 30_000],
    ['100ms', 100],
    ['1.5s', 1500],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
    ['0ms', 0],
  ])('the duration %s', (text, ms) => expect(durationMs(text)).toBe(ms));

  it.each([
    ['64MiB', 64 * 1024 ** 2],
    ['1MB', 1_000_000],
    ['512KB', 512_000],
    ['1000B', 1000],
    ['2GiB', 2 * 1024 ** 3],
    ['1GB', 1e9],
  ])('the size %s', (text, bytes) => expect(sizeBytes(text)).toBe(bytes));

  it.each([
    '30',
    '',
    's',
    '-1s',
    '1 s',
    '1S',
    '1e3s',
    '.5s',
    '1sec',
    '1k',
    '1mb',
    'Infinitys',
    '9'.repeat(400) + 'd',
    '１s',
  ])('"%s" is neither', (text) => {
    expect(durationMs(text)).toBeNull();
    expect(sizeBytes(text)).toBeNull();
  });
});

describe('nearest', () => {
  it.each([
    ['retry_polcy', 'retry_policy'],
    ['commitPolicy', 'commit_policy'],
    ['snik', null],
    ['sinsk', 'sinks'],
    ['transforms', 'transformations'],
    ['x', null],
    ['constructor', null],
  ])('to %s is %s', (word, expected) => {
    expect(nearest(word, ['retry_policy', 'commit_policy', 'sinks', 'transformations', 'id'])).toBe(expected);
  });
});
