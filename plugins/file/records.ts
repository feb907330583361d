// The records (lines, or elements of an array) that were cut out of a file and wait to become a batch.
// Guarantee: every record stands here once, as text or as unreadable with its error; nothing is left out in silence.

import { isUtf8 } from 'node:buffer';
import { type Line, type SluiceError, sluiceError } from 'sluice/sdk';

export interface Failure {
  readonly raw: string;
  readonly error: SluiceError;
}

/** Arrays side by side: record i is texts[i], which begins at offsets[i] in line lines[i]. Whole lines stay in their chunk. */
export interface Records {
  readonly texts: (string | Line)[];
  readonly offsets: number[];
  readonly lines: number[];
  readonly failures: Map<number, Failure>;
  bytes: number;
}

export const newRecords = (): Records => ({ texts: [], offsets: [], lines: [], failures: new Map(), bytes: 0 });

/** What scanning a file needs to know. */
export interface ScanLimits {
  /** For errors. */
  readonly path: string;
  readonly maxLine: number;
  readonly maxEvents: number;
  readonly maxBytes: number;
}

/** A scanner cuts records out of chunks. Which of the two it is depends on the file. */
export interface Scanner {
  /** The next chunk, which is never written to again; the last one must be used up. */
  feed(chunk: Buffer): void;
  /** True: the batch is full, ask again. False: the chunk is used up. */
  fill(records: Records): boolean;
  /** The text ends here: what is left over is the last record. */
  end(records: Records): void;
  /** Where the first record begins that is in no batch yet, and the bytes just before it. */
  at(): {
    readonly kind: 'lines' | 'array' | 'closed';
    readonly offset: number;
    readonly line: number;
    readonly tail: Uint8Array;
  };
}

/** How many bytes are kept of a record that is too long to keep it all. */
export const keptOf = (limits: ScanLimits): number => Math.min(1024, limits.maxLine);

/** Takes one record's bytes: text where it looks like an object, else unreadable. Bytes without any content are no record. */
export function addBytes(records: Records, bytes: Buffer, offset: number, line: number, limits: ScanLimits): void {
  let from = 0;
  let to = bytes.length;
  while (from < to && isSpace(bytes[from]!)) from++;
  while (to > from && isSpace(bytes[to - 1]!)) to--;
  if (from === to) return;
  const content = bytes.subarray(from, to);
  const at = offset + from;
  if (content.length > limits.maxLine || bytes.length > limits.maxLine + 1) {
    addTooLong(records, bytes, offset, line, limits);
  } else if (!isUtf8(content)) {
    addFailure(records, `base64:${content.toString('base64')}`, at, line, 'E_EVENT_ENCODING', 'is no UTF-8', limits);
  } else {
    addText(records, content.toString('utf8'), at, line, content.length, limits);
  }
}

/** A line in a chunk that is known to be an object by its first and last byte. */
export function addLine(r: Records, row: Line, offset: number, line: number): void {
  r.texts.push(row);
  r.offsets.push(offset);
  r.lines.push(line);
  r.bytes += row.end - row.start;
}

/** Looks at the first and the last character only: what is between is checked by whoever parses it. */
export function addText(
  r: Records,
  text: string,
  offset: number,
  line: number,
  bytes: number,
  limits: ScanLimits,
): void {
  if (text.charCodeAt(0) !== 123 || text.charCodeAt(text.length - 1) !== 125 || text.length < 2) {
    addFailure(r, text, offset, line, 'E_EVENT_PARSE', 'is no JSON object', limits);
    return;
  }
  r.texts.push(text);
  r.offsets.push(offset);
  r.lines.push(line);
  r.bytes += bytes;
}

/** `bytes`: at least as many as are kept. */
export function addTooLong(r: Records, bytes: Buffer, offset: number, line: number, limits: ScanLimits): void {
  const first = bytes.subarray(0, keptOf(limits));
  let from = 0;
  while (from < first.length && isSpace(first[from]!)) from++;
  addFailure(r, rawText(first.subarray(from)), offset + from, line, 'E_EVENT_SIZE', 'is longer than max_line', limits);
}

/** Bytes as they came, as text; base64 when they are no UTF-8. Ends between characters where the bytes were cut. */
export function rawText(bytes: Buffer): string {
  for (let end = bytes.length; end >= Math.max(0, bytes.length - 3); end--) {
    if (isUtf8(bytes.subarray(0, end))) return bytes.toString('utf8', 0, end);
  }
  return `base64:${bytes.toString('base64')}`;
}

export function addFailure(
  records: Records,
  raw: string,
  offset: number,
  line: number,
  code: string,
  what: string,
  limits: ScanLimits,
): void {
  const error = sluiceError(code, { message: `line ${line} ${what}`, at: { file: limits.path, line } });
  records.failures.set(records.texts.length, { raw, error });
  records.texts.push('');
  records.offsets.push(offset);
  records.lines.push(line);
  records.bytes += raw.length;
}

/** May be exceeded by one event, as the contract says. */
export const isFull = (records: Records, limits: ScanLimits): boolean =>
  records.texts.length >= limits.maxEvents || records.bytes >= limits.maxBytes;

export const isSpace = (byte: number): boolean => byte === 32 || byte === 9 || byte === 13 || byte === 10;
