// "Key" in invariant 3 is the key that the sink writes by. This is the one place that computes it, for sinks and engine alike.

import { parseRow } from './batch.ts';
import { type SluiceError, sluiceError } from './errors.ts';
import type { EventBatch } from './event.ts';
import { canonical, type Json, type Row } from './values.ts';

/**
 * A sink's `key` setting: columns of the row as it arrives at the sink (`[sku]`), or target column to source key column
 * (`{ customer_id: id }`: the value is taken from the event's own key, whatever the transforms did). Absent: the event's key.
 */
export type KeySpec = readonly string[] | Readonly<Record<string, string>> | undefined;

export interface SinkKey {
  readonly key: Row;
  /** The key to move from, when the event changed its key. */
  readonly oldKey: Row | null;
}

/**
 * The key that a sink writes event i by; null when the event has none (a truncate, a schema change, a table without a key);
 * or an error when a transform changed or dropped the key columns and the sink has no `key` of its own.
 * `parsed`: the row (`before` of a delete, else `after`), from a sink that has parsed it already.
 */
export function sinkKey(
  batch: EventBatch,
  i: number,
  spec: KeySpec,
  parsed?: Row | null,
): SinkKey | SluiceError | null {
  const op = batch.op(i);
  if (op === 't' || op === 's' || op === 'm') return null;
  const rowOf = (): Row | null => (parsed === undefined ? parseImage(batch, i) : parsed);
  if (isColumns(spec)) return keyFromRow(batch, i, spec, rowOf());
  const key = batch.key(i);
  if (key === null) return null;
  if (spec !== undefined) return { key: renamed(key, spec), oldKey: mapped(batch.oldKey(i), spec) };
  if (op !== 'd') {
    const row = rowOf();
    for (const column of Object.keys(key)) {
      if (row === null || !isSame(own(row, column), key[column])) {
        return keyError(`a transform changed or dropped the key column "${column}", and the sink has no \`key\``);
      }
    }
  }
  return { key, oldKey: batch.oldKey(i) };
}

function keyFromRow(batch: EventBatch, i: number, columns: readonly string[], row: Row | null): SinkKey | SluiceError {
  const sourceKey = batch.key(i);
  const cells: [string, Json][] = [];
  for (const column of columns) {
    const value = own(row, column) ?? (batch.op(i) === 'd' ? own(sourceKey, column) : undefined);
    if (value === undefined || value === null) {
      const of = batch.op(i) === 'd' ? 'the deleted row (check the replica identity of its table)' : 'the row';
      return keyError(`the sink's key column "${column}" is missing in ${of}`);
    }
    cells.push([column, value]);
  }
  const key: Row = Object.fromEntries(cells); // also a column `__proto__`, which an assignment would not make
  const before = batch.op(i) === 'u' ? parseRow(batch.before(i), batch.id(i)) : null;
  if (before !== null && columns.every((column) => Object.hasOwn(before, column))) {
    const old = Object.fromEntries(columns.map((column) => [column, before[column]!]));
    if (canonical(old) !== canonical(key)) return { key, oldKey: old };
  }
  return { key, oldKey: null };
}

function isSame(a: Json | undefined, b: Json | undefined): boolean {
  return a === b || canonical(a) === canonical(b);
}

/** A key column may be named like what every object has: `constructor`. */
function own(row: Row | null, column: string): Json | undefined {
  return row !== null && Object.hasOwn(row, column) ? row[column] : undefined;
}

function parseImage(batch: EventBatch, i: number): Row | null {
  return parseRow(batch.op(i) === 'd' ? batch.before(i) : batch.after(i), batch.id(i));
}

function isColumns(spec: KeySpec): spec is readonly string[] {
  return Array.isArray(spec);
}

function renamed(key: Row, spec: Readonly<Record<string, string>>): Row {
  return Object.fromEntries(
    Object.entries(spec).flatMap(([target, source]) => {
      const value = own(key, source);
      return value === undefined ? [] : [[target, value] as const];
    }),
  );
}

function mapped(key: Row | null, spec: Readonly<Record<string, string>>): Row | null {
  return key === null ? null : renamed(key, spec);
}

function keyError(message: string): SluiceError {
  return sluiceError('E_SINK_KEY', {
    message,
    fix: 'give the sink `key: [column, …]` with columns of the transformed row, or `key: { target: source }`',
  });
}
