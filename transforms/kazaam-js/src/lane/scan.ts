// The fast lane's one walk over a document: finds the places of many paths at once, and stops when it has them all. It takes nothing
// on trust: as soon as something is not as in any ordinary JSON document (an escape in a name, a missing comma, brackets that do
// not match), it gives up, and the general way does the work with its own rules. So both give the same, always.
// State lives in the module while a walk runs, which is never interrupted: that is measurably faster than an object.

import {
  BACKSLASH,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  skipSpace,
  valueEnd,
} from '../json-text.ts';
import { MAX_NAME, type Trie, type TrieNode } from './trie.ts';

/** Ask the general way. */
export const GIVE_UP = -1;
/** All paths were found, and the rest was not looked at. */
export const ALL_FOUND = -2;

/** Start and end of what was found for each slot, in turn: `start` is MISSING if there is none. */
export const places: number[] = [];
export const MISSING = -1;
const FINAL = -2; // missing, and later members of the same name do not count

let text = '';
let open = 0; // slots that may still be found
let slash = 0; // the next backslash at or behind where the walk is; beyond the end if there is none

/** Where the document's closing bracket stands; GIVE_UP or ALL_FOUND. `places` holds the result until the next walk. */
export function scan(document: string, trie: Trie): number {
  text = document;
  open = trie.count;
  for (let i = 0; i < 2 * open; i++) places[i] = MISSING;
  slash = nextSlash(0);
  const at = skipSpace(text, 0, text.length);
  if (text.charCodeAt(at) !== OPEN_OBJECT) return GIVE_UP;
  const end = walkObject(at + 1, trie.root);
  if (end < 0) return end;
  return skipSpace(text, end, text.length) === text.length ? end - 1 : GIVE_UP;
}

/**
 * The texts of one path in each element of an array, as a new array; null to ask the general way. `from` is the array's bracket;
 * an element that lacks the path counts as null.
 */
export function scanEach(document: string, from: number, trie: Trie): string | null {
  text = document;
  slash = nextSlash(from);
  let out = '[';
  let i = skipSpace(text, from + 1, text.length);
  if (text.charCodeAt(i) === CLOSE_ARRAY) return '[]';
  for (;;) {
    places[0] = MISSING;
    open = 2; // one more than there are, so that the walk goes to the end of the element
    const c = text.charCodeAt(i);
    i = c === OPEN_OBJECT ? walkObject(i + 1, trie.root) : plainEnd(i, c);
    if (i < 0 || (c === OPEN_ARRAY && trie.root.items.size > 0)) return null;
    out += places[0]! < 0 ? 'null' : text.slice(places[0], places[1]);
    i = skipSpace(text, i, text.length);
    const next = text.charCodeAt(i);
    if (next === CLOSE_ARRAY) return `${out}]`;
    if (next !== COMMA) return null;
    out += ',';
    i = skipSpace(text, i + 1, text.length);
  }
}

const isSpace = (c: number): boolean => c === 32 || c === 10 || c === 13 || c === 9;

function nextSlash(from: number): number {
  const at = text.indexOf('\\', from);
  return at < 0 ? text.length + 1 : at;
}

/** From behind the opening bracket to behind the closing one. */
function walkObject(from: number, node: TrieNode): number {
  let i = from;
  let c = text.charCodeAt(i);
  while (c <= 32 && isSpace(c)) c = text.charCodeAt(++i);
  if (c === CLOSE_OBJECT) return i + 1;
  for (;;) {
    if (c !== QUOTE) return GIVE_UP;
    const begin = i + 1;
    const close = text.indexOf('"', begin);
    if (close < 0 || slash < close) return GIVE_UP;
    i = close + 1;
    c = text.charCodeAt(i);
    while (c <= 32 && isSpace(c)) c = text.charCodeAt(++i);
    if (c !== COLON) return GIVE_UP;
    c = text.charCodeAt(++i);
    while (c <= 32 && isSpace(c)) c = text.charCodeAt(++i);
    const child = lookUp(node, begin, close - begin);
    i = child === null ? skipValue(i, c) : takeValue(i, c, child);
    if (i < 0) return i;
    c = text.charCodeAt(i);
    while (c <= 32 && isSpace(c)) c = text.charCodeAt(++i);
    if (c === CLOSE_OBJECT) return i + 1;
    if (c !== COMMA) return GIVE_UP;
    c = text.charCodeAt(++i);
    while (c <= 32 && isSpace(c)) c = text.charCodeAt(++i);
  }
}

