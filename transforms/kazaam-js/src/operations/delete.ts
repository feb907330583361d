// delete: takes members and elements out, one path after the other.

import type { Context, Operation } from '../context.ts';
import { type KazaamError, specError } from '../errors.ts';
import { display, isList, type SpecObject } from '../go-value.ts';
import { compilePath } from '../path.ts';
import { remove } from '../remove.ts';
import type { StepSpec } from '../spec.ts';

export function remover(step: StepSpec, context: Context, spec: SpecObject): Operation {
  const paths = spec.get('paths');
  if (paths === undefined) throw specError('Unable to get paths to delete');
  if (!isList(paths)) throw specError(`paths should be a slice of strings: ${display(paths)}`);
  const rules = { wildcards: context.has('delete-wildcard'), require: step.require };
  const operations = paths.map((path): Operation => {
    if (typeof path !== 'string')
      return failing(specError(`Error processing ${display(path)}: path should be a string`));
    const compiled = compilePath(path, step.keySeparator);
    return (text) => remove(text, compiled, rules);
  });
  return (text) => operations.reduce((out, one) => one(out), text);
}

function failing(error: KazaamError): Operation {
  return () => {
    throw error;
  };
}
