// For the crash tests: a SQLite source that a writer keeps changing, the transform over it, and what the target must be.
// The writer inserts, updates, deletes, changes keys and poisons, several rows in a transaction, in three kinds of tables
// (rowid, big integer key, WITHOUT ROWID with a key of two columns). Every change of a row raises its version, one number
// for all, so a row of the target's audit table (key, version, op) can come from one source event only.
// Guarantee: `events` is exactly how many row changes were committed; `poisoned` are the versions that must fail.

import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { Checkpoint } from '../../core/checkpoint.ts';
import type { Seen } from './kills.ts';
import type { Random } from './random.ts';

type Key = readonly SQLInputValue[];

interface TableSpec {
  readonly name: string;
  readonly key: readonly string[];
  readonly create: string;
  readonly newKey: (random: Random, n: number) => Key;
}

const MAX = 2n ** 63n - 1n;
const WORDS = [
  'Straße',
  '日本語',
  '👩‍👩‍👧 family',
  'e\u0301 combining',
  '𝒳 astral',
  '',
  'tab\tand "quotes"',
  'NULL',
  '1e400',
];
const COLUMNS = 'ref BIGINT, name TEXT, note TEXT, hidden INTEGER NOT NULL, version INTEGER NOT NULL';

export const TABLES: readonly TableSpec[] = [
  {
    name: 'orders',
    key: ['id'],
    create: `CREATE TABLE orders (id INTEGER PRIMARY KEY, ${COLUMNS})`,
    newKey: (_, n) => [n],
  },
  {
    name: 'accounts',
    key: ['number'],
    create: `CREATE TABLE accounts (number BIGINT PRIMARY KEY NOT NULL, ${COLUMNS})`,
    newKey: (random, n) => [random.chance(0.5) ? MAX - BigInt(n) : -MAX + BigInt(n)],
  },
  {
    name: 'places',
    key: ['region', 'code'],
    create: `CREATE TABLE places (region TEXT NOT NULL, code BIGINT NOT NULL, ${COLUMNS}, PRIMARY KEY (region, code)) WITHOUT ROWID`,
    newKey: (random, n) => [random.pick(['Zürich', '東京', '🏝', 'x']), MAX - BigInt(n)],
  },
];

/** The transform, as a file of its own; `transformed` below is the same by hand. */
export const RESHAPE = `export default (row) => {
  if (row.note === 'poison') throw new Error('poisoned ' + row.version);
  if (row.hidden === 1) return null;
  const { name, hidden, ref, ...rest } = row;
  return {
    ...rest,
    name: name === null ? null : name.toUpperCase(),
    ref: ref === null ? null : String(BigInt(ref) ^ 1n),
    letters: name === null ? 0 : [...name].length,
  };
};
`;

export interface Shop {
  readonly events: number;
  readonly poisoned: ReadonlySet<number>;
  /** What is there now is what a snapshot finds: counts from here on, a row as one event. */
  countFromHere(): void;
  /** One transaction of random changes. `most`: at most so many rows. */
  change(most?: number): void;
  /** Makes good what was poisoned by an update, so that source and target can be compared. */
  heal(): void;
  /** What the target must hold: a line for each row. */
  expected(): string[];
  close(): void;
}

export function openShop(path: string, random: Random, options: { readonly poison: boolean }): Shop {
  const db = new DatabaseSync(path, { timeout: 20_000, readBigInts: true });
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
  for (const table of TABLES) db.exec(table.create);
  const alive = TABLES.map((): { key: Key; hidden: boolean }[] => []);
  const ill: { table: number; row: { key: Key; hidden: boolean } }[] = [];
  const poisoned = new Set<number>();
  let version = 0;
  let keys = 0;
  let events = 0;

  const where = (table: TableSpec): string => table.key.map((column) => `${column} = ?`).join(' AND ');
  const values = (note: string | null): SQLInputValue[] => [
    random.chance(0.1) ? null : random.pick([MAX, -MAX - 1n, 0n, 9_007_199_254_740_993n, BigInt(random.below(1000))]),
    random.chance(0.1) ? null : `${random.pick(WORDS)} ${random.below(1000)}`,
    note,
  ];
  const run = (sql: string, ...params: SQLInputValue[]): void => {
    const { changes } = db.prepare(sql).run(...params);
    if (changes !== 1n) throw new Error(`one row was to change, and ${changes} did`);
    events++;
  };

  const insert = (t: number): void => {
    const table = TABLES[t]!;
    const poison = options.poison && random.chance(0.02);
    const row = { key: table.newKey(random, ++keys), hidden: !poison && random.chance(0.1) };
    const marks = table.key.map(() => '?').join(', ');
    run(
      `INSERT INTO ${table.name} (${table.key.join(', ')}, ref, name, note, hidden, version) VALUES (${marks}, ?, ?, ?, ?, ?)`,
      ...row.key,
      ...values(poison ? 'poison' : null),
      row.hidden ? 1 : 0,
      ++version,
    );
    if (poison)
      poisoned.add(version); // it stays as it is, and never reaches the target
    else alive[t]!.push(row);
  };
  const update = (t: number, row: { key: Key; hidden: boolean }, poison: boolean): void => {
    const table = TABLES[t]!;
    run(
      `UPDATE ${table.name} SET ref = ?, name = ?, note = ?, version = ? WHERE ${where(table)}`,
      ...values(poison ? 'poison' : random.pick(['', null, 'a note'])),
      ++version,
      ...row.key,
    );
    if (poison) poisoned.add(version);
  };
  const remove = (t: number, i: number): void => {
    const [row] = alive[t]!.splice(i, 1);
    run(`DELETE FROM ${TABLES[t]!.name} WHERE ${where(TABLES[t]!)}`, ...row!.key);
  };
  const move = (t: number, i: number): void => {
    const table = TABLES[t]!;
    const row = alive[t]![i]!;
    const key = table.newKey(random, ++keys);
    const sets = table.key.map((column) => `${column} = ?`).join(', ');
    run(`UPDATE ${table.name} SET ${sets}, version = ? WHERE ${where(table)}`, ...key, ++version, ...row.key);
    alive[t]![i] = { key, hidden: row.hidden };
  };

  const step = (): void => {
    const t = random.below(TABLES.length);
    const rows = alive[t]!;
    const dice = random.below(100);
    if (rows.length < 20 || dice < 35) {
      insert(t);
      return;
    }
    const i = random.below(rows.length);
    if (dice < 75) {
      const row = rows[i]!;
      const poison = options.poison && !row.hidden && random.chance(0.03);
      update(t, row, poison);
      if (!poison) return;
      rows.splice(i, 1); // nothing else happens to it until it is healed: what fails leaves the target as it was
      ill.push({ table: t, row });
    } else if (dice < 88) remove(t, i);
    else move(t, i);
  };
  const healOne = (): void => {
    const { table, row } = ill.shift()!;
    update(table, row, false);
    alive[table]!.push(row);
  };
  const inTransaction = (work: () => void): void => {
    db.exec('BEGIN IMMEDIATE');
    work();
    db.exec('COMMIT');
  };

  return {
    get events() {
      return events;
    },
    poisoned,
    countFromHere() {
      events = 0;
      poisoned.clear();
      for (const { name } of TABLES) {
        for (const row of db.prepare(`SELECT note, version FROM ${name}`).iterate()) {
          events++;
          if (row['note'] === 'poison') poisoned.add(Number(row['version']));
        }
      }
    },
    change(most = 12) {
      inTransaction(() => {
        for (let n = 1 + random.below(most); n > 0; n--) step();
        if (ill.length > 10) healOne();
      });
    },
    heal() {
      inTransaction(() => {
        while (ill.length > 0) healOne();
      });
    },
    expected() {
      return TABLES.flatMap(({ name, key }) =>
        db
          .prepare(`SELECT ${key.join(', ')}, ref, name, note, hidden, version FROM ${name}`)
          .all()
          .filter((row) => row['hidden'] === 0n && row['note'] !== 'poison')
          .map((row) => lineOf(name, key, transformed(row))),
      ).toSorted();
    },
    close: () => db.close(),
  };
}

