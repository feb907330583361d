// Sees that a file changed on disk. Looks at the folders of files, since editors replace a file rather than write it, and at
// nothing else that happens there: a state store beside a manifest is written all the time.
// What it tells is only that something may have changed; whoever is told reads and compares.

import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** An editor writes a file in several steps; a formatter follows. */
const SETTLE_MS = 60;

export interface Watching extends Disposable {
  /** From now on these files, by absolute paths. */
  look(files: readonly string[]): void;
}

export function watching(changed: () => void): Watching {
  const watchers = new Map<string, FSWatcher>();
  let names: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  let timer: NodeJS.Timeout | undefined;
  const end = (folder: string): void => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };
  const begin = (folder: string): void => {
    try {
      const watcher = watch(folder, (_, name) => {
        if (name !== null && names.get(folder)?.has(name) !== true) return;
        clearTimeout(timer);
        timer = setTimeout(changed, SETTLE_MS);
      });
      watcher.on('error', () => end(folder)); // it was removed
      watchers.set(folder, watcher);
    } catch {
      // it is not there
    }
  };
  return {
    look(files) {
      const byFolder = Map.groupBy(files, dirname);
      names = new Map([...byFolder].map(([folder, own]) => [folder, new Set(own.map((file) => basename(file)))]));
      for (const folder of watchers.keys()) if (!names.has(folder)) end(folder);
      for (const folder of names.keys()) if (!watchers.has(folder)) begin(folder);
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
      for (const folder of [...watchers.keys()]) end(folder);
    },
  };
}
