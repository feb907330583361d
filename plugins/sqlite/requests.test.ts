// What a running source is asked for: snapshots once more, and tables that are parked and come back. Answers stand in the stream, and the
// position after one holds its effect.

import { type Json, pick, type Sink, type Source, type SourceItem, type SourceRequest } from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import { bench, lineOf, never, rowsOf } from './fixture.ts';
import type { SqlitePosition } from './position.ts';

type Item = SourceItem<SqlitePosition>;

interface Pump {
  readonly items: Item[];
  readonly lines: string[];
  position: SqlitePosition | null;
  /** Reads on until `done` says so. */
  until(done: (item: Item) => boolean): Promise<void>;
  stop(): Promise<void>;
}

/** Carries what the source gives to the sink, item by item. */
function pump(source: Source<SqlitePosition>, sink: Sink | null, from: SqlitePosition | null = null): Pump {
  const abort = new AbortController();
  const reading = source.read(from, abort.signal)[Symbol.asyncIterator]();
  const state: Pump = {
    items: [],
    lines: [],
    position: from,
    async until(done) {
      for (;;) {
        const next = await reading.next();
        if (next.done === true) throw new Error('the source has ended');
        const { batch, position } = next.value;
        state.items.push(next.value);
        for (let i = 0; i < batch.length; i++) state.lines.push(lineOf(batch, i));
        const good = Array.from({ length: batch.length }, (_, i) => i).filter((i) => !batch.unreadable?.has(i));
        await sink?.write(good.length === batch.length ? batch : pick(batch, good), never);
        if (position !== undefined) {
          state.position = position;
          await source.ack(position);
        }
        if (done(next.value)) return;
      }
    },
    async stop() {
      abort.abort();
      while ((await reading.next()).done !== true);
    },
  };
  return state;
}

const settled = (item: Item): boolean => item.position !== undefined && item.position.todo === undefined;
const took = (number: number) => (item: Item) => item.taken === number;
const snapshot = (number: number, more: object = {}): SourceRequest => ({ number, type: 'snapshot', ...more });

describe('a snapshot that is asked for', () => {
  test.each([
    ['integers', 'INTEGER PRIMARY KEY', (n: number): Json => n],
    ['big integers', 'BIGINT PRIMARY KEY NOT NULL', (n: number): Json => String(9_007_199_254_740_993n + BigInt(n))],
    ['texts', 'TEXT PRIMARY KEY NOT NULL', (n: number): Json => `${n % 2 === 0 ? 'é' : 'B'}${n}`],
  ])(
    'leaves no row at the sink that was deleted unseen, and deletes none that is alive: %s',
    async (_, type, keyOf) => {
      await using at = await bench();
      const db = await at.open('source.db');
      await db.exec(`CREATE TABLE o (id ${type}, n INTEGER)`);
      const add = (n: number) => db.run('INSERT INTO o VALUES (?, ?)', [keyOf(n) as never, n]);
      for (let n = 0; n < 40; n++) await add(n * 3);
      const sink = at.sink();
      const limits = { maxEvents: 4, maxBytes: 1 << 20, maxWait: 0, respectSourceTx: true };
      const source = at.source({ follow: true }, { batch: limits });
      const reading = pump(source, sink);
      await reading.until(settled);
      const target = await at.open('target.db');
      for (let n = 0; n < 40; n++) await target.run('INSERT INTO o VALUES (?, ?)', [keyOf(n * 3 + 1) as never, -1]); // the source knows nothing of them
      await source.control!(snapshot(1));
      let n = 0;
      await reading.until((item) => {
        n++;
        return item.taken === 1;
      });
      // while chunks are read, rows come, go and move
      for (let i = 0; i < 12; i++) {
        await add(1000 + i);
        await db.run('DELETE FROM o WHERE n = ?', [i * 6]);
        await db.run('UPDATE o SET n = n + 10000 WHERE n = ?', [i * 6 + 3]);
        let given = 0;
        await reading.until(() => ++given === 1);
      }
      await reading.until(settled);
      await add(5000);
      await reading.until(() => reading.lines.at(-1)?.includes('5000') === true);
      const rows = 'SELECT id, n FROM o ORDER BY id';
      expect(await rowsOf(target, rows)).toEqual(await rowsOf(db, rows));
      expect(n).toBeGreaterThan(0);
      await reading.stop();
    },
  );

  test('is answered in the stream, and goes on from that position without being asked again', async () => {
    await using at = await bench();
    const db = await at.open('source.db');
    await db.exec('CREATE TABLE o (id INTEGER PRIMARY KEY); INSERT INTO o VALUES (1), (2), (3)');
    const source = at.source({ follow: true });
    const first = pump(source, null);
    await first.until(settled);
    await source.control!(snapshot(7, { table: 'O' }));
    await first.until(took(7));
    const { position } = first;
    expect(position!.todo).toEqual([{ table: 'o' }]);
    await first.stop();
    const again = pump(source, null, position);
    await again.until(settled);
    expect(again.lines.length).toBe(3);
    const ids = (one: Pump) =>
      one.items.flatMap(({ batch }) => Array.from({ length: batch.length }, (_, i) => batch.id(i)));
    expect(ids(again).filter((id) => ids(first).includes(id))).toEqual([]);
    await again.stop();
  });

  test('with a condition reads those rows only and says nothing of the others', async () => {
    await using at = await bench();
    const db = await at.open('source.db');
    await db.exec("CREATE TABLE o (id INTEGER PRIMARY KEY, n TEXT); INSERT INTO o VALUES (1, 'a'), (2, 'b'), (3, 'b')");
    const source = at.source({ follow: true, snapshot: 'never' });
    const reading = pump(source, null);
    await db.exec("INSERT INTO o VALUES (4, 'c')");
    await reading.until(settled);
    const from = reading.lines.length;
    await source.control!(snapshot(1, { table: 'o', where: "n = 'b' -- the second" }));
    await reading.until(took(1));
    await reading.until(settled);
    expect(reading.lines.slice(from)).toEqual(['r o {"id":2} {"id":2,"n":"b"}', 'r o {"id":3} {"id":3,"n":"b"}']);
    expect(reading.items.every(({ batch }) => batch.ranges === undefined)).toBe(true);
    for (const where of ['no such column = 1', '1; DROP TABLE o', '(']) {
      await expect(source.control!(snapshot(2, { table: 'o', where }))).rejects.toMatchObject({
        code: 'E_REQUEST_FAILED',
      });
    }
    await expect(source.control!(snapshot(2, { where: '1' }))).rejects.toMatchObject({ code: 'E_REQUEST_FAILED' });
    expect((await rowsOf(db, 'SELECT * FROM o')).length).toBe(4);
    await reading.stop();
  });

  test('of a table that the stream does not read is refused, and while it does not read it is asked again', async () => {
    await using at = await bench();
    const db = await at.open('source.db');
    await db.exec('CREATE TABLE o (id INTEGER PRIMARY KEY)');
    const source = at.source({ follow: true });
    await expect(source.control!(snapshot(1))).rejects.toMatchObject({ code: 'E_SOURCE_READ' });
    const reading = pump(source, null);
    await reading.until(settled);
    await expect(source.control!(snapshot(1, { table: 'p' }))).rejects.toMatchObject({ code: 'E_REQUEST_FAILED' });
    await reading.stop();
  });
});

