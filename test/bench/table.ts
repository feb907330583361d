// What the benchmarks print: one line for each figure, as a ratio to a baseline of the same round. A median of ratios, with
// the smallest and the largest; absolute numbers differ from machine to machine and from minute to minute.

export interface Figure {
  readonly name: string;
  /** Speed to the baseline's, one for each round: 2 is twice as fast. Empty: the figure is no ratio. */
  readonly ratios: readonly number[];
  /** What it should be at least. */
  readonly least?: number;
  readonly note?: string;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

export const HEAD = `${'figure'.padEnd(62)} ${'median'.padStart(7)}  ${'from'.padStart(5)} ${'to'.padStart(6)}  least`;

export function lineOf({ name, ratios, least, note }: Figure): string {
  const two = (value: number): string => value.toFixed(2);
  const parts = [
    name.padEnd(62),
    two(median(ratios)).padStart(7),
    ` ${two(Math.min(...ratios)).padStart(5)}`,
    two(Math.max(...ratios)).padStart(6),
    ` ${least === undefined ? '     ' : two(least).padStart(5)}`,
    note === undefined ? '' : ` ${note}`,
  ];
  return parts.join(' ').trimEnd();
}
