// Invariant 6 through the real command line: what a source holds is what the target holds, cell by cell and line by line,
// without a transform and through transforms that return their input.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { expect, test } from 'vitest';
import { sluice } from './cli.ts';
import { knowSandbox } from './known-sandbox.ts';
import { BIGS, BLOBS, DECIMALS, INTS, REALS, TEXTS, TIMES } from './round-trip/values.ts';

const TRANSFORMS = [
  ['without a transform', null],
  ['through a transform that returns its row', '{ file: ./same.js, images: both }'],
  ['through a transform that returns its event', '{ file: ./same-event.js, scope: event }'],
] as const;

function folderWith(transform: string | null, stream: string): Disposable & { path(name: string): string } {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-round-trip-'));
  const path = (name: string): string => join(folder, name);
  const own =
    transform === null
      ? ''
      : `transformations:\n  - ${transform.replace('{', '{ id: same, type: javascript, limits: { timeout: 30s, output: 8MiB },')}\n`;
  const list = transform === null ? '' : '    transformations: [same]\n';
  knowSandbox(path('.sluice/state.db'));
  writeFileSync(path('same.js'), 'export default (row) => row;\n');
  writeFileSync(path('same-event.js'), 'export default (event) => event;\n');
  writeFileSync(path('sluice.yaml'), `version: 1\n${own}streams:\n  - id: s\n${list}${stream}`);
  return { path, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

async function run(folder: { path(name: string): string }): Promise<{ in: number; delivered: number }> {
  const end = await sluice(['run', '--until-idle', '1s', '--json'], { cwd: folder.path('.') });
  expect(end.code, end.stderr).toBe(0);
  // The account is the last JSON on the standard output: log lines may stand before it.
  const account = JSON.parse(end.stdout.slice(end.stdout.indexOf('{\n'))) as {
    streams: { ledger: { in: number; delivered: number } }[];
  };
  const { ledger } = account.streams[0]!;
  if (ledger.delivered !== ledger.in) {
    const { stdout } = await sluice(['dead-letters', 'list'], { cwd: folder.path('.') });
    throw new Error(`of ${ledger.in} events ${ledger.delivered} were delivered:\n${stdout}`);
  }
  return ledger;
}

type Values = readonly (SQLInputValue | Uint8Array)[];

const COLUMNS: readonly (readonly [name: string, declared: string, values: Values])[] = [
  ['t', 'TEXT', TEXTS],
  ['v', 'VARCHAR(10)', TEXTS],
  ['big', 'BIGINT', BIGS],
  ['i', 'INTEGER', INTS],
  ['d', 'DECIMAL TEXT', DECIMALS],
  ['r', 'REAL', REALS],
  ['b', 'BLOB', BLOBS],
  ['at', 'TIMESTAMP', TIMES],
  ['day', 'DATE', [null, '2024-02-29', '0001-01-01']],
  ['yes', 'BOOLEAN', [null, 0n, 1n]],
  ['j', 'JSON', [null, '{"b": 1e400,  "a":[1.10, 12345678901234567890]}', 'null', '""']],
  ['u', '', [null, 'text', '5', '', 7n, -(2n ** 53n) + 1n, 0.5]],
];

const KEYS: readonly (readonly [table: string, key: string, end: string, values: readonly Values[]])[] = [
  ['k_integer', 'k INTEGER PRIMARY KEY', '', INTS.filter((value) => value !== null).map((value) => [value])],
  ['k_bigint', 'k BIGINT PRIMARY KEY NOT NULL', '', BIGS.filter((value) => value !== null).map((value) => [value])],
  ['k_text', 'k TEXT PRIMARY KEY NOT NULL', '', TEXTS.flatMap((t) => (t === null || t.length > 999 ? [] : [[t]]))],
  ['k_blob', 'k BLOB PRIMARY KEY NOT NULL', ' WITHOUT ROWID', BLOBS.slice(1, 6).map((value) => [value])],
  ['k_real', 'k REAL PRIMARY KEY NOT NULL', '', REALS.slice(1).map((value) => [value])],
  ['k_decimal', 'k DECIMAL TEXT PRIMARY KEY NOT NULL', ' WITHOUT ROWID', DECIMALS.slice(1).map((value) => [value])],
  [
    'k_two',
    'k TEXT NOT NULL, l BIGINT NOT NULL',
    ', PRIMARY KEY (k, l)) WITHOUT ROWID',
    ['', '東京', '𝒳'].flatMap((k) => BIGS.slice(1).map((l) => [k, l])),
  ],
  ['k_none', 'k TEXT', '', TEXTS.filter((t) => t === null || t.length < 999).map((t) => [t])],
];

function make(db: DatabaseSync): void {
  const columns = COLUMNS.map(([name, declared]) => `"${name}" ${declared}`).join(', ');
  for (const [table, key, end] of KEYS) {
    db.exec(`CREATE TABLE ${table} (${key}, ${columns}${end.startsWith(',') ? end : `)${end}`}`);
  }
}

/** Row `n` of a table: over many rows each column shows each of its values. */
const cells = (n: number): SQLInputValue[] => COLUMNS.map(([, , values]) => values[n % values.length] as SQLInputValue);

function fill(db: DatabaseSync): number {
  let rows = 0;
  const most = Math.max(...COLUMNS.map(([, , values]) => values.length));
  db.exec('BEGIN');
  for (const [table, , , keys] of KEYS) {
    const width = keys[0]!.length;
    const marks = Array.from({ length: width + COLUMNS.length }, () => '?').join(', ');
    const insert = db.prepare(`INSERT INTO ${table} VALUES (${marks})`);
    // Very long values in one table are enough; the others take what comes before them.
    for (const [n, key] of keys.entries()) {
      insert.run(...(key as SQLInputValue[]), ...cells(table === 'k_text' ? n : n % 6));
      rows++;
    }
    if (table === 'k_text') {
      for (let n = keys.length; n < most; n++, rows++) insert.run(`more ${n}`, ...cells(n));
    }
  }
  db.exec('COMMIT');
  return rows;
}

/** Each cell with its storage class; blobs as hex. Sorted, since a table without a key has no order. */
function contents(path: string): string[] {
  const db = new DatabaseSync(path, { readBigInts: true });
  try {
    return KEYS.flatMap(([table]) => {
      const names = db
        .prepare(`SELECT name FROM pragma_table_info('${table}')`)
        .all()
        .map((row) => String(row['name']));
      const list = names.map((name) => `typeof("${name}") AS "type of ${name}", "${name}"`).join(', ');
      return db
        .prepare(`SELECT ${list} FROM ${table}`)
        .all()
        .map((row) => {
          const shown = names.map((name) => {
            const value = row[name];
            const text =
              value instanceof Uint8Array ? Buffer.from(value).toString('hex') : JSON.stringify(plain(value));
            return `${name}: ${row[`type of ${name}`]} ${text}`;
          });
          return `${table} ${shown.join(', ')}`;
        })
        .toSorted();
    });
  } finally {
    db.close();
  }
}

const plain = (value: unknown): unknown =>
  typeof value === 'bigint' ? String(value) : Object.is(value, -0) ? 'minus zero' : value;

/** The first lines that differ, cut short: a whole difference would be megabytes. */
function differences(got: readonly string[], wanted: readonly string[]): string[] {
  const a = new Set(got);
  const b = new Set(wanted);
  const short = (sign: string) => (line: string) => `${sign} ${line.slice(0, 1500)}`;
  return [
    ...wanted
      .filter((line) => !a.has(line))
      .map(short('missing'))
      .slice(0, 4),
    ...got
      .filter((line) => !b.has(line))
      .map(short('wrong'))
      .slice(0, 4),
  ];
}

test.each(TRANSFORMS)('SQLite to SQLite, %s: every cell has its value and its storage class', async (_, transform) => {
  using folder = folderWith(
    transform,
    `    source: { type: sqlite, path: ./source.db, poll: 20ms }
    sinks:
      - { id: copy, type: sqlite, path: ./target.db }
`,
  );
  const db = new DatabaseSync(folder.path('source.db'), { timeout: 20_000 });
  make(db);
  const target = new DatabaseSync(folder.path('target.db'));
  make(target); // the types of the target are the source's, so that each cell can be compared
  target.close();

  const rows = fill(db);
  expect(await run(folder)).toMatchObject({ in: rows, delivered: rows });
  expect(differences(contents(folder.path('target.db')), contents(folder.path('source.db')))).toEqual([]);

  // The same values once more as changes: inserted, updated, moved to another key, deleted.
  const total = changeAll(db, rows);
  expect(await run(folder)).toMatchObject({ in: total, delivered: total });
  const wanted = contents(folder.path('source.db'));
  expect(differences(contents(folder.path('target.db')), wanted)).toEqual([]);
  expect(contents(folder.path('target.db')).length).toBe(wanted.length);
  expect(wanted.length).toBeGreaterThan(60);
  db.close();
});

/** Returns how many events there are now. */
function changeAll(db: DatabaseSync, before: number): number {
  let events = before;
  const change = (sql: string, ...params: SQLInputValue[]): void => {
    events += Number(db.prepare(sql).run(...params).changes);
  };
  const sets = COLUMNS.map(([name]) => `"${name}" = ?`).join(', ');
  const most = Math.max(...COLUMNS.map(([, , values]) => values.length));
  db.exec('BEGIN');
  for (const [table] of KEYS) {
    if (table === 'k_text') {
      for (let n = 0; n < most; n++) change(`UPDATE k_text SET ${sets} WHERE k = ?`, ...cells(n + 1), `more ${n}`);
    } else change(`UPDATE ${table} SET ${sets}`, ...cells(3));
    change(`DELETE FROM ${table} WHERE k = (SELECT min(k) FROM ${table})`);
  }
  change(`UPDATE k_bigint SET k = k - 1 WHERE k = 9223372036854775807`);
  change(`UPDATE k_text SET k = '𝒳 moved' WHERE k = 'NaN'`);
  change(`UPDATE k_two SET l = 9007199254740995, k = 'e\u0301' WHERE k = '𝒳' AND l = 9007199254740993`);
  change(`UPDATE k_blob SET k = x'00ff00' WHERE k = x'00'`);
  db.exec('COMMIT');
  return events;
}

const ROWS = TEXTS.flatMap((text, n) => {
  const row = {
    n,
    t: text,
    [text === null || text.length > 99 ? 'plain' : text]: text === null ? null : text.length,
    big: String(BIGS[n % BIGS.length]),
    decimal: DECIMALS[n % DECIMALS.length],
    real: REALS[n % REALS.length],
    nested: { list: [null, true, false, [], {}, text], empty: '' },
    bytes: Buffer.from(BLOBS[n % 6] ?? []).toString('base64'),
  };
  return [JSON.stringify(row)];
});
// Own properties of this name are made by JSON.parse only.
ROWS.push('{"n":1000,"__proto__":{"a":1},"constructor":"c","toString":null}');
ROWS.push(`{"n":1001,"b":"${Buffer.from(BLOBS[6]!).toString('base64')}"}`);
/** No double can hold these; where nobody parses them, they pass as they are written. */
const AS_WRITTEN = ['{ "n": 12345678901234567890,\t"x": 1e400, "y": -0.0, "z": 1.10 }', '{"a":"\\u00e9\\/"}'];

test.each(TRANSFORMS)('file to file as rows, %s: every line has its bytes', async (_, transform) => {
  using folder = folderWith(
    transform,
    `    source: { type: file, path: ./in.ndjson, key: [n] }
    sinks:
      - { id: copy, type: file, path: ./out.ndjson }
`,
  );
  const lines = transform === null ? [...ROWS, ...AS_WRITTEN] : ROWS;
  writeFileSync(folder.path('in.ndjson'), `${lines.join('\n')}\n`);
  expect(await run(folder)).toMatchObject({ in: lines.length, delivered: lines.length });
  const got = readFileSync(folder.path('out.ndjson'), 'utf8').split('\n');
  expect(got.pop()).toBe('');
  expect(got.length).toBe(lines.length);
  expect(differences(got, lines)).toEqual([]);
});

test.each(TRANSFORMS)('file to file as events, %s: every event has its JSON', async (_, transform) => {
  using folder = folderWith(
    transform,
    `    source: { type: file, path: ./in.ndjson, format: event }
    sinks:
      - { id: copy, type: file, path: ./out.ndjson, format: event }
`,
  );
  const ops = ['c', 'r', 'u', 'd'] as const;
  const lines = ROWS.map((row, n) => {
    const op = ops[n % ops.length]!;
    const source = `{"plugin":"x","stream":"s","db":"d","table":"t 日","snapshot":${op === 'r'},"ts_ms":${n},"lsn":"0/16B"}`;
    const images = `"before":${op === 'u' || op === 'd' ? row : null},"after":${op === 'd' ? null : row}`;
    return `{"id":"e${n}","op":"${op}","key":{"n":${(JSON.parse(row) as { n: number }).n}},${images},"source":${source},"ts_ms":${n}}`;
  });
  writeFileSync(folder.path('in.ndjson'), `${lines.join('\n')}\n`);
  expect(await run(folder)).toMatchObject({ in: lines.length, delivered: lines.length });
  const got = readFileSync(folder.path('out.ndjson'), 'utf8').trimEnd().split('\n');
  expect(got.length).toBe(lines.length);
  expect(differences(got.map(comparable), lines.map(comparable))).toEqual([]);
});

/** Members by name, and without `ts_ms`, which says when Sluice read it. The rows keep their own order. */
function comparable(line: string): string {
  const { ts_ms: _, ...event } = JSON.parse(line) as Record<string, unknown>;
  return JSON.stringify(Object.entries(event).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
