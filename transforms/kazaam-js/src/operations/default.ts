// default: writes values that stand in the spec. Despite its name it overwrites what is there, as the original does.

import type { Context, Operation } from '../context.ts';
import { marshal, type SpecObject } from '../go-value.ts';
import { compileEdit } from '../lane/edit.ts';
import { compilePath } from '../path.ts';
import type { StepSpec } from '../spec.ts';
import { write } from '../write.ts';

export function setDefault(step: StepSpec, context: Context, spec: SpecObject): Operation {
  const values = [...spec].map(([target, value]) => [compilePath(target, step.keySeparator), marshal(value)] as const);
  const general: Operation = (text) => values.reduce((out, [path, value]) => write(out, path, value), text);
  if (!context.lanes) return general;
  const edit = compileEdit(
    [],
    values.map(([path, value]) => ({ path, make: () => value })),
  );
  return edit === null ? general : (text) => edit.run(text) ?? general(text);
}
