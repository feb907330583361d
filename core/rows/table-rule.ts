// Which table of a sink the events of a source table go to.

import { sluiceError } from '../errors.ts';
import type { EventBatch, SnapshotRange } from '../event.ts';
import { withoutSchema } from '../table-name.ts';

/** A sink's `table` setting: one table for all, a map from source table (with or without its schema) to table, or nothing. */
export type TableSetting = string | Readonly<Record<string, string>> | undefined;

/**
 * By the setting, else the source table's own name, which two source tables of different schemas may not share.
 * @throws SluiceError E_SINK_WRITE when they do
 */
export function tableRule(setting: TableSetting): (batch: EventBatch, i: number) => string {
  const known = new Map<string, string>();
  const given = givenBy(setting);
  return (batch, i) => {
    if (typeof setting === 'string') return setting;
    const from = batch.table(i);
    const found = known.get(from);
    if (found !== undefined) return found;
    const own = (JSON.parse(batch.head(i)) as { source: { table: string } }).source.table;
    const target = given.get(from) ?? given.get(own);
    if (target === undefined) {
      for (const [other, taken] of known) {
        if (taken !== own) continue;
        throw sluiceError('E_SINK_WRITE', {
          message: `the source tables ${other} and ${from} would both be written to table "${own}"`,
          fix: 'give the sink `table` as a map from source table to table',
          permanent: true,
        });
      }
    }
    known.set(from, target ?? own);
    return target ?? own;
  };
}

/**
 * The target table of a snapshot's range. null: other source tables may be written to it too, so what this one does not have says
 * nothing of it.
 */
export function tableOfRange(setting: TableSetting, batch: EventBatch, range: SnapshotRange): string | null {
  if (typeof setting === 'string') return null;
  const own = ownName(batch, range.table);
  const given = givenBy(setting);
  const target = given.get(range.table) ?? given.get(own) ?? own;
  const shares = [...given].some(([source, other]) => other === target && source !== range.table && source !== own);
  return shares ? null : target;
}

/** It is of all rows that a table may have, and keeps none. */
export function isWholeTable({ from, to, keep }: SnapshotRange): boolean {
  return from === null && to === null && keep.length === 0;
}

/** A table may be named like something that every object has: `constructor`. */
function givenBy(setting: TableSetting): ReadonlyMap<string, string> {
  return new Map(typeof setting === 'object' ? Object.entries(setting) : []);
}

/** A table's name without its schema: that of an event, where the batch has one. */
function ownName(batch: EventBatch, table: string): string {
  for (let i = 0; i < batch.length; i++) {
    if (batch.table(i) === table) return (JSON.parse(batch.head(i)) as { source: { table: string } }).source.table;
  }
  return withoutSchema(table);
}
