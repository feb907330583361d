// Reads the raw text of the value at a path: a slice of the document, or, for a wildcard, a new array of slices.

import { MALFORMED, MALFORMED_ARRAY, NOT_FOUND, plainError, requireError } from './errors.ts';
import { elements, OPEN_ARRAY, skipSpace, valueEnd, valueError } from './json-text.ts';
import { find } from './lookup.ts';
import type { Path } from './path.ts';

/**
 * The value's text; `null` if there is none, and `[]` where there is no array for a wildcard. A null that is there counts as there.
 * @throws KazaamError RequireError for what is missing, if `require`; ParseError if something on the way is not JSON, or if a
 * wildcard meets what is no array
 */
export function read(text: string, path: Path, require: boolean): string {
  const found = lookup(text, path, require);
  if (found !== null) return found;
  if (require) throw requireError();
  return path.each === null ? 'null' : '[]';
}

/** As `read`, but null for a missing value or a missing array; what elements lack is `null` or an error, as `require` says. */
export function lookup(text: string, path: Path, require: boolean): string | null {
  if (path.error !== null) throw path.error;
  const { rest } = path.each ?? {};
  if (rest !== undefined) {
    const found = arrayAt(text, path);
    if (found === null) return null;
    return `[${items(text, found).map((item) => (rest === null ? item : read(item, rest, require)))}]`;
  }
  const span = spanOf(text, path.keys, path.keys.length);
  return span === null ? null : text.slice(span.from, span.to);
}

export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Where the value at the first `count` keys stands; null if it is missing. @throws KazaamError if it is not JSON */
export function spanOf(text: string, keys: readonly string[], count: number): Span | null {
  const place = find(text, 0, text.length, keys, 0, count);
  if (place < 0) return null;
  const from = skipSpace(text, place, text.length);
  if (from === text.length) throw plainError(MALFORMED);
  const to = valueEnd(text, from, text.length);
  if (to < 0) throw valueError(to);
  return { from, to };
}

export interface ArraySpans {
  readonly open: number;
  /** Start and end of each element, in turn. */
  readonly spans: readonly number[];
}

/** The array that the keys before a path's wildcard lead to; null if it is missing. @throws KazaamError if it is no array */
export function arrayAt(text: string, path: Path): ArraySpans | null {
  const place = find(text, 0, text.length, path.keys);
  if (place < 0) return null;
  const open = skipSpace(text, place, text.length);
  if (open === text.length) throw plainError(MALFORMED);
  if (text.charCodeAt(open) !== OPEN_ARRAY) throw plainError(MALFORMED_ARRAY);
  const { spans, error } = elements(text, open + 1, text.length);
  if (error !== null) throw error;
  return { open, spans };
}

export function items(text: string, { spans }: ArraySpans): string[] {
  const out: string[] = [];
  for (let i = 0; i < spans.length; i += 2) out.push(text.slice(spans[i], spans[i + 1]));
  return out;
}

export const notFound = () => plainError(NOT_FOUND);
