// For tests only: a real HTTP endpoint on this machine, which remembers what it was sent and answers as it is told.

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export type Reply = { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string };

export interface TestEndpoint extends AsyncDisposable {
  readonly url: string;
  readonly received: Received[];
  /** Sockets that were opened. */
  connections(): number;
}

/** `null` from `reply`: no answer at all. */
export async function anEndpoint(
  reply: (received: Received, n: number, response: ServerResponse) => Reply | null | Promise<Reply | null>,
): Promise<TestEndpoint> {
  const received: Received[] = [];
  let connections = 0;
  const server = createServer(async (request, response) => {
    const body = await text(request).catch(() => null);
    if (body === null) return;
    const one = { method: request.method!, path: request.url!, headers: request.headers, body };
    const answer = await reply(one, received.push(one) - 1, response);
    if (answer === null || response.destroyed) return;
    response.writeHead(answer.status, answer.headers);
    response.end(answer.body ?? '');
  });
  server.on('connection', () => {
    connections++;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/in`,
    received,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
