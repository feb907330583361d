// JSON whose numbers go through as they were written (invariant 6): one that a double cannot hold is parsed into JSON's own
// raw number, and written again as its text. JSON.rawJSON and the source of a number in a reviver are in every Node that we
// run on, and not in TypeScript's library yet.

import { type Json, survivesDouble, unsafeNumber } from '../values.ts';

interface RawJson {
  rawJSON(text: string): object;
  isRawJSON(value: unknown): boolean;
}
const raw = JSON as unknown as RawJson;
type Reviver = (this: unknown, name: string, value: unknown) => unknown;

/** @throws SyntaxError for what is no JSON */
export function parseExactly(text: string): Json {
  return (unsafeNumber(text) === null ? JSON.parse(text) : JSON.parse(text, exactly as Reviver)) as Json;
}

/** What stands in a text as JSON (an object or an array); undefined when it is not, or only begins like it. */
export function jsonIn(text: string): Json | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return parseExactly(text);
  } catch {
    return undefined;
  }
}

/** The text of a number that no double holds; null for every other value. */
export function rawNumberText(value: unknown): string | null {
  return raw.isRawJSON(value) ? (value as { readonly rawJSON: string }).rawJSON : null;
}

export function rawNumber(text: string): Json {
  return raw.rawJSON(text) as Json;
}

function exactly(_name: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined || survivesDouble(context.source)) return value;
  return raw.rawJSON(context.source);
}
