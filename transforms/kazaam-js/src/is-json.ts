// Go's two looks at a text: a whole validation, and a walk over the structure alone. And the elements of an array's text.

import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  closeQuote,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  skipSpace,
  valueEnd,
} from './json-text.ts';
import { arrayAt, items } from './read.ts';

/** Whether this is the JSON text of an object, or `null`; arrays and scalars are not, as in Go. */
export function isJson(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** Whether an object or array stands at the start. Values are only looked at by their first character, and what follows is not. */
export function isJsonFast(text: string): boolean {
  const at = skipSpace(text, 0, text.length);
  return containerEnd(text, at) >= 0;
}

/** -1 if it is none. Iterative, so that depth costs no stack. */
function containerEnd(text: string, from: number): number {
  const open: number[] = [];
  let at = from;
  do {
    at = skipSpace(text, at, text.length);
    const c = text.charCodeAt(at);
    const inside = open.at(-1);
    if (c === OPEN_OBJECT || c === OPEN_ARRAY) {
      open.push(c);
      at = skipSpace(text, at + 1, text.length);
      if (text.charCodeAt(at) !== c + 2) {
        if (c === OPEN_OBJECT) at = behindColon(text, at);
        if (at < 0) return -1;
        continue;
      }
    } else if (inside === undefined) return -1;
    else {
      const end = valueEnd(text, at, text.length);
      if (end < 0) return -1;
      at = skipSpace(text, end, text.length);
    }
    at = behindComma(text, at, open);
    if (at < 0) return -1;
  } while (open.length > 0);
  return at;
}

/** Closes what ends here, and goes behind the comma to the next value. */
function behindComma(text: string, from: number, open: number[]): number {
  let at = from;
  while (open.length > 0 && text.charCodeAt(at) === open.at(-1)! + 2) {
    open.pop();
    at = skipSpace(text, at + 1, text.length);
  }
  if (open.length === 0) return at;
  if (text.charCodeAt(at) !== COMMA) return -1;
  at = skipSpace(text, at + 1, text.length);
  if (open.at(-1) === OPEN_ARRAY) return text.charCodeAt(at) === CLOSE_ARRAY ? -1 : at;
  if (text.charCodeAt(at) === CLOSE_OBJECT) return behindComma(text, at, open); // {"a":1,} passes
  return behindColon(text, at);
}

function behindColon(text: string, at: number): number {
  if (text.charCodeAt(at) !== QUOTE) return -1;
  const close = closeQuote(text, at + 1, text.length);
  if (close < 0) return -1;
  const colon = skipSpace(text, close, text.length);
  return text.charCodeAt(colon) === COLON ? colon + 1 : -1;
}

/** The texts of the elements of an array. @throws KazaamError if it is none */
export function arrayItems(text: string): string[] {
  const found = arrayAt(text, { keys: [], each: null, error: null });
  return found === null ? [] : items(text, found);
}
