// Which works become one group: what is ready, up to some bytes, as long as the joined batch says nothing else than its parts.

import type { Column, EventBatch } from '../event.ts';
import type { WorkQueue } from './queue.ts';
import type { Work } from './work.ts';

/** A group is joined up to this much, inputs and outputs, so that fsync, commit and checkpoint stay a small part of the time. */
const GROUP_BYTES = 8 * 1024 * 1024;

/**
 * Takes what goes into one group with `first`. A part of an unfinished transaction (no position) is joined only with parts, up to
 * the one that closes it; what is closed is not held back by a transaction that begins. A batch knows one version of each
 * table's columns (invariant 6), so where they change a group ends.
 */
export function joinReady(queue: WorkQueue<Work>, first: Work): Work[] {
  const works = [first];
  const known = new Map<string, readonly Column[]>();
  agrees(first.input, known);
  let bytes = first.bytes;
  let open = first.position === undefined;
  for (let next = queue.peek(); next?.ready === true && bytes + next.bytes <= GROUP_BYTES; next = queue.peek()) {
    const isOpen = next.position === undefined;
    // The keys that a snapshot's range keeps are those of its own place in the stream: what comes after it is not among them.
    if (works.at(-1)!.input.ranges !== undefined) break;
    if ((isOpen && !open) || !agrees(next.input, known)) break;
    queue.takeNow();
    works.push(next);
    bytes += next.bytes;
    if (open && !isOpen) break;
    open = isOpen;
  }
  return works;
}

/** True when the batch knows the same columns of each table; what is new is added to `known`. */
function agrees(batch: EventBatch, known: Map<string, readonly Column[]>): boolean {
  let last: string | undefined;
  for (let i = 0; i < batch.length; i++) {
    if (batch.unreadable?.has(i) === true) continue;
    const table = batch.table(i);
    if (table === last) continue;
    last = table;
    const columns = batch.columns(table);
    const before = known.get(table);
    if (before === undefined) known.set(table, columns);
    else if (before !== columns && JSON.stringify(before) !== JSON.stringify(columns)) return false;
  }
  return true;
}
