// Sees that the database file which is held open still stands at its path. One that was deleted or replaced can be read and
// written for ever, and nobody else sees any of it.

import { fileIdentity, type SluiceError, sluiceError } from 'sluice/sdk';

export interface SameFile {
  /** Keeps which file stands there, the first time that one does. */
  keep(): void;
  /** One system call. @throws SluiceError when another file stands there, or none; from then on always */
  check(): void;
}

export function sameFile(path: string, code: 'E_SOURCE_READ' | 'E_SINK_WRITE'): SameFile {
  let kept: string | null = null;
  let gone: SluiceError | null = null;
  return {
    keep() {
      kept ??= fileIdentity(path);
    },
    check() {
      if (gone === null && kept !== null && fileIdentity(path) !== kept) gone = goneError(path, code);
      if (gone !== null) throw gone;
    },
  };
}

function goneError(path: string, code: 'E_SOURCE_READ' | 'E_SINK_WRITE'): SluiceError {
  const what = code === 'E_SINK_WRITE' ? 'what was written to it last is lost' : 'it is read no further';
  return sluiceError(code, {
    message: `the database file was deleted or replaced while it was open: ${what}`,
    fix: 'put the right file in its place while Sluice is stopped, then start again',
    at: { file: path },
    permanent: true,
  });
}
