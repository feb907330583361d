// A configuration checked against its schema and decoded by it: defaults filled in, durations in ms, sizes in bytes, paths
// absolute. The one place that does so, for plugins' configurations and for the manifest's own keys.
// Guarantees: all problems at once; a value that is wrong is left out of the result, so that what follows never meets it.

import { resolve } from 'node:path';
import type { ConfigSchema } from '../schema.ts';
import { escapePointer, type Problem } from './finding.ts';
import { type AnySchema, isValid } from './keywords.ts';
import { problemsOf } from './problems.ts';
import { durationMs, sizeBytes } from './units.ts';

export interface DecodeOptions {
  /** Absolute: what paths are relative to. */
  readonly dir: string;
  /** E_CONFIG_INVALID by default. */
  readonly code?: string;
  /** Put before every pointer. */
  readonly base?: string;
  /** What the value is called in messages: `the configuration` by default. */
  readonly called?: string;
  readonly alsoKnown?: readonly string[];
}

export interface Decoded {
  readonly config: unknown;
  readonly findings: readonly Problem[];
  /** The texts of fields that the schema marks secret, with their pointers. */
  readonly secrets: readonly { readonly pointer: string; readonly value: string }[];
}

/**
 * @example
 * const { config, findings } = decodeConfig(schema, { path: './orders.ndjson', every: '1h' }, { dir: process.cwd() });
 * // config: { path: '/home/me/orders.ndjson', every: 3600000, … }
 *
 * @throws SluiceError E_PLUGIN_SHAPE when the schema itself is broken
 */
export function decodeConfig(schema: ConfigSchema | AnySchema, value: unknown, options: DecodeOptions): Decoded {
  const any = schema as AnySchema;
  const base = options.base ?? '';
  const findings = problemsOf(any, value, {
    code: options.code ?? 'E_CONFIG_INVALID',
    base,
    called: options.called ?? 'the configuration',
    ...(options.alsoKnown === undefined ? {} : { alsoKnown: options.alsoKnown }),
  });
  const secrets: { pointer: string; value: string }[] = [];
  const config = decode(any, value, base, { dir: options.dir, secrets });
  return { config, findings, secrets };
}

interface Work {
  readonly dir: string;
  readonly secrets: { pointer: string; value: string }[];
}

function decode(schema: AnySchema, value: unknown, pointer: string, work: Work): unknown {
  if (value === undefined) {
    return schema['default'] === undefined ? undefined : decode(schema, schema['default'], pointer, work);
  }
  if (schema['secret'] === true) collect(value, pointer, work.secrets);
  if (schema['if'] !== undefined) {
    const branch = isValid(schema['if'] as AnySchema, value) ? schema['then'] : schema['else'];
    return branch === undefined ? value : decode(branch as AnySchema, value, pointer, work);
  }
  if (Array.isArray(schema['anyOf'])) {
    const branch = (schema['anyOf'] as AnySchema[]).find((each) => isValid(each, value));
    return branch === undefined ? wrong(schema, pointer, work) : decode(branch, value, pointer, work);
  }
  switch (schema['type']) {
    case 'string':
      return typeof value === 'string'
        ? (textOf(schema, value, work.dir) ?? wrong(schema, pointer, work))
        : wrong(schema, pointer, work);
    case 'integer':
    case 'number':
      return typeof value === 'number' ? value : wrong(schema, pointer, work);
    case 'boolean':
      return typeof value === 'boolean' ? value : wrong(schema, pointer, work);
    case 'array':
      return arrayOf(schema, value, pointer, work);
    case 'object':
      return objectOf(schema, value, pointer, work);
    default:
      return value;
  }
}

// A wrong value stands as its default: what comes after sees a whole manifest, and complains of other mistakes only.
function wrong(schema: AnySchema, pointer: string, work: Work): unknown {
  return schema['default'] === undefined ? undefined : decode(schema, schema['default'], pointer, work);
}

function textOf(schema: AnySchema, text: string, dir: string): string | number | null {
  if (schema['format'] === 'duration') return durationMs(text);
  if (schema['format'] === 'size') return sizeBytes(text);
  if (schema['format'] === 'path') return text === '' ? text : resolve(dir, text);
  return text;
}

function arrayOf(schema: AnySchema, value: unknown, pointer: string, work: Work): unknown {
  if (!Array.isArray(value)) return wrong(schema, pointer, work);
  const items = schema['items'] as AnySchema | undefined;
  return items === undefined ? value : value.map((item, i) => decode(items, item, `${pointer}/${i}`, work));
}

function objectOf(schema: AnySchema, value: unknown, pointer: string, work: Work): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong(schema, pointer, work);
  const given = value as Readonly<Record<string, unknown>>;
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, AnySchema>>;
  const rest = schema['additionalProperties'];
  const result = new Map<string, unknown>();
  for (const name of Object.keys(properties)) {
    const own = Object.hasOwn(given, name) ? given[name] : undefined;
    const decoded = decode(properties[name]!, own, `${pointer}/${escapePointer(name)}`, work);
    if (decoded !== undefined) result.set(name, decoded);
  }
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(properties, name)) continue;
    if (rest === true) result.set(name, given[name]);
    else if (typeof rest === 'object' && rest !== null) {
      result.set(name, decode(rest as AnySchema, given[name], `${pointer}/${escapePointer(name)}`, work));
    }
  }
  // fromEntries defines own keys: `__proto__` as a key of a map is only a key
  return Object.fromEntries(result);
}

function collect(value: unknown, pointer: string, into: { pointer: string; value: string }[]): void {
  if (typeof value === 'string') into.push({ pointer, value });
  else if (Array.isArray(value)) value.forEach((each, i) => void collect(each, `${pointer}/${i}`, into));
  else if (typeof value === 'object' && value !== null) {
    for (const [key, each] of Object.entries(value)) collect(each, `${pointer}/${escapePointer(key)}`, into);
  }
}
