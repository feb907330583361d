// The servers that other tests stand on: both versions start, take TLS and certificates, and come back after a stop.

import pg from 'pg';
import { expect, test } from 'vitest';
import { postgresVersions, startPostgres } from './postgres.ts';

test.each(postgresVersions())(
  'PostgreSQL %i decodes logically, takes TLS by certificate, and comes back',
  async (version) => {
    await using server = await startPostgres(version);
    const db = await server.database();
    const [found] = await db.query(
      `select current_setting('wal_level') as level, current_setting('server_version') as version`,
    );
    expect(found).toEqual({ level: 'logical', version: expect.stringMatching(new RegExp(`^${version}\\.`)) });

    await db.query('create role ada login in role by_certificate');
    const { ca } = server.tls;
    const { certificate: cert, key } = server.tls.client('ada');
    const ssl = { ca, cert, key };
    const options = { host: 'localhost', port: server.port, user: 'ada', database: db.name };
    const client = new pg.Client({ ...options, ssl });
    await client.connect();
    const { rows } = await client.query(
      'select ssl, current_user as user from pg_stat_ssl where pid = pg_backend_pid()',
    );
    expect(rows).toEqual([{ ssl: true, user: 'ada' }]);
    await client.end();
    await expect(new pg.Client({ ...options, ssl: { ca } }).connect()).rejects.toThrow(/certificate/);

    await db.query('create table kept (id int)');
    const before = server.pid();
    await server.stop('immediate');
    await server.start();
    expect(server.pid()).not.toBe(before);
    expect(await db.query('select count(*) from kept')).toEqual([{ count: '0' }]);
  },
);
