// Waits for a change below some folders. Looks at folders, not files: editors replace a file rather than write it.

import { type FSWatcher, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/** An editor writes a file in several steps; a formatter follows. */
const SETTLE_MS = 60;
const MOST_FOLDERS = 2_000;

export interface WatchOptions {
  readonly signal: AbortSignal;
  /** Changes of these files are none. */
  ignore(name: string): boolean;
  /** Date.now() of when it was last looked: what was written since then is a change too. */
  readonly since: number;
  /** Called once it looks. */
  looking(): void;
}

/** Resolves when something has changed and then been quiet for a moment, or when the signal aborts. */
export async function nextChange(paths: readonly string[], options: WatchOptions): Promise<void> {
  const { signal, ignore, since } = options;
  const folders = new Set<string>();
  for (const path of paths) await addFolders(await folderOf(resolve(path)), folders);
  if (signal.aborted) return;
  await new Promise<void>((done) => {
    const watchers: FSWatcher[] = [];
    let timer: NodeJS.Timeout | undefined;
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      for (const each of watchers) each.close();
      done();
    };
    signal.addEventListener('abort', finish);
    for (const folder of folders) {
      const watcher = watch(folder, (_, name) => {
        if (name !== null && (ignore(name) || name.startsWith('.'))) return;
        clearTimeout(timer);
        timer = setTimeout(finish, SETTLE_MS);
      });
      watcher.on('error', () => watcher.close()); // a folder that was removed
      watchers.push(watcher);
    }
    options.looking();
    void changedSince(folders, since, ignore).then((changed) => {
      if (changed) finish();
    });
  });
}

// What was saved while the tests ran, before anybody watched.
async function changedSince(
  folders: Iterable<string>,
  since: number,
  ignore: (name: string) => boolean,
): Promise<boolean> {
  for (const folder of folders) {
    for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
      if (!entry.isFile() || ignore(entry.name) || entry.name.startsWith('.')) continue;
      const found = await stat(join(folder, entry.name)).catch(() => null);
      if (found !== null && found.mtimeMs > since) return true;
    }
  }
  return false;
}

async function folderOf(path: string): Promise<string> {
  const found = await stat(path).catch(() => null);
  return found?.isDirectory() === true ? path : dirname(path);
}

async function addFolders(folder: string, into: Set<string>): Promise<void> {
  if (into.has(folder) || into.size >= MOST_FOLDERS) return;
  into.add(folder);
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const skipped = !entry.isDirectory() || entry.name === 'node_modules' || entry.name.startsWith('.');
    if (!skipped) await addFolders(join(folder, entry.name), into);
  }
}
