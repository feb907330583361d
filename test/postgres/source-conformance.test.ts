// The postgres source before the kit, on every version: rows and then changes, and a log of changes that were made before it came.

import { afterAll, beforeAll, describe, test } from 'vitest';
import { conformanceChecks, type SourceStage } from '../../core/testkit.ts';
import plugin from '../../plugins/postgres/index.ts';
import { type PostgresDatabase, type PostgresServer, postgresVersions, startPostgres } from '../services/postgres.ts';
import { changesStage, sourceStage } from './source-stage.ts';

const stages: readonly [string, (db: PostgresDatabase) => Promise<SourceStage>][] = [
  ['rows, then changes', sourceStage],
  ['changes', changesStage],
];

describe.each(postgresVersions())('PostgreSQL %i', (version) => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres(version);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  describe.each(stages)('%s', (_, stage) => {
    const folder = new URL('../../plugins/postgres/', import.meta.url);
    const checks = conformanceChecks(plugin, { folder, source: async () => stage(await server.database()) });
    for (const { name, run } of checks) if (name.startsWith('source:')) test(name, () => run());
  });
});
