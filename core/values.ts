// JSON values, and the one rule about them: no value changes its meaning on the way (invariant 6).
// A source that knows column types writes 64-bit integers and decimals as strings, so its rows are safe to parse.
// For rows of unknown types (files, HTTP), unsafeNumber() finds a number that would lose digits in a double.

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type Row = { readonly [column: string]: Json };

const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/**
 * True when the number written as `text` keeps its value as the double that JSON.parse makes of it: no integer beyond 2^53,
 * no more than 17 digits, nothing that becomes infinite, zero or whole on the way. (17 digits may be rounded to a shorter
 * writing of the same double, as `0.10000000000000001` is to 0.1; and -0 is 0.)
 */
export function survivesDouble(text: string): boolean {
  const value = Number(text);
  if (!Number.isFinite(value)) return false;
  if (/^-?\d+$/.test(text)) return Number.isSafeInteger(value);
  const digits = significant(text);
  if (digits === '') return true;
  if (value === 0 || digits.length > 17) return false;
  if (digits.length <= 15 || !Number.isInteger(value)) return true;
  // Of a whole number no digit may change; a double as JSON.stringify writes it (1.7976931348623157e+308) comes out again.
  return significant(BigInt(value).toString()) === digits || significant(String(value)) === digits;
}

/** The digits of a number without sign, point, exponent, and zeros at either end. */
function significant(text: string): string {
  return text
    .replace(/[eE].*$/, '')
    .replace(/[-.]/g, '')
    .replace(/^0+/, '')
    .replace(/0+$/, '');
}

/**
 * The first number in a JSON text that a double cannot hold (an integer beyond 2^53, more than 17 digits, 1e400),
 * or null. Looks at every 16th character: a run of 16 digits cannot hide from that, and an exponent is looked for apart.
 */
export function unsafeNumber(json: string): string | null {
  let suspicious = false;
  for (let i = 15; i < json.length; i += 16) {
    const c = json.charCodeAt(i);
    if (c >= 48 && c <= 57 && inLongRun(json, i)) {
      suspicious = true;
      break;
    }
  }
  if (!suspicious && !/\d[eE][+-]?\d{3}/.test(json)) return null;
  return scanNumbers(json);
}

function inLongRun(json: string, at: number): boolean {
  let from = at;
  let to = at;
  while (from > 0 && isNumberChar(json.charCodeAt(from - 1))) from--;
  while (to < json.length - 1 && isNumberChar(json.charCodeAt(to + 1))) to++;
  return to - from + 1 >= 16;
}

function isNumberChar(c: number): boolean {
  return (c >= 48 && c <= 57) || c === 46;
}

// Exact and slow: walks the text, stepping over strings. Runs only when a suspicious run of digits was seen.
function scanNumbers(json: string): string | null {
  let i = 0;
  while (i < json.length) {
    const c = json.charCodeAt(i);
    if (c === 34) {
      i = endOfString(json, i);
    } else if (c === 45 || (c >= 48 && c <= 57)) {
      NUMBER.lastIndex = i;
      const text = NUMBER.exec(json)?.[0];
      if (text === undefined) return null; // no JSON: whoever parses it says so
      if (!survivesDouble(text)) return text;
      i += text.length;
    } else {
      i++;
    }
  }
  return null;
}

function endOfString(json: string, start: number): number {
  for (let i = start + 1; i < json.length; i++) {
    const c = json.charCodeAt(i);
    if (c === 92) i++;
    else if (c === 34) return i + 1;
  }
  return json.length;
}

export function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** One text for one value, whatever the order of its keys: what keys are compared and grouped by. */
export function canonical(value: Json | undefined): string {
  if (value === undefined) return 'null';
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const row = value as Row;
  const names = Object.keys(row);
  if (names.length === 1) return `{${JSON.stringify(names[0])}:${canonical(row[names[0]!])}}`; // most keys
  return `{${names
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(row[key])}`)
    .join(',')}}`;
}
