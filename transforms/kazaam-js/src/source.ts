// What a step reads from: a path, compiled once.

import type { Context } from './context.ts';
import { plainError } from './errors.ts';
import { compileConditional } from './fork/conditional-path.ts';
import { compilePath, type PathRules } from './path.ts';
import { read } from './read.ts';
import type { StepSpec } from './spec.ts';

export interface Source {
  /** The value's text; null if the path's own condition says that there is nothing to take. */
  read(text: string, require: boolean): string | null;
}

export function compileSource(path: string, step: StepSpec, context: Context): Source {
  if (context.has('conditional-paths')) return compileConditional(path, step, context);
  const compiled = compilePath(path, step.keySeparator, pathRules(context));
  return { read: (text, require) => read(text, compiled, require) };
}

export const pathRules = (context: Context): PathRules => ({
  negativeIndex: context.has('negative-index'),
  rootWildcard: context.has('root-wildcard'),
});

/** For operations that cannot do without a value. */
export function mustRead(source: Source, text: string, require: boolean): string {
  const value = source.read(text, require);
  if (value === null) throw plainError('Conditional Path missing and without a default value');
  return value;
}
