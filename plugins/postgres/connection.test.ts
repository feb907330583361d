// Reaching a server: from settings and authentications to a connection, encrypted and verified, and what is said when it fails.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Auth, isSluiceError, messageOf } from 'sluice/sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type PostgresDatabase,
  type PostgresServer,
  postgresVersions,
  startPostgres,
} from '../../test/services/postgres.ts';
import { addressOf, placeOf } from './address.ts';
import type { ConnectionSettings } from './config.ts';
import { close, connect, rowsOf } from './connection.ts';

const config = (given: Partial<ConnectionSettings>): ConnectionSettings => ({ connect_timeout: 10_000, ...given });
const password = (username: string, secret: string): Auth => ({
  type: 'username_password',
  config: { username, password: secret },
});

describe('an address', () => {
  test('comes from parts or from a connection string, never from both', () => {
    const parts = addressOf(config({ host: '10.0.0.1', port: 6000, database: 'shop', user: 'ada' }), null);
    expect(parts).toMatchObject({ host: '10.0.0.1', port: 6000, database: 'shop', user: 'ada', password: undefined });
    const url = addressOf(config({ connection_string: 'postgresql://ada:p%40ss@db.example/shop' }), null);
    expect(url).toMatchObject({ host: 'db.example', port: 5432, database: 'shop', user: 'ada', password: 'p@ss' });
    expect(() => addressOf(config({ connection_string: 'postgres://ada@h/d', port: 1 }), null)).toThrow(/both set/);
  });

  test('takes user and password of an authentication before all others', () => {
    const given = addressOf(config({ connection_string: 'postgres://eve:old@h/d' }), password('ada', 'new'));
    expect(given).toMatchObject({ user: 'ada', password: 'new', database: 'd' });
  });

  test.each(['postgres://a:hunter2@[h/d', 'mysql://a:hunter2@h/d', 'hunter2', 'postgres://a:hunter2%zz@h/d'])(
    'that cannot be read is refused without showing it: %s',
    (text) => {
      const thrown = thrownBy(() => addressOf(config({ connection_string: text }), null));
      expect(isSluiceError(thrown) && thrown.code).toBe('E_CONFIG_INVALID');
      expect(JSON.stringify(thrown) + messageOf(thrown)).not.toContain('hunter2');
    },
  );

  test('has TLS, verified, unless the server is on this machine or the settings say otherwise', () => {
    const tls = (given: Partial<ConnectionSettings>): unknown => addressOf(config({ user: 'a', ...given }), null).tls;
    for (const host of ['localhost', '127.0.0.1', '127.9.9.9', '::1']) expect(tls({ host })).toBe(false);
    for (const host of ['db.example', '10.0.0.1', 'localhost.example'])
      expect(tls({ host })).not.toMatchObject({ rejectUnauthorized: false });
    expect(tls({ host: 'db.example', tls: 'require' })).toMatchObject({ rejectUnauthorized: false });
    expect(tls({ host: 'db.example', tls: 'disable' })).toBe(false);
    expect(() => tls({ connection_string: 'postgres://a@h/d?sslmode=prefer', user: undefined as never })).toThrow(
      /fall back to no encryption/,
    );
  });

  test('refuses what nobody would enforce', () => {
    const refused = (text: string) => () => addressOf(config({ connection_string: text }), null);
    expect(refused('postgres://a@h/d?target_session_attrs=read-write')).toThrow(/target_session_attrs/);
    expect(refused('postgres://h/d')).toThrow(/no user/);
    const certificate: Auth = { type: 'certificate', config: { certificate: 'c', key: 'k', username: 'a' } };
    expect(() => addressOf(config({ tls: 'disable' }), certificate)).toThrow(/without TLS/);
  });

  test('is the same place however it is written', () => {
    const place = placeOf(config({ connection_string: 'postgres://a:b@LocalHost/shop' }));
    expect(placeOf(config({ host: '127.0.0.1', database: 'shop', user: 'other' }))).toBe(place);
    expect(placeOf(config({ host: '127.0.0.1', database: 'shop', port: 5433, user: 'a' }))).not.toBe(place);
  });
});

