// For tests: a network that can be cut. A relay on a free port of 127.0.0.1 that passes bytes on to another port, until it is told
// to hold everything (nothing arrives any more, in either direction, and nobody is told) or to let it pass again.

import { connect as connectTo, createServer, type Socket } from 'node:net';

export interface Wire extends AsyncDisposable {
  readonly port: number;
  /** From now on nothing passes, on connections that are there and on new ones. */
  hold(): void;
  release(): void;
}

export async function newWire(to: number): Promise<Wire> {
  const sockets = new Set<Socket>();
  let held = false;
  const server = createServer((near) => {
    const far = connectTo(to, '127.0.0.1');
    for (const [from, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      if (held) from.pause();
      from.on('data', (bytes) => {
        if (!other.write(bytes)) {
          from.pause();
          other.once('drain', () => {
            if (!held) from.resume();
          });
        }
      });
      from.on('close', () => {
        sockets.delete(from);
        other.destroy();
      });
      from.on('error', () => other.destroy());
      if (held) from.pause(); // a listener for data lets it flow
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    hold() {
      held = true;
      for (const socket of sockets) socket.pause();
    },
    release() {
      held = false;
      for (const socket of sockets) socket.resume();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
