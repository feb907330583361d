// Collects the garbage of a child's own heap. The texts that isolates give back lie outside of that heap, where V8 does not count
// them: without this they would pile up until the watchdog took healthy code for a memory hog.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const TEXT = 32 << 20; // characters that have passed since the last collection; it takes some 5 ms
const ISOLATES = 50; // made since the last collection

export interface Collector {
  /** A text has passed, or an isolate was made. */
  note(passed: { readonly text?: number; readonly isolates?: number }): void;
  /** Collects when enough has been noted. */
  collect(): void;
}

export function createCollector(): Collector {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  setFlagsFromString('--no-expose-gc'); // isolates that are made from now on do not have it
  let text = 0;
  let isolates = 0;
  return {
    note(passed) {
      text += passed.text ?? 0;
      isolates += passed.isolates ?? 0;
    },
    collect() {
      if (text < TEXT && isolates < ISOLATES) return;
      text = 0;
      isolates = 0;
      gc();
    },
  };
}
