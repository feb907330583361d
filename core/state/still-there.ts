// Sees that files which are held open still stand where others look for them. A file that was deleted or replaced can be written
// to for ever, and everything in it is lost; a lock on it locks nobody out.

import { sluiceError } from '../errors.ts';
import { fileIdentity } from '../file-identity.ts';

export interface StillThere {
  /** Watches the file that stands there now. Returns what ends it. */
  watch(path: string): () => void;
  /** @throws SluiceError E_STATE_GONE, from the first time on */
  check(): void;
}

export function stillThere(): StillThere {
  const files = new Map<string, string>();
  let gone: Error | null = null;
  return {
    watch(path) {
      files.set(path, fileIdentity(path) ?? '');
      return () => files.delete(path);
    },
    check() {
      for (const [path, was] of files) {
        if (gone === null && fileIdentity(path) !== was) {
          gone = sluiceError('E_STATE_GONE', {
            message: `${path} was deleted or replaced while it was open: what is written to it is lost`,
            permanent: true,
          });
        }
      }
      if (gone !== null) throw gone;
    },
  };
}
