// Which batches are written together: only those that know the same columns, and an open transaction with nothing but its
// own parts. The first batch is held at the sink here until what comes after it is read, so that it could be joined.

import { expect, test } from 'vitest';
import type { Column } from '../event.ts';
import { event, type MemoryTarget, target } from './testing.ts';
import { log, start, until } from './testing-run.ts';

/** Holds its first write until `ready()`, and keeps which events came together, with the type of column v. */
function holding(ready: () => boolean): { readonly to: MemoryTarget; readonly writes: string[][] } {
  const writes: string[][] = [];
  const to = target({
    async beforeWrite(batch) {
      if (writes.length === 0) await until(ready);
      const typeOf = (i: number) => batch.columns(batch.table(i)).find(({ name }) => name === 'v')?.type ?? 'unknown';
      writes.push(Array.from({ length: batch.length }, (_, i) => `${batch.id(i)} ${typeOf(i)}`));
    },
  });
  return { to, writes };
}

test('batches that know different columns of a table are not joined: a row keeps the columns that it had', async () => {
  const known = (type: Column['type']) => new Map([['t', [{ name: 'v', type }]]]);
  const row = (n: number) => [event(n, n, { after: { id: n, v: 'aGk=' } })];
  const source = log([
    { events: [event(1, 1)] },
    { events: row(2), columns: known('text') },
    { events: row(3), columns: known('text') }, // equal, in another map
    { events: row(4), columns: known('bytes') },
  ]);
  const { to, writes } = holding(() => running.status.read === 4);
  const running = start({ source, sinks: [{ id: 'a', to }] });
  expect(await running.end).toEqual({ state: 'ended' });
  expect(writes).toEqual([['e1 unknown'], ['e2 text', 'e3 text'], ['e4 bytes']]);
});

test('what is closed is not held back by a transaction that begins after it', async () => {
  const source = log(
    [{ events: [event(1, 1)] }, { events: [event(2, 2)] }, { events: [event(3, 3)], open: true }, { events: [] }],
    {
      async hook(i) {
        if (i === 3) await until(() => source.acked.includes(2)); // the transaction stays open until then
      },
    },
  );
  const { to, writes } = holding(() => running.status.read === 3);
  const running = start({ source, sinks: [{ id: 'a', to }] });
  expect(await running.end).toEqual({ state: 'ended' });
  expect(writes).toEqual([['e1 unknown'], ['e2 unknown'], ['e3 unknown']]);
  expect(source.acked.at(-1)).toBe(4);
});

test('parts of a transaction are joined up to the one that closes it, and not with what follows', async () => {
  const source = log([
    { events: [event(1, 1)] },
    { events: [event(2, 2)], open: true },
    { events: [event(3, 3)], open: true },
    { events: [event(4, 4)] },
    { events: [event(5, 5)] },
  ]);
  const { to, writes } = holding(() => running.status.read === 5);
  const running = start({ source, sinks: [{ id: 'a', to }] });
  expect(await running.end).toEqual({ state: 'ended' });
  expect(writes.map((write) => write.map((text) => text.slice(0, 2)))).toEqual([['e1'], ['e2', 'e3', 'e4'], ['e5']]);
});