type Cells = Readonly<Record<string, SQLInputValue>>;

function transformed(row: Cells): Cells {
  const name = row['name'] as string | null;
  return {
    ...row,
    name: name === null ? null : name.toUpperCase(),
    ref: row['ref'] === null ? null : (row['ref'] as bigint) ^ 1n,
    letters: name === null ? 0n : BigInt([...name].length),
  };
}

function lineOf(table: string, key: readonly string[], row: Cells): string {
  const cells = [...key, 'ref', 'name', 'note', 'version', 'letters'].map((column) => {
    const value = row[column];
    return `${column}=${typeof value}:${String(value)}`;
  });
  return `${table} ${cells.join(' ')}`;
}

/** The target's tables, and the audit table that their triggers write. It has no unique index: it tells of every write. */
export function makeTarget(path: string): void {
  const db = new DatabaseSync(path);
  db.exec(`PRAGMA journal_mode = WAL;
    CREATE TABLE audit ("table" TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, op TEXT NOT NULL)`);
  for (const { name, create, key } of TABLES) {
    db.exec(create.replace('hidden INTEGER NOT NULL', 'letters INTEGER NOT NULL'));
    for (const [op, event, image] of [
      ['c', 'INSERT', 'NEW'],
      ['u', 'UPDATE', 'NEW'],
      ['d', 'DELETE', 'OLD'],
    ] as const) {
      const text = key.map((column) => `quote(${image}.${column})`).join(` || ' ' || `);
      db.exec(`CREATE TRIGGER audit_${name}_${op} AFTER ${event} ON ${name} BEGIN
        INSERT INTO audit VALUES ('${name}', ${text}, ${image}.version, '${op}'); END`);
    }
  }
  db.close();
}

export interface Target {
  /** As Shop.expected() has it. */
  rows(): string[];
  /** How many writes were logged. */
  writes(): number;
  /** Those that were logged more than once. */
  writtenTwice(): readonly unknown[];
  /** The checkpoint of its only stream. */
  seen(): Seen | null;
  close(): void;
}

export function openTarget(path: string): Target {
  const db = new DatabaseSync(path, { timeout: 20_000, readBigInts: true });
  const newest = db.prepare('SELECT max(rowid) AS n FROM audit');
  const hasCheckpoint = db.prepare(`SELECT 1 FROM sqlite_master WHERE name = '_sluice_checkpoint'`);
  return {
    writes: () => Number(newest.get()!['n'] ?? 0),
    seen() {
      if (hasCheckpoint.get() === undefined) return null;
      const row = db.prepare('SELECT checkpoint FROM _sluice_checkpoint').get();
      if (typeof row?.['checkpoint'] !== 'string') return null;
      const { position, ledger } = JSON.parse(row['checkpoint']) as Checkpoint;
      return { position: position === null ? null : JSON.stringify(position), ledger };
    },
    rows: () =>
      TABLES.flatMap(({ name, key }) =>
        db
          .prepare(`SELECT ${key.join(', ')}, ref, name, note, version, letters FROM ${name}`)
          .all()
          .map((row) => lineOf(name, key, row as Cells)),
      ).toSorted(),
    writtenTwice: () =>
      db.prepare('SELECT *, count(*) AS n FROM audit GROUP BY "table", key, version, op HAVING n > 1').all(),
    close: () => db.close(),
  };
}
