// Sees that a file changed on disk. Looks at folders, not files: editors replace a file rather than write it.
// What it tells is only that something may have changed; whoever is told reads and compares.

import { type FSWatcher, watch } from 'node:fs';

/** An editor writes a file in several steps; a formatter follows. */
const SETTLE_MS = 60;

export interface Watching extends Disposable {
  /** From now on these folders. */
  look(folders: readonly string[]): void;
}

export function watching(changed: () => void): Watching {
  const watchers = new Map<string, FSWatcher>();
  let timer: NodeJS.Timeout | undefined;
  const told = (): void => {
    clearTimeout(timer);
    timer = setTimeout(changed, SETTLE_MS);
  };
  const end = (folder: string): void => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };
  return {
    look(folders) {
      for (const folder of watchers.keys()) if (!folders.includes(folder)) end(folder);
      for (const folder of folders) {
        if (watchers.has(folder)) continue;
        try {
          const watcher = watch(folder, told);
          watcher.on('error', () => end(folder)); // it was removed
          watchers.set(folder, watcher);
        } catch {
          // it is not there
        }
      }
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
      for (const folder of [...watchers.keys()]) end(folder);
    },
  };
}
