// Joins successive works into one batch for the sinks, keeping track of which source event each output descends from.

import { join } from '../batch-parts.ts';
import type { Group, Transformed } from './work.ts';

export function groupOf(works: readonly Transformed[]): Group {
  const outStarts: number[] = [];
  const inStarts: number[] = [];
  let outs = 0;
  let ins = 0;
  let hasFanOut = false;
  for (const work of works) {
    outStarts.push(outs);
    inStarts.push(ins);
    outs += work.out.length;
    ins += work.input.length;
    hasFanOut ||= work.origin !== null && repeats(work.origin);
  }
  let last = 0;
  const partOf = (j: number): number => {
    if (j < outStarts[last]!) last = 0;
    while (last + 1 < outStarts.length && j >= outStarts[last + 1]!) last++;
    return last;
  };
  const within = (j: number): { part: number; index: number } => {
    const part = partOf(j);
    const local = j - outStarts[part]!;
    return { part, index: works[part]!.origin?.[local] ?? local };
  };
  return {
    works,
    out: join(works.map((work) => work.out)),
    count: ins,
    hasFanOut,
    originOf(j) {
      const { part, index } = within(j);
      return inStarts[part]! + index;
    },
    sourceOf(j) {
      const { part, index } = within(j);
      return { batch: works[part]!.input, index };
    },
  };
}

function repeats(origin: Uint32Array): boolean {
  for (let j = 1; j < origin.length; j++) if (origin[j] === origin[j - 1]) return true;
  return false;
}
