// Cuts the elements of one JSON array out of chunks, as text. Knows strings and brackets, and nothing else of JSON:
// what an element holds is checked by whoever parses it.
// Guarantee: memory is bounded by max_line, not by the array. A cut or broken array is told as an unreadable event.

import { TAIL } from './position.ts';
import {
  addBytes,
  addFailure,
  addTooLong,
  isFull,
  isSpace,
  keptOf,
  type Records,
  rawText,
  type ScanLimits,
  type Scanner,
} from './records.ts';

const NOTHING = Buffer.alloc(0);
const NEWLINE = 10;
const QUOTE = 34;
const COMMA = 44;
const BACKSLASH = 92;
const CLOSE = 93;

// The bytes that mean something, as tables: a look-up for each byte instead of a row of comparisons.
const IN_STRING = tableOf('"\\\n');
const OUTSIDE = tableOf('"{}[],\n');

function tableOf(characters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of characters) table[character.charCodeAt(0)] = 1;
  return table;
}

export interface ArrayStart {
  /** Just after `[` or a comma; or, when `closed`, after `]`. */
  readonly offset: number;
  readonly line: number;
  readonly closed: boolean;
  /** Nothing but `[` was read: the array may be empty. */
  readonly fresh: boolean;
}

export function arrayScanner(start: ArrayStart, limits: ScanLimits): Scanner {
  const kept = keptOf(limits);
  let chunk: Buffer = NOTHING;
  let base = start.offset; // the offset of the chunk
  let at = 0; // in the chunk: what is looked at next
  let line = start.line;
  let closed = start.closed;
  let mayBeEmpty = start.fresh;
  // inside of an element
  let depth = 0;
  let quoted = false;
  let escaped = false;
  let begin = -1; // the offset where it begins, or -1
  let beginLine = line;
  let carry: Buffer[] = []; // its bytes in earlier chunks
  // where the next batch begins: after a comma or a bracket
  let mark = start.offset;
  let markLine = line;
  let tail: Uint8Array = NOTHING; // the bytes before the mark
  let last: Uint8Array = NOTHING; // the last bytes of all

  const keep = (): void => {
    const rest = chunk.subarray(Math.max(0, begin - base));
    const before = Math.max(0, base - begin);
    if (before + rest.length <= limits.maxLine) carry.push(Buffer.from(rest));
    else if (before <= limits.maxLine) carry = [Buffer.concat([...carry, rest.subarray(0, kept)]).subarray(0, kept)];
  };

  // The element that ends before `end` of the chunk, as a record.
  const cut = (records: Records, end: number): void => {
    const count = records.texts.length;
    const rest = chunk.subarray(Math.max(0, begin - base), end);
    if (base + end - begin > limits.maxLine) {
      addTooLong(records, Buffer.concat([...carry, rest.subarray(0, kept)]), begin, beginLine, limits);
    } else {
      addBytes(records, carry.length === 0 ? rest : Buffer.concat([...carry, rest]), begin, beginLine, limits);
      const text = records.texts[count]!;
      // A row is written as one line. A raw line break in JSON is white space only: in a string it would be escaped.
      if (typeof text === 'string' && /[\r\n]/.test(text)) records.texts[count] = text.replace(/[\r\n]/g, ' ');
    }
    begin = -1;
    carry = [];
  };

  const broken = (records: Records, what: string, from: number, ofLine: number): void => {
    const bytes = begin < 0 ? NOTHING : Buffer.concat(carry);
    addFailure(records, rawText(bytes), from, ofLine, 'E_EVENT_PARSE', what, limits);
    begin = -1;
    carry = [];
  };

  return {
    feed(given) {
      base += chunk.length;
      chunk = given;
      at = 0;
    },
    fill(records) {
      const n = chunk.length;
      let i = at; // locals: this loop looks at every byte
      let deep = depth;
      let inQuotes = quoted;
      while (i < n) {
        if (inQuotes) {
          if (escaped) {
            escaped = false;
            i++;
          }
          while (i < n && IN_STRING[chunk[i]!] === 0) i++;
          if (i >= n) break;
          const c = chunk[i++]!;
          if (c === QUOTE) inQuotes = false;
          else if (c === BACKSLASH) escaped = true;
          else line++;
          continue;
        }
        if (begin >= 0 && !closed) {
          while (i < n && OUTSIDE[chunk[i]!] === 0) i++;
          if (i >= n) break;
        }
        const c = chunk[i]!;
        if (c === NEWLINE) line++;
        if (!closed && deep === 0 && (c === COMMA || c === CLOSE)) {
          if (begin >= 0) cut(records, i);
          else if (c === COMMA || !mayBeEmpty) broken(records, 'lacks an element of the array', base + i, line);
          i++;
          closed = c === CLOSE;
          mayBeEmpty = false;
          mark = base + i;
          markLine = line;
          if (isFull(records, limits)) {
            tail = Buffer.from(chunk.subarray(Math.max(0, i - TAIL), i));
            at = i;
            depth = deep;
            quoted = inQuotes;
            return true;
          }
          continue;
        }
        if (begin < 0 && !isSpace(c)) {
          begin = base + i;
          beginLine = line;
        }
        if (!closed) {
          if (c === QUOTE) inQuotes = true;
          else if (c === 123 || c === 91) deep++;
          else if ((c === 125 || c === CLOSE) && deep > 0) deep--;
        }
        i++;
      }
      at = n;
      depth = deep;
      quoted = inQuotes;
      if (mark > base) tail = Buffer.from(chunk.subarray(Math.max(0, mark - base - TAIL), mark - base));
      if (n > 0) last = Buffer.from(chunk.subarray(-TAIL));
      if (begin >= 0) keep();
      return false;
    },
    end(records) {
      if (closed && begin >= 0) broken(records, 'stands after the end of the array', begin, beginLine);
      else if (!closed && begin >= 0) broken(records, 'is cut: the array ends inside of an element', begin, beginLine);
      else if (!closed) broken(records, 'is cut: the array has no end', base + at, line);
      closed = true;
      mark = base + at;
      markLine = line;
      tail = last;
    },
    at: () => ({ kind: closed ? 'closed' : 'array', offset: mark, line: markLine, tail }),
  };
}
