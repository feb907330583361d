// Indents code by its brackets, and writes JSON as JSON. Only the white space at the beginnings and ends of lines changes, so
// that what the code does cannot: lines that begin within a text, a template or a comment stay as they are.
// Refuses (gives back as it came) what has brackets that do not match, which is then no code of the language.

import { unsafeNumber } from 'sluice/sdk';
import { type Scan, scanLine } from './scan-line.ts';

const INDENT = '  ';

/** Bytes of code, and of a line of it: what is larger was made by no hand, and finding its brackets would take too long. */
const MOST = 256 << 10;
const LONGEST_LINE = 2_000;

export type Formatted = 'javascript' | 'typescript' | 'jsonata' | 'kazaam' | 'json';

export function formatted(type: Formatted, source: string): string {
  return type === 'json' || type === 'kazaam' ? formattedJson(source) : indented(source);
}

function formattedJson(source: string): string {
  try {
    // a number that a double cannot hold would come out as another one
    return unsafeNumber(source) === null ? `${JSON.stringify(JSON.parse(source), null, 2)}\n` : source;
  } catch {
    return source;
  }
}

function indented(source: string): string {
  const out: string[] = [];
  let scan: Scan = { within: null, open: [], sound: true };
  // by open bracket: how deep the line is that opened it
  const depths: number[] = [];
  if (source.length > MOST) return source;
  for (const line of source.replaceAll('\r\n', '\n').trimEnd().split('\n')) {
    if (line.length > LONGEST_LINE) return source;
    const before = scan;
    scan = scanLine(line, before);
    if (!scan.sound) return source;
    const text = line.trim();
    // brackets that the line begins with end what an earlier line opened, and stand where that line stands
    const closed = before.within === null ? (/^[)\]}]*/.exec(text)?.[0].length ?? 0) : 0;
    const above = before.open.length - closed;
    const within = closed > 0 ? depths[above]! : above === 0 ? 0 : depths[above - 1]! + 1;
    const depth = within + (closed === 0 && continues(text) ? 1 : 0);
    if (before.within !== null) out.push(scan.within === null ? line.trimEnd() : line);
    else if (text === '') out.push('');
    else out.push(INDENT.repeat(depth) + (scan.within === null ? text : line.trimStart()));
    depths.length = Math.min(depths.length, scan.open.length, above);
    while (depths.length < scan.open.length) depths.push(depth);
  }
  return scan.open.length === 0 && scan.within === null ? `${out.join('\n')}\n` : source;
}

/** A line that goes on with the expression of the line above. */
function continues(text: string): boolean {
  return /^(\?\.|\.[\w$#]|\?(?![?.])|&&|\|\||\?\?|:\s|\+\s|~>|&\s)/.test(text);
}
