// Random histories of two ends at once: the source is read while it changes, both ends are torn down at random moments,
// transactions of the home are thrown away. In the end the target equals the source, and no row ever went back.

import fc from 'fast-check';
import { type Checkpoint, type HomeTransaction, type Sink, type Source, seal } from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import type { Connection } from './driver.ts';
import { type Bench, bench, dump, limits, never } from './fixture.ts';
import type { SqlitePosition } from './position.ts';

const SCHEMA = `
  CREATE TABLE o (id INTEGER PRIMARY KEY, ver INT, big BIGINT, t TEXT);
  CREATE TABLE w (a TEXT, b BIGINT, ver INT, v BLOB, PRIMARY KEY (a, b)) WITHOUT ROWID;
  CREATE TABLE k (ver INT, t TEXT);`;
const TABLES = ['o', 'w', 'k'];

const BIGS = ['9223372036854775807', '-9223372036854775808', '9007199254740993', '0', null];
const TEXTS = ['', 'NaN', '007', 'ü😀\u0000\n', '\'"', null];

type Change =
  | {
      readonly kind: 'put' | 'update' | 'delete' | 'rekey' | 'replace';
      readonly table: 'o' | 'w' | 'k';
      readonly row: number;
      readonly to: number;
      readonly value: number;
    }
  | { readonly kind: 'clear'; readonly table: 'o' | 'w' | 'k' };

const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      kind: fc.constantFrom('put', 'update', 'delete', 'rekey', 'replace'),
      table: fc.constantFrom('o', 'w', 'k'),
      row: fc.nat(9),
      to: fc.nat(9),
      value: fc.nat(29),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const), table: fc.constantFrom('o', 'w', 'k') }) },
);

type Step =
  | { readonly do: 'change'; readonly changes: readonly Change[] }
  | { readonly do: 'pump'; readonly commits: number; readonly end: 'stop' | 'rollback' | 'crash' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('change' as const),
      changes: fc.array(change, { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('pump' as const),
      commits: fc.nat(4),
      end: fc.constantFrom('stop', 'rollback', 'crash'),
    }),
  },
);

let version = 0;

/** A change as SQL. Every write has a version of its own, higher than all before it. */
function sqlOf(given: Change): { sql: string; params: (string | number | Buffer | null)[] } {
  if (given.kind === 'clear') return { sql: `DELETE FROM ${given.table}`, params: [] };
  const { kind, table, row, to, value } = given;
  const ver = ++version;
  const big = BIGS[value % BIGS.length]!;
  const text = TEXTS[value % TEXTS.length]!;
  const a = 'abc'[row % 3]!;
  const b = BIGS[row % 4]!;
  if (table === 'k') {
    if (kind === 'delete') return { sql: 'DELETE FROM k WHERE rowid = (SELECT min(rowid) + ? FROM k)', params: [row] };
    if (kind === 'put' || kind === 'replace') return { sql: 'INSERT INTO k VALUES (?, ?)', params: [ver, text] };
    return { sql: 'UPDATE k SET ver = ?, t = ? WHERE rowid % 4 = ?', params: [ver, text, row % 4] };
  }
  if (table === 'o') {
    if (kind === 'put')
      return { sql: 'INSERT OR IGNORE INTO o VALUES (?, ?, CAST(? AS INTEGER), ?)', params: [row, ver, big, text] };
    if (kind === 'replace')
      return { sql: 'REPLACE INTO o VALUES (?, ?, CAST(? AS INTEGER), ?)', params: [row, ver, big, text] };
    if (kind === 'update')
      return {
        sql: 'UPDATE o SET ver = ?, big = CAST(? AS INTEGER), t = ? WHERE id % 5 = ?',
        params: [ver, big, text, row % 5],
      };
    if (kind === 'delete') return { sql: 'DELETE FROM o WHERE id = ?', params: [row] };
    return { sql: 'UPDATE OR IGNORE o SET id = ?, ver = ? WHERE id = ?', params: [to, ver, row] };
  }
  const blob = value % 3 === 0 ? null : Buffer.from([value, 0, 255]);
  if (kind === 'put' || kind === 'replace') {
    return {
      sql: 'INSERT INTO w VALUES (?, CAST(? AS INTEGER), ?, ?) ON CONFLICT DO UPDATE SET ver = excluded.ver, v = excluded.v',
      params: [a, b ?? '1', ver, blob],
    };
  }
  if (kind === 'update') return { sql: 'UPDATE w SET ver = ?, v = ? WHERE a = ?', params: [ver, blob, a] };
  if (kind === 'delete') return { sql: 'DELETE FROM w WHERE a = ? AND b = CAST(? AS INTEGER)', params: [a, b ?? '1'] };
  return {
    sql: 'UPDATE OR IGNORE w SET a = ?, ver = ? WHERE a = ? AND b = CAST(? AS INTEGER)',
    params: ['abc'[to % 3]!, ver, a, b ?? '1'],
  };
}

class Pump {
  readonly bench: Bench;
  readonly maxEvents: number;
  readonly respectSourceTx: boolean;
  source: Source<SqlitePosition> | null = null;
  sink: Sink | null = null;

  constructor(at: Bench, maxEvents: number, respectSourceTx: boolean) {
    this.bench = at;
    this.maxEvents = maxEvents;
    this.respectSourceTx = respectSourceTx;
  }

