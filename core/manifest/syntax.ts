// The findings of the YAML parser in plain words, and whether the tree behind them can still be trusted.
// Refuses to repeat a parser that has lost its way: it complains many times about one mistake.

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

export function syntaxFindings(doc: Document, places: Places): { findings: Finding[]; sound: boolean } {
  const findings: Finding[] = [];
  let sound = true;
  for (const error of [...doc.errors, ...doc.warnings]) {
    const harmless = HARMLESS.has(error.code);
    // after the first the parser has lost its way, and what it says of the rest is about its own guesses; tabs are tabs
    if (!harmless && !sound && error.code !== 'TAB_AS_INDENT') continue;
    if (!harmless) sound = false;
    const [message, fix] = WORDS[error.code] ?? ['this is no YAML', 'check the line'];
    findings.push(findingOf('E_MANIFEST_SYNTAX', { message, fix, at: places.atOffset(error.pos[0]) }));
  }
  return { findings, sound };
}
