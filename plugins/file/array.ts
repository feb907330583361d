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
  KEEP,
  type Records,
  rawText,
  type ScanLimits,
  type Scanner,
} from './records.ts';

const NOTHING = Buffer.alloc(0);

export interface ArrayStart {
  /** Just after `[` or a comma; or, when `closed`, after `]`. */
  readonly offset: number;
  readonly line: number;
  readonly closed: boolean;
  /** Nothing but `[` was read: the array may be empty. */
  readonly fresh: boolean;
}

export function arrayScanner(start: ArrayStart, limits: ScanLimits): Scanner {
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
    else if (before <= limits.maxLine) carry = [Buffer.concat([...carry, rest.subarray(0, KEEP)]).subarray(0, KEEP)];
  };

  // The element that ends before `end` of the chunk, as a record.
  const cut = (records: Records, end: number): void => {
    const count = records.texts.length;
    const rest = chunk.subarray(Math.max(0, begin - base), end);
    if (base + end - begin > limits.maxLine) {
      addTooLong(
        records,
        Buffer.concat([...carry, rest.subarray(0, KEEP)]).subarray(0, KEEP),
        begin,
        beginLine,
        limits,
      );
    } else {
      addBytes(records, carry.length === 0 ? rest : Buffer.concat([...carry, rest]), begin, beginLine, limits);
      const text = records.texts[count]!;
      // A row is written as one line. A raw line break in JSON is white space only: in a string it would be escaped.
      if (text.includes('\n') || text.includes('\r')) records.texts[count] = text.replace(/[\r\n]/g, ' ');
    }
    begin = -1;
    carry = [];
  };

  const broken = (records: Records, what: string, from: number, ofLine: number): void => {
    const kept = begin < 0 ? NOTHING : Buffer.concat(carry).subarray(0, KEEP);
    addFailure(records, rawText(kept), from, ofLine, 'E_EVENT_PARSE', what, limits);
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
      while (at < n) {
        const c = chunk[at]!;
        if (c === 10) line++;
        if (closed) {
          if (begin < 0 && !isSpace(c)) {
            begin = base + at;
            beginLine = line;
          }
          at++;
          continue;
        }
        if (quoted) {
          at++;
          if (escaped) escaped = false;
          else if (c === 92) escaped = true;
          else if (c === 34) quoted = false;
          continue;
        }
        if (depth === 0 && (c === 44 || c === 93)) {
          if (begin >= 0) cut(records, at);
          else if (c === 44 || !mayBeEmpty) broken(records, 'lacks an element of the array', base + at, line);
          at++;
          closed = c === 93;
          mayBeEmpty = false;
          mark = base + at;
          markLine = line;
          if (isFull(records, limits)) {
            tail = Buffer.from(chunk.subarray(Math.max(0, at - TAIL), at));
            return true;
          }
          continue;
        }
        if (begin < 0 && !isSpace(c)) {
          begin = base + at;
          beginLine = line;
        }
        if (c === 34) quoted = true;
        else if (c === 123 || c === 91) depth++;
        else if ((c === 125 || c === 93) && depth > 0) depth--;
        at++;
      }
      if (mark > base) tail = Buffer.from(chunk.subarray(Math.max(0, mark - base - TAIL), mark - base));
      last = Buffer.from(chunk.subarray(-TAIL));
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
