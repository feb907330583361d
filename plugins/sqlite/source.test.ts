// The SQLite source: snapshot, changes, values, schema changes, readers. Long because each fact of the change log that
// a reader may doubt has its own case.

import { chmod, readdir, rename, unlink, writeFile } from 'node:fs/promises';
import type { Context } from 'sluice/sdk';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Connection } from './driver.ts';
import { type Bench, bench, contextOf, limits, lineOf, never, readAll } from './fixture.ts';
import type { SqlitePosition } from './position.ts';

let at: Bench;
let db: Connection;
beforeEach(async () => {
  at = await bench();
  db = await at.open('source.db');
});
afterEach(() => at[Symbol.asyncDispose]());

describe('rows and their changes', () => {
  test('come as r first, then as c, u and d with before images and key changes', async () => {
    await db.exec(`CREATE TABLE o (id INTEGER PRIMARY KEY, n TEXT); INSERT INTO o VALUES (1, 'a'), (2, 'b')`);
    const source = at.source();
    const first = await readAll(source);
    expect(first.lines).toEqual(['r o {"id":1} {"id":1,"n":"a"}', 'r o {"id":2} {"id":2,"n":"b"}']);
    await db.exec(`BEGIN; INSERT INTO o VALUES (3, 'c'); UPDATE o SET n = 'B' WHERE id = 2; UPDATE o SET id = 9 WHERE id = 1;
      DELETE FROM o WHERE id = 3; COMMIT`);
    const second = await readAll(source, first.position);
    expect(second.lines).toEqual([
      'c o {"id":3} {"id":3,"n":"c"}',
      'u o {"id":2} {"id":2,"n":"B"}',
      'u o {"id":9} was {"id":1} {"id":9,"n":"a"}',
      'd o {"id":3} {"id":3,"n":"c"}',
    ]);
    const batch = second.batches[0]!;
    expect(batch.before(1)).toBe('{"id":2,"n":"b"}');
    expect(batch.wholeBefore(3)).toBe(true);
    expect(batch.events()[0]).toMatchObject({
      source: { plugin: 'sqlite', db: 'source.db', table: 'o', snapshot: false },
    });
    expect(Math.abs(batch.ts(0) - Date.now())).toBeLessThan(60_000);
  });

  test('of a table WITHOUT ROWID and a key of several columns are the same', async () => {
    await db.exec(
      `CREATE TABLE w (a TEXT, "b c" INT, v BLOB, PRIMARY KEY (a, "b c")) WITHOUT ROWID; INSERT INTO w VALUES ('x', 1, x'00ff')`,
    );
    const source = at.source();
    const { position } = await readAll(source);
    await db.exec(`UPDATE w SET a = 'y'; DELETE FROM w`);
    expect((await readAll(source, position)).lines).toEqual([
      'u w {"a":"y","b c":1} was {"a":"x","b c":1} {"a":"y","b c":1,"v":"AP8="}',
      'd w {"a":"y","b c":1} {"a":"y","b c":1,"v":"AP8="}',
    ]);
  });

  test('of a table without a key have no key, and whole images', async () => {
    await db.exec(`CREATE TABLE k (x, y REAL); INSERT INTO k VALUES (1, 1.5)`);
    const source = at.source();
    const { position, lines } = await readAll(source);
    expect(lines).toEqual(['r k null {"x":1,"y":1.5}']);
    await db.exec(`UPDATE k SET y = 0.1 + 0.2`);
    const { batches } = await readAll(source, position);
    expect([batches[0]!.key(0), batches[0]!.before(0), batches[0]!.after(0)]).toEqual([
      null,
      '{"x":1,"y":1.5}',
      '{"x":1,"y":0.30000000000000004}',
    ]);
  });

  test('of what another process did with REPLACE, DELETE without WHERE and cascades are all there', async () => {
    await db.exec(`PRAGMA foreign_keys = ON; CREATE TABLE p (id INTEGER PRIMARY KEY);
      CREATE TABLE c (id INTEGER PRIMARY KEY, p INT REFERENCES p ON DELETE CASCADE); INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (10, 1), (11, 2)`);
    const source = at.source({ tables: ['c', 'p'] });
    const { position } = await readAll(source);
    await db.exec(`DELETE FROM p WHERE id = 1; REPLACE INTO c VALUES (11, NULL); DELETE FROM c`);
    expect((await readAll(source, position)).lines).toEqual([
      'd c {"id":10} {"id":10,"p":1}',
      'd p {"id":1} {"id":1}',
      'c c {"id":11} {"id":11,"p":null}',
      'd c {"id":11} {"id":11,"p":null}',
    ]);
  });

  test('that were rolled back never come', async () => {
    await db.exec('CREATE TABLE o (id INTEGER PRIMARY KEY)');
    const source = at.source();
    const { position } = await readAll(source);
    await db.exec('BEGIN; INSERT INTO o VALUES (1); ROLLBACK; INSERT INTO o VALUES (2)');
    expect((await readAll(source, position)).lines).toEqual(['c o {"id":2} {"id":2}']);
  });

  test('come while the source waits', async () => {
    await db.exec('CREATE TABLE o (id INTEGER PRIMARY KEY)');
    const source = at.source({ follow: true });
    const abort = new AbortController();
    const lines: string[] = [];
    for await (const { batch } of source.read(null, abort.signal)) {
      for (let i = 0; i < batch.length; i++) lines.push(lineOf(batch, i));
      if (lines.length < 3) await db.exec(`INSERT OR IGNORE INTO o VALUES (${lines.length + 1})`);
      else abort.abort();
    }
    expect(lines).toEqual([1, 2, 3].map((id) => `c o {"id":${id}} {"id":${id}}`));
  });
});

