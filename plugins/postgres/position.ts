// Where the source resumes: a place in the write-ahead log, and how far its snapshots have come.
// Guarantee: a position of another server or database is an error and never a silent gap.

import { isRow, type Json, type ParkedTable, type SluiceError, sluiceError } from 'sluice/sdk';
import { lsnOf } from './lsn.ts';

// `type`, not `interface`: only so is it Json to the compiler.
export type TodoTable = {
  readonly table: string;
  /** The number of its snapshot: part of its rows' ids. */
  readonly number: number;
  /** The key of the last row that was given, as the server writes it; absent before the first. */
  readonly after?: readonly string[];
  /** Its rows were read to the end; only those of `again` are left. */
  readonly done?: true;
  /** Keys whose rows must be read again: a change of them overtook their chunk and did not hold the whole row. */
  readonly again?: readonly (readonly string[])[];
  /** SQL: only rows of which this is true. */
  readonly where?: string;
};

export type PostgresPosition = {
  /** The server's system identifier: the same on its standbys. */
  readonly server: string;
  readonly database: string;
  readonly timeline: number;
  /** The oid of the publication: another one under the same name did not see what came before it. */
  readonly publication: number;
  /** Everything that was committed before this has been given. */
  readonly lsn: string;
  /** Of the transaction that commits at `lsn`, so many changes have been given too. */
  readonly within?: { readonly lsn: string; readonly given: number };
  /** The tables that were read, or are on their way, with their oids and the fingerprints of their columns (empty: not known yet). A missing one is new. */
  readonly tables: { readonly [table: string]: string };
  /** Of partitioned tables: their partitions (partitions.ts). */
  readonly partitions?: { readonly [table: string]: string };
  /** Where reading began: part of the ids of snapshot rows, so that those of a new beginning are others. */
  readonly origin: string;
  /** How many snapshots there were. */
  readonly snapshots: number;
  /** While a snapshot runs: the tables still to be read, the one being read first. */
  readonly todo?: readonly TodoTable[];
  /** When it began: the time of its rows, the same however often they are read. */
  readonly since?: number;
  readonly parked?: readonly ParkedTableJson[];
};

type ParkedTableJson = { readonly [K in keyof ParkedTable]: ParkedTable[K] };

export const POSITION_VERSION = 1;

/**
 * A saved position, checked.
 * @throws SluiceError E_SOURCE_POSITION when it is none of ours
 */
export function toPosition(saved: Json): PostgresPosition {
  const p = isRow(saved) ? saved : {};
  const ok =
    isText(p['server']) &&
    isText(p['database']) &&
    isCount(p['timeline']) &&
    isCount(p['publication']) &&
    isLsn(p['lsn']) &&
    (p['within'] === undefined || isWithin(p['within'])) &&
    isRow(p['tables']) &&
    Object.values(p['tables']).every(isText) &&
    (p['partitions'] === undefined || (isRow(p['partitions']) && Object.values(p['partitions']).every(isText))) &&
    isLsn(p['origin']) &&
    isCount(p['snapshots']) &&
    (p['todo'] === undefined || isListOf(p['todo'], isTodo)) &&
    (p['since'] === undefined || isCount(p['since'])) &&
    (p['parked'] === undefined || isListOf(p['parked'], isParked));
  if (!ok) {
    throw sluiceError('E_SOURCE_POSITION', {
      message: 'the position is no position of the postgres source',
      fix: 'take one from `sluice checkpoint show --history 100`, or clear the checkpoint to read all rows again',
      permanent: true,
    });
  }
  return p as unknown as PostgresPosition;
}

export function wrongPlace(what: string): SluiceError {
  return sluiceError('E_SOURCE_POSITION', {
    message: `the saved position does not fit this server: ${what}`,
    fix: 'connect to the database that it is of, or run `sluice checkpoint clear` for this stream: it then reads all rows again',
    permanent: true,
  });
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isListOf = (value: unknown, each: (item: unknown) => boolean): boolean =>
  Array.isArray(value) && value.every(each);
const isTexts = (value: unknown): boolean => isListOf(value, isText);

function isLsn(value: unknown): boolean {
  try {
    return typeof value === 'string' && lsnOf(value) >= 0n;
  } catch {
    return false;
  }
}

const isWithin = (value: unknown): boolean => isRow(value) && isLsn(value['lsn']) && isCount(value['given']);

const isTodo = (value: unknown): boolean =>
  isRow(value) &&
  isText(value['table']) &&
  isCount(value['number']) &&
  (value['after'] === undefined || isTexts(value['after'])) &&
  (value['done'] === undefined || value['done'] === true) &&
  (value['again'] === undefined || isListOf(value['again'], isTexts)) &&
  (value['where'] === undefined || isText(value['where']));

const isParked = (value: unknown): boolean =>
  isRow(value) && isText(value['table']) && isText(value['reason']) && isText(value['since']);
