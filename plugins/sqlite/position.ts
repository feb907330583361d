// Where the source resumes: the change table's seq, and how far a snapshot has come.
// Guarantee: a position of another database, or one whose changes are gone, is an error and never a silent gap.

import { type SluiceError, sluiceError } from 'sluice/sdk';

/** A key value as it is stored: integer (as text), real, text, text that is no UTF-8 (hex), bytes (base64). */
export type KeyCell = readonly ['i' | 't' | 'x' | 'b', string] | readonly ['r', number];

// `type`, not `interface`: only so is it Json to the compiler.
export type TodoTable = {
  readonly table: string;
  /** The key (or rowid) of the last row that was read; absent before the first. */
  readonly after?: readonly KeyCell[];
};

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
};

export const POSITION_VERSION = 1;

export function goneError(what: string): SluiceError {
  return sluiceError('E_SOURCE_POSITION', {
    message: `the saved position does not fit this database: ${what}`,
    fix: 'run `sluice checkpoint clear` for this stream: it then reads all rows again',
    permanent: true,
  });
}

/** @throws SluiceError E_SOURCE_POSITION when it is none of ours */
export function checkPosition(value: unknown): SqlitePosition {
  const position = value as Partial<SqlitePosition> | null;
  if (
    typeof position !== 'object' ||
    position === null ||
    typeof position.db !== 'string' ||
    !Number.isSafeInteger(position.seq) ||
    !Array.isArray(position.tables)
  ) {
    throw goneError('it is no position of the sqlite source');
  }
  return position as SqlitePosition;
}