describe('values', () => {
  test('keep their meaning by the declared type of their column', async () => {
    await db.exec(`CREATE TABLE v (id INTEGER PRIMARY KEY, big BIGINT, f REAL, ok BOOLEAN, d DECIMAL(10,2), t VARCHAR(9), b BLOB, day DATE,
      at TIMESTAMP, j JSON, nested JSONB, u UUID);
      INSERT INTO v VALUES (-9007199254740991, -9223372036854775808, 0.1, TRUE, 10.50, 'NaN', x'', '2024-02-29', '2024-01-01 10:00:00.123456',
        '{"a": 1}', jsonb('{"a":[1,null]}'), 'abc');
      INSERT INTO v VALUES (9007199254740991, 9223372036854775807, 2, FALSE, 12345678901234, '', NULL, NULL, '2024-01-01T10:00:00Z', '[1]', '{"b":2}', '17')`);
    const { lines, batches } = await readAll(at.source());
    expect(lines.map((line) => JSON.parse(line.replace(/^r v \S+ /, '')))).toEqual([
      {
        id: -9007199254740991,
        big: '-9223372036854775808',
        f: 0.1,
        ok: true,
        d: '10.5',
        t: 'NaN',
        b: '',
        day: '2024-02-29',
        at: '2024-01-01 10:00:00.123456',
        j: '{"a": 1}',
        nested: { a: [1, null] },
        u: 'abc',
      },
      {
        id: 9007199254740991,
        big: '9223372036854775807',
        f: 2,
        ok: false,
        d: '12345678901234',
        t: '',
        b: null,
        day: null,
        at: '2024-01-01T10:00:00Z',
        j: '[1]',
        nested: { b: 2 },
        u: '17',
      },
    ]);
    expect(batches[0]!.columns('v').map((column) => column.type)).toEqual([
      'int',
      'bigint',
      'float',
      'bool',
      'decimal',
      'text',
      'bytes',
      'date',
      'timestamp',
      'json',
      'jsonb',
      'text',
    ]);
  });

  test('that do not fit make their own event unreadable and no other', async () => {
    await db.exec(`CREATE TABLE v (id INTEGER PRIMARY KEY, n INT, f REAL, ok BOOLEAN, t TEXT, j JSONB, any);
      INSERT INTO v (id, n) VALUES (1, 9007199254740993); INSERT INTO v (id, n) VALUES (2, 'text'); INSERT INTO v (id, f) VALUES (3, 9e999);
      INSERT INTO v (id, ok) VALUES (4, 2); INSERT INTO v (id, t) VALUES (5, x'00'); INSERT INTO v (id, t) VALUES (6, CAST(x'61ff' AS TEXT));
      INSERT INTO v (id, j) VALUES (7, '{"n":12345678901234567890}'); INSERT INTO v (id, j) VALUES (8, '{');
      INSERT INTO v (id, any) VALUES (9, x'00'); INSERT INTO v (id, any) VALUES (10, 9007199254740993);
      INSERT INTO v (id, t) VALUES (11, char(0xFFFD) || 'is a character of its own')`);
    const source = at.source();
    const first = await readAll(source);
    const bad = new Array(10).fill('! v E_EVENT_VALUE');
    const good =
      'v {"id":11} {"id":11,"n":null,"f":null,"ok":null,"t":"\uFFFDis a character of its own","j":null,"any":null}';
    expect(first.lines).toEqual([...bad, `r ${good}`]);
    await db.exec('UPDATE v SET id = id');
    expect((await readAll(source, first.position)).lines).toEqual([...bad, `u ${good}`]);
  });

  test('of integer columns are strings when `integers: text` says so, and columns can be given a kind', async () => {
    await db.exec(
      `CREATE TABLE v (id INTEGER PRIMARY KEY, made TIMESTAMP, any); INSERT INTO v VALUES (9007199254740993, 1700000000, x'ff')`,
    );
    const source = at.source({ integers: 'text', columns: { 'v.made': 'bigint', 'V.any': 'bytes' } });
    expect((await readAll(source)).lines).toEqual([
      'r v {"id":"9007199254740993"} {"id":"9007199254740993","made":"1700000000","any":"/w=="}',
    ]);
  });

  test('of keys that are no UTF-8 are told apart, and a snapshot goes on after them', async () => {
    await db.exec(`CREATE TABLE w (a TEXT PRIMARY KEY NOT NULL, n INT) WITHOUT ROWID;
      INSERT INTO w VALUES (CAST(x'61fe' AS TEXT), 1), (CAST(x'61ff' AS TEXT), 2), ('b', 3), (CAST(x'62fe' AS TEXT), 4)`);
    const { batches, lines } = await readAll(at.source({}, { batch: { ...limits, maxEvents: 1 } }));
    expect(lines).toEqual([
      '! w E_EVENT_VALUE',
      '! w E_EVENT_VALUE',
      'r w {"a":"b"} {"a":"b","n":3}',
      '! w E_EVENT_VALUE',
    ]);
    const ids = batches.filter((batch) => batch.length > 0).map((batch) => batch.id(0));
    expect(new Set(ids).size).toBe(4);
    expect(JSON.parse(batches[0]!.unreadable!.get(0)!.raw)).toMatchObject({ bytes: { a: 'base64:Yf4=' } });
  });

  test('that cannot be read are kept in the dead letter without rounding', async () => {
    await db.exec(
      `CREATE TABLE v (id INTEGER PRIMARY KEY, n INT, b BLOB); INSERT INTO v VALUES (1, 9007199254740993, x'0a')`,
    );
    const { batches } = await readAll(at.source());
    expect(JSON.parse(batches[0]!.unreadable!.get(0)!.raw)).toEqual({
      op: 'r',
      table: 'v',
      after: { id: 1, n: '9007199254740993', b: 'base64:Cg==' },
    });
  });
});

