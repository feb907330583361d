// Whether a stream of lines came to its right end: every line has exactly the fate that the writer gave it.

import { expect } from 'vitest';
import type { Ledger } from '../../core/checkpoint.ts';
import { type Bench, type Letter, sumOf } from './bench.ts';
import type { Lines } from './lines.ts';

export interface Outcome {
  readonly ledger: Ledger;
  readonly letters: number;
  readonly duplicates: number;
}

/** Runs the stream to its end and compares. */
export async function endOfLines(bench: Bench, lines: Lines): Promise<Outcome> {
  lines.finish();
  const end = await bench.run('run', '--until-idle', '1s');
  expect(end.code, end.stderr).toBe(0);
  // before the lines are counted: a line that is missing has most often become a letter, which says why
  const letters = await bench.letters();
  const wrong = letters.filter((letter) => !lines.bad.includes(lineOf(letter)));
  expect(wrong.map(({ event, error }) => ({ event, error }))).toEqual([]);
  const got = bench.read('out.ndjson').split('\n');
  expect(got.pop()).toBe('');
  const duplicates = got.length - new Set(got).size;
  expect(duplicates).toBe(0);
  expect(got.length).toBe(lines.expected.length);
  expect(got.findIndex((line, i) => line !== lines.expected[i])).toBe(-1);
  const { ledger } = await bench.status();
  expect(ledger.in).toBe(lines.count);
  expect(ledger.dead_lettered).toBe(lines.bad.length);
  expect(ledger.filtered).toBe(lines.hidden);
  expect(ledger.in).toBe(sumOf(ledger));
  expect(new Set(letters.map((letter) => letter.event_id)).size).toBe(letters.length);
  expect(letters.map(lineOf).toSorted()).toEqual(lines.bad.toSorted());
  return { ledger, letters: letters.length, duplicates };
}

/** The line of the source file that became a dead letter: as it came where nobody could read it. */
function lineOf({ event, place }: Letter): string {
  return place.kind === 'source' ? event : JSON.stringify((JSON.parse(event) as { after: unknown }).after);
}
