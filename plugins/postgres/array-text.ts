// PostgreSQL's text of an array, `{1,NULL,"a b"}`, as nested JSON text. Pure.
// Bounds that do not begin at 1 (`[0:1]={7,8}`) have no place in JSON: such an array stays PostgreSQL's text, as a JSON string.

/** `element` makes JSON of the text of one element; `delimiter` stands between two (`,`, and `;` for boxes). */
export function arrayJson(text: string, delimiter: string, element: (text: string) => string): string {
  if (text.charCodeAt(0) === BRACKET) return JSON.stringify(text);
  const separator = delimiter.charCodeAt(0);
  let json = '';
  let at = 0;
  let fresh = true; // nothing stands yet in this pair of braces
  while (at < text.length) {
    const c = text.charCodeAt(at);
    if (c === OPEN) {
      json += fresh ? '[' : ',[';
      fresh = true;
      at++;
    } else if (c === CLOSE) {
      json += ']';
      fresh = false;
      at++;
    } else if (c === separator) {
      at++;
    } else {
      if (!fresh) json += ',';
      fresh = false;
      if (c === QUOTE) {
        let value = '';
        let from = ++at;
        for (; text.charCodeAt(at) !== QUOTE; at++) {
          if (at >= text.length) throw new RangeError('an array whose text has no end');
          if (text.charCodeAt(at) !== BACKSLASH) continue;
          value += text.slice(from, at);
          from = ++at;
        }
        json += element(value + text.slice(from, at));
        at++;
      } else {
        let end = at;
        while (end < text.length && text.charCodeAt(end) !== separator && text.charCodeAt(end) !== CLOSE) end++;
        const value = text.slice(at, end);
        json += value === 'NULL' ? 'null' : element(value);
        at = end;
      }
    }
  }
  return json;
}

const [OPEN, CLOSE, BRACKET, QUOTE, BACKSLASH] = [123, 125, 91, 34, 92] as const;
