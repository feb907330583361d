// What SQLite's result codes mean to whoever runs Sluice: one error each, with what to do about it.
// Refuses to guess: a code that is not known keeps SQLite's own message.

import { isSluiceError, messageOf, type SluiceError, sluiceError } from '../errors.ts';

const ERROR = 1;
const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const PROTOCOL = 15;
const NOTADB = 26;

/** SQLite's primary result code, or undefined for what does not come from SQLite. */
function resultCode(thrown: unknown): number | undefined {
  const code = (thrown as { errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code & 0xff : undefined;
}

/** Another connection is in the way, for now. PROTOCOL: too much traffic while a WAL was being opened. */
export function isBusy(thrown: unknown): boolean {
  const code = resultCode(thrown);
  return code === BUSY || code === LOCKED || code === PROTOCOL;
}

/** `doing` decides what is said of a failure that any of the three can meet. */
export function stateError(thrown: unknown, doing: 'open' | 'read' | 'write'): SluiceError {
  if (isSluiceError(thrown)) return thrown;
  const code = doing === 'write' ? 'E_STATE_WRITE' : 'E_STATE_OPEN';
  const what = { open: 'cannot be opened', read: 'cannot be read', write: 'cannot be written' }[doing];
  const cause = thrown;
  switch (resultCode(thrown)) {
    case ERROR:
      if (!/^no such (table|column)/.test(messageOf(thrown))) break;
      return damaged(messageOf(thrown), 'move it away and run `sluice checkpoint set` from what you know', cause);
    case NOTADB:
      return damaged('its file is no SQLite database', 'set `service.state.path` to another file', cause);
    case CORRUPT:
      return damaged(messageOf(thrown), 'move it away and run `sluice checkpoint set` from what you know', cause);
    case FULL:
      return sluiceError(code, {
        message: `the state store ${what}: the disk is full`,
        fix: 'make room on the disk',
        cause,
      });
    case READONLY:
      return sluiceError(code, {
        message: `the state store ${what}: it is read-only`,
        fix: 'give the user that runs Sluice the right to write to its file and its folder',
        cause,
      });
    case IOERR:
      return sluiceError(code, {
        message: `the state store ${what}: the disk gave an error (${messageOf(thrown)})`,
        fix: 'check the disk and the room on it',
        cause,
      });
    case CANTOPEN:
      return sluiceError(code, {
        message: `the state store ${what}: its file or folder is not accessible`,
        fix: 'give the user that runs Sluice the right to read and write them',
        cause,
      });
    case BUSY:
    case LOCKED:
    case PROTOCOL:
      return sluiceError(code, {
        message: `the state store ${what}: another process has kept it locked`,
        fix: 'find the process that holds a long transaction on it, and end it',
        cause,
      });
    default:
      break;
  }
  return sluiceError(code, { message: `the state store ${what}: ${reasonOf(thrown)}`, fix: fixOf(thrown), cause });
}

function damaged(how: string, orElse: string, cause: unknown): SluiceError {
  return sluiceError('E_STATE_CORRUPT', {
    message: `the state store is damaged: ${how}`,
    fix: `restore it from a copy, or ${orElse}`,
    cause,
    permanent: true,
  });
}

// A message of the file system holds the path, which is a configuration value: its code says as much.
function reasonOf(thrown: unknown): string {
  const { code, syscall } = (thrown ?? {}) as { code?: unknown; syscall?: unknown };
  return typeof syscall === 'string' ? `${String(code)} (${syscall})` : messageOf(thrown);
}

// Of what the file system says before SQLite is asked.
function fixOf(thrown: unknown): string {
  switch ((thrown as { code?: unknown } | null)?.code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'give the user that runs Sluice the right to write to the folder, or set `service.state.path` elsewhere';
    case 'ENOTDIR':
    case 'EEXIST':
      return 'a part of the path is a file: set `service.state.path` elsewhere';
    case 'ENOSPC':
      return 'make room on the disk';
    default:
      return 'check `service.state.path`';
  }
}
