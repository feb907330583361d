// Is a configuration's schema in the closed subset of schema.ts? Asked when a plugin is loaded: a keyword that the
// validation, the tables and the forms do not know would be a rule that is written down and not enforced.

import { durationMs, sizeBytes } from '../manifest/units.ts';

const COMMON = ['description', 'examples', 'deprecated', 'secret', 'notBuilt', 'default'];
const BY_TYPE: Readonly<Record<string, readonly string[]>> = {
  string: ['enum', 'const', 'minLength', 'maxLength', 'pattern', 'format', 'least', 'most'],
  integer: ['minimum', 'maximum', 'exclusiveMinimum'],
  number: ['minimum', 'maximum', 'exclusiveMinimum'],
  boolean: [],
  array: ['items', 'minItems', 'maxItems', 'uniqueItems'],
};
const FORMATS = ['duration', 'size', 'path', 'uri'];

type Schema = Readonly<Record<string, unknown>>;
type Wrong = (what: string) => void;

/** What is wrong with a part's schema, each with its JSON Pointer; empty when it is one of ours. */
export function schemaProblems(schema: unknown): string[] {
  const problems: string[] = [];
  if (!isObject(schema) || schema['type'] !== 'object' || !isObject(schema['properties'])) {
    return ['the configuration must be { type: "object", additionalProperties: false, properties: { … } }'];
  }
  walk(schema, '', problems);
  return problems;
}

function walk(schema: unknown, at: string, problems: string[]): void {
  const wrong: Wrong = (what) => {
    problems.push(`${at || '/'}: ${what}`);
  };
  if (!isObject(schema)) {
    wrong('is no schema');
    return;
  }
  if (Array.isArray(schema['anyOf'])) {
    keysOf(schema, [...COMMON, 'anyOf'], wrong);
    if (schema['anyOf'].length === 0) wrong('`anyOf` is empty');
    for (const [i, branch] of schema['anyOf'].entries()) walk(branch, `${at}/anyOf/${i}`, problems);
    return;
  }
  const type = schema['type'];
  if (type === 'object') {
    object(schema, at, problems, wrong);
    return;
  }
  const allowed = typeof type === 'string' ? BY_TYPE[type] : undefined;
  if (allowed === undefined) {
    wrong('`type` is none of string, integer, number, boolean, array, object');
    return;
  }
  keysOf(schema, [...COMMON, 'type', ...allowed], wrong);
  if (type === 'string' && schema['format'] !== undefined && !FORMATS.includes(schema['format'] as string)) {
    wrong(`\`format\` is none of ${FORMATS.join(', ')}`);
  }
  for (const bound of ['least', 'most']) {
    const written = schema[bound];
    if (written === undefined) continue;
    const parse = schema['format'] === 'duration' ? durationMs : schema['format'] === 'size' ? sizeBytes : null;
    if (parse === null) wrong(`\`${bound}\` is for durations and sizes`);
    else if (typeof written !== 'string' || parse(written) === null) wrong(`\`${bound}\` is no ${schema['format']}`);
  }
  if (type === 'array') walk(schema['items'], `${at}/items`, problems);
}

function object(schema: Schema, at: string, problems: string[], wrong: Wrong): void {
  keysOf(schema, [...COMMON, 'type', 'properties', 'required', 'additionalProperties'], wrong);
  const { properties, required, additionalProperties: more } = schema;
  if (properties === undefined) {
    // a map: every value is of one schema, or anything at all
    if (required !== undefined) wrong('a map has no `required`');
    if (more !== true) walk(more, `${at}/additionalProperties`, problems);
    return;
  }
  if (!isObject(properties)) {
    wrong('`properties` is no object');
    return;
  }
  if (more !== false) wrong('`additionalProperties` must be false, so that unknown keys are found');
  for (const [name, inner] of Object.entries(properties)) walk(inner, `${at}/properties/${name}`, problems);
  if (required === undefined) return;
  if (!Array.isArray(required)) {
    wrong('`required` is no list');
    return;
  }
  for (const name of required) {
    if (typeof name !== 'string' || !Object.hasOwn(properties, name))
      wrong(`required "${String(name)}" is no property`);
  }
}

function keysOf(schema: Schema, allowed: readonly string[], wrong: Wrong): void {
  for (const key of Object.keys(schema)) {
    if (!allowed.includes(key)) wrong(`keyword "${key}" is not known here`);
  }
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