describe('a snapshot', () => {
  const rows = 57;
  beforeEach(async () => {
    await db.exec(`CREATE TABLE o (id INTEGER PRIMARY KEY, n TEXT);
      CREATE TABLE p (a TEXT COLLATE NOCASE, b BIGINT, PRIMARY KEY (a, b)) WITHOUT ROWID;
      CREATE TABLE q (code TEXT PRIMARY KEY); CREATE TABLE k (n);
      WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < ${rows})
      INSERT INTO o SELECT x, 'n' || x FROM i;
      INSERT INTO p SELECT char(64 + id % 3) || char(96 + id % 5), 9007199254740990 + id FROM o;
      INSERT INTO q SELECT n FROM o; INSERT INTO q VALUES (NULL), (NULL); INSERT INTO k SELECT id FROM o`);
  });
  const small: Partial<Context> = { batch: { ...limits, maxEvents: 4 } };
  const total = rows * 4 + 2;

  test('gives every row once, whatever its key, in pieces of the size that is asked for', async () => {
    const { lines, batches } = await readAll(at.source({}, small));
    expect(lines).toHaveLength(total);
    expect(new Set(lines).size).toBe(total - 1); // the two rows whose key is null look the same
    expect(new Set(batches.flatMap((batch) => Array.from({ length: batch.length }, (_, i) => batch.id(i)))).size).toBe(
      total,
    );
    expect(Math.max(...batches.map((batch) => batch.length))).toBeLessThanOrEqual(6); // a piece and the rows with null keys
  });

  test('goes on from each of its positions with exactly the rest', async () => {
    const whole: { ids: string[]; position: SqlitePosition }[] = [];
    for await (const { batch, position } of at.source({}, small).read(null, never)) {
      whole.push({ ids: Array.from({ length: batch.length }, (_, i) => batch.id(i)), position: position! });
    }
    for (let cut = 0; cut < whole.length; cut += 5) {
      const rest: string[] = [];
      const from = JSON.parse(JSON.stringify(whole[cut]!.position)) as SqlitePosition;
      for await (const { batch } of at.source({}, small).read(from, never)) {
        for (let i = 0; i < batch.length; i++) rest.push(batch.id(i));
      }
      expect(rest).toEqual(whole.slice(cut + 1).flatMap((one) => one.ids));
    }
  });

  test('is skipped by `snapshot: never`, which gives what changes from then on', async () => {
    const source = at.source({ snapshot: 'never', tables: ['o'] });
    const { lines, position } = await readAll(source);
    expect(lines).toEqual([]);
    await db.exec('DELETE FROM o WHERE id = 3');
    expect((await readAll(source, position)).lines).toEqual(['d o {"id":3} {"id":3,"n":"n3"}']);
  });

  test('taken again on request gives all rows under other ids', async () => {
    const source = at.source({ tables: ['o'], follow: true });
    const abort = new AbortController();
    const ids: string[] = [];
    for await (const { batch, phase } of source.read(null, abort.signal)) {
      for (let i = 0; i < batch.length; i++) ids.push(batch.id(i));
      if (batch.length > 0 && ids.length === rows) {
        expect(phase).toBe('snapshot');
        await source.control!({ number: 1, type: 'snapshot', table: 'O' });
      }
      if (ids.length === 2 * rows) abort.abort();
    }
    expect(new Set(ids).size).toBe(2 * rows);
    // it has ended: whoever asks does so again when it reads
    await expect(source.control!({ number: 1, type: 'snapshot', table: 'o' })).rejects.toMatchObject({
      code: 'E_SOURCE_READ',
    });
  });

  test('of a table that is added to `tables` later is taken then', async () => {
    const first = await readAll(at.source({ tables: ['q'] }));
    const { lines } = await readAll(at.source({ tables: ['q', 'o'] }), first.position);
    expect(lines).toHaveLength(rows);
    expect(lines[0]).toBe('r o {"id":1} {"id":1,"n":"n1"}');
  });

  test('loses no delete that happened before its first position was saved', async () => {
    const source = at.source({ tables: ['o'] }, small);
    for await (const _ of source.read(null, never)) break; // a crash after the first rows
    await db.exec('DELETE FROM o WHERE id = 1');
    expect((await readAll(source)).lines[0]).toBe('d o {"id":1} {"id":1,"n":"n1"}');
  });

  test('bounds its pieces in bytes, but for one event', async () => {
    await db.exec(
      `CREATE TABLE big (id INTEGER PRIMARY KEY, b BLOB); INSERT INTO big SELECT id, zeroblob(30000) FROM o WHERE id < 12`,
    );
    const source = at.source({ tables: ['big'] }, { batch: { ...limits, maxBytes: 70_000 } });
    const first = await readAll(source);
    expect(first.batches.map((batch) => batch.length).filter((n) => n > 0)).toEqual([3, 3, 3, 2]);
    await db.exec('DELETE FROM big');
    const second = await readAll(source, first.position);
    expect(second.batches.map((batch) => batch.length)).toEqual([3, 3, 3, 2]);
  });
});

