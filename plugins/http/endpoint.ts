// Where a sink sends to, and how it proves who it is: the configuration turned into a target, headers and a list of secrets.
// Guarantees: no secret ever leaves through an error, a log or a place. Refuses at the start what could only fail later:
// a URL that is none, two ways to authenticate at once, headers that would break the request.

import { createHash } from 'node:crypto';
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { type Auth, sluiceError } from 'sluice/sdk';
import type { SinkConfig } from './config.ts';

export interface Endpoint {
  /** Without user and password. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Blanks out every secret that stands in a text. */
  mask(text: string): string;
}

/** Set by the sink for each request, or by node for the connection. */
const OWN_HEADERS = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'idempotency-key',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export function endpointOf(config: SinkConfig, auth: Auth | null): Endpoint {
  const url = parseUrl(config.url);
  const headers: Record<string, string> = { 'user-agent': 'sluice', accept: 'application/json' };
  for (const [name, value] of Object.entries(config.headers ?? {})) headers[name.toLowerCase()] = checked(name, value);

  const proofs: string[] = 'authorization' in headers ? [headers['authorization']!] : [];
  if (config.token !== undefined) proofs.push(checked('authorization', `Bearer ${config.token}`));
  if (url.username !== '' || url.password !== '') proofs.push(basic(decoded(url.username), decoded(url.password)));
  if (auth?.type === 'username_password')
    proofs.push(basic(auth.config['username'] ?? '', auth.config['password'] ?? ''));
  if (auth?.type === 'certificate') {
    throw sluiceError('E_NOT_BUILT', {
      message: 'the http sink cannot use a certificate yet',
      fix: 'use `token` or `headers`',
      permanent: true,
    });
  }
  if (proofs.length > 1) {
    throw invalid(
      'there is more than one of: a user in the url, `token`, an authorization header, `auth_id`',
      'keep one of them',
    );
  }
  if (proofs[0] !== undefined) headers['authorization'] = proofs[0];

  const secrets = [
    ...Object.values(config.headers ?? {}),
    ...proofs,
    ...proofs.map((proof) => proof.replace(/^\S+ /, '')),
    ...[url.username, url.password, decoded(url.password), auth?.config['password'] ?? ''],
    ...[...url.searchParams.values()],
    ...(url.search === '' ? [] : [url.search]),
    config.url,
  ];
  url.username = '';
  url.password = '';
  return { url, headers, mask: masker(secrets) };
}

/** The place of a URL: equal exactly when the target is, and without anything that could be a secret. */
export function placeOf(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const query = url.search === '' ? '' : `?${createHash('sha256').update(url.search).digest('hex').slice(0, 16)}`;
  return `${url.protocol}//${url.host}${url.pathname}${query}`;
}

function parseUrl(text: string): URL {
  // The text itself never goes into the message: it may hold a password.
  if (!URL.canParse(text)) throw invalid('`url` is no URL', 'write it as https://host/path');
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw invalid('`url` is neither http nor https', 'write it as https://host/path');
  return url;
}

function checked(name: string, value: string): string {
  if (OWN_HEADERS.has(name.toLowerCase()))
    throw invalid(`the header "${name}" is set by the sink itself`, 'leave it out');
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  } catch {
    throw invalid(
      `the header "${name}" has a name or a value that HTTP does not allow`,
      'use printable ASCII without line breaks',
    );
  }
  return value;
}

function invalid(message: string, fix: string): Error {
  return sluiceError('E_CONFIG_INVALID', { message, fix, permanent: true });
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// Longest first, so that what is left of a long one never shows after a short one in it was blanked out.
function masker(values: readonly string[]): (text: string) => string {
  // An answer may say them back in another coat: inside of JSON, or as a part of a URL.
  const forms = values.flatMap((value) => [
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value.toWellFormed()),
  ]);
  const secrets = [...new Set(forms)].filter((value) => value.length >= 4).sort((a, b) => b.length - a.length);
  return (text) => secrets.reduce((masked, secret) => masked.replaceAll(secret, '***'), text);
}
