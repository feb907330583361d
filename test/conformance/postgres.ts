// The postgres plugin before the kit: both ends on a real server, each stage in a database of its own.

import type { ConformanceOptions } from '../../core/testkit.ts';
import type { Json } from '../../core/values.ts';
import { sourceStage } from '../postgres/source-stage.ts';
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
    source: async () => sourceStage(await database()),
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
