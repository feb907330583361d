// The findings of the YAML parser in plain words, and whether the tree behind them can still be trusted.
// One finding a line: a parser that has lost its way complains many times about one mistake.

import type { Document } from 'yaml';
import { type Finding, findingOf } from './finding.ts';
import type { Places } from './places.ts';

/** After these the tree is what the author meant, so everything else is looked at as well. */
const HARMLESS = new Set(['TAG_RESOLVE_FAILED', 'BAD_DQ_ESCAPE', 'MULTIPLE_DOCS', 'MULTIPLE_ANCHORS']);

const WORDS: Readonly<Record<string, readonly [message: string, fix: string]>> = {
  ALIAS_PROPS: ['an alias can have no anchor or tag', 'remove it'],
  BAD_ALIAS: ['this alias has no name, or one that no anchor can have', 'write *name'],
  BAD_DIRECTIVE: ['this % line is no YAML directive', 'remove it'],
  BAD_DQ_ESCAPE: ['this \\ sequence means nothing in double quotes', 'use single quotes, or write \\\\ for one \\'],
  BAD_INDENT: [
    'the indentation does not fit what stands above, or a bracket has no end',
    'indent it as its neighbours are, and close the brackets',
  ],
  BLOCK_AS_IMPLICIT_KEY: ['a colon follows where no key can stand', 'put the text in quotes, or begin a new line'],
  BLOCK_IN_FLOW: ['a block stands within brackets', 'write it in brackets too, or use no brackets'],
  COMMA_IN_FLOW: ['a comma too many', 'remove it'],
  IMPOSSIBLE: ['this is no YAML', 'check the line'],
  KEY_OVER_1024_CHARS: ['a key is longer than 1024 characters', 'check for a missing line break'],
  MISSING_CHAR: ['a quote, bracket, comma or colon is missing', 'add it'],
  MULTILINE_IMPLICIT_KEY: ['a key must stand on one line; perhaps its colon is missing', 'write `key: value`'],
  MULTIPLE_DOCS: ['a second document begins here; only the first is read', 'remove the --- and what follows'],
  TAB_AS_INDENT: ['a tab cannot indent', 'use spaces'],
  TAG_RESOLVE_FAILED: ['this tag means nothing here', 'remove the !…'],
  UNEXPECTED_TOKEN: ['this cannot stand here', 'put the text in quotes, or check the line above'],
};

export function syntaxFindings(doc: Document, text: string, places: Places): { findings: Finding[]; sound: boolean } {
  const findings: Finding[] = [];
  const lines = new Set<number>();
  let sound = true;
  for (const error of [...doc.errors, ...doc.warnings]) {
    if (!HARMLESS.has(error.code)) sound = false;
    const at = places.atOffset(error.pos[0]);
    if (lines.has(at.line ?? 0)) continue;
    lines.add(at.line ?? 0);
    findings.push(findingOf('E_MANIFEST_SYNTAX', { ...inWords(error.code, lineAround(text, error.pos[0])), at }));
  }
  return { findings, sound };
}

function inWords(code: string, line: string): { message: string; fix: string } {
  if (code === 'UNEXPECTED_TOKEN' && /\$\{(env|file):/.test(line)) {
    return { message: 'a placeholder within brackets needs quotes', fix: 'write "${env:NAME}"' };
  }
  const words = WORDS[code] ?? ['this is no YAML', 'check the line'];
  return { message: words[0], fix: words[1] };
}

function lineAround(text: string, offset: number): string {
  const from = text.lastIndexOf('\n', offset - 1) + 1;
  const to = text.indexOf('\n', offset);
  return text.slice(from, to < 0 ? text.length : to);
}
