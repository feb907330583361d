// The extension `merge`: zips arrays of the same length to one array of objects. Values are read and printed anew, as in the fork:
// numbers as doubles, members sorted.

import type { Context, Operation } from '../context.ts';
import { requireError, specError } from '../errors.ts';
import { isList, isObject, marshal, type SpecObject, type SpecValue } from '../go-value.ts';
import { compilePath } from '../path.ts';
import { compileSource } from '../source.ts';
import type { StepSpec } from '../spec.ts';
import { parseSpecJson, readValue } from '../spec-json.ts';
import { write } from '../write.ts';
import { START } from './shift.ts';

export function merge(step: StepSpec, context: Context, spec: SpecObject): Operation {
  const targets = [...spec].map(([target, columns]) => ({
    path: compilePath(target, step.keySeparator),
    zip: zipOf(columns, step, context),
  }));
  return (text) => targets.reduce((out, { path, zip }) => write(out, path, zip(text)), step.inplace ? text : START);
}

function zipOf(columns: SpecValue, step: StepSpec, context: Context): (text: string) => string {
  if (!isList(columns)) throw specError('Invalid Spec for Merge');
  const readers = columns.map((column) => {
    if (!isObject(column)) throw specError('Invalid Spec for Merge');
    const [name, array] = [column.get('name'), column.get('array')];
    if (typeof name !== 'string') throw specError('Array spec missing name for Merge');
    if (typeof array !== 'string') throw specError('Array spec missing array for Merge');
    return { name, source: compileSource(array, step, context) };
  });
  return (text) => {
    const lists = readers.map(({ name, source }) => ({ name, list: listOf(source.read(text, true)) }));
    const length = lists[0]?.list.length ?? 0;
    if (lists.some(({ list }) => list.length !== length)) {
      throw specError('Arrays must be the same length for Merge');
    }
    const rows = Array.from({ length }, (_, i) => new Map(lists.map(({ name, list }) => [name, list[i]!])));
    return marshal(rows);
  };
}

/** What is no array counts as an empty one. */
function listOf(value: string | null): readonly SpecValue[] {
  if (value === null) throw requireError();
  const list = readValue(parseSpecJson(value));
  return isList(list) ? list : [];
}
