// The wire format of a slice and of its answers. A slice is the texts, one after the other, and then one line of JSON with
// their lengths (and times and ids where heads are sent): by length, because the text of a row may hold line breaks.
// Answers hold none (JSON.stringify writes none), so they are lines: the statuses, one line an event, then log lines.

import type { Answer, Answers, LogLine, Refused, Slice } from './index.ts';

/** The events [from, to) of a slice as pieces of one text. */
export function encodeSlice(slice: Slice, from: number, to: number, heads: boolean): string[] {
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
  readonly answers: (Answer | undefined)[];
  readonly logs: LogLine[];
  dropped: number;
  deopts?: number;
}

/**
 * Puts the answers of `count` events, the first of which is `first`, in their places.
 * @returns false when the text is not what a child says: it is then ended
 */
export function readAnswers(text: string, first: number, count: number, shift: number, into: Collector): boolean {
  const lines = text.split('\n');
  const statuses = lines[0]!;
  if (statuses.length !== count || lines.length < count + 1 || first + count > into.answers.length) return false;
  try {
    for (let i = 0; i < count; i++) {
      const line = lines[i + 1]!;
      const status = statuses.charCodeAt(i);
      if (into.answers[first + i] !== undefined) return false;
      into.answers[first + i] =
        status === 48 ? line : status === 50 ? null : status === 51 ? line.split('\x1e') : refused(JSON.parse(line));
    }
    for (let i = count + 1; i < lines.length; i++) {
      const entry = JSON.parse(lines[i]!) as number | [number, LogLine['level'] | 'deopt', LogLine['place'], string];
      if (typeof entry === 'number') into.dropped += entry;
      else if (entry[1] === 'deopt') into.deopts = (into.deopts ?? 0) + 1;
      else into.logs.push({ index: shift + entry[0], level: entry[1], place: entry[2], text: entry[3] });
    }
  } catch {
    return false;
  }
  return true;
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
  };
}
