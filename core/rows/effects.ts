// What a run of events of one table comes to, per key: so that a batch is a few statements and not one for each event.
// Guarantees: of several events of a key the last one counts; columns that a later event does not have keep what the
// earlier ones gave; after a delete nothing of the old row is kept. Pure.

import type { Cell } from '../cells.ts';
import { canonical, type Row } from '../values.ts';
import { cellSet, type RowSet, rowSet } from './row-set.ts';
import type { CellRow, Step } from './steps.ts';

export interface Effects {
  /** Before the puts: rows that go, and rows that come back anew. */
  readonly deletes: readonly Row[];
  /** Groups of rows with the same columns, in the order in which their first rows came. */
  readonly puts: readonly RowSet[];
}

interface Effect {
  /** What has its key. */
  readonly step: Step;
  /** null: the row goes. */
  image: Image | null;
  readonly anew: boolean;
}

/** `partial` as a step has it: once there was a whole row, what is added to it makes a whole row. */
type Image = { readonly partial: boolean } & (
  | { readonly row: Row; readonly cells: null }
  | { readonly cells: CellRow }
);

/** Of `put` and `delete` steps. */
export function effectsOf(steps: readonly Step[]): Effects {
  const byKey = new Map<string, Effect>();
  for (const step of steps) {
    const text = step.cells?.keyText ?? canonical(step.key!);
    const known = byKey.get(text);
    if (step.act === 'delete') byKey.set(text, { step, image: null, anew: false });
    else if (known === undefined) byKey.set(text, { step, image: step as Image, anew: false });
    else if (known.image === null) byKey.set(text, { step, image: step as Image, anew: true });
    else known.image = merged(known.image, step);
  }
  const deletes: Row[] = [];
  const groups = new Map<string, Group>();
  let last: Group | undefined;
  for (const { step, image, anew } of byKey.values()) {
    if (image === null || anew) deletes.push(step.key!);
    if (image !== null) last = addTo(groups, image, last);
  }
  return { deletes, puts: [...groups.values()].map(setOf) };
}

function merged(earlier: Image, step: Step): Image {
  const partial = earlier.partial && step.partial;
  if (earlier.cells !== null && step.cells?.columns === earlier.cells.columns) {
    const { columns, keyText, whole } = step.cells;
    if (whole) return { cells: step.cells, partial };
    const before = earlier.cells.texts();
    const texts = step.cells.texts().map((text, i) => (text === undefined ? before[i] : text));
    return { cells: { columns, keyText, whole: !texts.includes(undefined), texts: () => texts }, partial };
  }
  const before = earlier.cells === null ? earlier.row : setOf(groupOfCells(earlier.cells, partial)).rows()[0]!;
  return { row: { ...before, ...step.row }, cells: null, partial };
}

type Group = { readonly partial: boolean } & (
  | { readonly names: readonly string[]; readonly rows: Row[] }
  | { readonly columns: CellRow['columns']; readonly cells: CellRow[] }
);

/** Returns the group that the image is in. `last`: that of the one before it, whose columns most have too. */
function addTo(groups: Map<string, Group>, image: Image, last: Group | undefined): Group {
  const { partial } = image;
  if (image.cells === null) {
    if (last?.partial === partial && 'rows' in last && hasNames(image.row, last.names)) {
      last.rows.push(image.row);
      return last;
    }
    const names = Object.keys(image.row);
    const text = `${partial}${JSON.stringify(names)}`;
    const known = groups.get(text);
    if (known !== undefined && 'rows' in known) {
      known.rows.push(image.row);
      return known;
    }
    const made = { names, rows: [image.row], partial };
    groups.set(text, made);
    return made;
  }
  // which columns are there, as a text that no names can be
  let text = partial ? 'true\u0000\u0000' : 'false\u0000\u0000';
  if (!image.cells.whole) text += absentIn(image.cells.texts());
  const known = groups.get(text);
  if (known !== undefined && 'cells' in known && known.columns === image.cells.columns) {
    known.cells.push(image.cells);
    return known;
  }
  const made = groupOfCells(image.cells, partial);
  groups.set(known === undefined ? text : `${text}\u0000${groups.size}`, made);
  return made;
}

/** These, in this order, and no others. */
function hasNames(row: Row, names: readonly string[]): boolean {
  let i = 0;
  for (const name in row) if (names[i++] !== name) return false;
  return i === names.length;
}

function absentIn(texts: readonly Cell[]): string {
  return texts.flatMap((text, i) => (text === undefined ? [i] : [])).join();
}

function groupOfCells(cells: CellRow, partial: boolean): Extract<Group, { readonly cells: CellRow[] }> {
  return { columns: cells.columns, cells: [cells], partial };
}

function setOf(group: Group): RowSet {
  if ('rows' in group) return rowSet(group.names, group.rows, group.partial);
  const { columns, cells } = group;
  const [first] = cells;
  const texts = first!.whole ? null : first!.texts();
  const at = columns.flatMap((_, i) => (texts !== null && texts[i] === undefined ? [] : [i]));
  return cellSet(
    at.map((i) => columns[i]!.name),
    at.map((i) => columns[i]!.type),
    at,
    cells,
    group.partial,
  );
}
