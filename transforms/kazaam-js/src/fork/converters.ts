// The fork's converters: each makes another value of a value. What does not fit a converter passes it unchanged where the fork lets it
// pass; where the fork prints nothing, which is not JSON, or crashes, there is an error: of the data, or of the spec for arguments.

import { type KazaamError, plainError, specError } from '../errors.ts';
import { isList, isObject, marshalText, type SpecObject, type SpecValue } from '../go-value.ts';
import { elements } from '../json-text.ts';
import { items } from '../read.ts';
import { utf8 } from '../utf8.ts';
import { sprintf } from './format-verb.ts';
import { numberOf, numberText, quote, scalarOf } from './json-value.ts';
import { compileRegex, type Replacement } from './regex.ts';

/** From the JSON text of a value to that of another. */
export type Converter = (value: string) => string;

export interface ConverterRules {
  /** The step's member `converters`. */
  readonly tables: SpecObject | null;
  /** An extension: `substr 3` goes to the end. */
  readonly substrToEnd: boolean;
}

/** @throws KazaamError SpecError for an unknown name, or arguments that it cannot do with */
export function compileConverter(name: string, args: string, rules: ConverterRules): Converter {
  const make = CONVERTERS.get(name);
  if (make === undefined) throw specError(`there is no converter "${name}"`);
  if (args === '' && NEEDS_ARGUMENT.has(name)) throw specError(`${name} needs an argument`);
  return make(args, rules);
}

const NEEDS_ARGUMENT: ReadonlySet<string> = new Set(['format', 'join', 'mapped', 'regex', 'split']);

type Make = (args: string, rules: ConverterRules) => Converter;

/** Strings only; everything else passes. */
const text =
  (change: (value: string) => string): Converter =>
  (value) => {
    const scalar = scalarOf(value);
    return typeof scalar === 'string' ? change(scalar) : value;
  };

const perCharacter = (change: (c: string) => string): Converter =>
  text((value) => quote([...value].map(change).join('')));

/** One character for one, as Go maps case: what would become several stays. */
const single = (from: string, to: string): string => ([...to].length === 1 ? to : from);

const badValue = (name: string, value: string): KazaamError =>
  plainError(`${name}: ${value.slice(0, 100)} does not fit`);

const arithmetic =
  (name: string, whole: (a: bigint, b: bigint) => bigint | null, real: (a: number, b: number) => number): Make =>
  (args) => {
    const right = numberOf(args.replace(/^(-?)\./, '$10.'));
    if (right === null) throw specError(`${name} needs a number, not "${args}"`);
    if (name === 'div' && Number(right) === 0) throw specError('div by 0');
    return (value) => {
      const left = numberOf(value);
      if (left === null) throw badValue(name, value);
      const exact = typeof left === 'bigint' && typeof right === 'bigint' ? whole(left, right) : null;
      return numberText(exact ?? real(Number(left), Number(right)));
    };
  };

/** Whole numbers stand as they are. */
const rounding =
  (round: (value: number) => number): Make =>
  () =>
  (value) => {
    const number = numberOf(value);
    return typeof number === 'number' && /[.]/.test(value) ? numberText(round(number)) : value;
  };

const CONVERTERS: ReadonlyMap<string, Make> = new Map<string, Make>([
  [
    'add',
    arithmetic(
      'add',
      (a, b) => a + b,
      (a, b) => a + b,
    ),
  ],
  [
    'mul',
    arithmetic(
      'mul',
      (a, b) => a * b,
      (a, b) => a * b,
    ),
  ],
  [
    'div',
    arithmetic(
      'div',
      (a, b) => (a % b === 0n ? a / b : null),
      (a, b) => a / b,
    ),
  ],
  ['ceil', rounding(Math.ceil)],
  ['floor', rounding(Math.floor)],
  ['round', rounding((value) => Math.sign(value) * Math.round(Math.abs(value)))],
  ['float', float],
  ['ntos', () => ntos],
  ['ston', () => ston],
  [
    'format',
    (args) => (value) => {
      const scalar = scalarOf(value);
      return scalar === undefined ? value : quote(sprintf(args, scalar));
    },
  ],
  ['lower', () => perCharacter((c) => (c === 'İ' ? 'i' : single(c, c.toLowerCase())))],
  ['upper', () => perCharacter((c) => single(c, c.toUpperCase()))],
  ['trim', () => text((value) => quote(value.replace(/^[ \t]+|[ \t]+$/g, '')))],
  ['len', () => len],
  ['substr', substr],
  ['split', (args) => text((value) => `[${value.split(args).map(marshalText)}]`)],
  ['splitn', splitn],
  ['join', join],
  ['eqs', (args) => (value) => String(value === args)],
  ['not', () => (value) => String(value === 'false')],
  ['mapped', mapped],
  ['regex', regex],
]);

