// Values of a spec, as Go sees them: objects that keep the order of their members (also of `"10"` and `"9"`, which a JavaScript
// object would sort), the texts that Go's encoding/json makes of them, and the texts that its %v prints in messages.

/** An object of a spec. A name that comes twice keeps its first place and its last value. */
export type SpecObject = ReadonlyMap<string, SpecValue>;
export type SpecValue = null | boolean | number | string | readonly SpecValue[] | SpecObject;

export const isObject = (value: SpecValue | undefined): value is SpecObject => value instanceof Map;
export const isList = (value: SpecValue | undefined): value is readonly SpecValue[] => Array.isArray(value);

/** From plain JavaScript values, as JSON.stringify would take them. */
export function specValue(value: unknown): SpecValue {
  if (value === null || value === undefined) return null;
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value;
    throw new TypeError(`a spec cannot hold ${value}`);
  }
  if (Array.isArray(value)) return value.map(specValue);
  if (value instanceof Map)
    return new Map([...value].map(([name, one]) => [String(name).toWellFormed(), specValue(one)]));
  if (typeof value === 'object') {
    const members = Object.entries(value).filter(([, one]) => one !== undefined);
    return new Map(members.map(([name, one]) => [name.toWellFormed(), specValue(one)]));
  }
  throw new TypeError(`a spec cannot hold a ${typeof value}`);
}

/** Go's json.Marshal: members sorted by their bytes, `<`, `>` and `&` escaped, numbers as doubles (`-0` stays `-0`). */
export function marshal(value: SpecValue): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value === 'string') return marshalText(value);
  if (isList(value)) return `[${value.map(marshal)}]`;
  const members = [...(value as SpecObject)].sort(([a], [b]) => compareBytes(a, b));
  return `{${members.map(([name, one]) => `${marshalText(name)}:${marshal(one)}`)}}`;
}

const ESCAPES: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

export function marshalText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what Go escapes
  const escaped = text.replace(/["\\<>&\u0000-\u001f\u2028\u2029]/g, (c) => {
    return ESCAPES[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return `"${escaped.toWellFormed()}"`;
}

/** By UTF-8 bytes, which is by code points. */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    // surrogates stand for what comes after all other units
    if (x !== y) return (isSurrogate(x) ? x + 0x10000 : x) - (isSurrogate(y) ? y + 0x10000 : y);
  }
  return a.length - b.length;
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff;

/** Go's %v. */
export function display(value: SpecValue | undefined): string {
  if (value === null || value === undefined) return '<nil>';
  if (typeof value === 'number') return displayNumber(value);
  if (isList(value)) return `[${value.map(display).join(' ')}]`;
  if (isObject(value)) {
    const members = [...value].sort(([a], [b]) => compareBytes(a, b));
    return `map[${members.map(([name, one]) => `${name}:${display(one)}`).join(' ')}]`;
  }
  return String(value);
}

/** Shortest digits, with an exponent of at least two digits below 1e-4 and from 1e6 on. */
export function displayNumber(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [digits = '', power = ''] = value.toExponential().split('e');
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 6) return String(value);
  return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}