describe('the end of a batch', () => {
  const batch = { ...limits, maxEvents: 3 };
  beforeEach(() => db.exec('CREATE TABLE o (id INTEGER PRIMARY KEY)'));

  test('is where a read ended, and parts before it are open, so that no transaction is cut', async () => {
    const source = at.source({}, { batch });
    const { position } = await readAll(source);
    await db.exec('INSERT INTO o VALUES (1), (2), (3), (4), (5), (6), (7)');
    const items: unknown[] = [];
    for await (const item of source.read(position, never))
      items.push([item.batch.length, item.open ?? item.position!.seq]);
    expect(items).toEqual([
      [3, true],
      [3, true],
      [1, 7],
    ]);
  });

  test('may be within a transaction when respectSourceTx is off', async () => {
    const source = at.source({}, { batch: { ...batch, respectSourceTx: false } });
    const { position } = await readAll(source);
    await db.exec('INSERT INTO o VALUES (1), (2), (3), (4), (5), (6), (7)');
    const items: unknown[] = [];
    for await (const item of source.read(position, never)) items.push([item.batch.length, item.position?.seq]);
    expect(items).toEqual([
      [3, 3],
      [3, 6],
      [1, 7],
    ]);
  });
});

describe('readers', () => {
  beforeEach(() => db.exec('CREATE TABLE o (id INTEGER PRIMARY KEY); CREATE TABLE p (id INTEGER PRIMARY KEY)'));
  const logged = async (): Promise<number> =>
    (await db.all<{ n: number }>('SELECT count(*) AS n FROM _sluice_changes'))[0]!.n;

  test('keep changes until the slowest has acked them', async () => {
    const [fast, slow] = [at.source({ reader: 'fast' }), at.source({ reader: 'slow' })];
    const { position: f } = await readAll(fast);
    const { position: s } = await readAll(slow);
    await db.exec('INSERT INTO o VALUES (1), (2)');
    await readAll(fast, f);
    expect(await logged()).toBe(2);
    const { lines } = await readAll(slow, s);
    expect(lines).toHaveLength(2);
    expect(await logged()).toBe(0);
  });

  test('that were removed are told that their changes are gone', async () => {
    const source = at.source({ reader: 'gone' });
    const { position } = await readAll(source);
    await readAll(at.source({ reader: 'other' }));
    await db.exec(`DELETE FROM _sluice_readers WHERE name = 'gone'; INSERT INTO o VALUES (1)`);
    const other = await readAll(at.source({ reader: 'other' }));
    expect(other.position!.seq).toBe(1);
    await expect(readAll(source, position)).rejects.toMatchObject({ code: 'E_SOURCE_POSITION', permanent: true });
  });

  test('do not take a position of another database, or of a later state of this one', async () => {
    const { position } = await readAll(at.source());
    await expect(readAll(at.source(), { ...position!, db: 'another' })).rejects.toMatchObject({
      code: 'E_SOURCE_POSITION',
    });
    await expect(readAll(at.source(), { ...position!, seq: 99 })).rejects.toMatchObject({ code: 'E_SOURCE_POSITION' });
  });

  test('move their position on while only tables of others change, so that pruning goes on', async () => {
    const mine = at.source({ reader: 'mine', tables: ['o'], follow: true, heartbeat: 1 });
    const { position } = await readAll(at.source({ reader: 'mine', tables: ['o'] }));
    await readAll(at.source({ reader: 'other', tables: ['p'] }));
    await db.exec('INSERT INTO p VALUES (1)');
    for await (const item of mine.read(position, never)) {
      expect(item.batch.length).toBe(0);
      expect(item.position!.seq).toBe(1);
      break;
    }
  });

  test('leave no trigger on a table that nobody wants any more', async () => {
    await readAll(at.source({ tables: ['o', 'p'] }));
    const { position } = await readAll(at.source({ tables: ['o', 'p'] }));
    await readAll(at.source({ tables: ['p'] }), position);
    const triggers = await db.all(`SELECT DISTINCT tbl_name AS t FROM sqlite_master WHERE type = 'trigger'`);
    expect(triggers).toEqual([{ t: 'p' }]);
  });
});

