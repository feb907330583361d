// Finds the value at a path of keys in JSON text, in one walk from the start, as Go's jsonparser does: the first member of a name
// wins, and it is final unless its value is an object that lacks the rest. Two things are mended: a key is not looked for in the
// siblings of an array (`a.b` in {"a":[1],"c":{"b":2}} is missing), and what makes Go crash is an error.

import { type KazaamError, specError } from './errors.ts';
import {
  BACKSLASH,
  blockEnd,
  CLOSE_OBJECT,
  COLON,
  closeQuote,
  elements,
  notJson,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  skipSpace,
} from './json-text.ts';
import { FROM_END } from './path.ts';
import { decodeText } from './text-escapes.ts';

const MISSING = -1;

/**
 * Where the value at `keys[first]` to `keys[last - 1]` is to be looked for: behind the colon or the comma before it, or -1. A key
 * `[n]` is an index where an array stands, and a name where an object stands.
 * @throws KazaamError for an empty key on an array, and for brackets that close more than was opened
 */
export function find(
  text: string,
  start: number,
  end: number,
  keys: readonly string[],
  first = 0,
  last = keys.length,
): number {
  const count = last - first;
  if (count === 0) return start;
  let depth = 0;
  let found = 0; // keys matched so far; the next one is matched where `depth` is one more
  for (let i = start; i < end; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      const close = closeQuote(text, i + 1, end);
      if (close < 0) return MISSING;
      const next = skipSpace(text, close, end);
      if (next === end) return MISSING;
      if (text.charCodeAt(next) !== COLON || found !== depth - 1) {
        i = next - 1;
        continue;
      }
      if (depth < 1) throw notJson();
      const same = isKey(text, i + 1, close - 1, keys[first + found]!);
      if (same === null) return MISSING;
      i = next;
      if (!same) continue;
      found++;
      if (found === count) return next + 1;
      const value = text.charCodeAt(skipSpace(text, next + 1, end));
      if (value === OPEN_ARRAY) {
        if (indexOf(keys[first + found]!) === null) found--;
      } else if (value !== OPEN_OBJECT) return MISSING;
    } else if (c === OPEN_OBJECT) depth++;
    else if (c === CLOSE_OBJECT) {
      depth--;
      if (depth === found) found--;
    } else if (c === OPEN_ARRAY) {
      const index = found === depth ? indexAt(keys[first + found]) : null;
      if (index !== null) return inArray(text, i, end, index, keys, first + found + 1, last);
      const close = blockEnd(text, i, end);
      if (close < 0) return MISSING;
      i = close - 1;
    }
  }
  return MISSING;
}

function inArray(
  text: string,
  at: number,
  end: number,
  index: number,
  keys: readonly string[],
  first: number,
  last: number,
): number {
  if (Number.isNaN(index)) return MISSING;
  const { spans } = elements(text, at + 1, end);
  const place = 2 * index + (index < 0 ? spans.length : 0);
  const from = spans[place];
  return from === undefined ? MISSING : find(text, from, spans[place + 1]!, keys, first, last);
}

/** The number in `[n]`, negative from the end; NaN for what no element has, as `[+]`; null for a key that is no index. */
function indexOf(key: string): number | null {
  if (key === '') throw emptyKey();
  if (key.charCodeAt(0) !== OPEN_ARRAY) return null;
  if (key.startsWith(FROM_END)) return -Number(key.slice(FROM_END.length, -1));
  const digits = key.slice(1, -1);
  return /^\+?[0-9]+$|^-0+$/.test(digits) ? Math.abs(Number(digits)) : Number.NaN;
}

function indexAt(key: string | undefined): number | null {
  if (key === undefined) throw notJson();
  return indexOf(key);
}

/** null: the document's key has an escape that is none, and Go looks no further. */
function isKey(text: string, from: number, to: number, key: string): boolean | null {
  let escaped = false;
  for (let i = from; i < to && !escaped; i++) escaped = text.charCodeAt(i) === BACKSLASH;
  if (!escaped) return to - from === key.length && text.startsWith(key, from);
  const name = decodeText(text.slice(from, to));
  return name === null ? null : name === key;
}

export const emptyKey = (): KazaamError => specError('a path has an empty segment where there is no key ""');
