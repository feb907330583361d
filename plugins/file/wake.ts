// Wakes a follower: when its file is written, renamed or made (fs.watch), and at every poll, for file systems that
// announce nothing. Guarantee: a change between two waits is never missed.

import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** A timer cannot wait longer than 2^31 ms: with more it fires at once, for ever. */
const LONGEST = 2 ** 30;

export interface Wake extends Disposable {
  /** Resolves at the next change, or after the poll interval, or when the signal aborts. */
  wait(signal: AbortSignal): Promise<void>;
}

export function wakeOn(path: string, poll: number): Wake {
  let changed = false;
  let ring: (() => void) | undefined;
  let watcher: FSWatcher | undefined;
  const stopWatching = (): void => {
    watcher?.close();
    watcher = undefined;
  };
  try {
    // The folder, not the file: a file that is renamed takes its watcher with it.
    const name = basename(path);
    watcher = watch(dirname(path), (_event, file) => {
      if (file !== null && file !== name) return; // a sink that writes into this folder must not keep us awake
      changed = true;
      ring?.();
    });
    watcher.on('error', stopWatching);
  } catch {
    // no more watches, or a file system without them: the poll is enough
  }
  return {
    async wait(signal) {
      if (!changed && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const done = (): void => {
            clearTimeout(timer);
            signal.removeEventListener('abort', done);
            ring = undefined;
            resolve();
          };
          const timer = setTimeout(done, Math.min(poll, LONGEST));
          signal.addEventListener('abort', done, { once: true });
          ring = done;
        });
      }
      changed = false;
    },
    [Symbol.dispose]: stopWatching,
  };
}
