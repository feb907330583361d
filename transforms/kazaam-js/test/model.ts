// Kazaam's rules over parsed values, written for the tests from the rules and not from the implementation: small, slow, and blind to
// how a number was written. Documents have no name twice. What fails is told by the kind of error alone.

import type { ErrorKind } from '../src/index.ts';

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export class ModelError extends Error {
  readonly type: ErrorKind;
  constructor(type: ErrorKind) {
    super(type);
    this.type = type;
  }
}

export interface ModelStep {
  readonly operation: 'shift' | 'default' | 'concat' | 'coalesce' | 'delete' | 'extract';
  readonly spec: Record<string, unknown>;
  readonly require?: boolean;
  readonly inplace?: boolean;
  readonly over?: string;
}

type Key = string | { readonly index: number | '+' | '-' | '*' | 'none' };

export function run(steps: readonly ModelStep[], document: Json): Json {
  return steps.reduce((value, step) => {
    if (step.over === undefined) return apply(step, value);
    const list = get(value, [step.over]);
    if (!Array.isArray(list)) throw new ModelError('ParseError');
    return put(
      value,
      [step.over],
      list.map((item) => apply(step, item)),
    );
  }, document);
}

function apply(step: ModelStep, document: Json): Json {
  const require = step.require === true;
  switch (step.operation) {
    case 'shift': {
      let out: Json = step.inplace === true ? document : {};
      for (const [target, source] of Object.entries(step.spec)) {
        const value = source === '$' ? document : take(document, source as string, require);
        out = put(out, keysOf(target), value);
      }
      return out;
    }
    case 'default':
      return Object.entries(step.spec).reduce(
        (out, [target, value]) => put(out, keysOf(target), value as Json),
        document,
      );
    case 'concat':
      return concat(step, document, require);
    case 'coalesce': {
      if (require) throw new ModelError('SpecError');
      return Object.entries(step.spec).reduce((out, [target, paths]) => {
        for (const path of paths as string[]) {
          const value = take(out, path, false);
          if (value !== null) return put(out, keysOf(target), value);
        }
        return out;
      }, document);
    }
    case 'delete':
      return (step.spec['paths'] as string[]).reduce((out, path) => {
        const keys = keysOf(path);
        check(keys);
        if (keys.some(isWildcard)) throw new ModelError('SpecError');
        if (require && get(out, keys) === undefined) throw new ModelError('RequireError');
        return without(out, keys);
      }, document);
    case 'extract':
      return take(document, step.spec['path'] as string, require);
  }
}

function concat({ spec }: ModelStep, document: Json, require: boolean): Json {
  const parts = (spec['sources'] as { value?: string; path?: string }[]).map(({ value, path }) => {
    if (value !== undefined) return value;
    let found: Json;
    try {
      found = take(document, path!, require);
    } catch {
      if (require) throw new ModelError('RequireError');
      return '';
    }
    const items = Array.isArray(found) ? found.filter((item) => item !== null && item !== 'null') : [found];
    return items.map((item) => (typeof item === 'string' ? item : JSON.stringify(item))).join('');
  });
  return put(document, keysOf(spec['targetPath'] as string), parts.join((spec['delim'] as string | undefined) ?? ''));
}

const isWildcard = (key: Key): boolean => typeof key === 'object' && key.index === '*';

/** Only the first index of a segment counts. */
function keysOf(path: string): Key[] {
  return path.split('.').flatMap((segment): Key[] => {
    const match = /^([^[\]]+)\[([^\]]*)\]/.exec(segment);
    if (match === null) return [segment];
    const [, name = '', index = ''] = match;
    if (index === '+' || index === '-' || index === '*') return [name, { index }];
    return [name, { index: /^\d+$/.test(index) ? Number(index) : 'none' }];
  });
}

/** What is no index is told as soon as the path is used, but behind a wildcard only for an element. */
function check(keys: readonly Key[]): void {
  const at = keys.findIndex(isWildcard);
  const first = at < 0 ? keys : keys.slice(0, at);
  if (first.some((key) => typeof key === 'object' && key.index === 'none')) throw new ModelError('ParseError');
}

const isRecord = (value: Json | undefined): value is { [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function step(value: Json | undefined, key: Key): Json | undefined {
  if (typeof key === 'string') return isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return Array.isArray(value) && typeof key.index === 'number' ? value[key.index] : undefined;
}

function get(value: Json, keys: readonly Key[]): Json | undefined {
  return keys.reduce<Json | undefined>(step, value);
}

function take(document: Json, path: string, require: boolean): Json {
  return takeKeys(document, keysOf(path), require);
}

function takeKeys(document: Json, keys: readonly Key[], require: boolean): Json {
  check(keys);
  const at = keys.findIndex(isWildcard);
  const value = get(document, at < 0 ? keys : keys.slice(0, at));
  if (value === undefined && require) throw new ModelError('RequireError');
  if (at < 0) return value ?? null;
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new ModelError('ParseError');
  const rest = keys.slice(at + 1);
  return rest.length === 0 ? value : value.map((item) => takeKeys(item, rest, require));
}

function put(document: Json, keys: readonly Key[], value: Json): Json {
  check(keys);
  const at = keys.findIndex(isWildcard);
  if (at >= 0) {
    const list = get(document, keys.slice(0, at));
    if (!Array.isArray(list)) throw new ModelError('ParseError');
    const rest = keys.slice(at + 1);
    return put(
      document,
      keys.slice(0, at),
      list.map((item) => (rest.length === 0 ? value : (put([item], [{ index: 0 }, ...rest], value) as Json[])[0]!)),
    );
  }
  const [first] = keys;
  if (step(document, first!) === undefined) {
    if (!isRecord(document)) throw new ModelError('ParseError');
    if (typeof first !== 'string') throw new ModelError('ParseError');
  }
  return set(document, keys, value);
}

function set(value: Json, [key, ...rest]: readonly Key[], leaf: Json): Json {
  if (key === undefined) return leaf;
  if (typeof key === 'string') {
    if (!isRecord(value)) return { [key]: set(null, rest, leaf) };
    return { ...value, [key]: set(Object.hasOwn(value, key) ? value[key]! : null, rest, leaf) };
  }
  if (isRecord(value) && Object.keys(value).length > 0) throw new ModelError('ParseError');
  const list = Array.isArray(value) ? value : [];
  if (key.index === '+') return [...list, set(null, rest, leaf)];
  if (key.index === '-') return [set(null, rest, leaf), ...list];
  const index = key.index as number;
  const padded = [...list, ...new Array<null>(Math.max(0, index - list.length)).fill(null)];
  if (index >= padded.length) return [...padded, set(null, rest, leaf)];
  return padded.with(index, set(padded[index]!, rest, leaf));
}

function without(value: Json, [key, ...rest]: readonly Key[]): Json {
  if (key === undefined || step(value, key) === undefined) return value;
  if (rest.length > 0) {
    const inner = without(step(value, key)!, rest);
    return Array.isArray(value)
      ? value.with((key as { index: number }).index, inner)
      : { ...(value as object), [key as string]: inner };
  }
  if (Array.isArray(value)) return value.filter((_, i) => i !== (key as { index: number }).index);
  return Object.fromEntries(Object.entries(value as object).filter(([name]) => name !== key));
}
