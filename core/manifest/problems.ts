// ajv's errors as problems in plain words: one mistake, one problem, at the value or the key that has to change.
// Guarantees: what a failing anyOf sprays becomes what the branch that fits best has to say. Never a value in a message:
// keys, kinds, bounds and allowed words only.

import type { ErrorObject } from 'ajv/dist/2020.js';
import { escapePointer, type Problem, unescapePointer } from './finding.ts';
import { type AnySchema, isValid, validator } from './keywords.ts';
import { nearest } from './nearest.ts';

export interface CheckOptions {
  /** The code of everything that has none of its own: E_MANIFEST_INVALID or E_CONFIG_INVALID. */
  readonly code: string;
  /** The pointer of the checked value within the manifest. */
  readonly base: string;
  /** What the value is called when its pointer has no name for it (`the manifest`, `source`). */
  readonly called: string;
  /** Keys at the top that belong to somebody else, and are worth a suggestion. */
  readonly alsoKnown?: readonly string[];
}

export function problemsOf(schema: AnySchema, value: unknown, options: CheckOptions): Problem[] {
  if (isValid(schema, value)) return [];
  const validate = validator(schema);
  validate(value);
  return inWords(validate.errors ?? [], '', options);
}

function inWords(errors: readonly ErrorObject[], below: string, options: CheckOptions): Problem[] {
  // the branches' own errors are inside the anyOf's path, and are told by it
  const branches = errors.filter((error) => error.keyword === 'anyOf').map((error) => `${error.schemaPath}/`);
  const told = errors.filter((error) => !branches.some((path) => error.schemaPath.startsWith(path)));
  const wrongKind = new Set(told.filter((error) => error.keyword === 'type').map((error) => error.instancePath));
  const planned = new Set(
    told.filter((error) => error.keyword === 'notBuiltValues').map((error) => error.instancePath),
  );
  const malformed = new Set(told.filter((error) => error.keyword === 'format').map((error) => error.instancePath));
  const misspelt = misspeltKeys(told);
  const problems: Problem[] = [];
  for (const error of told) {
    const at = error.instancePath;
    if (error.keyword === 'if') continue;
    if (error.keyword === 'required' && misspelt.has(`${at}/${String(error.params['missingProperty'])}`)) continue;
    if (wrongKind.has(at) && error.keyword !== 'type') continue;
    if (planned.has(at) && error.keyword !== 'notBuiltValues') continue;
    if (malformed.has(at) && error.keyword !== 'format') continue;
    if (error.keyword === 'anyOf') problems.push(...anyOfProblems(error, below, options));
    else problems.push(problemOf(error, below, options));
  }
  return problems;
}

// A required key that is missing because it is misspelt is one mistake, not two.
function misspeltKeys(errors: readonly ErrorObject[]): Set<string> {
  const meant = new Set<string>();
  for (const error of errors) {
    if (error.keyword !== 'additionalProperties') continue;
    const known = keysOf((error.parentSchema ?? {}) as AnySchema);
    const near = nearest(String(error.params['additionalProperty']), known);
    if (near !== null) meant.add(`${error.instancePath}/${near}`);
  }
  return meant;
}

// The branch whose kind fits and that has the least to complain of. Where no kind fits, all kinds are named.
function anyOfProblems(error: ErrorObject, below: string, options: CheckOptions): Problem[] {
  const path = below + error.instancePath;
  let best: ErrorObject[] | null = null;
  const kinds: string[] = [];
  for (const branch of error.schema as readonly AnySchema[]) {
    const validate = validator(branch);
    validate(error.data);
    const errors = validate.errors ?? [];
    kinds.push(kindOf(branch));
    if (errors.some((e) => e.keyword === 'type' && e.instancePath === '')) continue;
    if (best === null || errors.length < best.length) best = errors;
  }
  if (best !== null) return inWords(best, path, options);
  const name = nameOf(path, options);
  return [
    invalid(
      path,
      `${name} must be ${oneOf(kinds)}, not ${found(error.data)}`,
      'write it in one of these forms',
      options,
    ),
  ];
}

