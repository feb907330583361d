// What a run of events of one table comes to, per key: so that a batch is a few statements and not one for each event.
// Guarantees: of several events of a key the last one counts; columns that a later event does not have keep what the
// earlier ones gave; after a delete nothing of the old row is kept. Pure.

import { canonical, type Row } from '../values.ts';
import type { Step } from './steps.ts';

export interface Effects {
  /** Before the puts: rows that go, and rows that come back anew. */
  readonly deletes: readonly Row[];
  /** Groups of rows with the same columns, in the order in which their first rows came. */
  readonly puts: readonly { readonly names: readonly string[]; readonly rows: readonly Row[] }[];
}

/** Of `put` and `delete` steps. */
export function effectsOf(steps: readonly Step[]): Effects {
  const byKey = new Map<string, { key: Row; row: Row | null; anew: boolean }>();
  for (const { act, key, row } of steps) {
    const text = canonical(key!);
    const known = byKey.get(text);
    if (act === 'delete') byKey.set(text, { key: key!, row: null, anew: false });
    else if (known === undefined) byKey.set(text, { key: key!, row, anew: false });
    else if (known.row === null) byKey.set(text, { key: key!, row, anew: true });
    else known.row = { ...known.row, ...row };
  }
  const deletes: Row[] = [];
  const groups = new Map<string, { names: readonly string[]; rows: Row[] }>();
  for (const { key, row, anew } of byKey.values()) {
    if (row === null || anew) deletes.push(key);
    if (row === null) continue;
    const names = Object.keys(row);
    const text = names.join('\u0000');
    const group = groups.get(text);
    if (group === undefined) groups.set(text, { names, rows: [row] });
    else group.rows.push(row);
  }
  return { deletes, puts: [...groups.values()] };
}
