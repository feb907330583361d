// Reads JSON as Go's encoding/json does: strictly, members in their order with repeated names, lone surrogates as U+FFFD, and
// Go's messages for what is wrong. Specs are read with it, not documents.

import { KazaamError } from './errors.ts';
import type { SpecObject, SpecValue } from './go-value.ts';
import { decodeText } from './text-escapes.ts';

const MAX_DEPTH = 1000; // Go reads 10,000 levels, more than a JavaScript stack is sure to hold

/** What one object of the text holds, with repeated names. */
export type Members = readonly (readonly [name: string, value: Node])[];

/** `kind` is Go's word for it in messages. */
export type Node =
  | { readonly kind: 'null' }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'string'; readonly value: string }
  /** `places`: where each item begins in the text. */
  | { readonly kind: 'array'; readonly items: readonly Node[]; readonly places?: readonly number[] }
  | { readonly kind: 'object'; readonly members: Members };

const syntaxError = (message: string): KazaamError => new KazaamError('SpecError', message);

/** @throws KazaamError SpecError with Go's message */
export function parseSpecJson(text: string): Node {
  let at = 0;

  const fail = (where: string): never => {
    // behind the end Go sees a space; where one may stand, the end is what is wrong
    const c = [...text.slice(at, at + 2)][0] ?? (NO_SPACE.test(where) ? ' ' : undefined);
    const error = syntaxError(
      c === undefined ? 'unexpected end of JSON input' : `invalid character ${quoted(c)} ${where}`,
    );
    error.offset = at;
    throw error;
  };
  const space = (): void => {
    while (' \n\r\t'.includes(text[at] ?? 'x')) at++;
  };

  const value = (depth: number, where: string): Node => {
    if (depth > MAX_DEPTH) throw syntaxError('exceeded max depth');
    space();
    switch (text[at]) {
      case '{':
        return object(depth);
      case '[':
        return array(depth);
      case '"':
        return { kind: 'string', value: string() };
      case 't':
        return word('true', { kind: 'bool', value: true });
      case 'f':
        return word('false', { kind: 'bool', value: false });
      case 'n':
        return word('null', { kind: 'null' });
      default:
        return number(where);
    }
  };

  const object = (depth: number): Node => {
    const members: (readonly [string, Node])[] = [];
    at++;
    space();
    if (text[at] === '}') {
      at++;
      return { kind: 'object', members };
    }
    for (;;) {
      space();
      if (text[at] !== '"') fail('looking for beginning of object key string');
      const name = string();
      space();
      if (text[at] !== ':') fail('after object key');
      at++;
      members.push([name, value(depth + 1, 'looking for beginning of value')]);
      space();
      if (text[at] === '}') break;
      if (text[at] !== ',') fail('after object key:value pair');
      at++;
    }
    at++;
    return { kind: 'object', members };
  };

  const array = (depth: number): Node => {
    const items: Node[] = [];
    const places: number[] = [];
    at++;
    space();
    if (text[at] === ']') {
      at++;
      return { kind: 'array', items };
    }
    for (;;) {
      space();
      places.push(at);
      items.push(value(depth + 1, 'looking for beginning of value'));
      space();
      if (text[at] === ']') break;
      if (text[at] !== ',') fail('after array element');
      at++;
    }
    at++;
    return { kind: 'array', items, places };
  };

  const string = (): string => {
    const from = ++at;
    for (; text[at] !== '"'; at++) {
      if (at >= text.length || text.charCodeAt(at) < 32) fail('in string literal');
      if (text[at] !== '\\') continue;
      at++;
      if (text[at] === 'u') {
        for (let k = 0; k < 4; k++) {
          at++;
          if (!/[0-9A-Fa-f]/.test(text[at] ?? '')) fail('in \\u hexadecimal character escape');
        }
      } else if (!'"\\/bfnrt'.includes(text[at] ?? 'x')) fail('in string escape code');
    }
    return (decodeText(text.slice(from, at++)) ?? '').toWellFormed();
  };

  const word = (literal: string, node: Node): Node => {
    for (let k = 1; k < literal.length; k++) {
      at++;
      if (text[at] !== literal[k]) fail(`in literal ${literal} (expecting ${quoted(literal[k]!)})`);
    }
    at++;
    return node;
  };

  const digits = (where: string): void => {
    if (!isDigit(text[at])) fail(where);
    while (isDigit(text[at])) at++;
  };

  const number = (where: string): Node => {
    const from = at;
    if (text[at] !== '-' && !isDigit(text[at])) fail(where);
    if (text[at] === '-') at++;
    if (text[at] === '0') at++;
    else digits('in numeric literal');
    if (text[at] === '.') {
      at++;
      digits('after decimal point in numeric literal');
    }
    if (text[at] === 'e' || text[at] === 'E') {
      at++;
      if (text[at] === '+' || text[at] === '-') at++;
      digits('in exponent of numeric literal');
    }
    return { kind: 'number', text: text.slice(from, at) };
  };

  const root = value(1, 'looking for beginning of value');
  space();
  if (at < text.length) fail('after top-level value');
  return root;
}

const NO_SPACE = /^in (?!string literal)|^after decimal point/;

const isDigit = (c: string | undefined): boolean => c !== undefined && c >= '0' && c <= '9';

function quoted(c: string): string {
  if (c === "'") return "'\\''";
  return c === '"' ? `'"'` : `'${JSON.stringify(c).slice(1, -1)}'`;
}

/** As a value; of a repeated name the last counts. @throws KazaamError for a number that no double holds */
export function readValue(node: Node): SpecValue {
  switch (node.kind) {
    case 'null':
      return null;
    case 'number':
      return numberOf(node.text);
    case 'array':
      return node.items.map(readValue);
    case 'object':
      return objectOf(node.members);
    default:
      return node.value;
  }
}

export function objectOf(members: Members): SpecObject {
  return new Map(members.map(([name, one]) => [name, readValue(one)]));
}

function numberOf(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value)) return value;
  throw syntaxError(`json: cannot unmarshal number ${text} into Go value of type float64`);
}