function float(args: string): Converter {
  if (!/^[0-9]{1,2}$/.test(args)) throw specError(`float needs a number of digits, not "${args}"`);
  return (value) => {
    const number = numberOf(value);
    if (number === null) throw badValue('float', value);
    const digits = Number(args);
    const isLarge = typeof number === 'bigint' || Math.abs(number) >= 1e21;
    if (!isLarge) return number.toFixed(digits);
    return `${BigInt(number)}${digits === 0 ? '' : `.${'0'.repeat(digits)}`}`;
  };
}

function ntos(value: string): string {
  if (value.startsWith('"')) return value;
  if (numberOf(value) === null) throw badValue('ntos', value);
  return `"${value}"`;
}

/** Zeros before the number are dropped. */
function ston(value: string): string {
  const scalar = scalarOf(value);
  if (typeof scalar === 'number' || typeof scalar === 'bigint') return value;
  const number = typeof scalar === 'string' ? scalar.trim().replace(/^(-?)0+(?=[0-9])/, '$1') : '';
  if (numberOf(number) === null) throw badValue('ston', value);
  return number;
}

function len(value: string): string {
  if (value.startsWith('[')) return String(elements(value, 1, value.length).spans.length / 2);
  const scalar = scalarOf(value);
  return typeof scalar === 'string' ? String(utf8(scalar).length) : value;
}

function substr(args: string, { substrToEnd }: ConverterRules): Converter {
  const match = /^([0-9]+)(?:\s+([0-9]+))?$/.exec(args);
  if (match === null) throw specError(`substr needs a start and an end, not "${args}"`);
  const [, from, to] = match;
  if (to === undefined && !substrToEnd) return (value) => value;
  return text((value) => {
    const characters = [...value];
    const [start, end] = [Number(from), to === undefined ? characters.length : Number(to)];
    if (start > end || end > characters.length) {
      throw plainError(`substr ${args}: out of range, with ${characters.length} characters`);
    }
    return quote(characters.slice(start, end).join(''));
  });
}

function splitn(args: string): Converter {
  const match = /^(.+?)\s*([0-9]+)$/s.exec(args);
  const n = Number(match?.[2] ?? 0);
  if (match === null || n < 1) throw specError(`splitn needs a delimiter and a number from 1, not "${args}"`);
  const delimiter = match[1]!;
  return (value) => {
    const scalar = scalarOf(value);
    const token = typeof scalar === 'string' ? scalar.split(delimiter)[n - 1] : undefined;
    return token === undefined ? 'null' : quote(token);
  };
}

function join(args: string): Converter {
  return (value) => {
    if (!value.startsWith('[')) return value;
    const { spans } = elements(value, 1, value.length);
    const texts = items(value, { open: 0, spans }).map(scalarOf);
    return texts.every((one) => typeof one === 'string') ? quote(texts.join(args)) : value;
  };
}

function tableOf(rules: ConverterRules, kind: string, name: string): SpecValue | undefined {
  const tables = rules.tables?.get(kind);
  return isObject(tables) ? tables.get(name) : undefined;
}

function mapped(args: string, rules: ConverterRules): Converter {
  const table = tableOf(rules, 'mapped', args);
  return text((value) => {
    const found = isObject(table) ? table.get(value) : undefined;
    return quote(typeof found === 'string' ? found : value);
  });
}

function regex(args: string, rules: ConverterRules): Converter {
  const table = tableOf(rules, 'regex', args);
  if (table === undefined) throw specError(`there is no regex "${args}" among the converters`);
  const replacements = (isList(table) ? table : [table]).map((rule): Replacement => {
    const match = isObject(rule) ? rule.get('match') : undefined;
    const replace = isObject(rule) ? rule.get('replace') : undefined;
    if (typeof match !== 'string' || typeof replace !== 'string') {
      throw specError(`the regex "${args}" needs the texts "match" and "replace"`);
    }
    return compileRegex(match, replace);
  });
  return (value) => {
    const scalar = scalarOf(value);
    if (typeof scalar !== 'string') throw badValue('regex', value);
    const first = replacements.find((one) => one.matches(scalar));
    return first === undefined ? value : quote(first.replace(scalar));
  };
}
