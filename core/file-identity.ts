// Which file stands at a path: device and inode, as text. Exported to plugins, to see that a file which is held open was deleted
// or replaced: it can be written to for ever, and nobody else sees any of it.
// Guarantee: it looks by name only. A process that opens a file and closes it again drops all of its POSIX locks on it (fcntl(2),
// "Advisory record locking"), those of SQLite too.

import { statSync } from 'node:fs';

/** One system call. null: nothing stands there. @throws what stat gives for anything else (EACCES, ENOTDIR, ELOOP …) */
export function fileIdentity(path: string): string | null {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? null : `${found.dev} ${found.ino}`;
}