describe('a table that is parked', () => {
  test('does not enter any more, also after a restart, and begins again with its rows', async () => {
    await using at = await bench();
    const db = await at.open('source.db');
    await db.exec('CREATE TABLE o (id INTEGER PRIMARY KEY); CREATE TABLE p (id INTEGER PRIMARY KEY)');
    const sink = at.sink();
    const source = at.source({ follow: true });
    const first = pump(source, sink);
    await db.exec('INSERT INTO o VALUES (1), (2)');
    await db.exec('INSERT INTO p VALUES (1)');
    await first.until(() => first.lines.length >= 3);
    await expect(source.control!({ number: 1, type: 'resume', table: 'o' })).rejects.toMatchObject({
      code: 'E_REQUEST_FAILED',
    });
    await source.control!({ number: 2, type: 'park', table: 'o', reason: 'too many rejects' });
    await first.until(took(2));
    expect(first.items.at(-1)!.parked).toEqual([{ table: 'o', reason: 'too many rejects', since: expect.any(String) }]);
    await db.exec('INSERT INTO o VALUES (3); DELETE FROM o WHERE id = 1; INSERT INTO p VALUES (2)');
    await first.until(() => first.lines.at(-1) === 'c p {"id":2} {"id":2}');
    await first.stop();
    expect(first.lines.some((line) => line.includes('{"id":3}'))).toBe(false);

    const second = pump(source, sink, first.position);
    await db.exec('INSERT INTO o VALUES (4); INSERT INTO p VALUES (3)');
    await second.until(() => second.lines.length > 0);
    expect(second.lines).toEqual(['c p {"id":3} {"id":3}']);
    await expect(source.control!(snapshot(3, { table: 'o' }))).rejects.toMatchObject({ code: 'E_REQUEST_FAILED' });
    await source.control!({ number: 4, type: 'resume', table: 'o' });
    await second.until(took(4));
    expect(second.items.at(-1)!.parked).toEqual([]);
    await second.until(settled);
    const target = await at.open('target.db');
    expect(await rowsOf(target, 'SELECT id FROM o ORDER BY id')).toEqual([{ id: 2 }, { id: 3 }, { id: 4 }]);
    await second.stop();
  });
});
