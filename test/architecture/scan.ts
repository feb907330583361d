// Reads TypeScript as far as the architecture test needs it: which modules a file imports, and its text without comments and
// the contents of its strings. A scanner, not a parser: it knows strings, templates, comments and regular expressions.

export interface Import {
  readonly specifier: string;
  /** `import type`, `export type … from`, or a type such as `typeof import('x')`. */
  readonly typeOnly: boolean;
  /** `import('x')` at run time. */
  readonly dynamic: boolean;
}

export interface Scanned {
  readonly imports: readonly Import[];
  /** The text with comments and the contents of strings blanked out. */
  readonly code: string;
}

// what may stand before a regular expression, and not before a division
const BEFORE_REGEX = /(?:^|[=(,:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|await|yield|void|else|do))\s*$/;

export function scan(text: string): Scanned {
  const strings = new Map<number, string>(); // by the place of the opening quote
  const code = blank(text, strings);
  const imports: Import[] = [];
  const add = (at: number, typeOnly: boolean, dynamic: boolean): void => {
    const specifier = strings.get(at);
    if (specifier !== undefined) imports.push({ specifier, typeOnly, dynamic });
  };
  const statement = /(?:^|[;\n}])\s*(import|export)\b(\s+type\b(?!\s*(?:,|from\b)))?([^;'"`()=]*?)(?=['"])/g;
  for (const found of code.matchAll(statement)) {
    const between = found[3]!.trim();
    if (found[1] === 'export' && !/\bfrom$/.test(between)) continue;
    if (found[1] === 'import' && between !== '' && !/\bfrom$/.test(between)) continue;
    // `import { type A, type B } from` brings in no code by itself, and verbatimModuleSyntax keeps the import: it counts as one
    add(found.index + found[0].length, found[2] !== undefined, false);
  }
  for (const found of code.matchAll(/(typeof\s+)?\bimport\s*\(\s*(?=['"`])/g)) {
    add(found.index + found[0].length, found[1] !== undefined, found[1] === undefined);
  }
  return { imports, code };
}

function blank(text: string, strings: Map<number, string>): string {
  const out: string[] = [];
  const put = (from: number, to: number): void => {
    for (let k = from; k < to; k++) out.push(text[k] === '\n' ? '\n' : ' ');
  };
  const templates: number[] = []; // depth of braces in each open `${`
  let depth = 0;
  let i = 0;
  const template = (from: number): number => {
    let k = from;
    while (k < text.length && text[k] !== '`') {
      if (text[k] === '\\') k++;
      else if (text[k] === '$' && text[k + 1] === '{') {
        put(from, k);
        out.push('${');
        templates.push(depth);
        return k + 2;
      }
      k++;
    }
    put(from, k);
    out.push('`');
    return k + 1;
  };
  while (i < text.length) {
    const c = text[i]!;
    const two = text.slice(i, i + 2);
    if (two === '//' || (i === 0 && two === '#!')) {
      const end = text.indexOf('\n', i);
      put(i, end < 0 ? text.length : end);
      i = end < 0 ? text.length : end;
    } else if (two === '/*') {
      const end = text.indexOf('*/', i + 2);
      put(i, end < 0 ? text.length : end + 2);
      i = end < 0 ? text.length : end + 2;
    } else if (c === "'" || c === '"') {
      let end = i + 1;
      while (end < text.length && text[end] !== c && text[end] !== '\n') end += text[end] === '\\' ? 2 : 1;
      strings.set(i, text.slice(i + 1, end));
      out.push(c);
      put(i + 1, end);
      out.push(text[end] ?? '');
      i = end + 1;
    } else if (c === '`') {
      const end = text.indexOf('`', i + 1);
      const whole = end < 0 ? '' : text.slice(i + 1, end);
      if (!whole.includes('${')) strings.set(i, whole);
      out.push('`');
      i = template(i + 1);
    } else if (c === '}' && templates.at(-1) === depth) {
      templates.pop();
      out.push('}');
      i = template(i + 1);
    } else if (c === '/' && BEFORE_REGEX.test(out.slice(-40).join(''))) {
      let end = i + 1;
      for (let inClass = false; end < text.length && (inClass || text[end] !== '/') && text[end] !== '\n'; end++) {
        if (text[end] === '\\') end++;
        else if (text[end] === '[') inClass = true;
        else if (text[end] === ']') inClass = false;
      }
      out.push('/');
      put(i + 1, end);
      out.push('/');
      i = end + 1;
    } else {
      if (c === '{') depth++;
      if (c === '}') depth--;
      out.push(c);
      i++;
    }
  }
  return out.join('');
}
