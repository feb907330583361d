// Takes the value at a path out of the document's text, with its key and one comma. Unlike in Go, spaces between a value and the
// next comma or bracket do no harm, nor do spaces before the document.

import { requireError, specError } from './errors.ts';
import {
  blockEnd,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  closeQuote,
  elements,
  notJson,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  skipSpace,
  tokenEnd,
  valueEnd,
} from './json-text.ts';
import { below, type Path } from './path.ts';
import { arrayAt, items, spanOf } from './read.ts';
import { decodeText } from './text-escapes.ts';

export interface RemoveRules {
  /** An extension: a path may have wildcards. */
  readonly wildcards: boolean;
  readonly require: boolean;
}

/**
 * The document without what stands at `path`; only the first member of a name goes. The same text if there is nothing.
 * @throws KazaamError RequireError if there is nothing and `require`; SpecError for a wildcard; ParseError if it is not JSON
 */
export function remove(text: string, path: Path, rules: RemoveRules): string {
  if (path.error !== null) throw path.error;
  if (path.each !== null) {
    if (!rules.wildcards) throw specError('Array wildcard not supported for this operation.');
    return removeEach(text, path, path.each.rest, rules);
  }
  const { keys } = path;
  if (rules.require && spanOf(text, keys, keys.length) === null) throw requireError();
  const last = keys.at(-1)!;
  const holder = keys.length === 1 ? wholeOf(text) : holderOf(text, keys);
  if (holder === null) return text;
  const [from, to] = holder;
  if (text.charCodeAt(from) === OPEN_ARRAY && isRawIndex(last)) return removeElement(text, from, to, last);
  return removeMember(text, from, to, last);
}

function removeEach(text: string, path: Path, rest: Path | null, rules: RemoveRules): string {
  const found = arrayAt(text, path);
  if (found === null) {
    if (rules.require) throw requireError();
    return text;
  }
  const kept = rest === null ? [] : items(text, found).map((item) => removeIn(item, rest, rules));
  const end = blockEnd(text, found.open, text.length);
  return `${text.slice(0, found.open)}[${kept}]${text.slice(end)}`;
}

/** In an array of its own, an element is a place like any other. */
const removeIn = (item: string, path: Path, rules: RemoveRules): string =>
  remove(`[${item}]`, below(['[0]'], path), rules).slice(1, -1);

function wholeOf(text: string): readonly [number, number] {
  return [skipSpace(text, 0, text.length), text.length];
}

function holderOf(text: string, keys: readonly string[]): readonly [number, number] | null {
  const span = spanOf(text, keys, keys.length - 1);
  return span === null ? null : [span.from, span.to];
}

function isRawIndex(key: string): boolean {
  return key.charCodeAt(0) === OPEN_ARRAY;
}

function removeElement(text: string, from: number, to: number, key: string): string {
  const digits = key.slice(1, -1);
  if (!/^[+-]?[0-9]+$/.test(digits)) return text;
  const { spans, error } = elements(text, from + 1, to);
  const start = spans[2 * Number(digits)];
  if (start === undefined) {
    if (error !== null && blockEnd(text, from, to) < 0) throw notJson();
    return text;
  }
  return cut(text, start, spans[2 * Number(digits) + 1]!, CLOSE_ARRAY);
}

/** Walks the members of one object. Text that is no member is passed over, as Go does, and so an array or a scalar has none. */
function removeMember(text: string, from: number, to: number, key: string): string {
  const first = text.charCodeAt(from);
  for (let i = first === OPEN_OBJECT || first === OPEN_ARRAY ? from + 1 : from; i < to; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      const close = closeQuote(text, i + 1, to);
      if (close < 0) continue;
      const colon = skipSpace(text, close, to);
      const raw = text.slice(i + 1, close - 1);
      if (text.charCodeAt(colon) === COLON && (raw.includes('\\') ? decodeText(raw) : raw) === key) {
        const value = skipSpace(text, colon + 1, to);
        const end = valueEnd(text, value, to);
        if (end < 0 && QUOTED_OR_OPEN.has(text.charCodeAt(value))) throw notJson();
        return cut(text, i, end < 0 ? tokenEnd(text, value, to) : end, CLOSE_OBJECT);
      }
      i = colon;
    } else if (c === OPEN_OBJECT || c === OPEN_ARRAY) {
      const end = blockEnd(text, i, to);
      if (end < 0) throw notJson(); // Go never ends here
      i = end - 1;
    }
  }
  return text;
}

const QUOTED_OR_OPEN: ReadonlySet<number> = new Set([QUOTE, OPEN_OBJECT, OPEN_ARRAY]);

/** Cuts [from, to) and one comma: the one behind it, or for the last of its container the one before it. */
function cut(text: string, from: number, to: number, closing: number): string {
  const next = skipSpace(text, to, text.length);
  if (next === text.length) throw notJson();
  const c = text.charCodeAt(next);
  if (c === COMMA) return text.slice(0, from) + text.slice(next + 1);
  if (c === closing) {
    let before = from - 1;
    while (before >= 0 && ' \n\r\t'.includes(text[before]!)) before--;
    if (text.charCodeAt(before) === COMMA) return text.slice(0, before) + text.slice(to);
  }
  return text.slice(0, from) + text.slice(to);
}
