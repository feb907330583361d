// Writes the events of a batch side by side, and still in order per key (invariant 3): what inKeyOrder() of the SDK does one
// by one, at most `width` at a time. An event waits for the last one of each of its keys; an event without a key, a truncate
// and a schema change wait for all of their table, and all of their table that comes later waits for them.

import { type EventBatch, keyTexts, type WriteResult } from 'sluice/sdk';

const HELD: WriteResult = { status: 'held' };

/** `writeOne` must not throw. Results stand in the order of the events. */
export async function inLanes(
  batch: EventBatch,
  width: number,
  writeOne: (i: number) => Promise<WriteResult>,
): Promise<WriteResult[]> {
  const before = predecessors(batch);
  const enter = turnstile(width);
  const done: Promise<WriteResult>[] = [];
  for (let i = 0; i < batch.length; i++) {
    const earlier = before(i).map((j) => done[j]!);
    done.push(
      (async () => {
        const results = await Promise.all(earlier);
        // Each event answers for those before it: held if one of them was not ok, so all that follow are held as well.
        if (results.some((result) => result.status !== 'ok')) return HELD;
        const leave = await enter();
        try {
          return await writeOne(i);
        } finally {
          leave();
        }
      })(),
    );
  }
  return Promise.all(done);
}

interface Table {
  /** The last event of each key since the last barrier. */
  readonly last: Map<string, number>;
  barrier: number | null;
}

// Gives, asked for 0, 1, 2 … in turn, the events that must be settled before event i is written.
function predecessors(batch: EventBatch): (i: number) => readonly number[] {
  const tables = new Map<string, Table>();
  return (i) => {
    const name = batch.table(i);
    let table = tables.get(name);
    if (table === undefined) {
      table = { last: new Map(), barrier: null };
      tables.set(name, table);
    }
    const { last } = table;
    const keys = keysOf(batch, i);
    if (keys === null) {
      const all = [...new Set(last.values()), ...(table.barrier === null ? [] : [table.barrier])];
      last.clear();
      table.barrier = i;
      return all;
    }
    const found = new Set<number>();
    for (const key of keys) {
      const earlier = last.get(key) ?? table.barrier;
      if (earlier !== null) found.add(earlier);
      last.set(key, i);
    }
    return [...found];
  };
}

// A row that is no JSON has no key that could be known: it goes as a barrier, and the endpoint will refuse it.
function keysOf(batch: EventBatch, i: number): readonly string[] | null {
  try {
    return keyTexts(batch, i, undefined);
  } catch {
    return null;
  }
}

function turnstile(width: number): () => Promise<() => void> {
  let free = width;
  const waiting: (() => void)[] = [];
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) free++;
    else next(); // the place is handed on
  };
  return async () => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    return leave;
  };
}