function problemOf(error: ErrorObject, below: string, options: CheckOptions): Problem {
  const path = below + error.instancePath;
  const name = nameOf(path, options);
  const schema = (error.parentSchema ?? {}) as AnySchema;
  const params = error.params as Readonly<Record<string, unknown>>;
  const say = (message: string, fix: string): Problem => invalid(path, `${name} ${message}`, fix, options);
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(params['additionalProperty']);
      const known = keysOf(schema);
      return unknownKey(path, key, name, path === '' ? [...known, ...(options.alsoKnown ?? [])] : known, options);
    }
    case 'required': {
      const key = String(params['missingProperty']);
      const hint = ((schema['properties'] ?? {}) as Readonly<Record<string, AnySchema>>)[key];
      return invalid(path, `${name} needs \`${key}\``, `add \`${key}: ${exampleOf(hint)}\``, options);
    }
    case 'type':
      return say(`must be ${kindOf(schema)}, not ${found(error.data)}`, fixOfKind(schema, error.data));
    case 'enum': {
      const allowed = (error.schema as readonly unknown[]).map(String);
      const near = nearest(String(error.data), allowed);
      return say(
        `must be ${oneOf(allowed.map(code))}`,
        near === null ? `write one of them` : `did you mean \`${near}\`?`,
      );
    }
    case 'const':
      return say(`must be \`${String(error.schema)}\``, `write \`${String(error.schema)}\``);
    case 'notBuilt':
      return {
        code: 'E_NOT_BUILT',
        pointer: options.base + path,
        on: 'key',
        message: `\`${lastKey(path)}\` is not built yet: it waits for ${String(error.schema)}`,
        fix: 'leave it out',
      };
    case 'notBuiltValues':
      return {
        code: 'E_NOT_BUILT',
        pointer: options.base + path,
        on: 'value',
        message: `this ${lastKey(path)} is not built yet: it waits for ${String((error.schema as AnySchema)[String(error.data)])}`,
        fix: `use ${oneOf((schema['enum'] as readonly string[] | undefined)?.map(code) ?? ['another'])}`,
      };
    case 'format':
      return say(`must be ${kindOf(schema)}`, `write ${exampleOf(schema)}`);
    case 'pattern': {
      const says = schema['says'];
      if (typeof says === 'string') return say(`must be ${says}`, `for example \`${exampleOf(schema)}\``);
      return say(`does not match ${String(error.schema)}`, 'change it so that it does');
    }
    case 'least':
    case 'minimum':
      return say(`must be at least ${String(error.schema)}`, 'raise it');
    case 'exclusiveMinimum':
      return say(`must be more than ${String(error.schema)}`, 'raise it');
    case 'most':
    case 'maximum':
      return say(`must be at most ${String(error.schema)}`, 'lower it');
    case 'minItems':
      return say(`must have at least ${String(error.schema)} ${error.schema === 1 ? 'entry' : 'entries'}`, 'add one');
    case 'maxItems':
      return say(`must have at most ${String(error.schema)} entries`, 'remove some');
    case 'minLength':
      return say(
        error.schema === 1 ? 'must not be empty' : `must have at least ${String(error.schema)} characters`,
        'write more',
      );
    case 'maxLength':
      return say(`must have at most ${String(error.schema)} characters`, 'shorten it');
    case 'uniqueItems':
      return say('must not have an entry twice', 'remove one of the two');
    default:
      return say(`breaks the rule \`${error.keyword}\` of its schema`, 'see the schema');
  }
}

// Without those that are planned: to be sent from one mistake into the next helps nobody.
function keysOf(schema: AnySchema): string[] {
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, AnySchema>>;
  return Object.keys(properties).filter((key) => properties[key]?.['notBuilt'] === undefined);
}

function invalid(path: string, message: string, fix: string, options: CheckOptions): Problem {
  return { code: options.code, pointer: options.base + path, on: 'value', message, fix };
}

