// Writes a value's text at a path, by splicing it into the document's text. What is there is replaced; what is missing is built.
// Go's rules, with three mended: keys are escaped, an index where an object stands is an error instead of broken JSON, and the
// number of nulls that an index asks for has a limit.

import { type KazaamError, parseError, specError } from './errors.ts';
import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  elements,
  isClosedAt,
  notJson,
  OPEN_ARRAY,
  OPEN_OBJECT,
  skipSpace,
} from './json-text.ts';
import { emptyKey } from './lookup.ts';
import { below, type Path, targetIndex } from './path.ts';
import { arrayAt, notFound, type Span, spanOf } from './read.ts';
import { escapeText } from './text-escapes.ts';

/** The most places that an index may be beyond the end of an array. Go has no limit, and takes gigabytes. */
export const MAX_PADDING = 100_000;

/**
 * The document with `value` at `path`. The same value is written at every place that a wildcard stands for.
 * @throws KazaamError `Key path not found` if the root is no object or a wildcard's array is missing; a type conflict; no JSON
 */
export function write(text: string, path: Path, value: string): string {
  if (path.error !== null) throw path.error;
  if (path.each !== null) return writeEach(text, path, path.each.rest, value);
  const { keys } = path;
  const there = spanOf(text, keys, keys.length);
  if (there !== null) return splice(text, there.from, there.to, value);
  let count = 0;
  let deepest: Span | null = null;
  for (; count < keys.length; count++) {
    const next = spanIfAny(text, keys, count + 1);
    if (next === null) break;
    deepest = next;
  }
  return deepest === null ? addToRoot(text, keys, value) : addBelow(text, deepest, keys.slice(count), value);
}

function writeEach(text: string, path: Path, rest: Path | null, value: string): string {
  const found = arrayAt(text, path);
  if (found === null) throw notFound();
  const { spans } = found;
  const out: string[] = [];
  let from = 0;
  for (let i = 0; i < spans.length; i += 2) {
    const start = spans[i]!;
    const end = spans[i + 1]!;
    // in an array of its own, an element is a place like any other: it may be replaced, whatever it is
    const own = rest === null ? value : write(`[${text.slice(start, end)}]`, below(FIRST, rest), value).slice(1, -1);
    out.push(text.slice(from, start), own);
    from = end;
  }
  return out.join('') + text.slice(from);
}

const FIRST = ['[0]'];

/** A part of the way that is not JSON counts as not there: it is overwritten. */
function spanIfAny(text: string, keys: readonly string[], count: number): Span | null {
  try {
    return spanOf(text, keys, count);
  } catch {
    return null;
  }
}

/** Nothing of the path is there: the value becomes the last member of the root. */
function addToRoot(text: string, keys: readonly string[], value: string): string {
  const first = skipSpace(text, 0, text.length);
  if (first === text.length) throw notJson();
  if (text.charCodeAt(first) !== OPEN_OBJECT) throw notFound();
  const member = memberText(keys, value);
  let last = text.length - 1;
  while (' \n\r\t'.includes(text[last]!)) last--;
  if (!isClosedAt(text, first, last)) throw notJson();
  const isEmpty = text.charCodeAt(skipSpace(text, first + 1, text.length)) === CLOSE_OBJECT;
  return splice(text, last, last, isEmpty ? member : `,${member}`);
}

/** The value at `span` is as far as the path leads; `keys` is what is missing. */
function addBelow(text: string, { from, to }: Span, keys: readonly string[], value: string): string {
  const c = text.charCodeAt(from);
  const inside = text.charCodeAt(skipSpace(text, from + 1, to));
  if (c === OPEN_OBJECT && inside !== CLOSE_OBJECT) {
    return splice(text, to - 1, to - 1, `,${memberText(keys, value)}`);
  }
  const index = indexOrName(keys[0]!);
  if (c === OPEN_ARRAY && inside !== CLOSE_ARRAY && index !== null) {
    const item = build(keys.slice(1), value);
    if (index === '-') return splice(text, from + 1, from + 1, `${item},`);
    if (index === '+') return splice(text, to - 1, to - 1, `,${item}`);
    const { spans, error } = elements(text, from + 1, to);
    if (error !== null) throw error;
    const end = spans.at(-1)!;
    return splice(text, end, end, `${padding(index - spans.length / 2, ',null')},${item}`);
  }
  return splice(text, from, to, build(keys, value)); // an empty container, or a scalar: it is overwritten
}

function memberText(keys: readonly string[], value: string): string {
  if (indexOrName(keys[0]!) !== null) throw conflict(keys[0]!);
  return `"${escapeText(keys[0]!)}":${build(keys.slice(1), value)}`;
}

/** `value` at the end of objects and arrays that are made for `keys`. */
export function build(keys: readonly string[], value: string): string {
  let out = value;
  for (let i = keys.length - 1; i >= 0; i--) {
    const index = indexOrName(keys[i]!);
    if (index === null) out = `{"${escapeText(keys[i]!)}":${out}}`;
    else out = `[${typeof index === 'number' ? padding(index, 'null,') : ''}${out}]`;
  }
  return out;
}

function indexOrName(key: string): number | '+' | '-' | null {
  if (key === '') throw emptyKey();
  return targetIndex(key);
}

function padding(count: number, item: string): string {
  if (count > MAX_PADDING)
    throw specError(`an index is ${count} places beyond the end, and the limit is ${MAX_PADDING}`);
  return item.repeat(Math.max(0, count));
}

const conflict = (key: string): KazaamError => parseError(`${key} is a place in an array, and an object stands there`);

const splice = (text: string, from: number, to: number, value: string): string =>
  text.slice(0, from) + value + text.slice(to);
