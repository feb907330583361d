// Paths, compiled once: `a.b[0].c` becomes the keys a, b, [0], c. A wildcard cuts the path: what follows is a path of its own,
// which is applied to each element. An index that is none is not an error before the path is used, as in Go.

import { type KazaamError, parseError } from './errors.ts';

export interface Path {
  /** Names, and `[n]`, `[+]`, `[-]` for places in arrays. */
  readonly keys: readonly string[];
  /** The keys lead to an array, and the path goes on in each of its elements: `rest` is null for the element itself. */
  readonly each: { readonly rest: Path | null } | null;
  /** Thrown whenever the path is used. */
  readonly error: KazaamError | null;
}

/** What the original does not know. */
export interface PathRules {
  /** `[-1]` is the last element, where a path is read. */
  readonly negativeIndex?: boolean;
  /** `[*]` alone stands for the elements of the document. */
  readonly rootWildcard?: boolean;
}

/** Begins the key of a negative index; no path of the original can hold it. */
export const FROM_END = '[\u0000';

const NAME_AND_INDEX = /([^[\]]+)\[([^\n]*?)\]/;
const MAX_INT64 = 9223372036854775807n;

export function compilePath(path: string, separator: string, rules: PathRules = {}): Path {
  return compileKeys(path.split(separator), rules);
}

function compileKeys(segments: readonly string[], rules: PathRules): Path {
  const keys: string[] = [];
  for (const [i, segment] of segments.entries()) {
    const isRootWildcard = rules.rootWildcard === true && segment === '[*]';
    const match = NAME_AND_INDEX.exec(segment);
    if (match === null && !isRootWildcard) {
      keys.push(segment);
      continue;
    }
    // what stands before the name and behind the bracket is dropped: `a[0][1]` is `a[0]`
    const [, name = '', index = '*'] = match ?? [];
    if (match !== null) keys.push(name);
    if (index === '*') {
      const after = segments.slice(i + 1);
      const isEnd = after.length === 0 || (after.length === 1 && after[0] === '');
      return { keys, each: { rest: isEnd ? null : compileKeys(after, rules) }, error: null };
    }
    if (rules.negativeIndex === true && /^-[1-9][0-9]{0,8}$/.test(index)) {
      keys.push(`${FROM_END}${index.slice(1)}]`);
      continue;
    }
    if (!isIndex(index)) {
      return { keys, each: null, error: parseError(`Warn: Unable to coerce index to integer: ${index}`) };
    }
    keys.push(`[${index}]`);
  }
  return { keys, each: null, error: null };
}

function isIndex(text: string): boolean {
  if (text === '+' || text === '-') return true;
  if (!/^[+-]?[0-9]+$/.test(text)) return false;
  const value = BigInt(text.replace('+', ''));
  return value >= 0n && value <= MAX_INT64;
}

/** `path` below `keys`. */
export const below = (keys: readonly string[], path: Path): Path => ({ ...path, keys: [...keys, ...path.keys] });

/** The index that a key of a target stands for: a number, `+`, `-`; null if it is a name. */
export function targetIndex(key: string): number | '+' | '-' | null {
  if (!key.startsWith('[') || !key.endsWith(']') || key.length < 3) return null;
  const index = key.slice(1, -1);
  if (index === '+' || index === '-') return index;
  return isIndex(index) ? Number(index) : null;
}
