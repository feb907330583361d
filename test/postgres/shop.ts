// For the whole-system tests: a source database that several writers change at once, the targets with their audit tables, and the
// comparison of the two. The writers insert, update, delete and change keys, several rows in a transaction, of one table with a
// large value that PostgreSQL stores apart (TOAST) and one with a key of two columns. Every change of a row takes a new version, one
// number for all, so a row of a target's audit table (key, version) can come from one change only.

import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PostgresDatabase } from '../services/postgres.ts';

const SOURCE = `
create sequence ids start 1000;
create sequence versions;
create table orders (id bigint primary key, n text not null, price numeric(12,2), at timestamptz, big text not null, version bigint not null);
alter table orders alter big set storage external;
create table places (region text, code int, doc jsonb, version bigint not null, primary key (region, code));
create function big() returns text language sql volatile as $$ select repeat(md5(random()::text), 100) $$;
create function change(n int) returns int language plpgsql as $$
declare
  dice float;
  one bigint;
  spot record;
  most bigint := (select last_value from ids);
begin
  for i in 1 .. n loop
    dice := random();
    select id into one from orders where id >= (random() * most)::bigint order by id limit 1 for update skip locked;
    if dice < 0.3 or one is null then
      -- some keys come back after they were deleted
      insert into orders values (case when random() < 0.3 then (random() * 999)::bigint else nextval('ids') end,
        md5(random()::text), random() * 1000, clock_timestamp(), big(), nextval('versions')) on conflict do nothing;
    elsif dice < 0.6 then
      update orders set n = md5(random()::text), version = nextval('versions') where id = one;
    elsif dice < 0.65 then
      update orders set big = big(), version = nextval('versions') where id = one;
    elsif dice < 0.75 then
      -- also to where a snapshot has been already
      update orders set id = nextval('ids') * case when random() < 0.4 then -1 else 1 end, version = nextval('versions') where id = one;
    elsif dice < 0.82 then
      delete from orders where id = one;
    elsif dice < 0.9 then
      insert into places values ((array['Zürich', '東京', 'x'])[1 + floor(random() * 3)], (random() * 200)::int,
        jsonb_build_object('n', i, 'text', md5(random()::text)), nextval('versions'))
      on conflict (region, code) do update set doc = excluded.doc, version = excluded.version;
    else
      select * into spot from places order by random() limit 1 for update skip locked;
      if random() < 0.5 then
        delete from places where region = spot.region and code = spot.code;
      else
        update places set code = 200 + nextval('ids'), version = nextval('versions') where region = spot.region and code = spot.code;
      end if;
    end if;
  end loop;
  return n;
end $$;`;

export async function makeShop(db: PostgresDatabase, rows: number): Promise<void> {
  await db.query(SOURCE);
  await db.query(
    `insert into orders select nextval('ids'), md5(i::text), i, now(), big(), nextval('versions') from generate_series(1, ${rows}) i;
     insert into places select 'x', i, null, nextval('versions') from generate_series(1, 50) i; analyze`,
  );
}

/** The tables as a user would have made them, with what must not be written twice logged. */
export async function makePostgresTarget(db: PostgresDatabase): Promise<void> {
  await db.query(`
    create table orders (id bigint primary key, n text not null, price numeric(12,2), at timestamptz, big text not null, version bigint not null);
    create table places (region text, code int, doc jsonb, version bigint not null, primary key (region, code));
    create table audit (key text, version bigint);
    create function log_order() returns trigger language plpgsql as $$ begin insert into audit values ('o ' || new.id, new.version); return new; end $$;
    create function log_place() returns trigger language plpgsql as
      $$ begin insert into audit values ('p ' || new.region || ' ' || new.code, new.version); return new; end $$;
    create trigger log after insert or update on orders for each row execute function log_order();
    create trigger log after insert or update on places for each row execute function log_place();`);
}

