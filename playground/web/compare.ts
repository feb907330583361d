// Whether two versions of a step make the same of an event: the same fate and the same outputs. The order of members does not
// matter, and 1.10 is 1.1; numbers that a double cannot hold are compared by their digits.

import type { RunResult } from '../server/api.ts';
import { isRounded } from './json-text.ts';

export interface Comparison {
  /** What the results were compared with. */
  readonly name: string;
  readonly same: number;
  /** Refs of the events that differ. */
  readonly differing: readonly string[];
}

/** `ours`, `theirs`: of the events `refs`, in their order. */
export function compared(
  name: string,
  refs: readonly string[],
  ours: readonly RunResult[],
  theirs: readonly RunResult[],
): Comparison {
  const differing = refs.filter((_, i) => !isSame(ours[i], theirs[i]));
  return { name, same: refs.length - differing.length, differing };
}

function isSame(one: RunResult | undefined, other: RunResult | undefined): boolean {
  if (one === undefined || other === undefined) return false;
  // what was not run is known to be nothing; two languages fail in words of their own
  if (one.fate === 'not_run' || one.fate !== other.fate) return false;
  if (one.outputs.length !== other.outputs.length) return false;
  return one.outputs.every((text, i) => text === other.outputs[i] || canonical(text) === canonical(other.outputs[i]!));
}

/** With the members of each object in one order. */
function canonical(text: string): string {
  const digits = (_key: string, value: unknown, context?: { readonly source?: string }): unknown =>
    typeof value === 'number' && isRounded(value, context?.source) ? { digits: context?.source } : value;
  const ordered = (_key: string, value: unknown): unknown =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value;
  return JSON.stringify(JSON.parse(text, digits), ordered);
}
