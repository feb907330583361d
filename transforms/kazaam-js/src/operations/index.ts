// The operations by their names.

import type { Context, Operation } from '../context.ts';
import { type KazaamError, specError } from '../errors.ts';
import type { SpecObject } from '../go-value.ts';
import type { StepSpec } from '../spec.ts';
import { coalesce } from './coalesce.ts';
import { concat } from './concat.ts';
import { setDefault } from './default.ts';
import { remover } from './delete.ts';
import { extract } from './extract.ts';
import { merge } from './merge.ts';
import { shift } from './shift.ts';
import { steps } from './steps.ts';
import { timestamp } from './timestamp.ts';
import { uuid } from './uuid.ts';

type Factory = (step: StepSpec, context: Context, spec: SpecObject) => Operation;

const FACTORIES: ReadonlyMap<string, Factory> = new Map<string, Factory>([
  ['coalesce', coalesce],
  ['concat', concat],
  ['default', setDefault],
  ['delete', remover],
  ['extract', extract],
  ['shift', shift],
  ['timestamp', timestamp],
  ['uuid', uuid],
]);

const EXTENSIONS: ReadonlyMap<string, Factory> = new Map([
  ['merge', merge],
  ['steps', steps],
]);

/** Those of the extensions only where they are on: a custom operation may have the name otherwise. */
export function isOperation(name: string, context: Context): boolean {
  return name === 'pass' || FACTORIES.has(name) || (EXTENSIONS.has(name) && context.has(name as 'steps' | 'merge'));
}

/** What is wrong inside of a step's `spec` is thrown when a document comes, as in Go: not before. */
export function compileOperation(step: StepSpec, context: Context): Operation {
  const factory = FACTORIES.get(step.operation) ?? EXTENSIONS.get(step.operation);
  if (factory === undefined) return (text) => text;
  try {
    if (step.spec === null) throw specError(`The operation "${step.operation}" needs a spec`);
    return factory(step, context, step.spec);
  } catch (error) {
    const thrown = error as KazaamError;
    return () => {
      throw thrown;
    };
  }
}