describe.each(postgresVersions())('a connection to PostgreSQL %i', (version) => {
  let server: PostgresServer;
  let db: PostgresDatabase;
  let folder: string;
  beforeAll(async () => {
    server = await startPostgres(version);
    db = await server.database();
    folder = mkdtempSync(join(tmpdir(), 'sluice-pg-'));
    await db.query(`create role ada login password 'hunter2'; create role cert login in role by_certificate`);
    await db.query(`alter role ada set datestyle = 'German'; alter role ada set timezone = 'Asia/Tokyo'`);
    writeFileSync(join(folder, 'ca.pem'), server.tls.ca);
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  const to = (given: Partial<ConnectionSettings>): ConnectionSettings =>
    config({ host: 'localhost', port: server.port, database: db.name, ...given });
  const ask = async (given: Partial<ConnectionSettings>, auth: Auth | null, sql: string) => {
    const client = await connect(addressOf(to(given), auth), { name: 'sluice orders' });
    try {
      return await rowsOf(client, sql);
    } finally {
      await close(client);
    }
  };
  const WHO = 'select current_user, ssl::text from pg_stat_ssl where pid = pg_backend_pid()';

  test('by password shows its name, and gives values in one form whatever the role has set', async () => {
    const auth = password('ada', 'hunter2');
    expect(await ask({}, auth, WHO)).toEqual([['ada', 'false']]);
    const sql = `select timestamptz '2024-02-29 12:00+00', float8 '0.1', '\\x00ff'::bytea, current_setting('application_name')`;
    expect(await ask({}, auth, sql)).toEqual([['2024-02-29 12:00:00+00', '0.1', '\\x00ff', 'sluice orders']]);
  });

  test('verifies the server by the CA that it is given, and the name of the host', async () => {
    const auth = password('ada', 'hunter2');
    const tls_ca = join(folder, 'ca.pem');
    expect(await ask({ tls: 'verify-full', tls_ca }, auth, WHO)).toEqual([['ada', 'true']]);
    expect(await ask({ tls: 'verify-full', tls_ca, host: '127.0.0.1' }, auth, WHO)).toEqual([['ada', 'true']]);
    await expect(ask({ tls: 'verify-full' }, auth, WHO)).rejects.toThrow(/certificate/);
    await expect(ask({ tls: 'verify-ca' }, auth, WHO)).rejects.toThrow(/certificate/);
    expect(await ask({ tls: 'require' }, auth, WHO)).toEqual([['ada', 'true']]);
    // the certificate is good, and of another host
    const { tls } = addressOf(to({ host: 'db.example', tls_ca }), auth);
    const client = connect({ ...addressOf(to({ tls_ca }), auth), tls }, { name: 'sluice' });
    await expect(client).rejects.toThrow(/does not match certificate/);
  });

  test('by certificate needs no password', async () => {
    const { certificate, key } = server.tls.client('cert');
    const auth: Auth = { type: 'certificate', config: { certificate, key, ca: server.tls.ca, username: 'cert' } };
    expect(await ask({}, auth, WHO)).toEqual([['cert', 'true']]);
    const other = server.tls.client('somebody');
    const wrong: Auth = {
      type: 'certificate',
      config: { ...auth.config, certificate: other.certificate, key: other.key },
    };
    await expect(ask({}, wrong, WHO)).rejects.toThrow(/certificate/);
  });

  test('that fails says nothing of the password', async () => {
    for (const auth of [password('ada', 'wrong-hunter3'), password('nobody_here', 'wrong-hunter3')]) {
      const thrown = await ask({}, auth, WHO).catch((error: unknown) => error);
      expect(thrown).toBeInstanceOf(Error);
      expect(JSON.stringify(thrown) + String((thrown as Error).stack)).not.toContain('hunter3');
    }
  });

  test('to a server that says nothing ends after its time-out', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    await expect(ask({ port, connect_timeout: 50 }, password('ada', 'hunter2'), WHO)).rejects.toThrow(/time/i);
    silent.close();
  });
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (thrown) {
    return thrown;
  }
  throw new Error('nothing was thrown');
}
