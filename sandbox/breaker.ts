// The circuit breaker of one program: counts the isolates that it loses, and opens when they are too many in a minute. Each
// death costs a process or an isolate, and with it the time of everybody who shares them.
// Guarantee: an event that is run again alone, to see whether a death was its doing, counts once and not twice.

import type { EndReason } from './protocol.ts';

const WINDOW = 60_000; // ms

export interface Parked {
  readonly reason: string;
  /** ISO 8601. */
  readonly since: string;
}

export interface Breaker {
  readonly parked: Parked | null;
  /** An isolate died while it ran events that are not yet known to be at fault. True: this death opened the breaker. */
  died(why: EndReason): boolean;
  /** Opens it again after a restart. */
  park(parked: Parked): void;
  resume(): void;
}

/** `most`: how many deaths in a minute are borne (limits.deaths). `now`: ms since 1970. */
export function createBreaker(most: number, now: () => number = Date.now): Breaker {
  const deaths: { readonly at: number; readonly why: EndReason }[] = [];
  let parked: Parked | null = null;
  return {
    get parked() {
      return parked;
    },
    died(why) {
      if (parked !== null) return false;
      const at = now();
      deaths.push({ at, why });
      while (deaths[0]!.at <= at - WINDOW) deaths.shift();
      if (deaths.length <= most) return false;
      const causes = (['memory', 'timeout', 'crash', 'killed'] as const).flatMap((cause) => {
        const count = deaths.filter((death) => death.why === cause).length;
        return count === 0 ? [] : [`${cause} ${count}`];
      });
      const reason = `its isolates died ${deaths.length} times in a minute (${causes.join(', ')}), and limits.deaths is ${most}`;
      parked = { reason, since: new Date(at).toISOString() };
      return true;
    },
    park(before) {
      parked = before;
    },
    resume() {
      parked = null;
      deaths.length = 0;
    },
  };
}
