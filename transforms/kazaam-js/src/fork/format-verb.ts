// Go's fmt.Sprintf for one value: what the converter `format` does. Flags, width and precision; the verbs v d s q t f e g x X o b c U;
// and Go's texts for what does not fit: %!s(int64=5), %!(EXTRA int64=1).

import { displayNumber } from '../go-value.ts';
import { utf8 } from '../utf8.ts';
import type { Scalar } from './json-value.ts';

const VERB = /%([-+# 0]*)([0-9]*)(?:\.([0-9]*))?(.|$)/gsu;

export function sprintf(format: string, value: Scalar): string {
  let used = false;
  const out = format.replace(VERB, (_whole, flags: string, width: string, precision: string | undefined, verb) => {
    if (verb === '%') return '%';
    if (verb === '') return '%!(NOVERB)';
    if (used) return `%!${verb}(MISSING)`;
    used = true;
    const digits = precision === undefined ? null : Number(precision || '0');
    const text = show(value, verb, digits, flags) ?? `%!${verb}(${typeName(value)})`;
    return padded(text, flags, Number(width || '0'), typeof value === 'bigint' || typeof value === 'number');
  });
  return used ? out : `${out}%!(EXTRA ${typeName(value)})`;
}

/** `int64=5`; nil has no type. */
function typeName(value: Scalar): string {
  if (value === null) return '<nil>';
  const names: Readonly<Record<string, string>> = {
    bigint: 'int64',
    number: 'float64',
    string: 'string',
    boolean: 'bool',
  };
  return `${names[typeof value]}=${show(value, 'v', null, '')}`;
}

/** null: this verb does not fit. */
function show(value: Scalar, verb: string, digits: number | null, flags: string): string | null {
  if (value === null) return verb === 'v' ? '<nil>' : null;
  if (typeof value === 'boolean') return verb === 'v' || verb === 't' ? String(value) : null;
  if (typeof value === 'string') return showText(value, verb, digits);
  const text = typeof value === 'bigint' ? showInteger(value, verb, flags) : showFloat(value, verb, digits);
  if (text === null || text.startsWith('-')) return text;
  return flags.includes('+') ? `+${text}` : flags.includes(' ') ? ` ${text}` : text;
}

function showText(value: string, verb: string, digits: number | null): string | null {
  const cut = digits === null ? value : [...value].slice(0, digits).join('');
  if (verb === 'v' || verb === 's') return cut;
  if (verb === 'q') return JSON.stringify(cut);
  if (verb !== 'x' && verb !== 'X') return null;
  const hex = utf8(cut)
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
  return verb === 'x' ? hex : hex.toUpperCase();
}

function showInteger(value: bigint, verb: string, flags: string): string | null {
  const sharp = (prefix: string): string => (flags.includes('#') ? prefix : '');
  const based = (base: number, prefix: string): string => {
    const digits = (value < 0n ? -value : value).toString(base);
    return `${value < 0n ? '-' : ''}${sharp(prefix)}${digits}`;
  };
  switch (verb) {
    case 'v':
    case 'd':
      return String(value);
    case 'b':
      return based(2, '0b');
    case 'o':
      return based(8, '0');
    case 'x':
      return based(16, '0x');
    case 'X':
      return based(16, '0x').toUpperCase();
    case 'c':
      return value >= 0n && value <= 0x10ffffn ? String.fromCodePoint(Number(value)) : '\ufffd';
    case 'q':
      return `'${String.fromCodePoint(Number(value))}'`;
    case 'U':
      return `U+${value.toString(16).toUpperCase().padStart(4, '0')}`;
    default:
      return null;
  }
}

function showFloat(value: number, verb: string, digits: number | null): string | null {
  const exponent = (text: string): string => text.replace(/e([+-])(\d)$/, 'e$10$2');
  switch (verb) {
    case 'v':
    case 'g':
    case 'G': {
      if (digits === null) return displayNumber(value);
      const text = exponent(value.toPrecision(Math.min(100, Math.max(1, digits))));
      return text.includes('.') ? text.replace(/\.?0+(e|$)/, '$1') : text;
    }
    case 'f':
    case 'F':
      return value.toFixed(Math.min(100, digits ?? 6));
    case 'e':
      return exponent(value.toExponential(Math.min(100, digits ?? 6)));
    case 'E':
      return exponent(value.toExponential(Math.min(100, digits ?? 6))).toUpperCase();
    default:
      return null;
  }
}

function padded(text: string, flags: string, width: number, isNumber: boolean): string {
  const missing = Math.min(width, 10_000) - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  if (!flags.includes('0') || !isNumber) return ' '.repeat(missing) + text;
  const sign = /^[+-]/.exec(text)?.[0] ?? '';
  return sign + '0'.repeat(missing) + text.slice(sign.length);
}
