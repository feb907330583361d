// The sink takes the ranges of a repeated snapshot: what it has and the source has no more is deleted, and nothing else.

import type { Column, SnapshotRange } from 'sluice/sdk';
import { batchOf } from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import { bench, contextOf, event, never, rowsOf } from './fixture.ts';

const columns = (...key: readonly [name: string, type: Column['type']][]): ReadonlyMap<string, readonly Column[]> =>
  new Map([['o', key.map(([name, type], i) => ({ name, type, key: i + 1 }))]]);

async function left(
  create: string,
  columnsOf: ReadonlyMap<string, readonly Column[]>,
  rows: readonly Record<string, string | number>[],
  range: Omit<SnapshotRange, 'table'>,
  config: { key?: readonly string[] } = {},
): Promise<{ rows: unknown[]; logged: string[] }> {
  await using at = await bench();
  const db = await at.open('target.db');
  await db.exec(create);
  const logged: string[] = [];
  const sink = at.sink(config, contextOf({}, logged));
  const keys = columnsOf.get('o')!.map(({ name }) => name);
  await sink.write(
    batchOf(
      rows.map((after) => event({ after, keys })),
      { columns: columnsOf },
    ),
    never,
  );
  await sink.write(batchOf([], { columns: columnsOf, ranges: [{ table: 'o', ...range }] }), never);
  return { rows: (await rowsOf(db, 'SELECT * FROM o ORDER BY 1')).map((row) => Object.values(row).join(' ')), logged };
}

describe('a range', () => {
  const ids = [1, 2, 9, 10, 11, 100].map((id) => ({ id }));
  const int = columns(['id', 'int']);

  test('begins after `from`, ends with `to`, and compares integers as integers', async () => {
    const { rows } = await left('CREATE TABLE o (id INTEGER PRIMARY KEY)', int, ids, {
      from: [2],
      to: [11],
      keep: [[10]],
    });
    expect(rows).toEqual(['1', '2', '10', '100']);
  });

  test('without bounds is the whole table', async () => {
    const { rows } = await left('CREATE TABLE o (id INTEGER PRIMARY KEY)', int, ids, {
      from: null,
      to: null,
      keep: [[9]],
    });
    expect(rows).toEqual(['9']);
  });

  test('knows integers beyond 2^53', async () => {
    const big = ['9007199254740992', '9007199254740993', '9223372036854775807'].map((id) => ({ id }));
    const range = { from: ['9007199254740992'], to: null, keep: [['9223372036854775807']] };
    const { rows } = await left(
      'CREATE TABLE o (id BIGINT PRIMARY KEY, t AS (CAST(id AS TEXT)))',
      columns(['id', 'bigint']),
      big,
      range,
    );
    expect(rows.length).toBe(2);
  });

  test('compares texts by their bytes, whatever the table collates by', async () => {
    const texts = ['B', 'a', 'b', 'é', '𝒳'].map((id) => ({ id }));
    const { rows } = await left(
      'CREATE TABLE o (id TEXT COLLATE NOCASE UNIQUE, n INT)',
      columns(['id', 'text']),
      texts.filter(({ id }) => id !== 'b'),
      {
        from: ['B'],
        to: ['é'],
        keep: [],
      },
    );
    expect(rows.map((row) => String(row).trim()).toSorted()).toEqual(['B', '𝒳'].toSorted());
  });

  test('of a key of two columns goes by both', async () => {
    const two = columns(['a', 'text'], ['b', 'int']);
    const pairs = [
      ['x', 1],
      ['x', 2],
      ['x', 10],
      ['y', 1],
    ].map(([a, b]) => ({ a: a!, b: b! }));
    const { rows } = await left('CREATE TABLE o (a TEXT, b INTEGER, PRIMARY KEY (a, b))', two, pairs, {
      from: ['x', 1],
      to: ['y', 0],
      keep: [['x', 10]],
    });
    expect(rows).toEqual(['x 1', 'x 10', 'y 1']);
  });

  test('deletes nothing where the sink writes by another key, or a column compares otherwise, and the log says so', async () => {
    const all = { from: null, to: null, keep: [] };
    const own = await left('CREATE TABLE o (id INTEGER PRIMARY KEY)', int, ids, all, { key: ['id'] });
    const decimal = await left('CREATE TABLE o (id TEXT PRIMARY KEY)', int, ids, all);
    for (const { rows, logged } of [own, decimal]) {
      expect(rows.length).toBe(6);
      expect(logged.join()).toContain('may stay');
    }
  });
});
