// What the conformance kit needs of the postgres source: rows that are there, and changes of every kind that come after them.

import type { SourceStage } from '../../core/testkit.ts';
import type { PostgresDatabase } from '../services/postgres.ts';

const TABLE = `create table orders (id bigint primary key, name text not null, price numeric(10,2), at timestamptz, tags text[],
  picture bytea, more jsonb)`;
const ROW = `i, 'name ' || i || ' ü😀', i * 1.1, timestamptz '2024-02-29 12:00:00.123456+00' + i * interval '1 day', array['a,b', null],
  '\\x00ff'::bytea, '{"n": [1, {"m": null}]}'`;

/** 20 rows, one of which cannot be read, then changes as they are made. */
export async function sourceStage(db: PostgresDatabase): Promise<SourceStage> {
  let last = 0;
  const insert = async (n: number): Promise<void> => {
    await db.query(`insert into orders select ${ROW} from generate_series(${last + 1}, ${last + n}) i`);
    last += n;
  };
  await db.query(TABLE);
  await insert(20);
  await db.query(`update orders set more = '{"n": 12345678901234567890}' where id = 7`);
  // a slot belongs to the whole server
  const names = { slot: `kit_${db.name}`, publication: 'kit' };
  return {
    config: { connection_string: db.url, tables: ['public.orders'], ...names },
    events: 20,
    unreadable: 1,
    ends: false,
    change: insert,
    broken: {
      config: { connection_string: 'postgres://me:hunter2-sesam@127.0.0.1:1/shop' },
      secret: 'hunter2-sesam',
    },
    [Symbol.asyncDispose]: () => db.drop(),
  };
}

/** A log of 22 changes that were made before the source came: transactions of one, of a few, and of more than a batch. */
export async function changesStage(db: PostgresDatabase): Promise<SourceStage> {
  const slot = `kit_${db.name}`;
  await db.query(TABLE);
  await db.query('create publication kit for table orders');
  await db.query(`select pg_create_logical_replication_slot('${slot}', 'pgoutput')`);
  let last = 0;
  const insert = async (n: number): Promise<void> => {
    await db.query(`insert into orders select ${ROW} from generate_series(${last + 1}, ${last + n}) i`);
    last += n;
  };
  await insert(1);
  await insert(10);
  await db.query('update orders set id = -1 where id = 1');
  await db.query(
    `begin; delete from orders where id > 8; update orders set name = 'x' where id between 2 and 4; commit`,
  );
  await db.query('begin; alter table orders add extra int; update orders set extra = 1 where id = 5; commit');
  await db.query('truncate orders');
  await insert(1);
  return {
    config: {
      connection_string: db.url,
      tables: ['orders'],
      slot,
      publication: 'kit',
      snapshot: 'never',
      create: false,
    },
    events: 22,
    ends: false,
    change: insert,
    [Symbol.asyncDispose]: () => db.drop(),
  };
}
