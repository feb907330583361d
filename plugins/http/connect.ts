// `sluice check` for both ends: can the endpoint be reached, can the port be listened on. Sends no request, takes no event.

import { connect as connectTcp, createServer } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type CheckResult, codesOf } from 'sluice/sdk';
import type { SinkConfig, SourceConfig } from './config.ts';
import { connectError } from './request.ts';

const LONGEST = 10_000;

/** A connection, with TLS and its certificate where the URL says https. */
export async function checkEndpoint(config: SinkConfig): Promise<readonly CheckResult[]> {
  if (!URL.canParse(config.url))
    return [{ ok: false, name: 'connect', message: '`url` is no URL', fix: 'write it as https://host/path' }];
  const url = new URL(config.url);
  const secure = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  const problem = await new Promise<string | null>((resolve) => {
    const servername = /[a-z]/i.test(host) && !host.includes(':') ? { servername: host } : {};
    const socket = secure ? connectTls({ host, port, ...servername }) : connectTcp({ host, port });
    const end = (message: string | null): void => {
      socket.destroy();
      resolve(message);
    };
    socket.setTimeout(Math.min(config.timeout, LONGEST), () => end('the endpoint does not answer'));
    socket.on('error', (error) => end(connectError(error).message));
    socket.on(secure ? 'secureConnect' : 'connect', () => end(null));
  });
  if (problem === null) return [{ ok: true, name: 'connect', message: 'the endpoint takes connections' }];
  return [{ ok: false, name: 'connect', message: problem, fix: 'check `url` and that the endpoint runs' }];
}

/** Listens for a moment. While the stream runs, its port is taken: by the stream itself. */
export async function checkPort(config: SourceConfig): Promise<readonly CheckResult[]> {
  const code = await new Promise<string | null>((resolve) => {
    const server = createServer();
    server.on('error', (error) => resolve(codesOf(error)[0] ?? 'error'));
    server.listen({ host: config.host, port: config.port, exclusive: true }, () => server.close(() => resolve(null)));
  });
  if (code === null) return [{ ok: true, name: 'listen', message: 'the port can be listened on' }];
  const message = listenProblem(code);
  return [{ ok: false, name: 'listen', message, fix: 'choose another `port` or `host`, or stop what uses it' }];
}

export function listenProblem(code: string): string {
  if (code === 'EADDRINUSE') return 'the port is taken';
  if (code === 'EACCES') return 'the port is not allowed to this user';
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') return 'the address is none of this machine';
  return 'the port cannot be listened on';
}
