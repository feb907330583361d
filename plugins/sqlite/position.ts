// Where the source resumes: the change table's seq, and how far a snapshot has come.
// Guarantee: a position of another database, or one whose changes are gone, is an error and never a silent gap.

import { isRow, type Json, type ParkedTable, type SluiceError, sluiceError } from 'sluice/sdk';

/** A key value as it is stored: integer (as text), real, text, text that is no UTF-8 (hex), bytes (base64). */
export type KeyCell = readonly ['i' | 't' | 'x' | 'b', string] | readonly ['r', number];

// `type`, not `interface`: only so is it Json to the compiler.
export type TodoTable = {
  readonly table: string;
  /** The key (or rowid) of the last row that was read; absent before the first. */
  readonly after?: readonly KeyCell[];
  /** SQL: only rows of which this is true. */
  readonly where?: string;
};

type ParkedTableJson = { readonly [K in keyof ParkedTable]: ParkedTable[K] };

export type SqlitePosition = {
  /** The database's tag. */
  readonly db: string;
  /** All changes up to here have been given. */
  readonly seq: number;
  /** The tables that were snapshotted, or are on their way: one that is missing here is new, and is read whole. */
  readonly tables: readonly string[];
  /** The number of the latest snapshot: part of its rows' ids, so that a second one is no duplicate of the first. */
  readonly number: number;
  /** While a snapshot runs: the tables still to be read, the one being read first, and when it began. */
  readonly todo?: readonly TodoTable[];
  readonly since?: number;
  /** Tables whose changes do not enter. */
  readonly parked?: readonly ParkedTableJson[];
};

export const POSITION_VERSION = 1;

export function goneError(what: string): SluiceError {
  return sluiceError('E_SOURCE_POSITION', {
    message: `the saved position does not fit this database: ${what}`,
    fix: 'run `sluice checkpoint clear` for this stream: it then reads all rows again',
    permanent: true,
  });
}

/**
 * A saved position, checked.
 * @throws SluiceError E_SOURCE_POSITION when it is none of ours
 */
export function toPosition(saved: Json): SqlitePosition {
  const p = isRow(saved) ? saved : {};
  const { db, seq, tables, number, todo, since, parked } = p;
  const ok =
    typeof db === 'string' &&
    isCount(seq) &&
    isListOf(tables, (name) => typeof name === 'string') &&
    isCount(number) &&
    (todo === undefined || isListOf(todo, isTodo)) &&
    (since === undefined || isCount(since)) &&
    (parked === undefined || isListOf(parked, isParked));
  if (!ok) {
    throw sluiceError('E_SOURCE_POSITION', {
      message: 'the position is no position of the sqlite source',
      fix: 'take one from `sluice checkpoint show --history 100`, or clear the checkpoint to read all rows again',
      permanent: true,
    });
  }
  return p as SqlitePosition;
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

const isListOf = (value: unknown, each: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && value.every(each);

const isTodo = (value: unknown): boolean =>
  isRow(value) &&
  typeof value['table'] === 'string' &&
  (value['after'] === undefined || isListOf(value['after'], isKeyCell)) &&
  (value['where'] === undefined || typeof value['where'] === 'string');

const isParked = (value: unknown): boolean =>
  isRow(value) && ['table', 'reason', 'since'].every((name) => typeof value[name] === 'string');

const isKeyCell = (cell: unknown): boolean =>
  Array.isArray(cell) &&
  cell.length === 2 &&
  (cell[0] === 'r'
    ? typeof cell[1] === 'number'
    : ['i', 't', 'x', 'b'].includes(cell[0]) && typeof cell[1] === 'string');
