// The HTTP plugin before the kit: the sink against a real server, which answers 422 to what it will not take.
// The webhook source has no history: what is posted is either durable or the sender's to send again, so there is no
// position to go back to. It is tested in its own folder.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { ConformanceOptions } from '../../core/testkit.ts';
import type { Json } from '../../core/values.ts';

export const stages: Omit<ConformanceOptions, 'folder'> = {
  waive: { 'source: has a stage to be looked at': 'what is pushed cannot be read again' },
  async sink() {
    const taken = new Map<string, Json>(); // by idempotency key, as a receiver that heeds it
    const server = createServer(async (request, response) => {
      const row = JSON.parse(await text(request)) as { readonly name?: Json };
      if (row.name === 'refuse') {
        response.writeHead(422).end();
        return;
      }
      taken.set(String(request.headers['idempotency-key']), row as Json);
      response.writeHead(204).end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return {
      config: { url: `http://127.0.0.1:${port}/rows`, format: 'row', token: 'planted-token' },
      ops: ['c', 'u'],
      readBack: async () => [...taken].sort(([a], [b]) => (a < b ? -1 : 1)),
      rejected: (event) => ({ ...event, after: { ...event.after, name: 'refuse' } }),
      broken: {
        config: { url: 'http://127.0.0.1:1/rows', token: 'hunter2-sesam', timeout: '1s' },
        secret: 'hunter2-sesam',
      },
      async [Symbol.asyncDispose]() {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  },
};