/** Also for rules that are not in a schema. */
export function unknownKey(
  path: string,
  key: string,
  of: string,
  known: readonly string[],
  options: { readonly base: string },
): Problem {
  const near = nearest(key, known);
  return {
    code: 'E_MANIFEST_UNKNOWN_KEY',
    pointer: `${options.base}${path}/${escapePointer(key)}`,
    on: 'key',
    message: `\`${key}\` is no key of ${of}`,
    fix: near === null ? `use ${oneOf(known.toSorted().map(code))}` : `did you mean \`${near}\`?`,
  };
}

// `/streams/0/batch/max_events` is max_events; `/tables/2` is "entry 3 of tables"
function nameOf(path: string, options: CheckOptions): string {
  if (path === '') return options.called;
  const parts = path.split('/').slice(1).map(unescapePointer);
  const last = parts.at(-1)!;
  if (!/^\d+$/.test(last)) return `\`${last}\``;
  return parts.length === 1 ? `entry ${Number(last) + 1}` : `entry ${Number(last) + 1} of \`${parts.at(-2)!}\``;
}

function lastKey(path: string): string {
  return unescapePointer(path.slice(path.lastIndexOf('/') + 1));
}

function kindOf(schema: AnySchema): string {
  const { type, format } = schema;
  if (Array.isArray(schema['enum']))
    return `one of ${(schema['enum'] as unknown[]).map((each) => code(String(each))).join(', ')}`;
  if ('const' in schema) return code(String(schema['const']));
  if (format === 'duration') return 'a duration with its unit (`30s`, `100ms`, `5m`, `1h`, `1d`)';
  if (format === 'size') return 'a size with its unit (`64MiB`, `1MB`, `512KB`, `1000B`)';
  if (format === 'uri') return 'an address (`https://…`)';
  if (format === 'path') return 'a path';
  switch (type) {
    case 'string':
      return 'text';
    case 'integer':
      return 'a whole number';
    case 'number':
      return 'a number';
    case 'boolean':
      return '`true` or `false`';
    case 'array':
      return 'a list';
    case 'null':
      return '`null`';
    default:
      return 'a map of keys and values';
  }
}

function found(data: unknown): string {
  if (data === null || data === undefined) return 'empty';
  if (Array.isArray(data)) return 'a list';
  if (typeof data === 'object') return 'a map';
  if (typeof data === 'string') return 'text';
  if (typeof data === 'boolean') return 'true or false';
  return Number.isInteger(data) ? 'a number' : 'a number with decimals';
}

function fixOfKind(schema: AnySchema, data: unknown): string {
  if (schema['format'] === 'duration' || schema['format'] === 'size')
    return `write it with its unit, for example ${exampleOf(schema)}`;
  if (schema['type'] === 'string' && (typeof data === 'number' || typeof data === 'boolean')) return 'put it in quotes';
  if ((schema['type'] === 'integer' || schema['type'] === 'boolean') && typeof data === 'string')
    return 'write it without quotes';
  if (schema['type'] === 'array' && data !== null && data !== undefined) return 'write it as a list: [ … ]';
  if (data === null) return 'give it a value, or leave the key out';
  return `write ${kindOf(schema)}`;
}

function exampleOf(schema: AnySchema | undefined): string {
  const examples = schema?.['examples'] as readonly unknown[] | undefined;
  if (schema?.['format'] === 'duration') return '30s';
  if (schema?.['format'] === 'size') return '64MiB';
  if (schema?.['format'] === 'uri') return 'https://example.org/';
  if (examples?.[0] !== undefined) return typeof examples[0] === 'string' ? examples[0] : JSON.stringify(examples[0]);
  if (Array.isArray(schema?.['enum'])) return String(schema['enum'][0]);
  if (schema !== undefined && 'const' in schema) return String(schema['const']);
  return '…';
}

function code(word: string): string {
  return `\`${word}\``;
}

function oneOf(words: readonly string[]): string {
  if (words.length <= 1) return words[0] ?? 'nothing';
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)!}`;
}