  /** As the engine does it: everything of a batch in the home's transaction, then the checkpoint, then the ack. */
  async run(commits: number, end: 'stop' | 'rollback' | 'crash'): Promise<void> {
    const batch = { ...limits, maxEvents: this.maxEvents, respectSourceTx: this.respectSourceTx };
    this.source ??= this.bench.source({ poll: 1 }, { batch });
    if (this.sink === null) {
      this.sink = this.bench.sink();
      await this.sink.transactional!.open('orders');
    }
    const home = this.sink.transactional!;
    const saved = await home.load('orders');
    let tx: HomeTransaction | null = null;
    let done = 0;
    for await (const item of this.source.read((saved?.position ?? null) as SqlitePosition | null, never)) {
      tx ??= await home.begin('orders');
      const results = await tx.write(item.batch, never);
      for (const [i, result] of results.entries()) {
        if (result.status !== 'ok') throw new Error(`${item.batch.id(i)}: ${JSON.stringify(result)}`);
      }
      if (item.open === true) continue;
      if (done === commits && end !== 'stop') break;
      await tx.commit(checkpointOf(item.position));
      tx = null;
      await this.source.ack(item.position);
      done++;
      if (done > commits) break;
    }
    if (end === 'rollback') await tx?.rollback();
    else if (end === 'crash') await this.drop();
    else expect(tx).toBeNull();
  }

  async drop(): Promise<void> {
    await this.source?.[Symbol.asyncDispose]();
    await this.sink?.[Symbol.asyncDispose]();
    this.source = null;
    this.sink = null;
  }
}

function checkpointOf(position: SqlitePosition): Checkpoint {
  const ledger = { in: 0, delivered: 0, filtered: 0, skipped: 0, dead_lettered: 0 };
  const rest = { position_version: 1, ledger, sinks: {}, gaps: [], parked: [], request: 0, saved_at: '' };
  return seal({ stream: 'orders', epoch: 1, position, ...rest });
}

async function change_(db: Connection, changes: readonly Change[]): Promise<void> {
  await db.exec('BEGIN IMMEDIATE');
  for (const one of changes) {
    const { sql, params } = sqlOf(one);
    await db.run(sql, params);
  }
  await db.exec('COMMIT');
}

describe('a random history', () => {
  test('ends with a target that equals its source, and no row ever went back', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { maxLength: 25 }),
        fc.array(step, { minLength: 3, maxLength: 14 }),
        fc.integer({ min: 1, max: 7 }),
        fc.boolean(),
        async (before, steps, maxEvents, respectSourceTx) => {
          await using at = await bench();
          const db = await at.open('source.db');
          const target = await at.open('target.db');
          await db.exec(SCHEMA);
          // what the target's rows were, in the order in which they were written
          await target.exec(`${SCHEMA} CREATE TABLE audit (n INTEGER PRIMARY KEY, key TEXT, ver INT);
            CREATE TRIGGER ao AFTER INSERT ON o BEGIN INSERT INTO audit (key, ver) VALUES ('o' || NEW.id, NEW.ver); END;
            CREATE TRIGGER bo AFTER UPDATE ON o BEGIN INSERT INTO audit (key, ver) VALUES ('o' || NEW.id, NEW.ver); END;
            CREATE TRIGGER aw AFTER INSERT ON w BEGIN INSERT INTO audit (key, ver) VALUES ('w' || NEW.a || NEW.b, NEW.ver); END;
            CREATE TRIGGER bw AFTER UPDATE ON w BEGIN INSERT INTO audit (key, ver) VALUES ('w' || NEW.a || NEW.b, NEW.ver); END;`);
          // enough rows for a snapshot of several pieces, so that changes fall between them
          for (let i = 0; i < 12; i++) await db.run('INSERT INTO k VALUES (?, ?)', [++version, 'first']);
          await change_(db, before);
          const pump = new Pump(at, maxEvents, respectSourceTx);
          for (const one of steps) {
            if (one.do === 'change') await change_(db, one.changes);
            else await pump.run(one.commits, one.end);
          }
          await pump.run(Number.POSITIVE_INFINITY, 'stop');
          for (const table of TABLES) {
            const order = table === 'k' ? 'ver, t' : table === 'w' ? 'a, b' : 'id';
            expect(await dump(target, table, order)).toEqual(await dump(db, table, order));
          }
          const back = await target.all(
            `SELECT a.key, a.ver FROM audit a JOIN audit b ON a.key = b.key AND a.n < b.n AND a.ver >= b.ver`,
          );
          expect(back).toEqual([]);
          await pump.drop();
        },
      ),
      { numRuns: Number(process.env['SLUICE_RUNS'] ?? 60) },
    );
  });

  test('of a writer that does not wait for the reader ends the same', async () => {
    await using at = await bench();
    const db = await at.open('source.db');
    const target = await at.open('target.db');
    await db.exec(SCHEMA);
    const changes = fc.sample(change, { numRuns: 1500, seed: 7 });
    await change_(db, changes.slice(0, 300));
    const pump = new Pump(at, 5, true);
    let writing = true;
    const writer = (async () => {
      for (let i = 300; i < changes.length; i += 4) await change_(db, changes.slice(i, i + 4));
      writing = false;
    })();
    for (let n = 0; writing; n++) await pump.run(n % 5, (['stop', 'rollback', 'crash'] as const)[n % 3]!);
    await writer;
    await pump.run(Number.POSITIVE_INFINITY, 'stop');
    for (const table of TABLES) {
      const order = table === 'k' ? 'ver, t' : table === 'w' ? 'a, b' : 'id';
      expect(await dump(target, table, order)).toEqual(await dump(db, table, order));
    }
    await pump.drop();
  });
});
