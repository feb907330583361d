// The writer of YAML has its own mind on white space. What it would write of a text as it is tells which lines a change
// changes: those are taken from it, and all others stay as somebody wrote them.

import { parseDocument, type ToStringOptions } from 'yaml';
import { lineDiff } from '../line-diff.ts';

/** How a text is written: long lines are not folded, and `[a, b]` has no inner spaces where it had none. */
export function styleOf(text: string): ToStringOptions {
  return { lineWidth: 0, flowCollectionPadding: !/[:-] \[[^\s\]]/.test(text) };
}

/** `before`: what the writer makes of `text`; `after`: of the changed one. It says the same as `after`. */
export function asWritten(text: string, before: string, after: string): string {
  if (before === after) return text;
  const own = text.split('\n');
  const known = before.split('\n');
  if (own.length !== known.length) return after;
  let at = 0;
  const lines = lineDiff(known, after.split('\n')).flatMap(({ kind, text: line }) => {
    if (kind === 'added') return [line];
    const kept = own[at++]!;
    return kind === 'same' ? [kept] : [];
  });
  const merged = lines.join('\n');
  const means = (one: string): string => JSON.stringify(parseDocument(one).toJS());
  return means(merged) === means(after) ? merged : after;
}
