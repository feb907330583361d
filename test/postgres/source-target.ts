// For tests of snapshots: a target that does to the letter what a keyed sink does, and writers that do what applications do.

import type { Client } from 'pg';
import type { EventBatch, Row } from 'sluice/sdk';
import type { PostgresPosition } from '../../plugins/postgres/position.ts';
import type { PostgresDatabase } from '../services/postgres.ts';

/** Numbers from 0 to 1, the same for the same seed. */
export function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff;
    return state / 0x7fff_ffff;
  };
}

/** What a keyed sink does, with rows and position in one transaction: a crash takes back what no position covered. */
export function newTarget() {
  let rows = new Map<string, Row>();
  let saved = new Map<string, Row>();
  let position: PostgresPosition | null = null;
  let changes = 0;
  const backwards: string[] = [];

  const check = (row: Row): void => {
    // A row that keeps its uid is the same row; its version only ever grows.
    for (const other of rows.values()) {
      if (other['uid'] === row['uid'] && Number(other['v']) > Number(row['v'])) {
        backwards.push(`${row['uid']}: ${other['v']} then ${row['v']}`);
      }
    }
  };
  return {
    plant(row: Row): void {
      rows.set(String(row['id']), row);
      saved = new Map(rows);
    },
    take(batch: EventBatch, at: PostgresPosition | undefined): void {
      for (const { from, to, keep } of batch.ranges ?? []) {
        const alive = new Set(keep.map(([id]) => String(id)));
        for (const id of rows.keys()) {
          const inside =
            (from === null || BigInt(id) > BigInt(String(from[0]))) &&
            (to === null || BigInt(id) <= BigInt(String(to[0])));
          if (inside && !alive.has(id)) rows.delete(id);
        }
      }
      for (const event of batch.events()) {
        changes++;
        const key = String(event.key?.['id']);
        if (event.op === 'd') {
          rows.delete(key);
          continue;
        }
        const old = event.op === 'u' && event.before !== null ? String(event.before['id']) : key;
        const whole = event.source.unchanged === undefined;
        const there = rows.get(old);
        const next = whole ? event.after! : there === undefined ? null : { ...there, ...event.after! };
        if (next === null) continue; // a part of a row that is not there: nothing to update
        check(next);
        rows.delete(old);
        rows.set(key, next);
      }
      if (at === undefined) return;
      position = at;
      saved = new Map(rows);
    },
    crash(): void {
      rows = new Map(saved);
    },
    rows: (): Row[] => [...rows.values()].toSorted((a, b) => Number(BigInt(String(a['id'])) - BigInt(String(b['id'])))),
    get position() {
      return position;
    },
    get changes() {
      return changes;
    },
    backwards,
  };
}

/** Inserts, updates (most of them without the large value), deletes and changes keys, some transactions slow, some rolled back. */
export async function writer(db: PostgresDatabase, n: number): Promise<{ stop(): Promise<void> }> {
  const client: Client = await db.client();
  const random = dice(n + 1);
  let going = true;
  let uid = 1_000_000 * (n + 1);
  const pick = (): number => 1 + Math.floor(random() * 4000);
  const act = (): string => {
    const roll = random();
    if (roll < 0.2) {
      return `insert into o values (${pick()}, ${++uid}, 0, repeat(md5('${uid}'), 150)) on conflict do nothing`;
    }
    if (roll < 0.6) return `update o set v = v + 1 where id = ${pick()}`;
    if (roll < 0.7) return `update o set v = v + 1, big = repeat(md5(random()::text), 150) where id = ${pick()}`;
    if (roll < 0.8) return `delete from o where id = ${pick()}`;
    const to = pick();
    return `update o set id = ${to}, v = v + 1 where id = ${pick()} and not exists (select from o where id = ${to})`;
  };
  const run = (async () => {
    while (going) {
      const size = 1 + Math.floor(random() * 5);
      try {
        await client.query('begin');
        for (let i = 0; i < size; i++) await client.query(act());
        if (random() < 0.05) await client.query('select pg_sleep(0.1)');
        await client.query(random() < 0.1 ? 'rollback' : 'commit');
      } catch {
        await client.query('rollback'); // two writers wanted one key, or waited for each other
      }
    }
  })();
  return {
    async stop() {
      going = false;
      await run;
    },
  };
}
