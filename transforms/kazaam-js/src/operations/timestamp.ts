// timestamp: reads times by one Go layout and prints them by another. `$unix` is seconds since 1970 as text, `$now` the clock.
// An array is read and printed element by element; what is null or missing in it stays as it is.

import type { Context, Operation } from '../context.ts';
import { parseError, plainError, requireError, specError } from '../errors.ts';
import { display, isObject, type SpecObject, type SpecValue } from '../go-value.ts';
import { elements, OPEN_ARRAY, QUOTE } from '../json-text.ts';
import { compilePath, type Path } from '../path.ts';
import { lookup } from '../read.ts';
import type { StepSpec } from '../spec.ts';
import { decodeText, escapeText } from '../text-escapes.ts';
import { formatTime, type ZonedTime } from '../time/format.ts';
import { fromUnix, fromUnixMillis, unixMillis, unixSeconds } from '../time/instant.ts';
import { parseTime } from '../time/parse.ts';
import { write } from '../write.ts';

const RFC3339 = '2006-01-02T15:04:05Z07:00';

export function timestamp(step: StepSpec, context: Context, spec: SpecObject): Operation {
  const operations = [...spec].map(([path, formats]) => {
    try {
      return stamp(path, formats, step, context);
    } catch (error) {
      return (): string => {
        throw error;
      };
    }
  });
  return (text) => operations.reduce((out, one) => one(out), text);
}

function stamp(target: string, formats: SpecValue, step: StepSpec, context: Context): Operation {
  if (!isObject(formats)) throw specError(`Warn: Invalid spec. Unable to get value for key: ${target}`);
  const input = formats.get('inputFormat');
  const output = formats.get('outputFormat');
  if (typeof input !== 'string') {
    throw specError(`Warn: Invalid spec. Unable to get "inputFormat" for key: ${target}`);
  }
  if (typeof output !== 'string') {
    throw specError(`Warn: Invalid spec. Unable to get "outputFormat" for key: ${target}`);
  }
  const path = compilePath(target, step.keySeparator);
  if (input === '$now') {
    return (text) => write(text, path, print(parseTime(RFC3339, context.now(), context.zone), output, context));
  }
  const convert = (raw: string): string => print(parse(raw, input, context), output, context);
  return (text) => {
    const value = lookup(text, path, step.require);
    if (value === null && step.require) throw requireError();
    if (value === null || value === 'null') return text;
    const first = value.charCodeAt(0);
    if (first === QUOTE) return write(text, path, convert(inner(value, context)));
    if (first === OPEN_ARRAY) return stampEach(text, value, target, path, step, convert, context);
    if (context.has('unix-numbers') && isNumber(value)) return write(text, path, convert(value));
    throw parseError(`Warn: Unknown type in message for key: ${display(formats)}`);
  };
}

function stampEach(
  text: string,
  value: string,
  target: string,
  path: Path,
  step: StepSpec,
  convert: (raw: string) => string,
  context: Context,
): string {
  const { spans, error } = elements(value, 1, value.length);
  if (error !== null) throw error;
  let out = text;
  for (let i = 0; i < spans.length; i += 2) {
    const item = value.slice(spans[i], spans[i + 1]);
    if (item === 'null') continue;
    // a star stands for the number of the element, wherever it is; without one the elements are converted where they are
    const place = target.includes('*')
      ? compilePath(target.replaceAll('*', String(i / 2)), step.keySeparator)
      : { ...path, keys: [...path.keys, `[${i / 2}]`] };
    out =
      item.charCodeAt(0) === OPEN_ARRAY && target.includes('[*]') && context.has('wildcard-pairs')
        ? stampEach(out, item, target.replace('[*]', `[${i / 2}]`), place, step, convert, context)
        : write(out, place, convert(inner(item, context)));
  }
  return out;
}

const isNumber = (value: string): boolean => /^-?[0-9]/.test(value);

/** A string without its quotes, and with its escapes unless they are to be read. */
function inner(value: string, context: Context): string {
  if (value.charCodeAt(0) !== QUOTE) return value;
  const raw = value.slice(1, -1);
  return context.has('unescape-times') ? (decodeText(raw) ?? raw) : raw;
}

function parse(value: string, layout: string, context: Context): ZonedTime {
  if (layout === '$unix') return { time: fromUnix(int64(value)), zone: context.zone };
  if (layout === '$unixext' && context.has('unix-numbers')) {
    return { time: fromUnixMillis(int64(value)), zone: context.zone };
  }
  return parseTime(layout, value, context.zone);
}

/** As JSON. */
function print(time: ZonedTime, layout: string, context: Context): string {
  const quote = context.has('numeric-unix') ? '' : '"';
  if (layout === '$unix') return `${quote}${unixSeconds(time.time)}${quote}`;
  if (layout === '$unixext' && context.has('unix-numbers')) return `${quote}${unixMillis(time.time)}${quote}`;
  return `"${escapeText(formatTime(time, layout))}"`;
}

function int64(text: string): bigint {
  if (!/^[+-]?[0-9]+$/.test(text)) throw plainError(`strconv.ParseInt: parsing ${goQuote(text)}: invalid syntax`);
  const value = BigInt(text.replace(/^\+/, ''));
  if (BigInt.asIntN(64, value) !== value) {
    throw plainError(`strconv.ParseInt: parsing ${goQuote(text)}: value out of range`);
  }
  return value;
}

const goQuote = (text: string): string => JSON.stringify(text);