export function makeSqliteTarget(path: string): void {
  using db = new DatabaseSync(path);
  db.exec(`
    PRAGMA journal_mode = WAL;
    CREATE TABLE orders (id BIGINT PRIMARY KEY NOT NULL, n TEXT NOT NULL, price DECIMAL TEXT, at TIMESTAMPTZ TEXT, big TEXT NOT NULL, version BIGINT NOT NULL);
    CREATE TABLE places (region TEXT NOT NULL, code INTEGER NOT NULL, doc JSONB TEXT, version BIGINT NOT NULL, PRIMARY KEY (region, code));
    CREATE TABLE audit (key TEXT, version INTEGER);`);
  for (const [table, key] of [
    ['orders', `'o ' || new.id`],
    ['places', `'p ' || new.region || ' ' || new.code`],
  ]) {
    for (const op of ['INSERT', 'UPDATE']) {
      db.exec(
        `CREATE TRIGGER log_${table}_${op} AFTER ${op} ON ${table} BEGIN INSERT INTO audit VALUES (${key}, new.version); END`,
      );
    }
  }
}

/** One text for each row, the same of the same row wherever it is. */
const AS_TEXT = {
  postgres: [
    `select concat_ws('|', id, n, price, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), md5(big), version) as row from orders order by 1`,
    `select concat_ws('|', region, code, doc->>'n', doc->>'text', version) as row from places order by 1`,
  ],
} as const;

export async function postgresRows(db: PostgresDatabase): Promise<string[]> {
  const rows: string[] = [];
  for (const sql of AS_TEXT.postgres) for (const { row } of await db.query<{ row: string }>(sql)) rows.push(row);
  return rows.toSorted();
}

export async function sqliteRows(path: string): Promise<string[]> {
  const { createHash } = await import('node:crypto');
  using db = new DatabaseSync(path, { readOnly: true, readBigInts: true });
  const orders = db.prepare('SELECT id, n, price, at, big, version FROM orders').all();
  const places = db.prepare('SELECT region, code, doc, version FROM places').all();
  const joined = (cells: readonly unknown[]): string =>
    cells.filter((cell) => cell !== null && cell !== undefined).join('|');
  return [
    ...orders.map(({ id, n, price, at, big, version }) =>
      joined([id, n, price, time(at as string), createHash('md5').update(String(big)).digest('hex'), version]),
    ),
    ...places.map(({ region, code, doc, version }) => {
      const parsed = doc === null ? null : (JSON.parse(doc as string) as { n: number; text: string });
      return joined([region, code, parsed?.n, parsed?.text, version]);
    }),
  ].toSorted();
}

/** With six digits of the second, and no zone: all are UTC. */
function time(text: string): string {
  const [, whole, digits = ''] = /^(.{19})(?:\.(\d+))?Z$/.exec(text)!;
  return `${whole}.${digits.padEnd(6, '0')}`;
}

/** Pairs of key and version that were written more than once. */
export const TWICE = 'select key, version, count(*) as times from audit group by key, version having count(*) > 1';

export interface Writers extends AsyncDisposable {
  /** Row changes that were committed. */
  readonly changes: number;
  /** Throws what a writer failed of, other than of a server that was away. */
  check(): void;
}

/** Changes the shop from so many connections at once, which come back when the server does; no more than `most` changes. */
export function startWriters(db: PostgresDatabase, count: number, most: number): Writers {
  let stopped = false;
  let changes = 0;
  let failed: unknown = null;
  const one = async (): Promise<void> => {
    while (!stopped && failed === null && changes < most) {
      try {
        const client = await db.client();
        while (!stopped && changes < most) {
          const n = Math.random() < 0.03 ? 300 : 1 + Math.floor(Math.random() * 12);
          await client.query('select change($1)', [n]);
          changes += n;
          await sleep(5); // the machine has other work too
        }
        await client.end();
      } catch (thrown) {
        const code = String((thrown as { code?: unknown }).code ?? '');
        const away = /^(57P|ECONN|EPIPE|08|$)/.test(code) || code === '40P01' || code === '23505';
        if (!away) failed = thrown;
        else await sleep(20);
      }
    }
  };
  const all = Promise.all(Array.from({ length: count }, one));
  return {
    get changes() {
      return changes;
    },
    check() {
      if (failed !== null) throw failed;
    },
    async [Symbol.asyncDispose]() {
      stopped = true;
      await all;
    },
  };
}
