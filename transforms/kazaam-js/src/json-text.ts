// Finds where values begin and end in JSON text, without parsing it. It looks only at what it needs: that is what lets numbers,
// escapes and spaces pass untouched, and it is why text that is not JSON passes too where nobody looks at it, as in Go.
// All positions are indices of UTF-16 units; every function takes the `end` that it may not cross.

import { type KazaamError, MALFORMED, MALFORMED_ARRAY, parseError, plainError } from './errors.ts';

export const QUOTE = 34;
export const COMMA = 44;
export const COLON = 58;
export const OPEN_ARRAY = 91;
export const BACKSLASH = 92;
export const CLOSE_ARRAY = 93;
export const OPEN_OBJECT = 123;
export const CLOSE_OBJECT = 125;

/** The next place that is no JSON white space, or `end`. */
export function skipSpace(text: string, at: number, end: number): number {
  for (let i = at; i < end; i++) {
    const c = text.charCodeAt(i);
    if (c !== 32 && c !== 10 && c !== 13 && c !== 9) return i;
  }
  return end;
}

/** From behind an opening quote to behind its closing one, or -1. */
export function closeQuote(text: string, at: number, end: number): number {
  for (let i = text.indexOf('"', at); i >= 0 && i < end; i = text.indexOf('"', i + 1)) {
    let slashes = 0;
    while (i - slashes > at && text.charCodeAt(i - slashes - 1) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return i + 1;
  }
  return -1;
}

/** From an opening bracket to behind the closing one of the same kind, or -1. Brackets of the other kind are not looked at. */
export function blockEnd(text: string, at: number, end: number): number {
  const open = text.charCodeAt(at);
  const close = open + 2; // { } and [ ] are two apart
  let level = 0;
  for (let i = at; i < end; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      const next = closeQuote(text, i + 1, end);
      if (next < 0) return -1;
      i = next - 1;
    } else if (c === open) level++;
    else if (c === close && --level === 0) return i + 1;
  }
  return -1;
}

/** Whether each bracket from `at` on has its partner, and the first one has it at `last`. */
export function isClosedAt(text: string, at: number, last: number): boolean {
  const open: number[] = [];
  for (let i = at; i <= last; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      const next = closeQuote(text, i + 1, last + 1);
      if (next < 0) return false;
      i = next - 1;
    } else if (c === OPEN_OBJECT || c === OPEN_ARRAY) open.push(c + 2);
    else if (c === CLOSE_OBJECT || c === CLOSE_ARRAY) {
      if (open.pop() !== c) return false;
      if (open.length === 0) return i === last;
    }
  }
  return false;
}

/** Where a token that is no string and no container ends. */
export function tokenEnd(text: string, at: number, end: number): number {
  for (let i = at; i < end; i++) {
    const c = text.charCodeAt(i);
    if (c === COMMA || c === CLOSE_OBJECT || c === CLOSE_ARRAY || c === 32 || c === 10 || c === 13 || c === 9) return i;
  }
  return end;
}

const UNCLOSED_STRING = -1;
const UNCLOSED_ARRAY = -2;
const UNCLOSED_OBJECT = -3;
const UNKNOWN = -4;

/** Behind the value that begins at `at`, or a negative number that `valueError` explains. */
export function valueEnd(text: string, at: number, end: number): number {
  if (at >= end) return UNKNOWN;
  const c = text.charCodeAt(at);
  if (c === QUOTE) {
    const close = closeQuote(text, at + 1, end);
    return close < 0 ? UNCLOSED_STRING : close;
  }
  if (c === OPEN_OBJECT || c === OPEN_ARRAY) {
    const close = blockEnd(text, at, end);
    return close < 0 ? (c === OPEN_OBJECT ? UNCLOSED_OBJECT : UNCLOSED_ARRAY) : close;
  }
  const stop = tokenEnd(text, at, end);
  // a number is whatever begins like one: `1e400` and `01` are copied as they stand
  return c === 45 || (c >= 48 && c <= 57) || isLiteral(text, at, stop) ? stop : UNKNOWN;
}

function isLiteral(text: string, at: number, stop: number): boolean {
  const length = stop - at;
  if (length === 4) return text.startsWith('true', at) || text.startsWith('null', at);
  return length === 5 && text.startsWith('false', at);
}

export function valueError(code: number): KazaamError {
  if (code === UNCLOSED_STRING) return plainError(`Value is string, but can't find closing '"' symbol`);
  if (code === UNCLOSED_ARRAY) return plainError(MALFORMED_ARRAY);
  if (code === UNCLOSED_OBJECT) return plainError("Value looks like object, but can't find closing '}' symbol");
  return plainError('Unknown value type');
}

export interface Elements {
  /** Start and end of each element, in turn: `2 * n` numbers. */
  readonly spans: readonly number[];
  /** What stopped the walk before the closing bracket. */
  readonly error: KazaamError | null;
}

/** The elements of the array whose first element is looked for at `at`, just behind its bracket. */
export function elements(text: string, at: number, end: number): Elements {
  const spans: number[] = [];
  let i = skipSpace(text, at, end);
  if (i === end) return { spans, error: plainError(MALFORMED) };
  if (text.charCodeAt(i) === CLOSE_ARRAY) return { spans, error: null };
  for (;;) {
    i = skipSpace(text, i, end);
    if (i === end) return { spans, error: plainError(MALFORMED) };
    const stop = valueEnd(text, i, end);
    if (stop < 0) return { spans, error: valueError(stop) };
    spans.push(i, stop);
    i = skipSpace(text, stop, end);
    const c = i < end ? text.charCodeAt(i) : 0;
    if (c === CLOSE_ARRAY) return { spans, error: null };
    if (c !== COMMA) return { spans, error: plainError(MALFORMED_ARRAY) };
    i++;
  }
}

/** For text that is no JSON in a way that makes Go crash or hang. */
export const notJson = (): KazaamError => parseError('the document is not JSON');
