// Order per key at sinks that write event by event (invariant 3), and the small answers that sinks give.

import { isSluiceError, toSluiceError } from './errors.ts';
import type { EventBatch } from './event.ts';
import type { WriteResult } from './plugin.ts';
import { type KeySpec, sinkKey } from './sink-key.ts';
import { canonical } from './values.ts';

const OK: WriteResult = Object.freeze({ status: 'ok' });
const HELD: WriteResult = Object.freeze({ status: 'held' });

/** `ok` for each of n events. */
export function allOk(n: number): WriteResult[] {
  return new Array<WriteResult>(n).fill(OK);
}

/** Tells, event by event, whether an earlier one of the same key (or a barrier of its table) is unsettled. */
export interface HoldTracker {
  /** Event i was not ok: later events of its keys must wait. */
  hold(i: number): void;
  /** True when event i must not be applied now. */
  isHeld(i: number): boolean;
}

/** Keys are computed only from the first event that was not ok, so a clean batch costs nothing. */
export function holdTracker(batch: EventBatch, spec: KeySpec): HoldTracker {
  const keys = new Set<string>(); // table + key
  const tables = new Set<string>(); // a barrier of this table is unsettled
  const touched = new Set<string>(); // some event of this table is unsettled
  return {
    hold(i) {
      const table = batch.table(i);
      touched.add(table);
      const found = keyTexts(batch, i, spec);
      if (found === null) tables.add(table);
      else for (const key of found) keys.add(`${table} ${key}`);
    },
    isHeld(i) {
      if (touched.size === 0) return false;
      const table = batch.table(i);
      if (tables.has(table)) return true;
      const found = keyTexts(batch, i, spec);
      if (found === null) return touched.has(table);
      return found.some((key) => keys.has(`${table} ${key}`));
    },
  };
}

/** The texts of the keys that event i is ordered by (two after a key change), or null when it is a barrier for its table. */
export function keyTexts(batch: EventBatch, i: number, spec: KeySpec): string[] | null {
  const found = keyOrError(batch, i, spec);
  if (found === null) return null;
  if (isSluiceError(found)) {
    // the sink rejects it; until then it is ordered by the source's own key
    const key = batch.key(i);
    return key === null ? null : [canonical(key)];
  }
  const texts = [canonical(found.key)];
  if (found.oldKey !== null) texts.push(canonical(found.oldKey));
  return texts;
}

// A row that does not parse has no key to order by; whoever writes it says what is wrong with it.
function keyOrError(batch: EventBatch, i: number, spec: KeySpec): ReturnType<typeof sinkKey> {
  try {
    return sinkKey(batch, i, spec);
  } catch (thrown) {
    return toSluiceError(thrown, 'E_EVENT_PARSE');
  }
}

/**
 * Writes the events of a batch one by one, holding back those whose key has an unsettled earlier event.
 * A throw of writeOne for one event is that event's `retry`.
 */
export async function inKeyOrder(
  batch: EventBatch,
  spec: KeySpec,
  writeOne: (i: number) => Promise<WriteResult>,
): Promise<WriteResult[]> {
  const tracker = holdTracker(batch, spec);
  const results: WriteResult[] = [];
  for (let i = 0; i < batch.length; i++) {
    if (tracker.isHeld(i)) {
      tracker.hold(i);
      results.push(HELD);
      continue;
    }
    const result = await writeOne(i).catch(
      (thrown): WriteResult => ({ status: 'retry', error: toSluiceError(thrown, 'E_SINK_WRITE') }),
    );
    if (result.status !== 'ok') tracker.hold(i);
    results.push(result);
  }
  return results;
}
