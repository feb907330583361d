// What was taken out of an event at one place must not stand at another: in a full name, a note, a header, in JSON that stands
// as text however it is escaped, in a URL.
// Guarantee: no value of four characters or more that was taken out stands in any decoded text of the result; one of two or
// three is no whole value of it. A single character is not looked for: it is part of everything.

import type { Json } from '../values.ts';
import { jsonIn, rawNumber, rawNumberText } from './exact-json.ts';
import { tokenOfNumber, tokenOfRawNumber } from './tokens.ts';

/** Shorter ones are part of too many texts that have nothing to do with them. */
const SHORTEST_WITHIN = 4;
const SHORTEST_WHOLE = 2;

/** `raws`: what was taken out, with its token. The envelope's own keys and the names of columns stay. */
export function withoutRaws(value: Json, raws: ReadonlyMap<string, string>, key: Buffer): Json {
  const long = [...raws].filter(([raw]) => raw.length >= SHORTEST_WITHIN).sort(([a], [b]) => b.length - a.length);
  const whole = new Map([...raws].filter(([raw]) => raw.length >= SHORTEST_WHOLE));
  if (whole.size === 0) return value;
  const forms = long.flatMap(formsOf);
  let escaped: ReturnType<typeof escapedForms> | null = null;

  const inText = (text: string, depth: number): string => {
    const inner = jsonIn(text);
    if (inner !== undefined) {
      const cleaned = clean(inner, depth + 2);
      const [was, is] = [JSON.stringify(inner), JSON.stringify(cleaned)];
      return was === is ? text : is;
    }
    const token = depth < 2 ? undefined : whole.get(text);
    if (token !== undefined) return token;
    const rest = forms.reduce((left, [form, shown]) => left.replaceAll(form, () => shown), text);
    if (!rest.includes('\\')) return rest;
    escaped ??= escapedForms(long);
    return escaped.reduce((left, [form, shown]) => left.replaceAll(form, () => shown), rest);
  };
  const clean = (one: Json, depth: number): Json => {
    if (typeof one === 'string') return inText(one, depth);
    if (typeof one === 'number') return whole.has(String(one)) && depth >= 2 ? tokenOfNumber(one, key) : one;
    if (one === null || typeof one !== 'object') return one;
    const number = rawNumberText(one);
    if (number !== null) return whole.has(number) ? rawNumber(tokenOfRawNumber(number, key)) : one;
    if (Array.isArray(one)) return one.map((each: Json) => clean(each, depth + 1));
    // below the names of columns a key may be data
    return Object.fromEntries(
      Object.entries(one).map(([name, inner]) => [depth < 2 ? name : inText(name, depth), clean(inner, depth + 1)]),
    );
  };
  return clean(value, 0);
}

/** As it is, as part of a URL, and as base64 of its own. */
function formsOf([raw, token]: readonly [string, string]): [string, string][] {
  const forms: [string, string][] = [[raw, token]];
  const [url, shown] = [raw, token].map((text) => encodeURIComponent(text.toWellFormed())) as [string, string];
  if (url !== raw) forms.push([url, shown], [url.replaceAll('%20', '+'), shown.replaceAll('%20', '+')]);
  const [base64, other] = [raw, token].map((text) => Buffer.from(text).toString('base64').replace(/=+$/, ''));
  forms.push([base64!, other!]);
  return forms;
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '\b': 'b',
  '\f': 'f',
  '\n': 'n',
  '\r': 'r',
  '\t': 't',
};

// A text that holds JSON and more (a line of a log, an error's message) cannot be parsed. Each character is looked for in
// every form that JSON has for it, at any depth of escaping.
function escapedForms(long: readonly (readonly [string, string])[]): [RegExp, string][] {
  return long.map(([raw, token]) => {
    const units = raw.split('').map((unit) => {
      const hex = unit.charCodeAt(0).toString(16).padStart(4, '0');
      const digits = hex.replaceAll(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
      const short = SHORT_ESCAPES[unit] ?? ('"\\/'.includes(unit) ? `\\u${hex}` : null);
      return `(?:\\u${hex}|\\\\+u${digits}${short === null ? '' : `|\\\\+${short}`})`;
    });
    // What would end a string stands for itself in no depth of escaping: a point stands there instead.
    return [new RegExp(units.join(''), 'g'), token.replaceAll(/["\\\p{Cc}]/gu, '.')];
  });
}
