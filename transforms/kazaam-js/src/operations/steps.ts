// The extension `steps`: several shifts in one step. Each works on the output so far; only the first one sees the document, unless the
// step is in place. The extension `steps-from-source` lets all of them read the document.

import type { Context, Operation } from '../context.ts';
import { specError } from '../errors.ts';
import { display, isList, isObject, type SpecObject } from '../go-value.ts';
import type { StepSpec } from '../spec.ts';
import { type Moves, movesOf, START } from './shift.ts';

export function steps(step: StepSpec, context: Context, spec: SpecObject): Operation {
  const list = spec.get('steps') ?? (spec.has('steps') ? null : []);
  if (!isList(list)) throw specError(`steps should be a list: ${display(list)}`);
  const shifts = list.map((one, number): Moves => {
    if (!isObject(one)) throw specError(`Error processing ${display(one)}: a step should be an object`);
    return movesOf(one, { ...step, inplace: step.inplace || number > 0 }, context);
  });
  const fromSource = context.has('steps-from-source');
  return (text) => {
    let out = step.inplace ? text : START;
    for (const [number, moves] of shifts.entries()) {
      const source = number === 0 || fromSource ? text : out;
      out = moves(source, out);
    }
    return out;
  };
}
