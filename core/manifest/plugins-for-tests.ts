// Small plugins for the tests of this room: real definitions with real schemas, whose parts are never made.
// A file (one writer), a database (can be the home, has secrets), a hook (nested configuration) and a transform.

import { sluiceError } from '../errors.ts';
import { definePlugin, type PluginDefinition } from '../plugin.ts';
import type { Loaded, LoadOptions } from './load.ts';
import { readManifest } from './load.ts';

const never = (): never => {
  throw new Error('loading a manifest makes no source, sink or transform');
};

const file = definePlugin({
  name: 'file',
  source: {
    positionVersion: 1,
    batch: ['max_wait', 'respect_source_tx'],
    config: {
      type: 'object',
      additionalProperties: false,
      required: ['path'],
      properties: {
        path: { type: 'string', format: 'path', minLength: 1 },
        format: { type: 'string', enum: ['row', 'event'], default: 'row' },
        key: { type: 'array', items: { type: 'string' }, default: [] },
        follow: { type: 'boolean', default: false },
        max_line: { type: 'string', format: 'size', default: '8MiB' },
      },
    },
    auth: ['username_password', 'certificate'],
    create: never,
    place: (config) => `file:${config.path}`,
  },
  sink: {
    config: {
      type: 'object',
      additionalProperties: false,
      required: ['path'],
      properties: {
        path: { type: 'string', format: 'path', minLength: 1 },
        rotate: {
          type: 'object',
          additionalProperties: false,
          properties: { size: { type: 'string', format: 'size' }, every: { type: 'string', format: 'duration' } },
        },
      },
    },
    auth: ['username_password', 'certificate'],
    create: never,
    place: (config) => `file:${config.path}`,
  },
});

const db = definePlugin({
  name: 'db',
  source: {
    positionVersion: 1,
    config: {
      type: 'object',
      additionalProperties: false,
      required: ['url', 'tables'],
      properties: {
        url: { type: 'string', secret: true },
        tables: { type: 'array', items: { type: 'string', minLength: 1 }, minItems: 1, uniqueItems: true },
        slots: { type: 'integer', minimum: 1, maximum: 10, default: 1 },
        cdc: { type: 'string', notBuilt: 'the next release' },
      },
    },
    auth: ['username_password', 'certificate'],
    create: never,
    place: (config) => config.tables.map((table) => `db:${config.url}#${table}`),
  },
  sink: {
    config: {
      type: 'object',
      additionalProperties: false,
      required: ['url'],
      properties: {
        url: { type: 'string', secret: true },
        table: { anyOf: [{ type: 'string' }, { type: 'object', additionalProperties: { type: 'string' } }] },
        transactional: { type: 'boolean', default: true },
      },
    },
    auth: ['username_password', 'certificate'],
    create: never,
    home: (config) => config.transactional,
    place: (config) => (typeof config.table === 'string' ? `db:${config.url}#${config.table}` : undefined),
  },
});

const hook = definePlugin({
  name: 'hook',
  sink: {
    config: {
      type: 'object',
      additionalProperties: false,
      required: ['address'],
      properties: {
        address: { type: 'string', format: 'uri' },
        timeout: { type: 'string', format: 'duration', default: '10s' },
        headers: { type: 'object', additionalProperties: { type: 'string', secret: true } },
        retry_after: { anyOf: [{ type: 'string', format: 'duration' }, { type: 'boolean' }], default: true },
      },
    },
    auth: ['username_password', 'certificate'],
    create: never,
  },
});

const upper = definePlugin({
  name: 'upper',
  transform: {
    config: {
      type: 'object',
      additionalProperties: false,
      required: ['columns'],
      properties: { columns: { type: 'array', items: { type: 'string' }, minItems: 1 } },
    },
    auth: ['username_password', 'certificate'],
    create: never,
  },
});

const plugins: Readonly<Record<string, PluginDefinition>> = { file, db, hook, upper };

export const resolvePlugin: LoadOptions['resolvePlugin'] = async (type) => {
  const plugin = Object.hasOwn(plugins, type) ? plugins[type] : undefined;
  if (plugin === undefined) throw sluiceError('E_PLUGIN_NOT_FOUND', { message: 'no plugin of this name was found' });
  return plugin;
};

/** A compiler that refuses code with `!!!` in it, at the place of that. */
export const languages: NonNullable<LoadOptions['languages']> = {
  names: ['javascript', 'typescript'],
  async check(rule) {
    const at = rule.source.indexOf('!!!');
    if (at < 0) return [];
    const before = rule.source.slice(0, at).split('\n');
    const place = {
      file: rule.file,
      line: rule.offset.line + before.length - 1,
      column: rule.offset.column + before.at(-1)!.length,
    };
    return [sluiceError('E_TRANSFORM_SYNTAX', { message: 'Unexpected token !', at: place })];
  },
};

export function load(text: string, options: Partial<LoadOptions> & { readonly file?: string } = {}): Promise<Loaded> {
  const { file: name = 'sluice.yaml', ...rest } = options;
  return readManifest(text, name, { resolvePlugin, languages, env: {}, ...rest });
}

/** `CODE line:column` of each finding: what most tests compare. */
export function placesIn(loaded: Loaded): string[] {
  return loaded.findings.map(({ code, at }) => `${code} ${at?.line}:${at?.column}`);
}

/** A whole small manifest around one stream's own lines. */
export function streamWith(lines: string): string {
  return `version: 1\nstreams:\n  - id: s\n${lines.replaceAll(/^(?=.)/gm, '    ')}\n`;
}
