// What one event asks of the sink. Pure.
// Refuses events that name no row: without a key where one is needed, without the row itself.

import {
  type EventBatch,
  isSluiceError,
  type KeySpec,
  parseRow,
  type Row,
  type SluiceError,
  sinkKey,
  sluiceError,
  toSluiceError,
} from 'sluice/sdk';
import { brokenText } from './binds.ts';

/** One event as the sink writes it. */
export interface Step {
  /** Its index in the batch. */
  readonly index: number;
  readonly act: 'put' | 'delete' | 'append' | 'update' | 'remove' | 'move' | 'truncate' | 'schema';
  readonly key: Row | null;
  readonly oldKey: Row | null;
  /** The row to write, its key columns with it; for `remove` and `delete` null. */
  readonly row: Row | null;
  /** The row as it was: what finds a row without a key. */
  readonly before: Row | null;
}

/** What event i asks for, or why it can never be written. */
export function readStep(batch: EventBatch, i: number, spec: KeySpec): Step | SluiceError {
  try {
    return stepOf(batch, i, spec);
  } catch (thrown) {
    return toSluiceError(thrown, 'E_SINK_REJECT'); // a row that does not parse
  }
}

function stepOf(batch: EventBatch, i: number, spec: KeySpec): Step | SluiceError {
  const op = batch.op(i);
  const id = batch.id(i);
  const step = { index: i, key: null, oldKey: null, row: null, before: null } as const;
  if (op === 't') return { ...step, act: 'truncate' };
  if (op === 's') return { ...step, act: 'schema', row: parseRow(batch.after(i), id) };
  const row = parseRow(batch.after(i), id);
  const found = sinkKey(batch, i, spec, op === 'd' ? undefined : row);
  if (isSluiceError(found)) return found;
  if (op !== 'd' && row === null)
    return sluiceError('E_SINK_REJECT', { message: 'the event has no `after`, so there is no row to write' });
  if (found === null) return keyless(batch, i, step, row);
  const { key } = found;
  const refused = unfitKey(key);
  if (refused !== null) return refused;
  // A row under a key that is refused was never written here, so there is none to move.
  const oldKey = found.oldKey === null || unfitKey(found.oldKey) !== null ? null : found.oldKey;
  if (op === 'd') return { ...step, act: 'delete', key };
  // Only a map gives columns that are not in the row; otherwise they are, and the row is not copied.
  const whole = spec === undefined || Array.isArray(spec) ? row : { ...row, ...key };
  return { ...step, act: oldKey === null ? 'put' : 'move', key, oldKey, row: whole };
}

/** Why no row can have this key here; the same whatever the table looks like, and whether it is there. */
function unfitKey(key: Row): SluiceError | null {
  const columns = Object.keys(key);
  if (columns.length === 0) return sluiceError('E_SINK_KEY', { message: 'the key has no columns' });
  for (const column of columns) {
    const value = key[column];
    if (value === null) return sluiceError('E_SINK_KEY', { message: `the key column "${column}" is null` });
    if (typeof value === 'string' && !value.isWellFormed()) return brokenText(`key column "${column}"`);
  }
  return null;
}

function keyless(batch: EventBatch, i: number, step: Omit<Step, 'act'>, row: Row | null): Step | SluiceError {
  const op = batch.op(i);
  if (op !== 'u' && op !== 'd') return { ...step, act: 'append', row };
  const before = parseRow(batch.before(i), batch.id(i));
  if (before === null || !batch.wholeBefore(i)) {
    return sluiceError('E_SINK_KEY', {
      message: 'the event has no key and no complete `before`, so its row cannot be found',
      fix: 'give the sink a `key`, or the source table a primary key',
    });
  }
  return { ...step, act: op === 'u' ? 'update' : 'remove', row, before };
}
