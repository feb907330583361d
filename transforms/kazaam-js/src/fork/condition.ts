// The conditions of the fork: a small part of Go's expressions over the values of the document. Names and selectors are paths, calls are
// converters: ston("a.b") > 3. Everything is evaluated; what cannot be (a missing path, types that do not compare, bad syntax) makes
// the condition false, as in the fork. What makes the fork crash is a SpecError: a result that is no boolean, `true < false`.

import { KazaamError, specError } from '../errors.ts';
import type { Scalar } from './json-value.ts';

export interface Scope {
  /** The value at a path. @throws Undecided if it is missing or no scalar */
  path(path: string): Scalar;
  /** A converter's result for the value at a path. @throws Undecided */
  call(converter: string, path: string, args: string): Scalar;
}

/** Thrown where there is no answer; the condition is false. */
export class Undecided extends Error {}

export type Condition = (scope: Scope) => boolean;

type Expression = (scope: Scope) => Scalar;

export function compileCondition(text: string): Condition {
  let expression: Expression;
  try {
    expression = new Parser(tokensOf(text)).whole();
  } catch (error) {
    if (error instanceof Undecided) return () => false;
    throw error;
  }
  return (scope) => {
    try {
      const value = expression(scope);
      if (value === null) return false;
      if (typeof value !== 'boolean') throw specError(`the condition "${text}" is not a boolean`);
      return value;
    } catch (error) {
      if (error instanceof Undecided) return false;
      throw error;
    }
  };
}

type Token =
  | { readonly kind: 'path'; readonly text: string }
  | { readonly kind: 'value'; readonly value: Scalar }
  | { readonly kind: 'sign'; readonly text: string };

const TOKEN =
  /\s*(?:("(?:[^"\\\n]|\\.)*")|(`[^`]*`)|([0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+)|([\p{L}_][\p{L}\p{Nd}_]*(?:\.[\p{L}_][\p{L}\p{Nd}_]*|\[[0-9]+\])*)|(&&|\|\||[=!<>]=|[!<>(),-]))/uy;

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const match = TOKEN.exec(text);
    if (match === null) throw new Undecided();
    const [, string, raw, number, name, sign] = match;
    if (string !== undefined) tokens.push({ kind: 'value', value: stringOf(string) });
    else if (raw !== undefined) tokens.push({ kind: 'value', value: raw.slice(1, -1) });
    else if (number !== undefined) tokens.push({ kind: 'value', value: literal(number) });
    else if (name !== undefined) tokens.push(named(name));
    else tokens.push({ kind: 'sign', text: sign! });
  }
  return tokens;
}

function stringOf(text: string): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    throw new Undecided();
  }
}

const literal = (text: string): bigint | number => (/^[0-9]+$/.test(text) ? BigInt(text) : Number(text));

function named(name: string): Token {
  if (name === 'true' || name === 'false') return { kind: 'value', value: name === 'true' };
  return name === 'null' || name === 'nil' ? { kind: 'value', value: null } : { kind: 'path', text: name };
}

const COMPARE = new Set(['==', '!=', '<', '<=', '>', '>=']);

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Expression {
    const expression = this.#either();
    if (this.#at < this.#tokens.length) throw new Undecided();
    return expression;
  }

  #sign(...texts: readonly string[]): string | null {
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'sign' || !texts.includes(token.text)) return null;
    this.#at++;
    return token.text;
  }

  #need(text: string): void {
    if (this.#sign(text) === null) throw new Undecided();
  }

  #either(): Expression {
    let left = this.#both();
    while (this.#sign('||') !== null) left = logical(left, this.#both(), (a, b) => a || b);
    return left;
  }

  #both(): Expression {
    let left = this.#comparison();
    while (this.#sign('&&') !== null) left = logical(left, this.#comparison(), (a, b) => a && b);
    return left;
  }

  #comparison(): Expression {
    let left = this.#unary();
    for (let sign = this.#sign(...COMPARE); sign !== null; sign = this.#sign(...COMPARE)) {
      const [a, b, op] = [left, this.#unary(), sign];
      left = (scope) => compare(a(scope), op, b(scope));
    }
    return left;
  }

  #unary(): Expression {
    if (this.#sign('!') !== null) {
      const inner = this.#unary();
      return (scope) => !truth(inner(scope));
    }
    if (this.#sign('-') !== null) {
      const token = this.#tokens[this.#at++];
      if (token?.kind !== 'value' || typeof token.value === 'string') throw new Undecided();
      const { value } = token;
      if (typeof value !== 'bigint' && typeof value !== 'number') throw new Undecided();
      return () => -value;
    }
    return this.#operand();
  }

  #operand(): Expression {
    if (this.#sign('(') !== null) {
      const inner = this.#either();
      this.#need(')');
      return inner;
    }
    const token = this.#tokens[this.#at++];
    if (token?.kind === 'value') return () => token.value;
    if (token?.kind !== 'path') throw new Undecided();
    return this.#sign('(') === null ? (scope) => scope.path(token.text) : this.#call(token.text);
  }

  #call(name: string): Expression {
    const args: Expression[] = [this.#either()];
    while (this.#sign(',') !== null) args.push(this.#either());
    this.#need(')');
    const text = (value: Scalar): string => {
      if (typeof value !== 'string') throw new Undecided();
      return value;
    };
    return (scope) => {
      const [path, given] = args.map((arg) => arg(scope));
      return scope.call(name, text(path!), given === undefined ? '' : text(given));
    };
  }
}

function logical(a: Expression, b: Expression, join: (a: boolean, b: boolean) => boolean): Expression {
  return (scope) => {
    const left = a(scope);
    const right = b(scope); // also if the left side decides: a missing path counts
    if (typeof left !== 'boolean' || typeof right !== 'boolean') throw new Undecided();
    return join(left, right);
  };
}

function truth(value: Scalar): boolean {
  if (typeof value === 'boolean') return value;
  if (value === null) return false;
  throw specError('! needs a boolean');
}

function compare(a: Scalar, op: string, b: Scalar): boolean {
  if (a === null || b === null) {
    // the fork finds null equal to nothing, not even to null
    if (a === b) return op === '==';
    throw new Undecided();
  }
  const isNumber = (value: Scalar): boolean => typeof value === 'bigint' || typeof value === 'number';
  if (typeof a !== typeof b && !(isNumber(a) && isNumber(b))) throw new Undecided();
  // biome-ignore lint/suspicious/noDoubleEquals: a bigint and a number of the same value are equal only so
  if (op === '==') return a == b;
  // biome-ignore lint/suspicious/noDoubleEquals: as above
  if (op === '!=') return a != b;
  if (typeof a === 'boolean') throw specError(`invalid comparison ${a} ${op} ${b}`);
  if (op === '<') return a < b;
  if (op === '<=') return a <= b;
  return op === '>' ? a > b : a >= b;
}

/** Runs what may fail as data does. Errors of the spec stay errors. */
export function orUndecided<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof KazaamError && error.type !== 'SpecError' ? new Undecided() : error;
  }
}
