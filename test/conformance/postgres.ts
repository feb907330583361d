// The postgres plugin before the kit: both ends on a real server, each stage in a database of its own.

import type { ConformanceOptions } from '../../core/testkit.ts';
import type { Json } from '../../core/values.ts';
import {
  type PostgresDatabase,
  type PostgresServer,
  type PostgresVersion,
  startPostgres,
} from '../services/postgres.ts';

export const stages = stagesOn(18);

/** The server is started with the first stage, and ends with the process. */
export function stagesOn(version: PostgresVersion): Omit<ConformanceOptions, 'folder'> {
  let started: Promise<PostgresServer> | null = null;
  const database = async (): Promise<PostgresDatabase> => {
    started ??= startPostgres(version);
    return (await started).database();
  };
  return {
    async source() {
      const db = await database();
      await db.query(
        `create table orders (id int primary key, name text not null, big bigint, price numeric(10,2), picture bytea)`,
      );
      let last = 0;
      const insert = async (n: number): Promise<void> => {
        await db.query(
          `insert into orders select i, 'name ' || i || ' ü', 9223372036854775807 - i, i + 0.10, decode('00ff', 'hex')
           from generate_series(${last + 1}, ${last + n}) i`,
        );
        last += n;
      };
      await insert(20);
      return {
        config: { connection_string: db.url, tables: ['orders'] },
        events: 20,
        ends: false,
        change: insert,
        broken: {
          config: { connection_string: 'postgres://me:hunter2-sesam@127.0.0.1:1/shop' },
          secret: 'hunter2-sesam',
        },
        [Symbol.asyncDispose]: () => db.drop(),
      };
    },
    async sink() {
      const db = await database();
      return {
        config: { connection_string: db.url },
        readBack: () => contentOf(db),
        // a column that the table's own type refuses
        rejected: (event) => ({ ...event, after: { ...event.after, id: 'no number' } }),
        broken: {
          config: { connection_string: 'postgres://me:hunter2-sesam@127.0.0.1:1/shop' },
          secret: 'hunter2-sesam',
        },
        [Symbol.asyncDispose]: () => db.drop(),
      };
    },
  };
}

/** The rows of every table that is not Sluice's own. */
async function contentOf(db: PostgresDatabase): Promise<Json> {
  const tables = await db.query(`select tablename from pg_tables where schemaname = 'public' order by 1`);
  const found: Record<string, Json> = {};
  for (const { tablename } of tables) {
    const rows = await db.query(`select * from "${tablename}" order by 1`);
    found[tablename!] = rows.map((row) => ({ ...row }));
  }
  return found;
}
