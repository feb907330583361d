// The extension `wildcard-pairs`: where source and target have equally many wildcards, element goes to element, in place of the whole
// list to every element. {"o[*].n": "l[*].a"} makes an array o of as many objects as l has elements.

import { compilePath } from '../path.ts';
import { arrayAt, read } from '../read.ts';
import type { StepSpec } from '../spec.ts';
import { write } from '../write.ts';

const WILDCARD = '[*]';

export function isPair(source: string, target: string): boolean {
  const count = source.split(WILDCARD).length;
  return count > 1 && count === target.split(WILDCARD).length;
}

export function pairMove(source: string, target: string, step: StepSpec): (text: string, out: string) => string {
  const { keySeparator, require } = step;
  const move = (text: string, out: string, from: string, to: string): string => {
    if (!from.includes(WILDCARD)) {
      const value = read(text, compilePath(from, keySeparator), require);
      return write(out, compilePath(to, keySeparator), value);
    }
    const before = from.slice(0, from.indexOf(WILDCARD) + WILDCARD.length);
    const count = (arrayAt(text, compilePath(before, keySeparator))?.spans.length ?? 0) / 2;
    let result = out;
    for (let i = 0; i < count; i++) {
      result = move(text, result, from.replace(WILDCARD, `[${i}]`), to.replace(WILDCARD, `[${i}]`));
    }
    return result;
  };
  return (text, out) => move(text, out, source, target);
}
