// The group at the sinks of `commit_policy: { quorum: n }`: nobody is needed by name, n of them are. Those who are there try;
// when so many of them have not settled within their write_timeout that n cannot be made, the ones that are away are called
// in and the stream waits, and says so. Once n have settled, who is over its time is given up.
// Guarantee: on return at least `n` sinks have the group settled and durable (invariant 2).

import { type SluiceError, sluiceError } from '../errors.ts';
import { attempt, passedBy } from './attempt.ts';
import { aborted } from './backoff.ts';
import type { DeliverParts, SlotOutcome } from './deliver.ts';
import type { Slot } from './slot.ts';
import type { Group } from './work.ts';

const WHOM = 'a quorum';

/** What becomes of the group at each sink; if one of them rejects, the caller aborts `parts.hard`. */
export function deliverToQuorum(
  slots: readonly Slot[],
  group: Group,
  parts: DeliverParts,
  n: number,
): Promise<SlotOutcome>[] {
  const enough = new AbortController();
  const short = new AbortController(); // the ones that are away are called in
  const hopeless = new AbortController(); // a stop came, and nobody is trying any more
  let trying = 0;
  let inTime = 0; // settled, or with time left
  let settled = 0;
  if (n <= 0) enough.abort();

  const fallShort = (error: SluiceError): void => {
    if (short.signal.aborted) return;
    short.abort();
    parts.waiting(WHOM, error);
  };
  const stopTrying = (): void => {
    if (--trying === 0) hopeless.abort();
  };
  const isWaiting = (): boolean => short.signal.aborted && !enough.signal.aborted;
  const tryAt = async (slot: Slot): Promise<SlotOutcome> => {
    let late = false;
    trying++;
    inTime++;
    const outcome = await attempt(slot, group, parts, {
      enough: enough.signal,
      overdue(error) {
        late = true;
        inTime--;
        if (inTime < n) fallShort(error);
      },
      isShort: () => inTime < n && !enough.signal.aborted,
      isWaiting,
      async interrupted() {
        stopTrying();
        await aborted(enough.signal, hopeless.signal, parts.hard);
      },
    });
    if (outcome.missed.length > 0) return outcome;
    if (late) inTime++;
    if (++settled >= n && !enough.signal.aborted) {
      enough.abort();
      if (short.signal.aborted) parts.waiting(WHOM, null);
    }
    stopTrying();
    return outcome;
  };
  const whenCalled = async (slot: Slot, error: SluiceError): Promise<SlotOutcome> => {
    await aborted(enough.signal, short.signal, hopeless.signal, parts.hard);
    if (isWaiting() && !parts.hard.aborted) return await tryAt(slot);
    return passedBy(slot, group, parts, error); // not earlier: a probe must not take what it may be called in for
  };

  const running = slots.map((slot) => (slot.away === null ? tryAt(slot) : whenCalled(slot, slot.away.error)));
  if (inTime < n) fallShort(slots.find((slot) => slot.away !== null)?.away?.error ?? tooFew(n));
  return running;
}

function tooFew(n: number): SluiceError {
  return sluiceError('E_SINK_ABSENT', { message: `fewer than ${n} sinks are there` });
}
