// A table that the sink made for an event without a key, and the events with a key that come later: which came first must
// not decide whether the others can be written.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Connection } from './driver.ts';
import { type Bench, batch, bench, dump, never, statuses } from './fixture.ts';

let at: Bench;
let db: Connection;
beforeEach(async () => {
  at = await bench();
  db = await at.open('target.db');
});
afterEach(() => at[Symbol.asyncDispose]());

const keyless = (after: Record<string, string | number>) => ({ op: 'c', keys: [], after }) as const;

describe('after an event without a key', () => {
  test('one with a key gets its unique index, and is upserted and deleted from then on', async () => {
    const sink = at.sink();
    expect(statuses(await sink.write(batch([keyless({ id: 1, n: 'a' }), keyless({ n: 'b' })]), never))).toBe('ok ok');
    const keyed = batch([
      { op: 'c', after: { id: 2, n: 'c' } },
      { op: 'u', after: { id: 1, n: 'A' } },
    ]);
    expect(statuses(await sink.write(keyed, never))).toBe('ok ok');
    expect(statuses(await sink.write(batch([{ op: 'd', before: { id: 2 } }, keyless({ n: 'd' })]), never))).toBe(
      'ok ok',
    );
    expect(await dump(db, 'o')).toEqual(['i:1 t:A', 'n t:b', 'n t:d']);
  });

  test('one with a key in a column that is not there yet gets both, also in one batch and by another sink', async () => {
    expect(statuses(await at.sink().write(batch([keyless({ n: 'b' }), { op: 'c', after: { id: 1 } }]), never))).toBe(
      'ok ok',
    );
    expect(statuses(await at.sink().write(batch([{ op: 'u', after: { id: 1, n: 'x' } }]), never))).toBe('ok');
    expect(await dump(db, 'o')).toEqual(['t:b n', 't:x i:1']);
  });

  test('a second key of other columns gets an index of its own', async () => {
    const sink = at.sink();
    const other = { op: 'c', keys: ['a', 'b'], after: { a: 1, b: 2, n: 'y' } } as const;
    const results = await sink.write(
      batch([keyless({ n: 'b' }), { op: 'c', after: { id: 1, n: 'x' } }, other, other]),
      never,
    );
    expect(statuses(results)).toBe('ok ok ok ok');
    expect(await dump(db, 'o')).toHaveLength(3);
  });

  test('rows that have one key already stop the stream with a message, and nothing of the write stays', async () => {
    const sink = at.sink();
    await sink.write(batch([keyless({ id: 1 }), keyless({ id: 1 })]), never);
    await expect(sink.write(batch([{ op: 'c', after: { id: 2 } }]), never)).rejects.toMatchObject({
      code: 'E_SINK_WRITE',
      permanent: true,
      message: expect.stringContaining('rows that have the same one'),
    });
    expect(await dump(db, 'o')).toEqual(['i:1', 'i:1']);
  });

  test('with `auto_evolve` off the table stays as it is, and the stream stops with a message', async () => {
    const sink = at.sink({ auto_evolve: false });
    await sink.write(batch([keyless({ id: 1 })]), never);
    await expect(sink.write(batch([{ op: 'c', after: { id: 2 } }]), never)).rejects.toMatchObject({
      code: 'E_SINK_WRITE',
    });
  });
});

test('a table that somebody else made without a key is left as it is', async () => {
  await db.exec('CREATE TABLE o (id INTEGER, n TEXT)');
  await expect(at.sink().write(batch([{ op: 'c', after: { id: 1 } }]), never)).rejects.toMatchObject({
    code: 'E_SINK_WRITE',
    message: expect.stringContaining('no primary key or unique index on (id)'),
  });
  expect(await db.all('SELECT name FROM pragma_index_list(?)', ['o'])).toEqual([]);
});
