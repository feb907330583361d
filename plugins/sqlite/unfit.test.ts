// Events that the SQLite sink can never write: texts that are no Unicode, rows without the key that their table has.

import type { Column } from 'sluice/sdk';
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

type Given = Parameters<typeof batch>[0];
const write = (events: Given, columns: Readonly<Record<string, readonly Column[]>> = {}) =>
  at.sink().write(batch(events, columns), never);

describe('a text that is no well-formed Unicode', () => {
  const refused = (where: string) => ({
    status: 'reject',
    error: { code: 'E_SINK_REJECT', message: expect.stringMatching(where) },
  });

  test.each(['TEXT', '', 'BLOB', 'INTEGER', 'DATE', 'DECIMAL(9, 2)', 'JSON'])(
    'is rejected in a column that is declared "%s", and no other row is',
    async (type) => {
      await db.exec(`CREATE TABLE o (id INTEGER PRIMARY KEY, t ${type})`);
      const sink = at.sink({ columns: { t: 'text' } });
      const rows = ['a\ud800z', '\udc00', 'ü😀\ufffd'].map((t, id) => ({ op: 'c', after: { id, t } }) as const);
      const results = await sink.write(batch(rows), never);
      expect(results).toMatchObject([refused('"t"'), refused('"t"'), { status: 'ok' }]);
      expect(JSON.stringify(results)).not.toContain('ud800');
      expect(await dump(db, 'o')).toEqual(['i:2 t:ü😀\ufffd']);
    },
  );

  test('is rejected as a key, and two such keys are never one row', async () => {
    const results = await write([
      { op: 'c', after: { id: '\ud800' } },
      { op: 'c', after: { id: '\ud801' } },
      { op: 'd', before: { id: '\ud802' } },
      { op: 'c', after: { id: '\ufffd' } },
    ]);
    expect(results).toMatchObject([refused('"id"'), refused('"id"'), refused('"id"'), { status: 'ok' }]);
    expect(await dump(db, 'o')).toEqual(['t:\ufffd']);
  });

  test('as the key that a row had before is no row here, so the row is written under its new key', async () => {
    await db.exec(`CREATE TABLE o (id TEXT PRIMARY KEY, n); INSERT INTO o VALUES ('\ufffd', 'another')`);
    expect(statuses(await write([{ op: 'u', before: { id: '\ud800' }, after: { id: 'x', n: 'mended' } }]))).toBe('ok');
    expect(await dump(db, 'o')).toEqual(['t:x t:mended', 't:\ufffd t:another']);
  });

  test('is rejected as the name of a column or of a table', async () => {
    const results = await write([
      { op: 'c', after: { id: 1, 'a\ud800': 1 } },
      { op: 'c', table: 't\ud800', after: { id: 1 } },
      { op: 'c', after: { id: 2 } },
    ]);
    expect(results).toMatchObject([refused('column'), refused('table'), { status: 'ok' }]);
    expect(await db.all(`SELECT name FROM sqlite_master WHERE type = 'table'`)).toEqual([{ name: 'o' }]);
  });

  test('within nested JSON is written as JSON says it, with an escape', async () => {
    expect(statuses(await write([{ op: 'c', after: { id: 1, j: { a: '\ud800' } } }]))).toBe('ok');
    expect(await dump(db, 'o')).toEqual(['i:1 t:{"a":"\\ud800"}']);
  });
});