describe('a source that follows', () => {
  beforeEach(() => db.exec('CREATE TABLE o (id INTEGER PRIMARY KEY); INSERT INTO o VALUES (1)'));

  test('says that the snapshot is over though nothing changes, with a position that needs no snapshot', async () => {
    const phases: (string | undefined)[] = [];
    let last: SqlitePosition | undefined;
    for await (const { batch, phase, position } of at.source({ follow: true }).read(null, never)) {
      phases.push(`${phase} ${batch.length}`);
      last = position;
      if (phase === 'streaming') break;
    }
    expect(phases).toEqual(['snapshot 1', 'streaming 0']);
    expect(last).not.toHaveProperty('todo');
  });

  test.each(['deleted', 'replaced'])('fails when the database file is %s under it', async (how) => {
    const reading = at.source({ follow: true }).read(null, never)[Symbol.asyncIterator]();
    for (let item = await reading.next(); item.value?.phase !== 'streaming'; ) item = await reading.next();
    const next = reading.next();
    next.catch(() => undefined); // it may fail before the file operation has told us that it is over
    if (how === 'deleted') await unlink(at.path('source.db'));
    else {
      const other = await at.open('other.db');
      await other.exec('CREATE TABLE o (id INTEGER PRIMARY KEY); INSERT INTO o VALUES (2)');
      await other.close();
      await rename(at.path('other.db'), at.path('source.db'));
    }
    await expect(next).rejects.toMatchObject({
      code: 'E_SOURCE_READ',
      permanent: true,
      message: expect.stringContaining('deleted or replaced'),
    });
  });
});

