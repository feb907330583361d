// Cuts lines out of chunks (NDJSON). The hot path of the source. A line stays in its chunk as bytes: most are never decoded.
// Guarantee: a line that spans chunks is put together, up to max_line; a longer one is dropped as it comes, never buffered.

import { isAscii, isUtf8 } from 'node:buffer';
import { TAIL } from './position.ts';
import {
  addBytes,
  addLine,
  addTooLong,
  isFull,
  keptOf,
  type Records,
  type ScanLimits,
  type Scanner,
} from './records.ts';

const NEWLINE = 10;
const NOTHING = Buffer.alloc(0);

export function lineScanner(offset: number, line: number, limits: ScanLimits): Scanner {
  const { maxLine } = limits;
  const kept = keptOf(limits);
  const room = maxLine + 1; // a carriage return may follow the line
  let chunk: Buffer = NOTHING;
  let ascii = false; // the chunk is
  let valid = true; // the chunk, outside of what spans chunks, is UTF-8
  let base = offset; // the offset of the chunk
  let at = 0; // in the chunk: where the next line begins
  let next = line;
  let carry: Buffer[] = []; // the beginning of a line whose end is in a later chunk
  let carried = 0; // its length so far, also when it is too long to be kept
  let tail: Uint8Array = NOTHING; // the bytes before the next line, once the chunk is used up

  const keep = (rest: Buffer): void => {
    carried += rest.length;
    if (carried <= room) carry.push(rest);
    else if (carried - rest.length <= room)
      carry = [Buffer.concat([...carry, rest.subarray(0, kept)]).subarray(0, kept)];
  };

  // The end of a line that began in an earlier chunk.
  const finish = (records: Records, rest: Buffer): void => {
    const begin = base + at - carried;
    if (carried + rest.length > room) {
      addTooLong(records, Buffer.concat([...carry, rest.subarray(0, kept)]), begin, next, limits);
    } else {
      addBytes(records, Buffer.concat([...carry, rest]), begin, next, limits);
    }
    carry = [];
    carried = 0;
  };

  const cut = (records: Records): boolean => {
    while (at < chunk.length) {
      const end = chunk.indexOf(NEWLINE, at);
      if (end < 0) break;
      // the common line at once: an object, and nothing around it
      if (valid && chunk[at] === 123 && chunk[end - 1] === 125 && end - at <= maxLine) {
        addLine(records, { buffer: chunk, start: at, end, ascii }, base + at, next);
      } else {
        addBytes(records, chunk.subarray(at, end), base + at, next, limits);
      }
      at = end + 1;
      next++;
      if (isFull(records, limits)) return true;
    }
    return false;
  };

  return {
    feed(given) {
      base += chunk.length;
      chunk = given;
      at = 0;
      ascii = isAscii(chunk);
      // from the first to the last newline: what is outside of them may be half a character
      valid = ascii || isUtf8(chunk.subarray(chunk.indexOf(NEWLINE) + 1, chunk.lastIndexOf(NEWLINE) + 1));
    },
    fill(records) {
      let full = false;
      if (carried > 0) {
        const end = chunk.indexOf(NEWLINE, at);
        if (end >= 0) {
          finish(records, chunk.subarray(at, end));
          at = end + 1;
          next++;
          full = isFull(records, limits);
        }
      }
      if (!full && carried === 0) full = cut(records);
      if (full && at < chunk.length) return true;
      if (at > 0) tail = Buffer.from(chunk.subarray(Math.max(0, at - TAIL), at));
      if (at < chunk.length) {
        keep(chunk.subarray(at));
        at = chunk.length;
      }
      return full;
    },
    end(records) {
      if (carried === 0) return;
      tail = carried <= room ? Buffer.concat(carry).subarray(-TAIL) : NOTHING;
      finish(records, NOTHING);
      next++;
    },
    at() {
      const usedUp = at === chunk.length;
      return {
        kind: 'lines',
        offset: base + at - carried,
        line: next,
        tail: usedUp ? tail : chunk.subarray(Math.max(0, at - TAIL), at),
      };
    },
  };
}
