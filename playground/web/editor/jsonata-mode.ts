// JSONata for the editor: a tokenizer for colours, brackets and comments. It does not parse; what is wrong is said by the server.

import { LanguageSupport, StreamLanguage } from '@codemirror/language';

interface State {
  /** Within a comment that goes over several lines. */
  comment: boolean;
  /** A slash after a value divides; elsewhere it opens a regular expression. */
  value: boolean;
}

const WORDS = /^(?:and|or|in|function|λ)\b/;
const ATOMS = /^(?:true|false|null)\b/;

const jsonataLanguage = StreamLanguage.define<State>({
  name: 'jsonata',
  startState: () => ({ comment: false, value: false }),
  token(stream, state) {
    if (state.comment || stream.match('/*')) {
      state.comment = !stream.match(/^.*?\*\//);
      if (state.comment) stream.skipToEnd();
      return 'comment';
    }
    if (stream.eatSpace()) return null;
    const before = state.value;
    state.value = true;
    if (stream.match(/^"(?:[^"\\]|\\.)*"?/) || stream.match(/^'(?:[^'\\]|\\.)*'?/)) return 'string';
    if (stream.match(/^`[^`]*`?/)) return 'propertyName';
    if (stream.match(/^\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/)) return 'number';
    if (stream.match(/^\$\$?[\p{L}_][\p{L}\p{N}_]*/u) || stream.match(/^\$\$?/)) return 'variableName.special';
    if (stream.match(ATOMS)) return 'atom';
    if (stream.match(WORDS)) {
      state.value = false;
      return 'keyword';
    }
    if (stream.match(/^[\p{L}_][\p{L}\p{N}_]*/u)) return 'propertyName';
    if (!before && stream.match(/^\/(?:[^/\\]|\\.)+\/[im]*/)) return 'regexp';
    if (stream.match(/^[)\]}]/)) return 'bracket';
    state.value = false;
    if (stream.match(/^[([{]/)) return 'bracket';
    if (stream.match(/^(?::=|\?:|\?\?|~>|\.\.|!=|<=|>=|\*\*|[-+*/%^&=<>|@#.,:;?])/)) return 'operator';
    stream.next();
    return null;
  },
  languageData: {
    commentTokens: { block: { open: '/*', close: '*/' } },
    closeBrackets: { brackets: ['(', '[', '{', '"', "'", '`'] },
  },
});

export function jsonata(): LanguageSupport {
  return new LanguageSupport(jsonataLanguage);
}
