// Where a server is and who we are there: from the settings and the authentication to one address. Pure but for the CA's file.
// Guarantees: TLS is on and verified unless the server is on this machine or the settings say otherwise; no password ever
// stands in a message. Refuses: what `connection_string` says and the parts say too, and parameters that nobody would enforce.

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { type ConnectionOptions, checkServerIdentity } from 'node:tls';
import { type Auth, type SluiceError, sluiceError } from 'sluice/sdk';
import type { ConnectionSettings } from './config.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** undefined: the server asks for none, or a certificate proves who we are. */
  readonly password: string | undefined;
  /** false: not encrypted. */
  readonly tls: ConnectionOptions | false;
  /** In ms. */
  readonly connectTimeout: number;
}

type TlsMode = NonNullable<ConnectionSettings['tls']>;

const MODES: readonly string[] = ['verify-full', 'verify-ca', 'require', 'disable'];

/** @throws SluiceError E_CONFIG_INVALID */
export function addressOf(config: ConnectionSettings, auth: Auth | null): Address {
  const url = config.connection_string === undefined ? null : parsed(config.connection_string);
  if (url !== null) {
    const part = (['host', 'port', 'database', 'user'] as const).find((name) => config[name] !== undefined);
    if (part !== undefined) {
      throw invalid(`\`connection_string\` and \`${part}\` are both set`, `leave one of them out`);
    }
  }
  const host = url?.host ?? config.host ?? 'localhost';
  const user = auth?.config['username'] ?? url?.user ?? config.user;
  if (user === undefined || user === '') {
    throw invalid('no user is named', 'name one with `auth_id`, `user` or in `connection_string`');
  }
  const password = auth?.type === 'username_password' ? auth.config['password'] : url?.password;
  return {
    host,
    port: url?.port ?? config.port ?? 5432,
    database: url?.database ?? config.database ?? user,
    user,
    password,
    tls: tlsOf(config, auth, host, url),
    connectTimeout: config.connect_timeout,
  };
}

/** Text that is equal exactly when server and database are: what finds two ends on one place. */
export function placeOf(config: ConnectionSettings): string | undefined {
  try {
    const { host, port, database } = addressOf(
      { ...config, user: config.user ?? undefined } as ConnectionSettings,
      null,
    );
    return `postgres:${isLoopback(host) ? 'localhost' : host.toLowerCase()}:${port}/${database}`;
  } catch {
    return undefined; // the user, and so the database, comes from an authentication: not known here
  }
}

interface Parsed {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly database: string | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly mode: string | undefined;
  readonly ca: string | undefined;
}

function parsed(text: string): Parsed {
  let url: URL;
  try {
    url = new URL(text);
    if (!/^postgres(ql)?:$/.test(url.protocol)) throw new TypeError('another protocol');
  } catch {
    // not the parser's own message: it would show the password
    throw invalid('`connection_string` is no address', 'write `postgres://user:password@host:port/database`');
  }
  for (const name of url.searchParams.keys()) {
    if (name === 'sslmode' || name === 'sslrootcert') continue;
    throw invalid(
      `\`connection_string\` has the parameter \`${name}\`, which Sluice does not know`,
      'leave it out; `sslmode` and `sslrootcert` are known',
    );
  }
  const text_ = (value: string): string | undefined => (value === '' ? undefined : decoded(value));
  return {
    host: text_(url.hostname.replace(/^\[(.*)\]$/, '$1')),
    port: url.port === '' ? undefined : Number(url.port),
    database: text_(url.pathname.slice(1)),
    user: text_(url.username),
    password: text_(url.password),
    mode: url.searchParams.get('sslmode') ?? undefined,
    ca: url.searchParams.get('sslrootcert') ?? undefined,
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid('`connection_string` has a `%` that escapes nothing', 'write `%25` for a percent sign');
  }
}

function tlsOf(
  config: ConnectionSettings,
  auth: Auth | null,
  host: string,
  url: Parsed | null,
): ConnectionOptions | false {
  if (config.tls !== undefined && url?.mode !== undefined) {
    throw invalid('`tls` and the `sslmode` of `connection_string` are both set', 'leave one of them out');
  }
  const given = config.tls ?? url?.mode;
  if (given !== undefined && !MODES.includes(given)) {
    throw invalid(
      `\`sslmode=${given === 'prefer' || given === 'allow' ? given : '…'}\` could fall back to no encryption, or is none of the modes`,
      `use one of ${MODES.join(', ')}`,
    );
  }
  const certificate = auth?.type === 'certificate' ? auth.config : null;
  // the test of DELIVERY: a password never goes over a network in the clear because nobody thought of it
  const mode = (given ?? (isLoopback(host) && certificate === null ? 'disable' : 'verify-full')) as TlsMode;
  if (mode === 'disable') {
    if (certificate === null) return false;
    throw invalid('a certificate cannot be shown without TLS', 'set `tls` to another mode than `disable`');
  }
  const file = config.tls_ca ?? url?.ca;
  const ca = certificate?.['ca'] ?? (file === undefined ? undefined : authority(file));
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === null ? {} : { cert: certificate['certificate'], key: certificate['key'] }),
    ...(certificate?.['passphrase'] === undefined ? {} : { passphrase: certificate['passphrase'] }),
    ...(mode === 'require' ? { rejectUnauthorized: false } : {}),
    checkServerIdentity: mode === 'verify-full' ? (_, cert) => checkServerIdentity(host, cert) : () => undefined,
  };
}

function authority(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw sluiceError('E_CONFIG_INVALID', {
      message: 'the file of certificate authorities cannot be read',
      fix: 'check `tls_ca`',
      at: { file: path },
      cause,
      permanent: true,
    });
  }
}

export function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === 'localhost' || host === '::1';
}

function invalid(message: string, fix: string): SluiceError {
  return sluiceError('E_CONFIG_INVALID', { message, fix, permanent: true });
}
