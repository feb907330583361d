// Says in the log that children ended, and what ran in them. Code that ends a child with each of its events must not fill the
// log: the first end is said at once, those of the second that follows in one line at its end.
// Guarantee: at most one line a second, and the counts of the lines add up.

import type { EndReason } from './protocol.ts';
import type { Entry } from './work.ts';

const SECOND = 1000; // ms
const NAMELESS = 'a transform'; // programs that only the sandbox itself runs have no label

export interface Endings {
  /** A child ended while this program ran in it, or was loaded. */
  add(entry: Entry, why: EndReason): void;
  /** Says what is not said yet. */
  flush(): void;
}

export function createEndings(log: { warn(fields: object, message: string): void } | undefined): Endings {
  let reasons: Record<string, number> = {};
  let programs = new Map<string, number>();
  let pause: NodeJS.Timeout | undefined;

  function say(): void {
    clearTimeout(pause);
    pause = undefined;
    if (programs.size === 0) return;
    const ended = [...programs.values()].reduce((sum, count) => sum + count);
    const names = [...programs].map(([name, count]) => (programs.size === 1 ? name : `${name} (${count})`)).join(', ');
    const fields = { ended, why: reasons, programs: Object.fromEntries(programs) };
    reasons = {};
    programs = new Map();
    pause = setTimeout(say, SECOND).unref();
    const what = ended === 1 ? 'a sandbox child' : `${ended} sandbox children`;
    log?.warn(fields, `${what} ended while running ${names}; the events are taken up by another`);
  }

  return {
    add({ program }, why) {
      const name = program.label ?? NAMELESS;
      reasons[why] = (reasons[why] ?? 0) + 1;
      programs.set(name, (programs.get(name) ?? 0) + 1);
      if (pause === undefined) say();
    },
    flush() {
      say();
      clearTimeout(pause);
    },
  };
}
