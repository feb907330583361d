// Files and folders that only their owner may read: a state store holds events as they came.
// Guarantee: an existing file is never opened here. SQLite's locks are POSIX locks, which the system drops as soon as
// the process closes any descriptor of the file, so an open and close beside SQLite would silently free them.

import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Makes the folder of `path` where it is missing. Durable when it returns: a lost folder is a lost store. */
export function privateFolder(path: string): void {
  const folder = dirname(path);
  const first = mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = folder; ; made = dirname(made)) {
    syncFolder(dirname(made));
    if (made === first || made === dirname(made)) return;
  }
}

/** Makes an empty file where there is none, and takes the rights of others away where there are any. */
export function privateFile(path: string, likeOwnerOf?: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined) {
    if ((found.mode & 0o077) !== 0 && found.isFile()) restrict(path);
    return;
  }
  // Made under another name, closed, and only then given its own: see above.
  const made = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
  closeSync(openSync(made, 'wx', 0o600));
  try {
    // A verb that root runs must not leave files that the service's own user cannot open.
    if (likeOwnerOf !== undefined && process.getuid?.() === 0) {
      const owner = statSync(likeOwnerOf);
      chownSync(made, owner.uid, owner.gid);
    }
    linkSync(made, path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    // EEXIST: somebody else was faster. The rest: a file system without links; SQLite then makes the file itself, and
    // the next call restricts it.
    if (!['EEXIST', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code)) throw error;
  } finally {
    unlinkSync(made);
  }
}

function restrict(path: string): void {
  try {
    chmodSync(path, 0o600);
  } catch (error) {
    // Not ours to change: its owner has the say, and SQLite will tell whether we may use it.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  }
}

function syncFolder(folder: string): void {
  if (process.platform === 'win32') return; // folders cannot be opened there
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
