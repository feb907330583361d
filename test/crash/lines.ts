// For the crash tests: a file that a writer keeps appending to, the transform over it, and what the target must be.
// The writer appends several lines at a time and often stops in the middle of one; some lines are no JSON, some are
// poisoned, some are filtered, some become two. Guarantee: `lines` is exactly how many lines were finished.

import { closeSync, openSync, writeSync } from 'node:fs';
import type { Random } from './random.ts';

const TEXTS = ['straße', '日本語', '👩‍👩‍👧 family', 'e\u0301 combining', '𝒳 astral', '', 'tab\tand "quotes"', 'null'];

export const LINES_MANIFEST = `version: 1
transformations:
  - { id: reshape, type: javascript, file: ./reshape.js }
streams:
  - id: lines
    source: { type: file, path: ./in.ndjson, follow: true, poll: 10ms, table: lines, key: [n] }
    transformations: [reshape]
    sinks:
      - { id: copy, type: file, path: ./out.ndjson }
    batch: { max_events: 200 }
`;

/** The transform, as a file of its own; `transformed` below is the same by hand. */
export const RESHAPE_LINES = `export default (row) => {
  if (row.kind === 'poison') throw new Error('poisoned ' + row.n);
  if (row.kind === 'hidden') return null;
  const out = { n: row.n, text: row.text.toUpperCase(), big: String(BigInt(row.big) ^ 1n) };
  return row.kind === 'pair' ? [{ ...out, half: 1 }, { ...out, half: 2 }] : out;
};
`;

export interface Lines {
  /** Finished lines: one event each. */
  readonly count: number;
  readonly hidden: number;
  /** Lines that must become dead letters, in order, as they stand in the file. */
  readonly bad: readonly string[];
  /** What the target must hold, line by line. */
  readonly expected: readonly string[];
  /** Appends up to `most` lines, and perhaps half of another. */
  append(most?: number): void;
  /** Finishes a line that was left half. */
  finish(): void;
  close(): void;
}

export function openLines(path: string, random: Random): Lines {
  const file = openSync(path, 'a');
  const expected: string[] = [];
  const bad: string[] = [];
  let rest: Uint8Array | null = null;
  let count = 0;
  let hidden = 0;
  let n = 0;

  const line = (): string => {
    const dice = random.below(1000);
    const kind =
      dice < 5 ? 'poison' : dice < 10 ? 'broken' : dice < 90 ? 'hidden' : dice < 170 ? 'pair' : random.pick(['a', 'b']);
    const big = random.pick(['9223372036854775807', '-9223372036854775808', '0', '9007199254740993']);
    const text = `${random.pick(TEXTS)} ${'x'.repeat(random.below(200))}`;
    const row = { n: ++n, kind, text, big };
    const whole = JSON.stringify(row);
    count++;
    if (kind === 'hidden') hidden++;
    if (kind === 'broken') {
      bad.push(whole.slice(0, -1)); // its last brace is missing
      return bad.at(-1)!;
    }
    if (kind === 'poison') bad.push(whole);
    else expected.push(...transformed(row));
    return whole;
  };
  const finish = (): void => {
    if (rest !== null) writeSync(file, rest);
    rest = null;
  };
  return {
    get count() {
      return count;
    },
    get hidden() {
      return hidden;
    },
    bad,
    expected,
    append(most = 40) {
      finish();
      let text = '';
      for (let k = 1 + random.below(most); k > 0; k--) text += `${line()}\n`;
      const bytes = Buffer.from(text);
      const cut = random.chance(0.3) ? bytes.length - 1 - random.below(Math.min(60, bytes.length - 1)) : bytes.length;
      writeSync(file, bytes.subarray(0, cut)); // perhaps in the middle of a character
      rest = bytes.subarray(cut);
    },
    finish,
    close: () => closeSync(file),
  };
}

function transformed(row: { n: number; kind: string; text: string; big: string }): string[] {
  if (row.kind === 'hidden') return [];
  const out = { n: row.n, text: row.text.toUpperCase(), big: String(BigInt(row.big) ^ 1n) };
  if (row.kind !== 'pair') return [JSON.stringify(out)];
  return [1, 2].map((half) => JSON.stringify({ ...out, half }));
}
