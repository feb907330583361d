// A sink that the group did not wait for is away: it is probed with back-off by the last outputs that it missed, and is
// back when a probe is taken (DELIVERY.md, section 3). One probe at a time, and never beside another write at the sink.

import { pick } from '../batch-parts.ts';
import type { SluiceError } from '../errors.ts';
import type { EventBatch } from '../event.ts';
import type { WriteResult } from '../plugin.ts';
import { aborted, backoffDelay, pause } from './backoff.ts';
import type { DeliverParts } from './deliver.ts';
import { StreamFailed } from './ends.ts';
import { checkResults } from './settle.ts';
import { type Away, flushSlot, type Missed, occupy, refreshSlot, type Slot } from './slot.ts';

/** `since`: of an absence that a try in between did not end. */
export function goAway(slot: Slot, missed: Missed, parts: DeliverParts, error: SluiceError, since?: string): void {
  slot.answered = false;
  slot.away = { since: since ?? new Date().toISOString(), error, missed, probes: 0, end: new AbortController() };
  if (since === undefined) parts.left(slot, error);
  slot.probing = probe(slot, slot.away, parts).finally(() => {
    slot.probing = null;
  });
}

/** Nobody but the caller writes at the sink from here on. Resolves to what was known of its absence. */
export async function endProbe(slot: Slot): Promise<Away | null> {
  const { away } = slot;
  away?.end.abort();
  slot.away = null;
  await slot.probing;
  return away;
}

const NO_ANSWER: readonly WriteResult[] = [];

async function probe(slot: Slot, away: Away, parts: DeliverParts): Promise<void> {
  const ended = AbortSignal.any([parts.soft, parts.hard, away.end.signal]);
  while (!ended.aborted) {
    away.probes++;
    await pause(backoffDelay(parts.retry, away.probes), ended);
    if (slot.busy !== null) await Promise.race([slot.busy, aborted(ended)]); // it hangs, as what was given up may
    if (ended.aborted) return;
    const { missed } = away;
    const batch = pick(missed.group.out, missed.indices);
    const writing = writeAndFlush(
      slot,
      batch,
      AbortSignal.any([ended, AbortSignal.timeout(slot.config.write_timeout)]),
    );
    occupy(slot, writing);
    const answered = writing.catch((thrown: unknown): readonly WriteResult[] => {
      slot.stale = slot.sink.state !== undefined; // nobody knows what it took
      if (thrown instanceof StreamFailed) parts.left(slot, thrown.error); // it answers, and not as a sink must
      return NO_ANSWER;
    });
    const results = await Promise.race([answered, aborted(ended)]);
    if (results === undefined) {
      slot.stale = slot.sink.state !== undefined;
      return;
    }
    if (
      results === NO_ANSWER ||
      (results.length > 0 && !results.some(({ status }) => status === 'ok' || status === 'reject'))
    )
      continue;
    slot.away = null;
    slot.answered = true;
    slot.absences = 0;
    const delivered = missed.indices.filter((_, k) => results[k]?.status === 'ok');
    parts.returned(slot, missed, new Set(delivered));
    return;
  }
}

async function writeAndFlush(slot: Slot, batch: EventBatch, signal: AbortSignal): Promise<readonly WriteResult[]> {
  await refreshSlot(slot);
  const results = await slot.sink.write(batch, signal);
  checkResults(slot.id, results, batch.length);
  await flushSlot(slot);
  return results;
}
