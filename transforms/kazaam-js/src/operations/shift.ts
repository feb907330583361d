// shift: moves values from sources to targets. Sources always read the document as it was before the step, so that two members can
// change places; targets are written in the order of the spec, which Go leaves to chance.

import type { Context, Operation } from '../context.ts';
import { parseError } from '../errors.ts';
import { display, isList, type SpecObject, type SpecValue } from '../go-value.ts';
import { below, compilePath, type Path, targetIndex } from '../path.ts';
import { compileSource } from '../source.ts';
import type { StepSpec } from '../spec.ts';
import { write } from '../write.ts';
import { isPair, pairMove } from './pairs.ts';

/** What a step begins with that is not in place. */
export const START = '{}';

/** All targets of a shift: from the document that is read and the output so far to the output. */
export type Moves = (text: string, out: string) => string;

/** One target. */
type Move = Moves;

export function shift(step: StepSpec, context: Context, spec: SpecObject): Operation {
  const moves = movesOf(spec, step, context);
  return (text) => moves(text, step.inplace ? text : START);
}

export function movesOf(spec: SpecObject, step: StepSpec, context: Context): Moves {
  const moves = [...spec].flatMap(([target, source]) => targetMoves(target, source, step, context));
  return (text, start) => {
    let out = start;
    for (const move of moves) out = move(text, out);
    return out;
  };
}

function targetMoves(target: string, source: SpecValue, step: StepSpec, context: Context): readonly Move[] {
  const path = compilePath(target, step.keySeparator);
  if (typeof source === 'string') {
    if (context.has('wildcard-pairs') && isPair(source, target)) return [pairMove(source, target, step)];
    return [moveOf(source, path, step, context, false)];
  }
  if (!isList(source)) {
    return [failing(parseError(`Warn: Unknown type in message for key: ${target}`))];
  }
  const wrong = source.find((item) => typeof item !== 'string');
  if (wrong !== undefined) {
    return [failing(parseError(`Warn: Unable to coerce element to json string: ${display(wrong)}`))];
  }
  return source.map((item) => moveOf(item as string, path, step, context, true));
}

function moveOf(source: string, target: Path, step: StepSpec, context: Context, inList: boolean): Move {
  const from = source === '$' ? { read: (text: string) => text } : compileSource(source, step, context);
  return (text, out) => {
    const value = from.read(text, step.require);
    if (value === null) return out;
    const listed = inList ? `[${value}]` : value;
    return step.inplace ? write(out, target, listed) : put(out, target, listed);
  };
}

/** A target like `[0]` makes the new document an array; Go prints broken JSON then. */
function put(out: string, target: Path, value: string): string {
  const toArray = target.keys[0] !== undefined && target.keys[0] !== '' && targetIndex(target.keys[0]) !== null;
  if (!toArray || (out !== START && !out.startsWith('['))) return write(out, target, value);
  return write(`[${out}]`, below(['[0]'], target), value).slice(1, -1);
}

function failing(error: Error): Move {
  return () => {
    throw error;
  };
}
