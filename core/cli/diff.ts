// A line diff of two JSON texts, pretty-printed: what changed between what failed and what comes out now.

import { type DiffLine, lineDiff } from '../line-diff.ts';

const MARKS: Readonly<Record<DiffLine['kind'], string>> = { same: '  ', removed: '- ', added: '+ ' };

/** Lines with `- `, `+ ` or `  ` before them. */
export function jsonDiff(before: string | null, after: string | null): string[] {
  return lineDiff(lines(before), lines(after)).map(({ kind, text }) => MARKS[kind] + text);
}

function lines(text: string | null): string[] {
  if (text === null) return [];
  try {
    return JSON.stringify(JSON.parse(text), null, 2).split('\n');
  } catch {
    return text.split('\n');
  }
}
