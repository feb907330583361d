// What an error of SQLite means. Guarantee: only an error that is the row's own fault is ever called `row`; whatever may
// pass (a lock, a full disk) or is broken (a damaged file) is absence, so that no outage drains a stream into dead letters.

import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { isSluiceError, messageOf, type SluiceError, sluiceError } from 'sluice/sdk';

/** `row`: this row will never fit. `statement`: the table is not as it was known. `busy`: try again. */
export type Fault = 'row' | 'statement' | 'busy' | 'broken' | 'absent';

const CODES: Readonly<Record<number, Fault>> = {
  1: 'statement', // ERROR: no such table, no such column, or an expression of the schema failed on this row
  5: 'busy', // BUSY
  6: 'busy', // LOCKED
  11: 'broken', // CORRUPT
  17: 'statement', // SCHEMA
  18: 'row', // TOOBIG
  19: 'row', // CONSTRAINT
  20: 'row', // MISMATCH
  26: 'broken', // NOTADB
};

/** SQLite's primary result code, or undefined for what does not come from SQLite. */
function resultCode(thrown: unknown): number | undefined {
  const code = (thrown as { errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code & 0xff : undefined;
}

export function faultOf(thrown: unknown): Fault {
  const code = resultCode(thrown);
  return code === undefined ? 'absent' : (CODES[code] ?? 'absent');
}

/** Whatever stopped the source, as an error that says how to mend it. */
export function sourceFault(thrown: unknown, path: string): SluiceError {
  return describe(thrown, path, { connect: 'E_SOURCE_CONNECT', work: 'E_SOURCE_READ', end: 'source' });
}

/** Whatever stopped the sink. */
export function sinkFault(thrown: unknown, path: string): SluiceError {
  return describe(thrown, path, { connect: 'E_SINK_CONNECT', work: 'E_SINK_WRITE', end: 'sink' });
}

function describe(
  thrown: unknown,
  path: string,
  codes: { readonly connect: string; readonly work: string; readonly end: 'source' | 'sink' },
): SluiceError {
  if (isSluiceError(thrown)) return thrown;
  const code = resultCode(thrown);
  if (code === 14) {
    const message = existsSync(path)
      ? 'the database file cannot be opened'
      : existsSync(dirname(path))
        ? 'the database file does not exist'
        : "the database file's folder does not exist";
    return sluiceError(codes.connect, {
      message,
      fix: 'check `path` and the rights on the file and its folder',
      cause: thrown,
    });
  }
  if (code === 26) {
    return sluiceError(codes.connect, {
      message: 'the file is no SQLite database',
      fix: 'check `path`',
      permanent: true,
      cause: thrown,
    });
  }
  if (code === 11) {
    return sluiceError(codes.work, {
      message: 'the database file is damaged',
      fix: 'run `PRAGMA integrity_check` on it, and restore it from a backup',
      permanent: true,
      cause: thrown,
    });
  }
  if (code === 8) {
    return sluiceError(codes.connect, {
      message:
        codes.end === 'source'
          ? 'the database cannot be written, and the source keeps its triggers and its change table in it'
          : 'the database cannot be written',
      fix: 'give this process the right to write the file and its folder',
      cause: thrown,
    });
  }
  if (code === 5 || code === 6) {
    return sluiceError(codes.work, {
      message: 'another process holds the lock on the database',
      fix: 'use WAL mode and short transactions in the other process, or raise `busy_timeout`',
      cause: thrown,
    });
  }
  if (code === 13) {
    return sluiceError(codes.work, { message: 'the disk is full', fix: 'free some space', cause: thrown });
  }
  return sluiceError(codes.work, { message: messageOf(thrown), cause: thrown });
}