describe('a tap', () => {
  beforeEach(() => db.exec('CREATE TABLE o (id INTEGER PRIMARY KEY); INSERT INTO o VALUES (1)'));

  test('reads rows, then changes, and leaves nothing behind', async () => {
    await readAll(at.source());
    const before = await db.all('SELECT * FROM _sluice_readers');
    const tap = at.source({ follow: true }, { tap: true });
    const abort = new AbortController();
    const lines: string[] = [];
    for await (const { batch, position } of tap.read(null, abort.signal)) {
      for (let i = 0; i < batch.length; i++) lines.push(lineOf(batch, i));
      if (position !== undefined) await tap.ack(position);
      if (batch.length === 0) continue; // the snapshot is over
      if (lines.length === 1) await db.exec('INSERT INTO o VALUES (2)');
      else abort.abort();
    }
    expect(lines).toEqual(['r o {"id":1} {"id":1}', 'c o {"id":2} {"id":2}']);
    expect(await db.all('SELECT * FROM _sluice_readers')).toEqual(before);
  });

  test('of a database without a change table gives its rows and touches nothing', async () => {
    await db.close();
    const files = await readdir(at.folder);
    const tap = at.source({ follow: true }, { tap: true });
    expect((await readAll(tap)).lines).toEqual(['r o {"id":1} {"id":1}']);
    await tap[Symbol.asyncDispose]();
    expect(await readdir(at.folder)).toEqual(files);
    db = await at.open('source.db');
    expect(await db.all(`SELECT name FROM sqlite_master WHERE name LIKE '\\_sluice%' ESCAPE '\\'`)).toEqual([]);
    expect(files).toEqual(['source.db']);
  });

  test('refuses when there is nothing that it could give', async () => {
    await expect(readAll(at.source({ snapshot: 'never' }, { tap: true }))).rejects.toMatchObject({
      code: 'E_SOURCE_TAP',
    });
  });
});

