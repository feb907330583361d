// Batches of other batches: some events of one (pick), or several one after the other (join). Nothing is copied: each event is looked up
// where it is.

import type { ChangeEvent, Column, EventBatch, SnapshotRange } from './event.ts';

const NO_COLUMNS: readonly Column[] = [];

/** The events of a batch that stand at `indices`, in that order. */
export function pick(batch: EventBatch, indices: readonly number[] | Uint32Array): EventBatch {
  return select(
    indices.length,
    () => batch,
    (i) => indices[i]!,
    batch.ranges,
  );
}

/** The same batch, which says nothing of what a snapshot did not find. */
export function withoutRanges(batch: EventBatch): EventBatch {
  if (batch.ranges === undefined) return batch;
  return Object.create(batch, { ranges: { value: undefined, enumerable: true } }) as EventBatch;
}

/** Several batches, one after the other. Of one batch: that batch itself. */
export function join(batches: readonly EventBatch[]): EventBatch {
  if (batches.length === 1) return batches[0]!;
  const starts: number[] = [];
  let length = 0;
  for (const batch of batches) {
    starts.push(length);
    length += batch.length;
  }
  let last = 0; // callers walk in order, so the part of the last look-up is nearly always the right one
  const part = (i: number): number => {
    if (i < starts[last]!) last = 0;
    while (last + 1 < starts.length && i >= starts[last + 1]!) last++;
    return last;
  };
  const ranges = batches.flatMap((batch) => batch.ranges ?? []);
  return select(
    length,
    (i) => batches[part(i)]!,
    (i) => i - starts[part(i)]!,
    ranges.length > 0 ? ranges : undefined,
    batches,
  );
}

function select(
  length: number,
  batchAt: (i: number) => EventBatch,
  indexAt: (i: number) => number,
  ranges: readonly SnapshotRange[] | undefined,
  all?: readonly EventBatch[],
): EventBatch {
  const parts = all ?? (length > 0 ? [batchAt(0)] : []);
  let events: readonly ChangeEvent[] | undefined;
  let bytes = -1;
  // asked for each event, and the next one is nearly always of the same table
  let lastTable: string | undefined;
  let lastColumns = NO_COLUMNS;
  const lines = (from: number, to: number): readonly Buffer[] | null => {
    const pieces: Buffer[] = [];
    for (let i = from; i < to; ) {
      const batch = batchAt(i);
      const first = indexAt(i);
      let end = i + 1;
      while (end < to && batchAt(end) === batch && indexAt(end) === first + end - i) end++;
      const some = batch.lines!(first, first + end - i);
      if (some === null) return null;
      pieces.push(...some);
      i = end;
    }
    return pieces;
  };
  return {
    length,
    get bytes() {
      if (bytes >= 0) return bytes;
      if (all) {
        bytes = all.reduce((sum, batch) => sum + batch.bytes, 0);
      } else {
        const whole = parts[0];
        bytes = whole === undefined || whole.length === 0 ? 0 : Math.ceil((whole.bytes / whole.length) * length);
      }
      return bytes;
    },
    typed: parts.every((batch) => batch.typed),
    ...(ranges === undefined ? {} : { ranges }),
    id: (i) => batchAt(i).id(indexAt(i)),
    op: (i) => batchAt(i).op(indexAt(i)),
    table: (i) => batchAt(i).table(indexAt(i)),
    ts: (i) => batchAt(i).ts(indexAt(i)),
    key: (i) => batchAt(i).key(indexAt(i)),
    oldKey: (i) => batchAt(i).oldKey(indexAt(i)),
    head: (i) => batchAt(i).head(indexAt(i)),
    before: (i) => batchAt(i).before(indexAt(i)),
    after: (i) => batchAt(i).after(indexAt(i)),
    wholeBefore: (i) => batchAt(i).wholeBefore(indexAt(i)),
    columns(table) {
      if (table !== lastTable) {
        lastTable = table;
        lastColumns = parts.findLast((batch) => batch.columns(table).length > 0)?.columns(table) ?? NO_COLUMNS;
      }
      return lastColumns;
    },
    ...(parts.every((batch) => batch.lines !== undefined) ? { lines } : {}),
    ...(parts.every((batch) => batch.cells !== undefined)
      ? {
          cells: (i) => batchAt(i).cells!(indexAt(i)),
          keyText: (i) => batchAt(i).keyText?.(indexAt(i)) ?? null,
          isWhole: (i) => batchAt(i).isWhole?.(indexAt(i)) === true,
        }
      : {}),
    events() {
      events ??= Array.from({ length }, (_, i) => batchAt(i).events()[indexAt(i)]!);
      return events;
    },
  };
}
