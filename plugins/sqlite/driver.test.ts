// The connection and its thread: what is bound is what is stored, a failure stops the rest, and nothing keeps a process alive.

import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { pause } from 'sluice/sdk';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inAChild } from '../in-a-child.ts';
import { type Connection, connect } from './driver.ts';
import { type Bench, bench, dump } from './fixture.ts';
import { newPacker, type Packed, type Param } from './packed.ts';

let at: Bench;
let db: Connection;
beforeEach(async () => {
  at = await bench();
  db = await at.open('data.db');
  await db.exec('CREATE TABLE o (id INTEGER PRIMARY KEY, v)');
});
afterEach(() => at[Symbol.asyncDispose]());

function packed(rows: readonly (readonly Param[])[]): Packed {
  const packer = newPacker(rows.flat().length);
  for (const value of rows.flat()) packer.push(value);
  return packer.take(rows.length);
}

const insert = (pieces: Iterable<Packed>): Promise<void> =>
  db.insert({ start: 'INSERT INTO o VALUES ', end: '', width: 2 }, pieces);

test('values are stored as what they are, one by one and many at once', async () => {
  const values: readonly (readonly [Param, string])[] = [
    [5, 'i:5'],
    [2 ** 40, 'i:1099511627776'],
    [0.5, 'r:0.5'],
    [9007199254740993n, 'i:9007199254740993'],
    ['', 't:'],
    ['日本 é', 't:日本 é'],
    [new Uint8Array([0, 255]), 'b:00FF'],
    [null, 'n'],
  ];
  for (const [i, [value]] of values.entries()) await db.run('INSERT INTO o VALUES (?, ?)', [i, value]);
  await insert([packed(values.map(([value], i) => [100 + i, value]))]);
  const cells = (await dump(db, 'o', 'id')).map((row) => row.slice(row.indexOf(' ') + 1));
  const wanted = values.map(([, stored]) => stored);
  expect(cells).toEqual([...wanted, ...wanted]);
});

test('a text with a zero character comes back whole', async () => {
  await db.run('INSERT INTO o VALUES (1, ?)', ['a\0b']);
  expect(await db.all('SELECT v FROM o')).toEqual([{ v: 'a\0b' }]);
});

test('any number of rows is written, whatever the sizes of the statements', async () => {
  const rows = Array.from({ length: 64 + 2 * 8 + 3 }, (_, id) => [id, `row ${id}`]);
  await insert([packed(rows)]);
  expect(await db.all('SELECT id, v FROM o')).toEqual(rows.map(([id, v]) => ({ id, v })));
});

test('after a piece that fails no later one of the insert is written, and the next insert is', async () => {
  // no transaction is open, as after an error by which SQLite ends it: each piece would be committed by itself
  await expect(insert([packed([[1, 'a']]), packed([[1, 'twice']]), packed([[2, 'b']])])).rejects.toMatchObject({
    message: expect.stringContaining('UNIQUE'),
  });
  await insert([packed([[3, 'c']])]);
  expect(await db.all('SELECT id FROM o ORDER BY id')).toEqual([{ id: 1 }, { id: 3 }]);
});

test('triggers that write a text in double quotes work, as they do elsewhere', async () => {
  await db.exec(
    `CREATE TABLE log (v); CREATE TRIGGER t AFTER INSERT ON o BEGIN INSERT INTO log VALUES ("new row"); END`,
  );
  await insert([packed([[1, 'a']])]);
  expect(await db.all('SELECT v FROM log')).toEqual([{ v: 'new row' }]);
});

test('a connection that is closed, twice even, takes no more statements, and later ones have a database each', async () => {
  await db.close();
  await db.close();
  const [one, other] = [await at.open('one.db'), await at.open('other.db')];
  await one.exec('CREATE TABLE one (v)');
  expect(await other.all('SELECT name FROM sqlite_master')).toEqual([]);
  await expect(db.exec('CREATE TABLE late (v)')).rejects.toThrow('the connection is closed');
  await expect(insert([packed([[1, 'late']])])).rejects.toThrow('the connection is closed');
  expect(await one.all('SELECT name FROM sqlite_master')).toEqual([{ name: 'one' }]);
});

test('a lock is waited for as long as `busy_timeout` says, and taken when it is free', async () => {
  const patient = await connect(at.path('data.db'), 'write', 600);
  await db.exec('BEGIN IMMEDIATE');
  const since = performance.now();
  await expect(patient.exec('BEGIN IMMEDIATE')).rejects.toMatchObject({ errcode: 5 });
  expect(performance.now() - since).toBeGreaterThan(590);
  await patient.close();
  const other = await connect(at.path('data.db'), 'write', 60_000);
  const late = other.run('INSERT INTO o VALUES (1, NULL)');
  await pause(400, new AbortController().signal); // longer than SQLite waits at once
  await db.exec('ROLLBACK');
  expect(await late).toBe(1);
  await other.close();
});

test('a lock that is waited for does not hold up the end of the process', async () => {
  await db.exec('BEGIN IMMEDIATE');
  const driver = JSON.stringify(new URL('./driver.ts', import.meta.url).href);
  const child = inAChild(
    `const { connect } = await import(${driver});
     const db = await connect(process.argv.at(-1), 'write', 3_600_000);
     db.exec('BEGIN IMMEDIATE').catch(() => undefined);
     setTimeout(() => process.exit(7), 300);`,
    [at.path('data.db')],
  );
  const [code] = await once(child, 'close');
  expect(code).toBe(7);
});

test('an open connection keeps no process alive, and the process says nothing', async () => {
  const driver = JSON.stringify(new URL('./driver.ts', import.meta.url).href);
  const child = inAChild(
    `const { connect } = await import(${driver});
     const db = await connect(process.argv.at(-1), 'write', 100);
     console.log(JSON.stringify(await db.all('SELECT 1 AS one')));`,
    [at.path('data.db')],
  );
  const [out, errors, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'close')]);
  expect([code, out, errors]).toEqual([0, '[{"one":1}]\n', '']);
});
