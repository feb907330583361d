// Which brackets a line of JavaScript, TypeScript or JSONata opens and closes, and whether a text, template or comment goes
// on over its end. No parser: enough to indent by, and it says when the brackets do not match.

export interface Scan {
  /** What goes on over the end of the line: the end that it waits for, or null. */
  readonly within: '*/' | '`' | '"' | "'" | null;
  /** Open brackets, the innermost last; '`' stands for a template whose `${` is open. */
  readonly open: readonly string[];
  readonly sound: boolean;
}

const CLOSES: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' };
// After these a slash begins a regular expression; after anything else it divides.
const BEFORE_REGEX = /(?:^|[([{,;=:?!&|+\-*%~^<>]|\b(?:return|typeof|case|in|of|do|else|void|delete))\s*$/;

export function scanLine(line: string, before: Scan): Scan {
  const open = [...before.open];
  let within = before.within;
  let sound = before.sound;
  for (let i = 0; i < line.length; i++) {
    const c = line[i]!;
    if (within === '*/') {
      if (c === '*' && line[i + 1] === '/') {
        within = null;
        i++;
      }
    } else if (within !== null) {
      if (c === '\\') i++;
      else if (c === within) within = null;
      else if (within === '`' && c === '$' && line[i + 1] === '{') {
        open.push('`', '{');
        within = null;
        i++;
      }
    } else if (c === '/' && line[i + 1] === '/') break;
    else if (c === '/' && line[i + 1] === '*') {
      within = '*/';
      i++;
    } else if (c === '/' && BEFORE_REGEX.test(line.slice(Math.max(0, i - 80), i))) i = endOfRegex(line, i);
    else if (c === '"' || c === "'" || c === '`') within = c;
    else if (c === '(' || c === '[' || c === '{') open.push(c);
    else if (CLOSES[c] !== undefined) {
      if (open.pop() !== CLOSES[c]) sound = false;
      if (c === '}' && open.at(-1) === '`') {
        open.pop();
        within = '`';
      }
    }
  }
  return { within, open, sound };
}

function endOfRegex(line: string, from: number): number {
  let inClass = false;
  for (let i = from + 1; i < line.length; i++) {
    const c = line[i];
    if (c === '\\') i++;
    else if (c === '[') inClass = true;
    else if (c === ']') inClass = false;
    else if (c === '/' && !inClass) return i;
  }
  return from; // it was no regular expression after all
}
