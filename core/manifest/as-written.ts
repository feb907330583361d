// The writer of YAML has its own mind on white space. What it would write of a text as it is tells which lines a change
// changes: those are taken from it, and all others stay as somebody wrote them.

import { type Document, parseDocument } from 'yaml';
import { lineDiff } from '../line-diff.ts';

/** The writer of a text's own style: how far it indents, and whether `[a, b]` has inner spaces; long lines are not folded. */
export function writerFor(text: string): (doc: Document) => string {
  const indent = /^( +)(?=[^\s#])/m.exec(text)?.[1]?.length ?? 2;
  if (isJson(text)) return (doc) => `${JSON.stringify(doc.toJS(), null, indent)}${text.endsWith('\n') ? '\n' : ''}`;
  const style = {
    lineWidth: 0,
    indent: Math.min(8, indent),
    indentSeq: !/^[\w-]+:[ \t]*(?:#.*)?\n- /m.test(text),
    flowCollectionPadding: !/[:-] \[[^\s\]]/.test(text),
  };
  return (doc) => doc.toString(style);
}

function isJson(text: string): boolean {
  try {
    return text.trimStart().startsWith('{') && JSON.parse(text) !== null;
  } catch {
    return false;
  }
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