function walkArray(from: number, node: TrieNode): number {
  let i = from;
  let c = text.charCodeAt(i);
  while (c <= 32 && isSpace(c)) c = text.charCodeAt(++i);
  for (let index = 0; c !== CLOSE_ARRAY; index++) {
    const child = node.items.get(index);
    i = child === undefined ? skipValue(i, c) : takeValue(i, c, child);
    if (i < 0) return i;
    c = text.charCodeAt(i);
    while (c <= 32 && isSpace(c)) c = text.charCodeAt(++i);
    if (c === CLOSE_ARRAY) break;
    if (c !== COMMA) return GIVE_UP;
    c = text.charCodeAt(++i);
    while (c <= 32 && isSpace(c)) c = text.charCodeAt(++i);
    if (c === CLOSE_ARRAY) return GIVE_UP;
  }
  return i + 1;
}

function lookUp(node: TrieNode, begin: number, length: number): TrieNode | null {
  if (length > MAX_NAME) return null;
  const list = node.byLength[length];
  if (list === undefined) return null;
  const first = text.charCodeAt(begin);
  for (let i = 0; i < list.length; i++) {
    const one = list[i]!;
    if (one.first === first && text.startsWith(one.name, begin)) return one.node;
  }
  return null;
}

/** A value that paths end at or lead through. */
function takeValue(from: number, c: number, node: TrieNode): number {
  let end: number;
  if (c === OPEN_OBJECT && node.hasNames) {
    if (node.items.size > 0) return GIVE_UP; // a name like `[0]` may be meant
    end = walkObject(from + 1, node);
  } else if (c === OPEN_ARRAY && node.items.size > 0) {
    end = walkArray(from + 1, node);
    if (end >= 0) settle(node.belowItems);
  } else {
    if (node.items.size > 0 && c === OPEN_OBJECT) return GIVE_UP;
    end = plainEnd(from, c);
    // what leads on from a scalar is missing for good; another member of the name may still hold an object
    if (c !== OPEN_OBJECT && c !== OPEN_ARRAY) {
      settle(node.below);
      settle(node.belowItems);
    }
  }
  const { slot } = node;
  if (end < 0 || slot < 0 || places[2 * slot] !== MISSING) return open === 0 && end >= 0 ? ALL_FOUND : end;
  places[2 * slot] = from;
  places[2 * slot + 1] = end;
  open--;
  return open === 0 ? ALL_FOUND : end;
}

function settle(slots: readonly number[]): void {
  for (let i = 0; i < slots.length; i++) {
    if (places[2 * slots[i]!] !== MISSING) continue;
    places[2 * slots[i]!] = FINAL;
    open--;
  }
}

/** As `skipValue`, but what is taken must be a value. */
function plainEnd(from: number, c: number): number {
  if (c === QUOTE || c === OPEN_OBJECT || c === OPEN_ARRAY) return skipValue(from, c);
  const end = valueEnd(text, from, text.length);
  return end < 0 ? GIVE_UP : end;
}

function skipValue(from: number, c: number): number {
  if (c === QUOTE) return skipString(from);
  if (c === OPEN_OBJECT || c === OPEN_ARRAY) return skipBlock(from, c);
  for (let i = from; ; i++) {
    const d = text.charCodeAt(i);
    if (d === COMMA || d === CLOSE_OBJECT || d === CLOSE_ARRAY || d <= 32) return i === from ? GIVE_UP : i;
    // also at the end, where d is NaN
    if (!(d < OPEN_OBJECT) || d === QUOTE || d === COLON || d === OPEN_ARRAY || d === BACKSLASH) return GIVE_UP;
  }
}

/** From an opening quote to behind the closing one. */
function skipString(from: number): number {
  let close = text.indexOf('"', from + 1);
  while (slash < close) {
    const behind = slash + 2;
    if (close < behind) close = text.indexOf('"', behind);
    slash = nextSlash(behind);
  }
  return close < 0 ? GIVE_UP : close + 1;
}

function skipBlock(from: number, opening: number): number {
  const closing = opening + 2;
  let level = 1;
  for (let i = from + 1; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      i = skipString(i) - 1;
      if (i < 0) return GIVE_UP;
    } else if (c === opening) level++;
    else if (c === closing && --level === 0) return i + 1;
  }
  return GIVE_UP;
}
