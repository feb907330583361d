// The playground's HTTP surface: every endpoint of api.ts, the page, the API's description, and what guards them. Pure: it
// takes requests and gives responses, and needs no port.
// Guarantee: an error is always { error } with a status that fits, without a secret and without a stack.

import { randomBytes } from 'node:crypto';
import { type Context, Hono } from 'hono';
import { type SluiceError, sluiceError, toSluiceError } from 'sluice/sdk';
import type { ErrorData } from '../../core/workbench.ts';
import { type Endpoint, endpoints } from './api.ts';
import { ChangedOnDisk, hashOf } from './files.ts';
import { type Access, checkOrigin, checkToken, openBodies } from './guard.ts';
import { type Asked, handlersOf } from './handlers.ts';
import { openapi } from './openapi.ts';
import type { PageFile } from './page.ts';
import { reference } from './reference.ts';
import { checked, checkedQuery } from './validate.ts';
import type { Workbench } from './workbench.ts';

export interface AppParts {
  readonly bench: Workbench;
  readonly access: Access;
  /** By path. */
  readonly page: ReadonlyMap<string, PageFile>;
}

const STATUS: Readonly<Record<string, number>> = {
  E_PLAYGROUND_REQUEST: 400,
  E_PLAYGROUND_TOKEN: 401,
  E_PLAYGROUND_ORIGIN: 403,
  E_PLAYGROUND_NOT_FOUND: 404,
  E_DEAD_LETTER_NOT_FOUND: 404,
  E_PLAYGROUND_CONFLICT: 409,
  E_PLAYGROUND_REPLACED: 409,
  E_PLAYGROUND_SIZE: 413,
  E_INTERNAL: 500,
  E_PLAYGROUND_BUSY: 503,
};

type Method = Lowercase<Endpoint['method']>;

export function createApp({ bench, access, page }: AppParts): Hono {
  const app = new Hono();
  const { version } = bench.parts;

  app.use(async (c, next) => {
    for (const [name, value] of Object.entries(ALWAYS)) c.header(name, value);
    c.header('content-security-policy', policy(null));
    checkOrigin(c.req.raw.headers, c.req.path, access);
    await next();
  });
  app.get('/api/openapi.json', (c) => c.json(openapi(version)));
  app.get('/api/reference', (c) => {
    const nonce = newNonce(c);
    return c.html(reference(version, nonce));
  });
  app.use('/api/*', async (c, next) => {
    checkToken(c.req.raw.headers, access);
    await next();
  });
  app.get('/api/changes', (c) => {
    c.header('content-type', 'text/event-stream');
    return c.body(bench.changes.listen(bench.files()));
  });

  const handlers = handlersOf(bench);
  const bodies = openBodies();
  for (const [name, endpoint] of Object.entries(endpoints) as [keyof typeof endpoints, Endpoint][]) {
    const handle = handlers[name] as (asked: Asked<never>) => Promise<object>;
    const path = endpoint.path.replaceAll(/\{(\w+)\}/g, ':$1');
    app[endpoint.method.toLowerCase() as Method](path, async (c) => {
      const { body } = endpoint;
      if (body === undefined) return c.json(await handle(askedOf(c, endpoint, undefined)));
      checkIsJson(c);
      const answer = async (text: string): Promise<object> => await handle(askedOf(c, endpoint, jsonOf(text)));
      return c.json(await bodies.hold(c.req.raw, answer));
    });
  }
  app.all('/api/*', () => {
    throw sluiceError('E_PLAYGROUND_NOT_FOUND', { message: 'there is no such request', fix: 'see /api/reference' });
  });

  for (const [path, { type, bytes }] of page) {
    app.get(path, (c) => {
      c.header('content-type', type);
      if (path !== '/') return c.body(new Uint8Array(bytes));
      return c.body(bytes.toString('utf8').replaceAll('{{nonce}}', newNonce(c)));
    });
  }
  app.notFound((c) => c.text('There is nothing here.\n', 404));
  app.onError(async (thrown, c) => await failed(c, thrown, bench));
  return app;
}

function askedOf(c: Context, { query, body }: Endpoint, given: unknown): Asked<never> {
  const asked = {
    params: c.req.param() as Record<string, string>,
    query: query === undefined ? undefined : checkedQuery(query, new URL(c.req.url).searchParams),
    body: body === undefined ? undefined : checked(body, given, 'the request'),
    signal: c.req.raw.signal,
  };
  return asked as Asked<never>;
}

/** A form or a plain text may be sent from any site without asking first. */
function checkIsJson(c: Context): void {
  if (/^application\/json\b/i.test(c.req.header('content-type') ?? '')) return;
  throw sluiceError('E_PLAYGROUND_REQUEST', { message: 'the request must be application/json' });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw sluiceError('E_PLAYGROUND_REQUEST', { message: 'the request is no JSON' });
  }
}

async function failed(c: Context, thrown: unknown, bench: Workbench): Promise<Response> {
  if (thrown instanceof ChangedOnDisk) {
    const error = sluiceError('E_PLAYGROUND_CONFLICT', { message: thrown.message });
    const isManifest = thrown.path === bench.parts.file;
    const source = isManifest ? (await bench.workbook.look(thrown.source)).masked : thrown.source;
    return c.json({ error: error.toJSON(), disk: { source, hash: hashOf(thrown.source) } }, 409);
  }
  const error = toSluiceError(thrown);
  const status = STATUS[error.code] ?? 422;
  const isOver = c.req.raw.signal.aborted; // nobody waits for the answer, and what was thrown says only that
  if (status === 500 && !isOver) {
    bench.parts.log.error({ error: thrown, path: c.req.path }, 'a request of the playground failed');
  }
  if (status === 503) c.header('retry-after', '1');
  if (status === 413 || status === 503) c.header('connection', 'close'); // what was not read is not waited for
  return c.json({ error: bench.shown(dataOf(error)) }, status as 400);
}

function dataOf(error: SluiceError): ErrorData {
  const { cause: _, ...data } = error.toJSON();
  return error.code === 'E_INTERNAL' ? { ...data, message: 'the playground itself failed; its log says how' } : data;
}

const ALWAYS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
} as const;

// Nothing from elsewhere, no inline script; styles that the editor makes at run time carry the nonce.
function policy(nonce: string | null): string {
  const styles = nonce === null ? "'self'" : `'self' 'nonce-${nonce}'`;
  return `default-src 'self'; style-src ${styles}; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
}

function newNonce(c: Context): string {
  const nonce = randomBytes(16).toString('base64url');
  c.header('content-security-policy', policy(nonce));
  return nonce;
}
