// extract: the value at a path becomes the document, whatever it is.

import type { Context, Operation } from '../context.ts';
import { specError } from '../errors.ts';
import { display, type SpecObject } from '../go-value.ts';
import { compileSource, mustRead } from '../source.ts';
import type { StepSpec } from '../spec.ts';

export function extract(step: StepSpec, context: Context, spec: SpecObject): Operation {
  const path = spec.get('path');
  if (path === undefined) throw specError('Unable to get path');
  if (typeof path !== 'string') throw specError(`path should be a string: ${display(path)}`);
  const source = compileSource(path, step, context);
  return (text) => mustRead(source, text, step.require);
}
