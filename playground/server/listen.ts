// The playground on a port: by default of this machine alone. Ends what is open when it is closed.

import type { Server } from 'node:http';
import { type AddressInfo, isIPv6 } from 'node:net';
import { hostname } from 'node:os';
import { serve } from '@hono/node-server';
import { sluiceError } from 'sluice/sdk';
import { createApp } from './app.ts';
import type { Access } from './guard.ts';
import { pageFiles } from './page.ts';
import type { Workbench } from './workbench.ts';

export interface ListenParts {
  readonly bench: Workbench;
  readonly token: string;
  /** Folder of the page's bundle. */
  readonly web: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly host: string;
}

export interface Listening extends AsyncDisposable {
  /** With the token, as a browser opens it. */
  readonly address: string;
  /** Ends with an error when the server stops by itself. */
  readonly failed: Promise<never>;
}

const LOOPBACK = ['127.0.0.1', '::1', 'localhost'];

export function isLoopback(host: string): boolean {
  return LOOPBACK.includes(host);
}

/** @throws SluiceError E_PORT */
export async function listen({ bench, token, web, port, host }: ListenParts): Promise<Listening> {
  let hosts: readonly string[] = [];
  const anyAddress = host === '0.0.0.0' || host === '::';
  const access: Access = { token, hosts: () => hosts, anyAddress };
  const app = createApp({ bench, access, page: await pageFiles(web) });
  const server = await new Promise<Server>((resolve, reject) => {
    const made = serve(
      {
        fetch: app.fetch,
        port,
        hostname: host,
        serverOptions: { requestTimeout: 60_000, headersTimeout: 10_000, maxHeaderSize: 16 << 10 },
      },
      () => resolve(made),
    ) as Server;
    made.once('error', (error: NodeJS.ErrnoException) => {
      const message = `port ${port} of ${host} cannot be listened on (${error.code ?? 'unknown'})`;
      reject(sluiceError('E_PORT', { message, fix: 'take another one with --port', cause: error }));
    });
  });
  const bound = (server.address() as AddressInfo).port;
  const names = isLoopback(host) ? LOOPBACK : anyAddress ? [...LOOPBACK, hostname()] : [host];
  hosts = names.map((name) => `${isIPv6(name) ? `[${name}]` : name}:${bound}`);
  const shown = anyAddress ? '127.0.0.1' : isIPv6(host) ? `[${host}]` : host;
  return {
    address: `http://${shown}:${bound}/#token=${token}`,
    failed: new Promise<never>((_, reject) => server.once('error', reject)),
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
