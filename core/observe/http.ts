// The two small servers of a running process: `/metrics` on one port, `/live` and `/ready` on another.
// They listen on all addresses unless told otherwise, as probes and scrapers come from other machines; what they show is
// ids and counts, never a value of a row or of the configuration. They answer GET and HEAD, and nothing else.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sluiceError } from '../errors.ts';
import { metricsType } from './metrics.ts';

/** An answer of a probe: `ok` decides between 200 and 503, the rest is shown as JSON. */
export interface Probe {
  readonly ok: boolean;
  readonly [field: string]: unknown;
}

export interface ServeOptions {
  readonly metricsPort?: number;
  readonly healthPort?: number;
  /** `0.0.0.0` by default; `127.0.0.1` keeps both servers to this machine. */
  readonly host?: string;
  metrics(): string;
  /** False: this process cannot recover by itself and should be restarted. */
  live(): Probe;
  /** False: it works and is not there yet (a stream is starting), or it will not be (a stream failed). */
  ready(): Probe;
}

export interface Serving extends AsyncDisposable {
  /** The ports that were really taken (0 asks for any free one); null for a server that was not asked for. */
  readonly metricsPort: number | null;
  readonly healthPort: number | null;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** @throws SluiceError E_PORT when a port is taken or not allowed; then nothing listens */
export async function serve(options: ServeOptions): Promise<Serving> {
  const host = options.host ?? '0.0.0.0';
  const probe = (answer: Probe): Answer => ({
    status: answer.ok ? 200 : 503,
    type: 'application/json',
    body: `${JSON.stringify(answer)}\n`,
  });
  const started: Server[] = [];
  try {
    const metrics = await start(options.metricsPort, host, started, {
      '/metrics': () => ({ status: 200, type: metricsType, body: options.metrics() }),
    });
    const health = await start(options.healthPort, host, started, {
      '/live': () => probe(options.live()),
      '/ready': () => probe(options.ready()),
    });
    return {
      metricsPort: metrics,
      healthPort: health,
      async [Symbol.asyncDispose]() {
        await Promise.all(started.map(stop));
      },
    };
  } catch (error) {
    await Promise.all(started.map(stop));
    throw error;
  }
}

async function start(
  port: number | undefined,
  host: string,
  started: Server[],
  pages: Readonly<Record<string, () => Answer>>,
): Promise<number | null> {
  if (port === undefined) return null;
  // Only now: an import at the top would load all that Node has for HTTP, its client and fetch too, at every start (40 ms).
  const { createServer } = await import('node:http');
  const server = createServer((request, response) => respond(request, response, pages));
  // a slow or silent client must not hold a socket for ever
  server.headersTimeout = 5_000;
  server.requestTimeout = 5_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        sluiceError('E_PORT', {
          message: `port ${port} cannot be listened on (${(cause as { code?: string }).code ?? 'unknown'})`,
          fix: 'stop what listens there, or set service.metrics_port and service.health_port to free ports from 1024 on',
          cause,
          permanent: true,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
  // no file descriptor left for one more client (EMFILE) must not end the process
  server.on('error', () => {});
  started.push(server);
  return (server.address() as AddressInfo).port;
}

function respond(
  request: IncomingMessage,
  response: ServerResponse,
  pages: Readonly<Record<string, () => Answer>>,
): void {
  let answer: Answer;
  const path = (request.url ?? '/').split('?')[0]!;
  const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
  if (page === undefined) {
    answer = { status: 404, type: 'text/plain', body: `${Object.keys(pages).join(' ')}\n` };
  } else if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    answer = { status: 405, type: 'text/plain', body: 'GET or HEAD\n' };
  } else {
    try {
      answer = page();
    } catch {
      // the reason may hold anything: it is for the log, not for whoever can reach this port
      answer = { status: 500, type: 'text/plain', body: 'the page could not be made\n' };
    }
  }
  const body = Buffer.from(answer.body, 'utf8');
  response.writeHead(answer.status, {
    'content-type': answer.type,
    'content-length': body.length,
    'cache-control': 'no-store',
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function stop(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
