// Strips the types of TypeScript, with every line and column kept (types become spaces), by Node's own stripper.
// Refuses, with line and column: what is no TypeScript, and what is more than types (enums, namespaces, parameter properties).

import { stripTypeScriptTypes } from 'node:module';
import { ModuleFinding } from './rewrite.ts';

export function stripTypes(source: string): string {
  // Node says once that its stripper is experimental. That is no news for the author of a transform, and it would stand
  // between the lines of our own log, so this one warning (and no other) is held back while it runs.
  const { emitWarning } = process;
  process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
    if (/stripTypeScriptTypes/.test(String(warning))) return;
    (emitWarning as (...args: unknown[]) => void).call(process, warning, ...rest);
  }) as typeof process.emitWarning;
  try {
    return stripTypeScriptTypes(source, { mode: 'strip' });
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
  } finally {
    process.emitWarning = emitWarning;
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
