// Keeps an unquoted placeholder within brackets from breaking the YAML around it: its braces stand as private characters
// while the text is parsed, one for one, so that every place stays right, and are put back in what is read.
// Without this, `{ username: ${env:USER} }` is a heap of syntax errors in which nobody sees that two quotes are missing.

const PLACEHOLDER = /\$\{(?:env|file):[^}\r\n"']*\}/g;
const PLAIN = '{}[],';
const PRIVATE = '\ue000\ue001\ue002\ue003\ue004';

export interface Protected {
  readonly text: string;
  restore(part: string): string;
  /** True when the part has a placeholder that was protected. */
  has(part: string): boolean;
}

export function protect(text: string): Protected {
  if (/[\ue000-\ue004]/.test(text)) return { text, restore: (part) => part, has: () => false };
  return {
    text: text.replaceAll(PLACEHOLDER, (token) => swapped(token, PLAIN, PRIVATE)),
    restore: (part) => (/[\ue000-\ue004]/.test(part) ? swapped(part, PRIVATE, PLAIN) : part),
    has: (part) => /[\ue000-\ue004]/.test(part),
  };
}

function swapped(text: string, from: string, to: string): string {
  let result = '';
  for (const c of text) {
    const at = from.indexOf(c);
    result += at < 0 ? c : to[at]!;
  }
  return result;
}
