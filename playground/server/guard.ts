// Who may ask, and how much of a body is read. The playground runs code and writes files for whoever may talk to it, and every web page
// that is open in the same browser can try: so the host that was asked for must be ours (DNS rebinding), the site that asks
// must be ours (cross-site requests), and the token must be there.
// Guarantee: nothing below /api but its description is answered without all three; a body is never read beyond its limit.

import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { sluiceError } from 'sluice/sdk';

/** Bytes of a request's body. */
export const MOST_BYTES = 8 << 20;

export interface Access {
  readonly token: string;
  /** `host:port` as a browser sends it: those that are ours. */
  readonly hosts: () => readonly string[];
  /** Listening on every address: any IP address is ours, since no name can be rebound to it. */
  readonly anyAddress: boolean;
}

/** @throws SluiceError E_PLAYGROUND_ORIGIN */
export function checkOrigin(headers: Headers, access: Access): void {
  const host = headers.get('host');
  if (host === null || !isOurs(host, access)) {
    throw sluiceError('E_PLAYGROUND_ORIGIN', { message: 'the request is for another host than the playground' });
  }
  const origin = headers.get('origin');
  if (origin !== null && origin !== `http://${host}`) {
    throw sluiceError('E_PLAYGROUND_ORIGIN', { message: 'the request comes from another site' });
  }
  const site = headers.get('sec-fetch-site');
  if (site !== null && site !== 'same-origin' && site !== 'none') {
    throw sluiceError('E_PLAYGROUND_ORIGIN', { message: 'the request comes from another site' });
  }
}

function isOurs(host: string, { hosts, anyAddress }: Access): boolean {
  const ours = hosts();
  if (ours.includes(host)) return true;
  if (!anyAddress) return false;
  const [, name, port] = /^\[?([^\]]*?)\]?:(\d+)$/.exec(host) ?? [];
  return name !== undefined && isIP(name) !== 0 && ours.some((one) => one.endsWith(`:${port}`));
}

/** @throws SluiceError E_PLAYGROUND_TOKEN */
export function checkToken(headers: Headers, { token }: Access): void {
  const given = /^Bearer (.+)$/.exec(headers.get('authorization') ?? '')?.[1] ?? '';
  // hashes have one length, so that comparing takes one time
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  if (timingSafeEqual(hash(given), hash(token))) return;
  throw sluiceError('E_PLAYGROUND_TOKEN', { message: 'the request has no valid token' });
}

/** The body as text. @throws SluiceError E_PLAYGROUND_SIZE, E_PLAYGROUND_REQUEST */
export async function bodyOf(request: Request): Promise<string> {
  const tooLarge = () =>
    sluiceError('E_PLAYGROUND_SIZE', { message: `the request is larger than ${MOST_BYTES} bytes` });
  if (Number(request.headers.get('content-length') ?? 0) > MOST_BYTES) throw tooLarge();
  if (request.body === null) return '';
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  let bytes = 0;
  try {
    for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > MOST_BYTES) throw tooLarge();
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  } catch (thrown) {
    if (thrown instanceof TypeError) {
      throw sluiceError('E_PLAYGROUND_REQUEST', { message: 'the request is no UTF-8' });
    }
    throw thrown;
  }
}
