// The values that conditions and converters work on, from the JSON text of a document and back.

import { plainError } from '../errors.ts';
import { displayNumber } from '../go-value.ts';

/** An integer is exact, however long; `1e3` is one too. */
export type Scalar = null | boolean | string | bigint | number;

/** undefined for objects, arrays and what is not JSON. */
export function scalarOf(text: string): Scalar | undefined {
  const c = text[0] ?? '';
  if (c === '{' || c === '[') return undefined;
  if (c === '-' || (c >= '0' && c <= '9')) return numberOf(text) ?? undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value.toWellFormed() : (value as Scalar);
  } catch {
    return undefined;
  }
}

/** null for what is no JSON number. */
export function numberOf(text: string): bigint | number | null {
  if (!/^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/.test(text)) return null;
  if (/^-?[0-9]+$/.test(text)) return BigInt(text);
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

/** A number as JSON: whole numbers with all their digits. */
export function numberText(value: bigint | number): string {
  if (typeof value === 'bigint') return String(value);
  if (!Number.isFinite(value)) throw plainError(`a number became ${displayNumber(value)}`);
  return Number.isInteger(value) ? String(BigInt(value)) : String(value);
}

const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** A JSON string with what cannot be printed escaped, as the fork has it where that is JSON. */
export function quote(text: string): string {
  const escaped = text.replace(/["\\]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (c) => {
    const short = SHORT[c];
    if (short !== undefined) return short;
    return [...Array(c.length).keys()].map((i) => `\\u${c.charCodeAt(i).toString(16).padStart(4, '0')}`).join('');
  });
  return `"${escaped}"`;
}
