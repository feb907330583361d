// The errors of the file system in our words: what is not there, may not be read, or has no room, and how to mend it.
// A path stands in `at.file` only, never in a message.

import { codesOf, type SluiceError, sluiceError } from 'sluice/sdk';

const SOURCE: Readonly<Record<string, readonly [message: string, fix: string]>> = {
  ENOENT: ['the file is not there', 'check the path'],
  ENOTDIR: ['the file is not there: a part of its path is no folder', 'check the path'],
  EACCES: ['the file may not be read', 'give this user the right to read the file and to enter its folders'],
  EPERM: ['the file may not be read', 'give this user the right to read the file'],
  EISDIR: ['the path is a folder', 'name one file'],
  ELOOP: ['the path is a circle of links', 'name the file itself'],
  EMFILE: ['too many files are open', 'raise the limit of open files'],
};

/** `permanent`: what a file that is not followed lacks now will not come by waiting. */
export function openFault(error: unknown, path: string, permanent: boolean): SluiceError {
  const known = SOURCE[codesOf(error)[0] ?? ''];
  return sluiceError('E_SOURCE_CONNECT', {
    message: known?.[0] ?? 'the file cannot be opened',
    ...(known === undefined ? {} : { fix: known[1] }),
    at: { file: path },
    cause: bare(error),
    permanent,
  });
}

export function notAFile(path: string, end: 'source' | 'sink', isDirectory: boolean): SluiceError {
  return sluiceError(end === 'source' ? 'E_SOURCE_CONNECT' : 'E_SINK_CONNECT', {
    message: isDirectory ? 'the path is a folder' : 'the path is no regular file (a device, a pipe or a socket)',
    fix: 'name one file',
    at: { file: path },
    permanent: true,
  });
}

export function readFault(error: unknown, path: string): SluiceError {
  return sluiceError('E_SOURCE_READ', {
    message: 'the file cannot be read on',
    at: { file: path },
    cause: bare(error),
  });
}

const SINK: Readonly<Record<string, readonly [message: string, fix: string]>> = {
  ENOSPC: ['the disk is full', 'make room: the same batch is written again'],
  EDQUOT: ['the disk quota is used up', 'make room: the same batch is written again'],
  EFBIG: ['the file has reached the largest size allowed', 'raise the limit, or set `rotate: { size }`'],
  EACCES: ['the file or its folder may not be written', 'give this user the right to write there'],
  EPERM: ['the file or its folder may not be written', 'give this user the right to write there'],
  EROFS: ['the file system is read-only', 'mount it for writing, or name another path'],
  EISDIR: ['the path is a folder', 'name a file'],
  ENOTDIR: ['a part of the path is no folder', 'check the path'],
  EEXIST: ['a part of the path is no folder', 'check the path'],
  EMFILE: ['too many files are open', 'raise the limit of open files'],
};

export function sinkFault(code: 'E_SINK_CONNECT' | 'E_SINK_WRITE', error: unknown, path: string): SluiceError {
  const known = SINK[codesOf(error)[0] ?? ''];
  const otherwise = code === 'E_SINK_CONNECT' ? 'the file cannot be opened' : 'the file cannot be written';
  return sluiceError(code, {
    message: known?.[0] ?? otherwise,
    ...(known === undefined ? {} : { fix: known[1] }),
    at: { file: path },
    cause: bare(error),
    // the one that no other process mends by the way: somebody named a folder
    permanent: codesOf(error)[0] === 'EISDIR',
  });
}

// The system's own error with its code, and without the path that its message holds.
function bare(error: unknown): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined) return error;
  return Object.assign(new Error(`${code}${syscall === undefined ? '' : ` (${syscall})`}`), { code });
}
