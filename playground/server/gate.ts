// How much is done at once: so many requests at work, so many waiting, and no more. What it takes is bounded, whatever is asked.

import { sluiceError } from 'sluice/sdk';

/** Requests that do work, at one time; the others wait. */
const MOST_AT_WORK = 4;
/** And so many wait at most. */
const MOST_WAITING = 64;

export interface Gate {
  /** Waits for its turn. @throws SluiceError E_PLAYGROUND_BUSY; whatever `signal` was aborted with */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

export function openGate(atWork = MOST_AT_WORK, mostWaiting = MOST_WAITING): Gate {
  let busy = 0;
  const waiting = new Set<() => void>();
  // A place goes from hand to hand, or one that has just come would take it from the one that waits.
  const leavePlace = (): void => {
    const first = waiting.values().next().value;
    if (first === undefined) {
      busy--;
      return;
    }
    waiting.delete(first);
    first();
  };
  return {
    async run(work, signal) {
      signal.throwIfAborted();
      if (busy >= atWork) {
        if (waiting.size >= mostWaiting) {
          throw sluiceError('E_PLAYGROUND_BUSY', { message: `${mostWaiting} requests wait already` });
        }
        await new Promise<void>((resolve, reject) => {
          const turn = (): void => {
            signal.removeEventListener('abort', leave);
            resolve();
          };
          const leave = (): void => {
            waiting.delete(turn);
            reject(signal.reason);
          };
          signal.addEventListener('abort', leave, { once: true });
          waiting.add(turn);
        });
      } else busy++;
      try {
        return await work();
      } finally {
        leavePlace();
      }
    },
  };
}
