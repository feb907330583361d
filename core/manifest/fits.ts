// Does a value fit a schema? A plain walk, asked before ajv is: a start with a good manifest then neither loads ajv nor waits for
// the code that it makes of each schema (120 ms of 500, measured). What is wrong, and where, ajv alone says.
// Guarantee: true and false are what ajv finds, too (fits.test.ts asks both); null is for ajv to say.

import { meets } from './meets.ts';

type Schema = Readonly<Record<string, unknown>>;
type Verdict = boolean | null;

/** What says nothing about a value. `then` and `else` are read with their `if`. */
const SILENT = new Set([
  ...['$schema', '$id', 'title', 'description', 'examples', 'deprecated', 'default'],
  ...['secret', 'says', 'then', 'else'],
]);

export function fits(schema: unknown, value: unknown): Verdict {
  if (typeof schema === 'boolean') return schema;
  if (!isObject(schema)) return null;
  return all(
    Object.keys(schema)
      .filter((keyword) => !SILENT.has(keyword))
      .map((keyword) => () => RULES[keyword]?.(schema[keyword], value, schema) ?? null),
  );
}

/** By keyword of JSON Schema 2020-12: a keyword for another type of value lets it pass. */
const RULES: Readonly<Record<string, (said: unknown, value: unknown, schema: Schema) => Verdict>> = {
  type: (type, value) => (typeof type === 'string' ? (IS[type]?.(value) ?? null) : null),
  enum: (words, value) => (words as unknown[]).includes(value),
  const: (word, value) => word === value,
  minimum: (least, value) => typeof value !== 'number' || value >= (least as number),
  maximum: (most, value) => typeof value !== 'number' || value <= (most as number),
  exclusiveMinimum: (least, value) => typeof value !== 'number' || value > (least as number),
  minLength: (least, value) => typeof value !== 'string' || [...value].length >= (least as number),
  maxLength: (most, value) => typeof value !== 'string' || [...value].length <= (most as number),
  pattern: (pattern, value) => typeof value !== 'string' || new RegExp(pattern as string, 'u').test(value),
  format: (format, value) => typeof value !== 'string' || (meets.format[format as string]?.(value) ?? null),
  least: (bound, value) => typeof value !== 'string' || meets.least(bound as string, value),
  most: (bound, value) => typeof value !== 'string' || meets.most(bound as string, value),
  notBuilt: () => false,
  notBuiltValues: (values, value) => typeof value !== 'string' || !Object.hasOwn(values as object, value),
  minItems: (least, value) => !Array.isArray(value) || value.length >= (least as number),
  maxItems: (most, value) => !Array.isArray(value) || value.length <= (most as number),
  items: (items, value) => !Array.isArray(value) || all(value.map((item) => () => fits(items, item))),
  required: (names, value) => !isObject(value) || (names as string[]).every((name) => Object.hasOwn(value, name)),
  properties: (properties, value) =>
    !isObject(value) ||
    all(
      Object.entries(properties as Schema)
        .filter(([name]) => Object.hasOwn(value, name))
        .map(
          ([name, schema]) =>
            () =>
              fits(schema, value[name]),
        ),
    ),
  patternProperties: (patterns, value) =>
    !isObject(value) ||
    all(
      Object.entries(patterns as Schema).flatMap(([pattern, schema]) =>
        Object.keys(value)
          .filter((name) => new RegExp(pattern, 'u').test(name))
          .map((name) => () => fits(schema, value[name])),
      ),
    ),
  additionalProperties(rest, value, schema) {
    if (!isObject(value) || rest === true) return true;
    const known = (schema['properties'] ?? {}) as object;
    const patterns = Object.keys(schema['patternProperties'] ?? {}).map((pattern) => new RegExp(pattern, 'u'));
    const others = Object.keys(value).filter(
      (name) => !Object.hasOwn(known, name) && !patterns.some((pattern) => pattern.test(name)),
    );
    return rest === false ? others.length === 0 : all(others.map((name) => () => fits(rest, value[name])));
  },
  anyOf(branches, value) {
    const verdicts = (branches as unknown[]).map((branch) => fits(branch, value));
    return verdicts.includes(true) || (verdicts.includes(null) ? null : false);
  },
  if(condition, value, schema) {
    const verdict = fits(condition, value);
    if (verdict === null) return null;
    const branch = verdict ? schema['then'] : schema['else'];
    return branch === undefined || fits(branch, value);
  },
};

const IS: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  number: (value) => Number.isFinite(value),
  integer: (value) => Number.isInteger(value),
  boolean: (value) => typeof value === 'boolean',
  array: Array.isArray,
  object: isObject,
  null: (value) => value === null,
};

/** False as soon as one is; else null if one is; else true. */
function all(verdicts: readonly (() => Verdict)[]): Verdict {
  let result: Verdict = true;
  for (const verdict of verdicts) {
    const one = verdict();
    if (one === false) return false;
    if (one === null) result = null;
  }
  return result;
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
