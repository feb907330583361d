// Connections to a server: the driver `pg`, loaded on first use, with every value as the text that the server sends.
// Guarantees: times, dates and numbers are in one form whatever the server's own settings are; connecting ends after its
// time-out; an error that nobody waits for (the server went away between two statements) ends no process.

import type { Client, QueryConfig } from 'pg';
import { sluiceError } from 'sluice/sdk';
import type { Address } from './address.ts';

export type { Address } from './address.ts';
export { addressOf, isLoopback, placeOf } from './address.ts';

export interface ConnectOptions {
  /** What `pg_stat_activity` shows as application_name, cut to 63 bytes by the server. */
  readonly name: string;
  /** A walsender that also takes SQL. */
  readonly replication?: boolean;
  /** Settings of the session, over those that keep values in one form. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** What keeps the texts of values the same everywhere; a role or database may have set others. */
const FORM: Readonly<Record<string, string>> = {
  datestyle: 'ISO, YMD',
  intervalstyle: 'iso_8601',
  timezone: 'UTC',
  extra_float_digits: '3',
  bytea_output: 'hex',
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
  lc_monetary: 'C',
  xmloption: 'content',
};

/** Cells as the server's text, also those of types that the driver knows. */
const AS_TEXT = { getTypeParser: () => (value: string | Buffer) => value };

/** @throws SluiceError E_PLUGIN_DRIVER, or the driver's own error (faults.ts says what it means) */
export async function connect(address: Address, options: ConnectOptions): Promise<Client> {
  const { Client } = await loadDriver();
  const { host, port, database, user, password, tls, connectTimeout } = address;
  const client = new Client({
    host,
    port,
    database,
    user,
    // a function, so that neither PGPASSWORD nor ~/.pgpass of this machine steps in
    password: () => password ?? '',
    ssl: tls,
    connectionTimeoutMillis: connectTimeout,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: options.name,
    types: AS_TEXT,
    ...(options.replication === true ? { replication: 'database' } : {}),
  } as ConstructorParameters<typeof Client>[0]);
  client.on('error', () => undefined); // whoever asks the next question gets an error of his own
  try {
    await client.connect();
    // as statements and not at the start of the session, where a pooler between would refuse them
    const all = Object.entries({ ...FORM, ...options.settings });
    await client.query(all.map(([name, value]) => `set ${name} = '${value.replaceAll("'", "''")}'`).join('; '));
  } catch (thrown) {
    destroy(client);
    throw thrown;
  }
  return client;
}

/** Ends a connection at once, whatever it waits for; the server rolls back what was open. */
export function destroy(client: Client): void {
  const { connection } = client as unknown as { connection: { stream: { destroy(): void } } };
  connection.stream.destroy();
}

/** Says goodbye, but waits no longer than `ms`: a server that is away never answers. */
export async function close(client: Client, ms = 1_000): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([client.end().catch(() => undefined), late]);
  clearTimeout(timer);
  destroy(client);
}

/** Rows as arrays of texts. In the extended protocol, where a text is one statement and no more: a condition that ends it is an error. */
export async function rowsOf(
  client: Client,
  text: string,
  values: readonly unknown[] = [],
): Promise<readonly (readonly (string | null)[])[]> {
  const config: QueryConfig & { rowMode: 'array'; queryMode: 'extended' } = {
    text,
    values: [...values],
    rowMode: 'array',
    queryMode: 'extended',
  };
  const { rows } = await client.query<(string | null)[]>(config);
  return rows;
}

/** @throws SluiceError E_PLUGIN_DRIVER */
export async function loadDriver(): Promise<{ readonly Client: typeof Client }> {
  try {
    const module = (await import('pg')) as { default?: { Client: typeof Client }; Client: typeof Client };
    return module.default ?? module;
  } catch (cause) {
    throw sluiceError('E_PLUGIN_DRIVER', {
      message: 'the driver `pg` cannot be loaded',
      fix: 'run `npm install pg@8.23.1`',
      cause,
    });
  }
}

/** A name as SQL. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
