// The extension `conditional-paths`: sources with a condition, a default and converters, in the syntax of the fork that people use
// (mbordner/kazaam). A wildcard applies them to each element. Unlike in the fork, converters' errors are thrown.

import type { Context } from '../context.ts';
import { requireError, specError } from '../errors.ts';
import { compilePath, type Path } from '../path.ts';
import { arrayAt, items, lookup } from '../read.ts';
import type { Source } from '../source.ts';
import type { StepSpec } from '../spec.ts';
import { type Condition, compileCondition, orUndecided, Undecided } from './condition.ts';
import { type Converter, type ConverterRules, compileConverter } from './converters.ts';
import { type Scalar, scalarOf } from './json-value.ts';
import { parseParameters } from './parameters.ts';

interface Rules {
  readonly conditional: boolean;
  readonly condition: Condition | null;
  readonly fallback: string | null;
  readonly converters: readonly Converter[];
  readonly separator: string;
  readonly tables: ConverterRules;
}

/** What is wrong with the parameters is thrown when the source is read, like everything else inside of a step's spec. */
export function compileConditional(source: string, step: StepSpec, context: Context): Source {
  const { path, condition, converters, ...rest } = parseParameters(source, context.has('escaped-pipe'));
  if (path === '') {
    return failing(() => specError(`the source "${source}" has no path`));
  }
  const compiled = compilePath(path, step.keySeparator, {
    negativeIndex: context.has('negative-index'),
    rootWildcard: context.has('root-wildcard'),
  });
  const tables: ConverterRules = { tables: step.converters, substrToEnd: context.has('substr-to-end') };
  let rules: Rules;
  try {
    rules = {
      ...rest,
      condition: condition === null ? null : compileCondition(condition),
      converters: converters.map(({ name, args }) => compileConverter(name, args, tables)),
      separator: step.keySeparator,
      tables,
    };
  } catch (error) {
    return failing(() => error);
  }
  return { read: (text, require) => readAt(text, compiled, rules, require) };
}

function failing(error: () => unknown): Source {
  return {
    read: () => {
      throw error();
    },
  };
}

function readAt(text: string, path: Path, rules: Rules, require: boolean): string | null {
  if (path.error !== null) throw path.error;
  if (path.each === null) return apply(lookup(text, path, false), text, rules, require);
  const { rest } = path.each;
  const found = arrayAt(text, path);
  if (found === null) {
    if (require) throw requireError();
    return '[]';
  }
  const values: string[] = [];
  for (const item of items(text, found)) {
    const value = rest === null ? apply(item, item, rules, require) : readAt(item, rest, rules, require);
    if (value === null) return null; // one element that is skipped skips the whole
    values.push(value);
  }
  return `[${values}]`;
}

/** `value` is null if it is missing; a null that is there is a value. */
function apply(value: string | null, text: string, rules: Rules, require: boolean): string | null {
  let chosen = value;
  if (rules.conditional) {
    const holds = value !== null && (rules.condition === null || rules.condition(scopeOf(text, rules)));
    if (!holds) chosen = rules.fallback;
    if (chosen === null) return null;
  } else if (chosen === null) {
    if (require) throw requireError();
    chosen = 'null';
  }
  for (const convert of rules.converters) chosen = convert(chosen);
  return chosen;
}

function scopeOf(text: string, { separator, tables }: Rules) {
  const textAt = (path: string): string => {
    const value = orUndecided(() => lookup(text, compilePath(path, separator), false));
    if (value === null) throw new Undecided();
    return value;
  };
  const known = (value: string): Scalar => {
    const scalar = scalarOf(value);
    if (scalar === undefined) throw new Undecided();
    return scalar;
  };
  return {
    path: (path: string) => known(textAt(path)),
    call: (name: string, path: string, args: string) => {
      let convert: Converter;
      try {
        convert = compileConverter(name, args, tables);
      } catch {
        throw new Undecided(); // the fork takes an unknown converter in a condition for false
      }
      const value = textAt(path);
      return known(orUndecided(() => convert(value)));
    },
  };
}
