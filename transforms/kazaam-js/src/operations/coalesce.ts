// coalesce: the first of several paths that has a value. Null, and the texts in `ignore`, do not count as values.

import type { Context, Operation } from '../context.ts';
import { parseError, specError } from '../errors.ts';
import { display, isList, marshal, type SpecObject, type SpecValue } from '../go-value.ts';
import { compilePath } from '../path.ts';
import { sameValue } from '../same-value.ts';
import { compileSource, mustRead } from '../source.ts';
import type { StepSpec } from '../spec.ts';
import { write } from '../write.ts';

export function coalesce(step: StepSpec, context: Context, spec: SpecObject): Operation {
  if (step.require) throw specError('Invalid spec. Coalesce does not support "require"');
  const ignore = spec.get('ignore') ?? [];
  if (!isList(ignore) || spec.get('ignore') === null) {
    throw specError(`ignore should be a list: ${display(spec.get('ignore'))}`);
  }
  const texts = new Set(['null', ...ignore.map(marshal)]);
  const isIgnored = context.has('compare-values')
    ? (value: string) => [...texts].some((text) => sameValue(text, value))
    : (value: string) => texts.has(value);
  const targets = [...spec].filter(([target]) => target !== 'ignore');
  const operations = targets.map(([target, paths]) => fill(target, paths, isIgnored, step, context));
  return (text) => operations.reduce((out, one) => one(out), text);
}

function fill(
  target: string,
  paths: SpecValue,
  isIgnored: (value: string) => boolean,
  step: StepSpec,
  context: Context,
): Operation {
  if (!isList(paths)) return failing(`Warn: Expected list in message for key: ${target}`);
  const wrong = paths.find((path) => typeof path !== 'string');
  if (wrong !== undefined) return failing(`Warn: Unable to coerce element to json string: ${display(wrong)}`);
  const sources = paths.map((path) => compileSource(path as string, step, context));
  const place = compilePath(target, step.keySeparator);
  return (text) => {
    for (const source of sources) {
      const value = mustRead(source, text, false);
      if (!isIgnored(value)) return write(text, place, value);
    }
    return text;
  };
}

function failing(message: string): Operation {
  return () => {
    throw parseError(message);
  };
}
