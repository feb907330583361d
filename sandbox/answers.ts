// The wire format of a slice and of its answers. A slice is the texts, one after the other, and then one line of JSON with
// their lengths (and times and ids where heads are sent): by length, because the text of a row may hold line breaks. Of texts
// that are lines already, that last line says only how many they are: they go as bytes, and nobody here reads them.
// Answers hold no line breaks (JSON.stringify writes none), so they are lines: the statuses, one line an event, then log lines.

import { isAscii, isUtf8 } from 'node:buffer';
import type { Answer, Answers, Cost, LogLine, Refused, Slice } from './index.ts';

const NEWLINE = 10;

/** The events [from, to) of a slice as pieces of one text. */
export function encodeSlice(slice: Slice, from: number, to: number, heads: boolean): (string | Buffer)[] {
  if (!heads && slice.lines !== undefined) return [...slice.lines(from, to), JSON.stringify({ n: to - from })];
  const parts = heads ? 3 : slice.seconds ? 2 : 1;
  const count = to - from;
  const lengths = new Array<number>(count * parts);
  const texts = new Array<string>(count * parts + 1);
  for (let i = 0, at = 0; i < count; i++) {
    for (let p = 0; p < parts; p++, at++) {
      const text = p === 0 ? slice.main(from + i) : p === 1 ? slice.second(from + i) : slice.head(from + i);
      lengths[at] = text === null ? -1 : text.length;
      texts[at] = text ?? '';
    }
  }
  const header: { l: number[]; p: number; t?: number[]; i?: string[] } = { l: lengths, p: parts };
  if (heads) {
    header.t = Array.from({ length: count }, (_, i) => slice.time(from + i));
    header.i = Array.from({ length: count }, (_, i) => slice.id(from + i));
  }
  texts[texts.length - 1] = `\n${JSON.stringify(header)}`;
  return texts;
}

/** Where the answers of a slice are put together. */
export interface Collector {
  /** Outputs are kept as bytes. */
  readonly inBytes: boolean;
  readonly answers: (Answer | undefined)[];
  readonly logs: LogLine[];
  dropped: number;
  deopts?: number;
  /** By event, where they are asked for. */
  readonly costs?: Map<number, Cost>;
}

/**
 * Puts the answers of `count` events, the first of which is `first`, in their places. The buffer ends with a line feed, and is
 * kept by the lines in it.
 * @returns false when it is not what a child says: it is then ended
 */
export function readAnswers(buffer: Buffer, first: number, count: number, shift: number, into: Collector): boolean {
  const ascii = isAscii(buffer);
  if (!ascii && !isUtf8(buffer)) return false;
  const text = (start: number, end: number): string => buffer.toString(ascii ? 'latin1' : 'utf8', start, end);
  if (buffer.indexOf(NEWLINE) !== count || first + count > into.answers.length) return false; // a status for each event
  let start = count + 1;
  try {
    for (let i = 0; i < count; i++) {
      const end = buffer.indexOf(NEWLINE, start);
      if (end < 0 || into.answers[first + i] !== undefined) return false;
      into.answers[first + i] = answerOf(buffer[i]!, start, end);
      start = end + 1;
    }
    for (let end = buffer.indexOf(NEWLINE, start); end >= 0; end = buffer.indexOf(NEWLINE, start)) {
      const line = text(start, end);
      start = end + 1;
      const entry = JSON.parse(line) as number | [number, LogLine['level'] | 'deopt', LogLine['place'], string];
      if (typeof entry === 'number') into.dropped += entry;
      else if (entry[1] === 'deopt') into.deopts = (into.deopts ?? 0) + 1;
      else into.logs.push({ index: shift + entry[0], level: entry[1], place: entry[2], text: entry[3] });
    }
  } catch {
    return false;
  }
  return true;

  function answerOf(status: number, from: number, end: number): Answer {
    if (status === 48) return into.inBytes ? { buffer, start: from, end, ascii } : text(from, end);
    if (status === 50) return null;
    return status === 51 ? text(from, end).split('\x1e') : refused(JSON.parse(text(from, end)));
  }
}

/** A child says it, so it is looked at. */
export function noteCost({ costs }: Collector, event: number, [ms, bytes]: readonly [number, number]): void {
  if (Number.isFinite(ms) && Number.isSafeInteger(bytes)) costs?.set(event, { ms, bytes });
}

export function refused(value: unknown): Refused {
  const { why, message, place, code } = value as Partial<Refused>;
  return {
    why: why ?? 'crash',
    message: message ?? '',
    place: place ?? null,
    ...(typeof code === 'string' ? { code } : {}),
  };
}

export function finished(collector: Collector): Answers {
  return {
    answers: collector.answers as Answer[],
    logs: collector.logs,
    dropped: collector.dropped,
    deopts: collector.deopts ?? 0,
    ...(collector.costs === undefined ? {} : { costs: collector.costs }),
  };
}
