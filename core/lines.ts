// Rows as bytes: the third way that a row's text is held, for texts that pass through unread. A row that came as a line of a
// file, or as a line of the sandbox's answer, stays where it lies, and is decoded only if somebody asks for its text.
// Guarantee: what linesOf gives are the same texts, in UTF-8, each ended by one line feed and holding no other.

const NEWLINE = 10;
const END = Buffer.from('\n');

/** A text that lies in a buffer as UTF-8, undecoded. The buffer is never written to again. */
export interface Line {
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  /** Nothing but ASCII is in the buffer: such text is decoded at a fifth of the cost. */
  readonly ascii: boolean;
}

export function textOf(row: string | Line): string {
  if (typeof row === 'string') return row;
  const { buffer, start, end, ascii } = row;
  return buffer.toString(ascii ? 'latin1' : 'utf8', start, end);
}

/** Bytes of a row's text; for a string its length, which is near enough for limits. */
export function sizeOf(row: string | Line): number {
  return typeof row === 'string' ? row.length : row.end - row.start;
}

/** The rows [from, to) as lines, in pieces that follow each other: neighbours in one buffer are one piece. null: one is null. */
export function linesOf(rows: readonly (string | Line | null)[], from: number, to: number): readonly Buffer[] | null {
  const pieces: Buffer[] = [];
  let run: Buffer | null = null; // neighbours [start, end) of this buffer
  let start = 0;
  let end = 0;
  const flush = (): void => {
    if (run !== null) pieces.push(run.subarray(start, end));
    run = null;
  };
  for (let i = from; i < to; i++) {
    const row = rows[i]!;
    if (row === null) return null;
    if (typeof row === 'string') {
      flush();
      pieces.push(Buffer.from(`${oneLine(row)}\n`));
    } else if (row.buffer[row.end] !== NEWLINE) {
      flush();
      pieces.push(row.buffer.subarray(row.start, row.end), END);
    } else if (run === row.buffer && row.start === end) {
      end = row.end + 1;
    } else {
      flush();
      run = row.buffer;
      start = row.start;
      end = row.end + 1;
    }
  }
  flush();
  return pieces;
}

/** A raw line break in JSON is white space (in a string it is escaped), so a space says the same and keeps one row a line. */
export function oneLine(text: string): string {
  return text.includes('\n') ? text.replace(/[\r\n]/g, ' ') : text;
}
