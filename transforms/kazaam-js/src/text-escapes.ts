// JSON strings, both ways: from escaped text to characters, and from characters to the text between two quotes.

const SHORT: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/** The characters that the text between two quotes stands for; null if one of its escapes is none. Raw control characters pass. */
export function decodeText(raw: string): string | null {
  let out = '';
  let from = 0;
  for (let i = raw.indexOf('\\'); i >= 0; i = raw.indexOf('\\', from)) {
    out += raw.slice(from, i);
    const kind = raw[i + 1] ?? '';
    const short = SHORT[kind];
    if (short !== undefined) {
      out += short;
      from = i + 2;
    } else if (kind === 'u' && /^[0-9A-Fa-f]{4}$/.test(raw.slice(i + 2, i + 6))) {
      out += String.fromCharCode(Number.parseInt(raw.slice(i + 2, i + 6), 16));
      from = i + 6;
    } else return null;
  }
  return out + raw.slice(from);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that JSON does not let stand raw
const UNSAFE = /["\\\u0000-\u001f]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const ALL_UNSAFE = /["\\\u0000-\u001f]/g;

/** Text that may stand between two quotes. All that JSON lets stand raw stays raw, so that keys keep Go's bytes. */
export function escapeText(text: string): string {
  return UNSAFE.test(text) ? text.replace(ALL_UNSAFE, (c) => JSON.stringify(c).slice(1, -1)) : text;
}
