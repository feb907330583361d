// Strips the types of an author's TypeScript, with every line and column kept.
// Refuses, with line and column: what is no TypeScript, and what is more than types (enums, namespaces, parameter properties).

import { stripQuietly } from '../strip-types.ts';
import { ModuleFinding } from './rewrite.ts';

export function stripTypes(source: string): string {
  try {
    return stripQuietly(source);
  } catch (error) {
    const code = (error as { code?: string }).code ?? '';
    if (!code.endsWith('_TYPESCRIPT_SYNTAX')) throw error;
    const { line, column } = placeOf(String((error as Error).stack), source);
    throw new ModuleFinding({
      code: 'E_TRANSFORM_SYNTAX',
      message: (error as Error).message.split('\n')[0]!,
      ...(code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX'
        ? { fix: 'write it in JavaScript: only types are taken away, nothing is compiled' }
        : {}),
      line,
      column,
    });
  }
}

// Node puts the place in the first lines of the stack: `name:line`, the source lines, and a line of carets below the last.
function placeOf(stack: string, source: string): { line: number; column: number } {
  const lines = stack.split('\n');
  const line = Number(/:(\d+)$/.exec(lines[0] ?? '')?.[1] ?? 1);
  const carets = lines.findIndex((text, i) => i > 0 && /^\s*\^+\s*$/.test(text));
  const column = carets > 0 ? lines[carets]!.indexOf('^') + 1 : 1;
  const sourceLines = source.split('\n');
  // the excerpt may begin before the named line or end at it: the line above the carets says which one is meant
  const shown = lines[carets - 1];
  for (const at of [line, line - 1, line + 1]) {
    const text = sourceLines[at - 1];
    if (shown !== undefined && text !== undefined && text.replaceAll('\t', TAB) === shown.replaceAll('\t', TAB)) {
      return { line: at, column: unexpanded(text, column) };
    }
  }
  return { line: Math.min(line, sourceLines.length), column };
}

const TAB = '    '; // how wide the stripper shows a tab

function unexpanded(line: string, column: number): number {
  let shown = 1;
  let at = 0;
  while (at < line.length && shown < column) shown += line[at++] === '\t' ? TAB.length : 1;
  return at + 1;
}
