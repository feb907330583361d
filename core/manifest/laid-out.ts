// A value of a manifest as JSON text whose parts stand where they stand in the manifest: a language that gets code as a YAML list
// (a Kazaam specification) then finds its errors at the author's own lines and columns, as with any other text.
// Guarantee: the text means the value. Every list and object begins at its line; at its column too, unless JSON's own marks before
// it on its line take more room than YAML's. What stands further up (an alias) follows where it is.

import type { Json } from '../values.ts';
import { escapePointer } from './finding.ts';

interface At {
  readonly line: number;
  readonly column: number;
}

/** `placeOf`: where the value at a pointer stands; `pointer`: of `value`, whose place is the text's first character. */
export function laidOut(value: Json, pointer: string, placeOf: (pointer: string) => At): string {
  const start = placeOf(pointer);
  let text = '';
  let line = 1;
  let column = 1;
  const write = (part: string): void => {
    text += part;
    column += part.length;
  };
  const goTo = (at: At): void => {
    const target = at.line - start.line + 1;
    if (target > line) {
      text += '\n'.repeat(target - line);
      line = target;
      column = 1;
    }
    const left = at.column - start.column + 1 - column;
    if (target === line && left > 0) write(' '.repeat(left));
  };
  const put = (one: Json, at: string): void => {
    goTo(placeOf(at));
    if (Array.isArray(one)) {
      write('[');
      one.forEach((item: Json, i) => {
        if (i > 0) write(',');
        put(item, `${at}/${i}`);
      });
      write(']');
    } else if (typeof one === 'object' && one !== null) {
      write('{');
      Object.entries(one).forEach(([name, inner], i) => {
        write(`${i > 0 ? ',' : ''}${JSON.stringify(name)}:`);
        put(inner, `${at}/${escapePointer(name)}`);
      });
      write('}');
    } else write(JSON.stringify(one));
  };
  put(value, pointer);
  return text;
}
