// Findings for people: code, place, what is wrong, how to mend it, and the source lines with a caret. Also the JSON form.
// Guarantees: ASCII alone when unicode is off, no escape codes when colour is off. Shows the text it is given, so give it
// the masked one that loadManifest returns.

import { escapeControls } from './controls.ts';
import type { Finding } from './finding.ts';

export interface FrameOptions {
  /** By file: what loadManifest returns as `sources`. */
  readonly sources?: ReadonlyMap<string, string>;
  readonly colour?: boolean;
  readonly unicode?: boolean;
  /** What to run when all is mended. By default `validate`. */
  readonly again?: string;
}

const MAX_LINE = 160;

/** One finding, without a line break at its end. */
export function renderFinding(finding: Finding, options: FrameOptions = {}): string {
  const unicode = options.unicode ?? true;
  const paint = painter(options.colour ?? false);
  const error = finding.severity === 'error';
  const mark = unicode ? (error ? '✗' : '!') : error ? 'x' : '!';
  const { file, line, column, pointer } = finding.at ?? {};
  const place = [file, line, column].filter((part) => part !== undefined).join(':');
  const head = [
    paint(error ? 'red' : 'yellow', `${mark} ${finding.code}`),
    ...(place === '' ? [] : [paint('bold', place)]),
    ...(pointer === undefined || pointer === '' ? [] : [paint('dim', pointer)]),
  ].join('  ');
  const lines = [escapeControls(head, options.colour ?? false), `    ${escapeControls(finding.message)}`];
  if (finding.cause !== undefined && finding.cause.message !== finding.message) {
    lines.push(paint('dim', `    because: ${escapeControls(finding.cause.message)}`));
  }
  if (finding.fix !== undefined) lines.push(`    ${unicode ? '→' : '->'} ${escapeControls(finding.fix)}`);
  const source = file === undefined ? undefined : options.sources?.get(file);
  if (source !== undefined && line !== undefined) lines.push('', ...frame(source, line, column ?? 1, unicode, paint));
  const text = lines.join('\n');
  return unicode ? text : toAscii(text);
}

/** All of them, and a line that says how many there are. */
export function renderFindings(findings: readonly Finding[], options: FrameOptions = {}): string {
  if (findings.length === 0) return '';
  const errors = findings.filter((finding) => finding.severity === 'error').length;
  const files = new Set(findings.map((finding) => finding.at?.file)).size;
  const counts = [
    ...(errors > 0 ? [plural(errors, 'error')] : []),
    ...(errors < findings.length ? [plural(findings.length - errors, 'warning')] : []),
  ].join(', ');
  const mark = (options.unicode ?? true) ? '✗' : 'x';
  const advice =
    errors === 0
      ? ''
      : ` Fix the ${mark} ${errors === 1 ? 'line' : 'lines'}, then run ${options.again ?? 'validate'} again.`;
  const each = findings.map((finding) => renderFinding(finding, options));
  return `${each.join('\n\n')}\n\n${counts} in ${plural(files, 'file')}.${advice}`;
}

/** What `validate --json` prints. */
export function findingsJson(findings: readonly Finding[]): { readonly findings: readonly object[] } {
  return {
    findings: findings.map(({ code, severity, message, fix, at }) => ({
      code,
      severity,
      message,
      fix: fix ?? null,
      at: at ?? {},
    })),
  };
}

function frame(source: string, line: number, column: number, unicode: boolean, paint: Paint): string[] {
  const lines = source.split(/\r\n|\n/);
  const own = lines[line - 1];
  if (own === undefined) return [];
  const width = String(line).length;
  const bar = unicode ? '│' : '|';
  const gutter = (label: string): string => paint('dim', `    ${label.padStart(width)} ${bar} `);
  const before = lines[line - 2];
  // a long line is shown around its column
  const from = column > MAX_LINE - 40 ? column - 60 : 0;
  const shown = own.slice(from, from + MAX_LINE);
  const indent = own.slice(from, column - 1).replaceAll(/[^\t]/g, ' ');
  return [
    ...(before === undefined || before.trim() === ''
      ? []
      : [gutter(String(line - 1)) + escapeControls(before.slice(from, from + MAX_LINE))]),
    gutter(String(line)) + escapeControls(shown),
    `${gutter('')}${escapeControls(indent)}${paint('red', '^'.repeat(tokenLength(own.slice(column - 1))))}`,
  ];
}

// How much of the line the finding is about: a quoted text, what is in brackets, a key, or the value up to a comment.
function tokenLength(rest: string): number {
  const token =
    /^"(?:[^"\\]|\\.)*"|^'(?:[^']|'')*'|^\[[^\]]*\]|^\{[^{}]*\}|^\$\{[^}]*\}|^[\w.$-]+(?=\s*:(\s|$))|^[^,\]}#]*[^\s,\]}#]/.exec(
      rest,
    )?.[0] ?? '';
  return Math.max(1, Math.min(token.length, 60));
}

type Style = 'red' | 'yellow' | 'bold' | 'dim';
type Paint = (style: Style, text: string) => string;

const codes: Readonly<Record<Style, readonly [number, number]>> = {
  red: [31, 39],
  yellow: [33, 39],
  bold: [1, 22],
  dim: [2, 22],
};

function painter(colour: boolean): Paint {
  if (!colour) return (_style, text) => text;
  return (style, text) => `\u001b[${codes[style][0]}m${text}\u001b[${codes[style][1]}m`;
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

function toAscii(text: string): string {
  return text
    .replaceAll('…', '...')
    .replaceAll('→', '->')
    .replaceAll(/\P{ASCII}/gu, '?');
}
