// YAML to read: colours for keys, strings, numbers and comments, a line at a time. Nothing is parsed.

import { StreamLanguage } from '@codemirror/language';
import type { Extension } from '@codemirror/state';

const yaml = StreamLanguage.define<null>({
  name: 'yaml',
  startState: () => null,
  token(stream) {
    if (stream.eatSpace()) return null;
    if (stream.match(/^#.*/)) return 'comment';
    if (stream.match(/^[\w$-]+(?=\s*:(?:\s|$))/)) return 'propertyName';
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/) || stream.match(/^'(?:[^']|'')*'?/)) return 'string';
    if (stream.match(/^-?\d+(?:\.\d+)?(?=[\s,\]}]|$)/)) return 'number';
    if (stream.match(/^(?:true|false|null)(?=[\s,\]}]|$)/)) return 'atom';
    stream.next();
    return null;
  },
});

export function yamlColours(): Extension {
  return yaml;
}
