// concat: joins literals and values to one string. What is put together is escaped where it has to be, which Go forgets: strings of the
// document keep their escapes as they are, and literals, objects and arrays are escaped.

import type { Context, Operation } from '../context.ts';
import { requireError, specError } from '../errors.ts';
import { display, isList, isObject, type SpecObject, type SpecValue } from '../go-value.ts';
import { elements, OPEN_ARRAY, QUOTE } from '../json-text.ts';
import { compileEdit, type Edit } from '../lane/edit.ts';
import { compilePath, type Path } from '../path.ts';
import { compileSource, type Source } from '../source.ts';
import type { StepSpec } from '../spec.ts';
import { escapeText } from '../text-escapes.ts';
import { write } from '../write.ts';

/** Gives text that may stand between two quotes. */
type Part = (text: string) => string;

export function concat(step: StepSpec, context: Context, spec: SpecObject): Operation {
  const sources = spec.get('sources');
  if (sources === undefined) throw specError('Unable to get sources');
  const target = spec.get('targetPath');
  if (target === undefined) throw specError('Unable to get targetPath');
  if (!isList(sources)) throw specError(`sources should be a list: ${display(sources)}`);
  const delimiter = spec.get('delim') ?? (spec.has('delim') ? null : '');
  const parts = sources.map((source) => partOf(source, step, context));
  const path = typeof target === 'string' ? compilePath(target, step.keySeparator) : null;
  const general: Operation = (text) => {
    let out = '';
    for (const [i, part] of parts.entries()) {
      if (i > 0) {
        if (typeof delimiter !== 'string') throw specError(`delim should be a string: ${display(delimiter)}`);
        out += escapeText(delimiter);
      }
      out += part(text);
    }
    if (path === null) throw specError(`targetPath should be a string: ${display(target)}`);
    return write(text, path, `"${out}"`);
  };
  const isKnown = context.lanes && !step.require && !context.has('conditional-paths') && typeof delimiter === 'string';
  const edit = isKnown && path !== null ? editOf(sources, path, delimiter, step) : null;
  return edit === null ? general : (text) => edit.run(text) ?? general(text);
}

/** The fast lane of literals and simple paths; null if there is anything else. */
function editOf(sources: readonly SpecValue[], path: Path, delimiter: string, step: StepSpec): Edit | null {
  const paths: Path[] = [];
  const parts: (string | number)[] = []; // a literal, or the number of a path
  for (const source of sources) {
    if (!isObject(source)) return null;
    const [value, from] = [source.get('value'), source.get('path')];
    if (typeof value === 'string') parts.push(escapeText(value));
    else if (value === undefined && typeof from === 'string') {
      parts.push(paths.length);
      paths.push(compilePath(from, step.keySeparator));
    } else return null;
  }
  const between = escapeText(delimiter);
  const make = (read: (source: number) => string | null): string =>
    `"${parts.map((one) => (typeof one === 'string' ? one : partText(read(one) ?? 'null'))).join(between)}"`;
  return compileEdit(paths, [{ path, make }]);
}

function partOf(source: SpecValue, step: StepSpec, context: Context): Part {
  if (!isObject(source)) return failing(`Error processing ${display(source)}: a source should be an object`);
  const value = source.get('value');
  if (value !== undefined) {
    if (typeof value !== 'string') return failing(`Error processing ${display(source)}: value should be a string`);
    const literal = escapeText(value);
    return () => literal;
  }
  const path = source.get('path');
  if (path === undefined) {
    return failing(`Error processing ${display(source)}: must have either value or path specified`);
  }
  if (typeof path !== 'string') return failing(`Error processing ${display(source)}: path should be a string`);
  const from = compileSource(path, step, context);
  return (text) => partText(readPart(from, text, step.require));
}

function readPart(from: Source, text: string, require: boolean): string {
  try {
    return from.read(text, require) ?? '""';
  } catch (error) {
    // whatever is wrong with the path: nothing, or an error of its own if it is required
    if (error instanceof Error && 'type' in error && error.type === 'SpecError') throw error;
    if (require) throw requireError();
    return '""';
  }
}

/** What a value adds to a concat. */
export function partText(value: string): string {
  const first = value.charCodeAt(0);
  if (first === QUOTE) return value.slice(1, -1);
  if (first !== OPEN_ARRAY) return escapeText(value);
  const { spans } = elements(value, 1, value.length);
  let out = '';
  for (let i = 0; i < spans.length; i += 2) {
    const item = value.slice(spans[i], spans[i + 1]);
    if (item === 'null' || item === '"null"') continue;
    out += item.charCodeAt(0) === QUOTE ? item.slice(1, -1) : escapeText(item);
  }
  return out;
}

function failing(message: string): Part {
  return () => {
    throw specError(message);
  };
}
