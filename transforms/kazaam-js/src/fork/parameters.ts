// Cuts a source of the fork's syntax into its parts:  path ? [condition :] [default] | converter arguments | …
// A tokeniser by hand: it knows quotes and brackets, so that `"x?y"` is a default, and it takes time in proportion to the text.

export interface Parameters {
  readonly path: string;
  /** Whether there is a `?`: what is missing is then skipped, even where it is required. */
  readonly conditional: boolean;
  readonly condition: string | null;
  /** JSON text. */
  readonly fallback: string | null;
  readonly converters: readonly { readonly name: string; readonly args: string }[];
}

/** `endPipe`: a `\|` at the very end is a literal pipe; in the fork it is a backslash. */
export function parseParameters(text: string, endPipe: boolean): Parameters {
  const [head = '', ...pipes] = splitPipes(text, endPipe);
  const converters = pipes.map(converterOf).filter(({ name }) => name !== '');
  const mark = head.indexOf('?');
  if (mark < 0) return { path: head.trim(), conditional: false, condition: null, fallback: null, converters };
  const path = head.slice(0, mark).trim();
  return { path, conditional: true, ...choiceOf(head.slice(mark + 1).trim()), converters };
}

/** At single pipes. Up to the first one, a pipe between quotes is text. */
function splitPipes(text: string, endPipe: boolean): string[] {
  const parts: string[] = [];
  let from = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '\\' && (endPipe || i + 2 < text.length || text[i + 1] !== '|')) i++;
    else if (c === '"' && parts.length === 0) quoted = !quoted;
    else if (c === '|' && !quoted) {
      if (text[i + 1] === '|') i++;
      else {
        parts.push(text.slice(from, i));
        from = i + 1;
      }
    }
  }
  parts.push(text.slice(from));
  return parts;
}

function converterOf(text: string): { name: string; args: string } {
  const [whole = '', name = ''] = /^\s*([^\s\\]*)\s*/.exec(text) ?? [];
  return { name, args: withoutEscapes(trimEnd(text.slice(whole.length))) };
}

/** A space behind a backslash is meant. */
function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && /\s/.test(text[end - 1]!)) {
    const slashes = /\\*$/.exec(text.slice(0, end - 1))![0].length;
    if (slashes % 2 === 1) break;
    end--;
  }
  return text.slice(0, end);
}

/** `\x` is x; a backslash at the end stays. */
const withoutEscapes = (text: string): string => text.replace(/\\(.)/gs, '$1');

function choiceOf(text: string): { condition: string | null; fallback: string | null } {
  const whole = jsonOf(text);
  if (text === '' || whole !== null) return { condition: null, fallback: whole };
  const colon = colonIn(text);
  if (colon < 0) return { condition: null, fallback: null }; // no JSON: the fork takes it for no default
  return { condition: text.slice(0, colon).trim(), fallback: jsonOf(text.slice(colon + 1).trim()) };
}

/** The colon between condition and default: the first one outside of quotes and brackets. */
function colonIn(text: string): number {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === '"') {
      for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === '\\') i++;
    } else if ('([{'.includes(c)) depth++;
    else if (')]}'.includes(c)) depth--;
    else if (c === ':' && depth === 0) return i;
  }
  return -1;
}

function jsonOf(text: string): string | null {
  return [withoutEscapes(text), text].find(isJsonText) ?? null;
}

function isJsonText(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
