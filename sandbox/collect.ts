// Collects the garbage of a child's own heap. The texts that isolates give back lie outside of that heap, where V8 does not count
// them: without this they would pile up until the watchdog took healthy code for a memory hog.

import { setFlagsFromString } from 'node:v8';

const TEXT = 64 << 20; // characters that have passed, in and out, since the last collection; it takes some 5 ms
// the same, for a child that has nothing to do for so many ms: one that waits a moment for its next slice is hardly idle
const IDLE_TEXT = [
  { after: 30, text: 8 << 20 },
  { after: 500, text: 1 << 20 },
];
const ISOLATES = 50; // made since the last collection

export interface Collector {
  /** A text has passed, or an isolate was made. */
  note(passed: { readonly text?: number; readonly isolates?: number }): void;
  /** Collects when enough has been noted. */
  collect(): void;
  /** The child has nothing to do; or has again. */
  rest(idle: boolean): void;
}

export function createCollector(): Collector {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('started without --expose-gc');
  Reflect.deleteProperty(globalThis, 'gc'); // it is nobody else's, here too
  setFlagsFromString('--no-expose-gc'); // isolates, which are made from now on, do not have it
  let text = 0;
  let isolates = 0;
  let resting: NodeJS.Timeout | undefined;
  const now = (): void => {
    text = 0;
    isolates = 0;
    gc();
  };
  return {
    note(passed) {
      text += passed.text ?? 0;
      isolates += passed.isolates ?? 0;
    },
    collect() {
      if (text >= TEXT || isolates >= ISOLATES) now();
    },
    rest(idle) {
      clearTimeout(resting);
      const due = idle ? IDLE_TEXT.find((one) => text >= one.text) : undefined;
      if (due !== undefined) resting = setTimeout(now, due.after).unref();
    },
  };
}
