// The one ajv of the house, with what our schemas know beyond JSON Schema: the formats duration, size, path and uri, and
// the keywords secret (masked), notBuilt and notBuiltValues (planned), least and most (bounds of durations and sizes), says
// (a pattern in words). Strict: a keyword that nobody knows is an error of the schema, not a silent nothing.

import { createRequire } from 'node:module';
import type { Ajv2020, ValidateFunction } from 'ajv/dist/2020.js';
import { sluiceError } from '../errors.ts';
import { fits } from './fits.ts';
import { meets } from './meets.ts';

export interface AnySchema {
  readonly [keyword: string]: unknown;
}

let opened: Ajv2020 | undefined;

/** Loaded when the first value does not fit. */
function ajv(): Ajv2020 {
  opened ??= openAjv();
  return opened;
}

function openAjv(): Ajv2020 {
  const library = createRequire(import.meta.url)('ajv/dist/2020.js') as { Ajv2020: typeof Ajv2020 };
  const made = new library.Ajv2020({
    allErrors: true,
    strict: true,
    strictTypes: false,
    strictRequired: false,
    strictTuples: false,
    verbose: true,
    messages: false,
    ownProperties: true, // a key named `constructor` is a key like any other
    addUsedSchema: false,
    // Checking a schema by the schema of schemas and polishing the generated code take longer than all the validation that
    // one start does. The registry has looked at plugins' schemas before (core/registry/config-subset.ts).
    meta: false,
    validateSchema: false,
    code: { optimize: false },
  });
  for (const [name, test] of Object.entries(meets.format)) made.addFormat(name, test);
  made.addKeyword({ keyword: 'secret', schemaType: 'boolean' });
  made.addKeyword({ keyword: 'says', schemaType: 'string' });
  made.addKeyword({ keyword: 'notBuilt', schemaType: 'string', validate: () => false, errors: false });
  made.addKeyword({
    keyword: 'notBuiltValues',
    schemaType: 'object',
    type: 'string',
    validate: (values: object, data: string) => !Object.hasOwn(values, data),
    errors: false,
  });
  for (const keyword of ['least', 'most'] as const) {
    made.addKeyword({ keyword, schemaType: 'string', type: 'string', validate: meets[keyword], errors: false });
  }
  return made;
}

const compiled = new WeakMap<object, ValidateFunction>();

/** @throws SluiceError E_PLUGIN_SHAPE when the schema itself is broken */
export function validator(schema: AnySchema): ValidateFunction {
  let validate = compiled.get(schema);
  if (validate === undefined) {
    try {
      validate = ajv().compile(schema);
    } catch (error) {
      throw sluiceError('E_PLUGIN_SHAPE', {
        message: 'the configuration schema of the plugin is no JSON Schema that Sluice knows',
        fix: 'keep to the subset in core/schema.ts',
        cause: error,
      });
    }
    compiled.set(schema, validate);
  }
  return validate;
}

/** Whether a value fits a schema; for what is wrong with it, ask validator(). */
export function isValid(schema: AnySchema, value: unknown): boolean {
  return fits(schema, value) ?? validator(schema)(value);
}

/**
 * A schema without references and without what is there for editors only (branches that let a placeholder stand for a
 * number, patterns beside a format): so that the path of an error says where it comes from.
 */
export function lowered(schema: AnySchema): AnySchema {
  const defs = (schema['$defs'] ?? {}) as Readonly<Record<string, AnySchema>>;
  const lower = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(lower);
    if (typeof node !== 'object' || node === null) return node;
    const {
      $ref,
      $defs: _defs,
      $id: _id,
      $schema: _schema,
      title: _title,
      examples: _examples,
      ...rest
    } = node as AnySchema;
    const target = typeof $ref === 'string' ? (lower(defs[$ref.replace('#/$defs/', '')]) as AnySchema) : {};
    const branches = rest['anyOf'] as readonly AnySchema[] | undefined;
    const real = branches?.filter((branch) => branch['$ref'] !== '#/$defs/placeholder');
    if (real?.length === 1 && branches?.length === 2) {
      const { anyOf: _anyOf, ...beside } = rest;
      return { ...target, ...(lower(real[0]) as AnySchema), ...lowerAll(beside) };
    }
    const all: Record<string, unknown> = { ...target, ...lowerAll(rest) };
    if (all['format'] === 'duration' || all['format'] === 'size') delete all['pattern'];
    return all;
  };
  const lowerAll = (node: AnySchema): AnySchema =>
    Object.fromEntries(
      Object.entries(node).map(([key, value]) =>
        key === 'properties' || key === 'patternProperties'
          ? [key, Object.fromEntries(Object.entries(value as AnySchema).map(([name, child]) => [name, lower(child)]))]
          : key === 'default' || key === 'enum' || key === 'const' || key === 'notBuiltValues'
            ? [key, value]
            : [key, lower(value)],
      ),
    );
  return lower(schema) as AnySchema;
}
