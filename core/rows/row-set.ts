// Rows that have the same columns: as objects, or, where the source sent texts and nobody has changed them, as the texts of their cells.
// Either way a sink asks for a value by row and column, and nobody makes objects of cells that are only bound again.

import { type Cell, valueOfCell } from '../cells.ts';
import type { ColumnType } from '../event.ts';
import type { Json, Row } from '../values.ts';
import type { CellRow, Step } from './steps.ts';

export interface RowSet {
  readonly names: readonly string[];
  readonly length: number;
  /** Other columns of these rows did not change and are not known here: only rows that are there can be written. */
  readonly partial: boolean;
  /** As objects; made of the cells the first time that somebody asks. */
  rows(): readonly Row[];
  /** null: there are only rows. `c` counts in `names`. */
  readonly cells: {
    readonly types: readonly ColumnType[];
    text(r: number, c: number): string | null;
  } | null;
}

export function rowSet(names: readonly string[], rows: readonly Row[], partial = false): RowSet {
  return { names, length: rows.length, partial, rows: () => rows, cells: null };
}

/** `at[c]` is the place of column c in each of `cells`. */
export function cellSet(
  names: readonly string[],
  types: readonly ColumnType[],
  at: readonly number[],
  cells: readonly CellRow[],
  partial: boolean,
): RowSet {
  let rows: readonly Row[] | undefined;
  // Whoever asks for one cell of a row asks for the others next.
  let last = -1;
  let texts: readonly Cell[] = [];
  const text = (r: number, c: number): string | null => {
    if (r !== last) {
      texts = cells[r]!.texts();
      last = r;
    }
    return texts[at[c]!] ?? null;
  };
  return {
    names,
    length: cells.length,
    partial,
    rows() {
      rows ??= cells.map((_, r) =>
        Object.fromEntries(names.map((name, c) => [name, cellValue(types[c]!, text(r, c))] as const)),
      );
      return rows;
    },
    cells: { types, text },
  };
}

/** What a cell is in JSON. */
export function cellValue(type: ColumnType, text: string | null): Json {
  return text === null ? null : valueOfCell(type, text);
}

/** The rows of steps in their order, each run of the same columns together. */
export function rowRuns(steps: readonly Step[]): RowSet[] {
  const groups: { names: string[]; text: string; rows: Row[]; partial: boolean }[] = [];
  for (const { row, partial } of steps) {
    if (row === null) continue;
    const names = Object.keys(row);
    const text = JSON.stringify(names);
    const last = groups.at(-1);
    if (last?.text === text) last.rows.push(row);
    else groups.push({ names, text, rows: [row], partial });
  }
  return groups.map(({ names, rows, partial }) => rowSet(names, rows, partial));
}
