// What one event asks of a sink that writes rows into tables. Pure.
// Refuses events that name no row: without a key where one is needed, without the row itself.

import { parseRow } from '../batch.ts';
import type { Cell } from '../cells.ts';
import { isSluiceError, type SluiceError, sluiceError, toSluiceError } from '../errors.ts';
import type { Column, EventBatch } from '../event.ts';
import { type KeySpec, sinkKey } from '../sink-key.ts';
import type { Row } from '../values.ts';
import { brokenText } from './texts.ts';

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
  /** Of a `put`: the row as the source's own texts, where nobody has changed it. `key` and `row` are then made when asked for. */
  readonly cells: CellRow | null;
  /** Columns that did not change are not in the row (`source.unchanged`): it says nothing of a row that is not there. */
  readonly partial: boolean;
}

export interface CellRow {
  readonly columns: readonly Column[];
  /** canonical() of its key. */
  readonly keyText: string;
  /** All columns are there. */
  readonly whole: boolean;
  /** One for each column; undefined: absent. Made again each time: of thousands of rows that wait only their places are kept. */
  texts(): readonly Cell[];
}

/** Why an event can never be written. */
export interface Refusal {
  readonly refused: SluiceError;
  /**
   * Later events wait until its fate is settled. false: it lacks the key that rows are written by, so it is about no row
   * here, and many of its kind must not stop a table again and again.
   */
  readonly holds: boolean;
}

/** What event i asks for, or why it can never be written. */
export function readStep(batch: EventBatch, i: number, spec: KeySpec): Step | Refusal {
  try {
    return stepOf(batch, i, spec);
  } catch (thrown) {
    return refusal(toSluiceError(thrown, 'E_SINK_REJECT'), true); // a row that does not parse
  }
}

const refusal = (refused: SluiceError, holds: boolean): Refusal => ({ refused, holds });

function stepOf(batch: EventBatch, i: number, spec: KeySpec): Step | Refusal {
  const op = batch.op(i);
  const put = spec === undefined && (op === 'c' || op === 'u' || op === 'r') ? putOfCells(batch, i) : null;
  if (put !== null) return put;
  const id = batch.id(i);
  if (op === 't') return { ...emptyStep(i), act: 'truncate' };
  if (op === 's') return { ...emptyStep(i), act: 'schema', row: parseRow(batch.after(i), id) };
  const row = parseRow(batch.after(i), id);
  const found = sinkKey(batch, i, spec, op === 'd' ? undefined : row);
  if (isSluiceError(found)) return refusal(found, batch.key(i) !== null);
  if (op !== 'd' && row === null) {
    return refusal(sluiceError('E_SINK_REJECT', { message: 'the event has no `after`, so there is no row' }), true);
  }
  if (found === null) {
    const error = unkeyed(batch, i, spec, row);
    return error === null ? keyless(batch, i, row) : refusal(error, false);
  }
  const { key } = found;
  // A row under a key that is refused was never written here, so there is none to move.
  const oldKey = found.oldKey === null || unfitKey(found.oldKey) !== null ? null : found.oldKey;
  const unfit = unfitKey(key);
  if (unfit !== null) return refusal(unfit, oldKey !== null);
  if (op === 'd') return { ...emptyStep(i), act: 'delete', key };
  // Only a map gives columns that are not in the row; otherwise they are, and the row is not copied.
  const whole = spec === undefined || Array.isArray(spec) ? row : { ...row, ...key };
  const partial = op === 'u' && batch.head(i).includes('"unchanged":["');
  return {
    index: i,
    act: oldKey === null ? 'put' : 'move',
    key,
    oldKey,
    row: whole,
    before: null,
    cells: null,
    partial,
  };
}

const emptyStep = (index: number) =>
  ({ index, key: null, oldKey: null, row: null, before: null, cells: null, partial: false }) as const;

/** A row whose cells nobody has touched, under the key that it has at the source; null: look at it closely. */
function putOfCells(batch: EventBatch, i: number): Step | null {
  const keyText = batch.keyText?.(i) ?? null;
  return keyText === null || batch.oldKey(i) !== null ? null : new CellStep(batch, i, keyText);
}

/** One small object for each row. */
class CellStep implements Step, CellRow {
  readonly act = 'put';
  readonly oldKey = null;
  readonly before = null;
  readonly index: number;
  readonly keyText: string;
  readonly whole: boolean;
  readonly #batch: EventBatch;

  constructor(batch: EventBatch, index: number, keyText: string) {
    this.#batch = batch;
    this.index = index;
    this.keyText = keyText;
    this.whole = batch.isWhole!(index);
  }

  get partial(): boolean {
    return !this.whole && this.#batch.op(this.index) === 'u';
  }

  get key(): Row | null {
    return this.#batch.key(this.index);
  }

  get row(): Row | null {
    return parseRow(this.#batch.after(this.index), this.#batch.id(this.index));
  }

  get cells(): CellRow {
    return this;
  }

  get columns(): readonly Column[] {
    return this.#batch.columns(this.#batch.table(this.index));
  }

  texts(): readonly Cell[] {
    return this.#batch.cells!(this.index)!;
  }
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

/**
 * Why a row without a key has no place among rows that have one. If such a row were appended, the first event to come would
 * decide whether the table is made with a key, and without one no other event of it could be written.
 */
function unkeyed(batch: EventBatch, i: number, spec: KeySpec, row: Row | null): SluiceError | null {
  if (batch.op(i) === 'm') return null; // a message is no row of its table
  const columns = batch.columns(batch.table(i)).flatMap(({ name, key }) => (key === undefined ? [] : [name]));
  if (columns.length === 0 && spec === undefined) return null;
  const image = row ?? parseRow(batch.before(i), batch.id(i));
  const empty = columns.find((column) => image?.[column] === null);
  return sluiceError('E_SINK_KEY', {
    message:
      empty !== undefined
        ? `the key column "${empty}" is null`
        : columns.length > 0
          ? `the event has no key, and its table has one (${columns.join(', ')})`
          : "the event has no key, and the sink's `key` is made of it",
    fix: 'give every row a key at the source, or give the sink `key: [column, …]` with columns that every row has',
  });
}

function keyless(batch: EventBatch, i: number, row: Row | null): Step | Refusal {
  const op = batch.op(i);
  if (op !== 'u' && op !== 'd') return { ...emptyStep(i), act: 'append', row };
  const before = parseRow(batch.before(i), batch.id(i));
  if (before === null || !batch.wholeBefore(i)) {
    const error = sluiceError('E_SINK_KEY', {
      message: 'the event has no key and no complete `before`, so its row cannot be found',
      fix: 'give the sink a `key` or the source table a primary key; where a transform cuts `before`, `images: both` keeps it',
    });
    return refusal(error, true);
  }
  return { ...emptyStep(i), act: op === 'u' ? 'update' : 'remove', row, before };
}