describe('a schema that changes', () => {
  beforeEach(() =>
    db.exec(`CREATE TABLE o (id INTEGER PRIMARY KEY, n TEXT); INSERT INTO o VALUES (1, 'a'), (2, 'b'), (3, 'c')`),
  );

  test('is an s event, and what was written before it was noticed comes again with the new column', async () => {
    const source = at.source();
    const { position } = await readAll(source);
    await db.exec(
      `UPDATE o SET n = 'A' WHERE id = 1; ALTER TABLE o ADD COLUMN z INT; INSERT INTO o VALUES (4, 'd', 44); UPDATE o SET z = 2 WHERE id = 2`,
    );
    const { lines, batches, position: now } = await readAll(source, position);
    expect(lines).toEqual([
      'u o {"id":1} {"id":1,"n":"A"}',
      'c o {"id":4} {"id":4,"n":"d"}',
      'u o {"id":2} {"id":2,"n":"b"}',
      expect.stringMatching(/^s o null \{"columns":\[.*"name":"z","type":"int"/),
      'u o {"id":2} {"id":2,"n":"b","z":2}',
      'u o {"id":4} {"id":4,"n":"d","z":44}',
    ]);
    expect(batches.map((batch) => batch.columns('o').length).filter((n) => n > 0)).toEqual([2, 3]);
    await db.exec('UPDATE o SET z = 3 WHERE id = 3');
    expect((await readAll(source, now)).lines).toContain('u o {"id":3} {"id":3,"n":"c","z":3}');
  });

  test.each([
    ['a column with a default', `ALTER TABLE o ADD COLUMN z INT DEFAULT 7`, '"z":7'],
    ['a column that was renamed', 'ALTER TABLE o RENAME COLUMN n TO m', '"m":"a"'],
    [
      'a table that was made anew',
      `DROP TABLE o; CREATE TABLE o (id INTEGER PRIMARY KEY, q INT); INSERT INTO o VALUES (1, 9)`,
      '"q":9',
    ],
  ])('reads all rows again for %s', async (_, sql, cell) => {
    const source = at.source();
    const { position } = await readAll(source);
    await db.exec(sql);
    const { lines } = await readAll(source, position);
    expect(lines[0]).toMatch(/^s o /);
    expect(lines.find((line) => line.startsWith('r o {"id":1}'))).toContain(cell);
  });

  test('is noticed while the source runs, together with tables that are new', async () => {
    const source = at.source({ follow: true });
    const abort = new AbortController();
    const lines: string[] = [];
    for await (const { batch } of source.read(null, abort.signal)) {
      for (let i = 0; i < batch.length; i++) lines.push(lineOf(batch, i));
      if (batch.length === 0) continue; // the snapshot is over
      if (lines.length === 3)
        await db.exec('CREATE TABLE later (id INTEGER PRIMARY KEY); INSERT INTO later VALUES (1)');
      if (lines.length === 4) await db.exec('INSERT INTO later VALUES (2)');
      if (lines.length === 5) abort.abort();
    }
    expect(lines.slice(3)).toEqual(['r later {"id":1} {"id":1}', 'c later {"id":2} {"id":2}']);
  });

  test('of a table without a key changes the rows that were written meanwhile, and brings no row twice', async () => {
    await db.exec(`CREATE TABLE k (n); INSERT INTO k VALUES (1), (2)`);
    const source = at.source({ tables: ['k'] });
    const { position } = await readAll(source);
    await db.exec('ALTER TABLE k ADD COLUMN z DEFAULT 5; INSERT INTO k VALUES (3, 6)');
    const { lines, position: now } = await readAll(source, position);
    expect(lines.filter((line) => !line.startsWith('s '))).toEqual(['c k null {"n":3}', 'u k null {"n":3,"z":6}']);
    await db.exec('ALTER TABLE k ADD COLUMN y; UPDATE k SET y = 9 WHERE n = 3');
    const { lines: more } = await readAll(source, now);
    expect(more.filter((line) => !line.startsWith('s '))).toEqual([
      'u k null {"n":3,"z":6}',
      'u k null {"n":3,"z":6,"y":9}',
    ]);
  });

  test('whose triggers somebody dropped brings all rows again', async () => {
    const source = at.source();
    const { position } = await readAll(source);
    await db.exec(`DROP TRIGGER _sluice_1_u; UPDATE o SET n = 'unseen' WHERE id = 2`);
    expect((await readAll(source, position)).lines).toContain('r o {"id":2} {"id":2,"n":"unseen"}');
  });
});

describe('a source that cannot be read', () => {
  const read = (path: string) => readAll(at.source({ path: at.path(path), busy_timeout: 20 }));

  test('says that the file is missing, and does not make it', async () => {
    await expect(read('missing.db')).rejects.toMatchObject({
      code: 'E_SOURCE_CONNECT',
      message: expect.stringContaining('does not exist'),
    });
    expect(await readdir(at.folder)).not.toContain('missing.db');
  });

  test('says that the file is no database', async () => {
    await writeFile(at.path('junk.db'), 'no database at all, however long one looks at it. '.repeat(50));
    await expect(read('junk.db')).rejects.toMatchObject({ code: 'E_SOURCE_CONNECT', permanent: true });
  });

  test('says that another process holds the lock, and reads when it is free', async () => {
    await db.exec('CREATE TABLE o (id INTEGER PRIMARY KEY); BEGIN IMMEDIATE');
    const source = at.source({ busy_timeout: 20 });
    await expect(readAll(source)).rejects.toMatchObject({
      code: 'E_SOURCE_READ',
      permanent: false,
      message: expect.stringContaining('lock'),
    });
    await db.exec('INSERT INTO o VALUES (1); COMMIT');
    expect((await readAll(source)).lines).toEqual(['r o {"id":1} {"id":1}']);
  });

  test.skipIf(process.getuid?.() === 0)('says that the file is read-only', async () => {
    await db.exec('CREATE TABLE o (id INTEGER PRIMARY KEY)');
    await db.close();
    await chmod(at.path('source.db'), 0o400);
    await expect(read('source.db')).rejects.toMatchObject({
      code: 'E_SOURCE_CONNECT',
      message: expect.stringContaining('cannot be written'),
    });
  });

  test('says which table is missing', async () => {
    await expect(readAll(at.source({ tables: ['nowhere'] }))).rejects.toMatchObject({
      code: 'E_SOURCE_READ',
      message: expect.stringContaining('nowhere'),
    });
    await db.exec('CREATE VIEW seen AS SELECT 1 AS one');
    await expect(readAll(at.source({ tables: ['seen'] }))).rejects.toMatchObject({
      code: 'E_SOURCE_READ',
      permanent: true,
    });
  });

  test('ends at once when it is told to before its first event', async () => {
    await db.exec('CREATE TABLE o (id INTEGER PRIMARY KEY)');
    const items: unknown[] = [];
    for await (const item of at.source({ follow: true }, contextOf()).read(null, AbortSignal.abort())) items.push(item);
    expect(items).toEqual([]);
  });
});
