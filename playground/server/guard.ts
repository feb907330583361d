// Who may ask, and how much of a body is read. The playground runs code and writes files for whoever may talk to it, and every web page
// that is open in the same browser can try: so the host that was asked for must be ours (DNS rebinding), the site that asks
// must be ours (cross-site requests), and the token must be there.
// A link elsewhere may open the page itself, as a share link does: it holds nothing until the token is there, and stands in no frame.
// Guarantee: nothing below /api but its description is answered without all three; no body is read beyond its limit, nor all of
// them together beyond theirs.

import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { sluiceError } from 'sluice/sdk';

/** Bytes of a request's body. */
export const MOST_BYTES = 8 << 20;
/** Of the bodies of all requests that have no answer yet. */
const MOST_BYTES_AT_ONCE = 64 << 20;

export interface Access {
  readonly token: string;
  /** `host:port` as a browser sends it: those that are ours. */
  readonly hosts: () => readonly string[];
  /** Listening on every address: any IP address is ours, since no name can be rebound to it. */
  readonly anyAddress: boolean;
}

/** `path`: what is asked for. @throws SluiceError E_PLAYGROUND_ORIGIN */
export function checkOrigin(headers: Headers, path: string, access: Access): void {
  const host = headers.get('host');
  if (host === null || !isOurs(host, access)) {
    throw sluiceError('E_PLAYGROUND_ORIGIN', { message: 'the request is for another host than the playground' });
  }
  const origin = headers.get('origin');
  if (origin !== null && origin !== `http://${host}`) {
    throw sluiceError('E_PLAYGROUND_ORIGIN', { message: 'the request comes from another site' });
  }
  const site = headers.get('sec-fetch-site');
  if (path === '/' && isOpenedByLink(headers)) return;
  if (site !== null && site !== 'same-origin' && site !== 'none') {
    throw sluiceError('E_PLAYGROUND_ORIGIN', { message: 'the request comes from another site' });
  }
}

/** By a person, as a page of its own. */
function isOpenedByLink(headers: Headers): boolean {
  return headers.get('sec-fetch-mode') === 'navigate' && headers.get('sec-fetch-dest') === 'document';
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

export interface Bodies {
  /**
   * Reads the body as text and gives it to `use`; it counts until that is done.
   * @throws SluiceError E_PLAYGROUND_SIZE, E_PLAYGROUND_REQUEST, E_PLAYGROUND_BUSY
   */
  hold<T>(request: Request, use: (text: string) => Promise<T>): Promise<T>;
}

export function openBodies(most = MOST_BYTES_AT_ONCE): Bodies {
  let held = 0;
  return {
    async hold(request, use) {
      let own = 0;
      const count = (bytes: number): void => {
        own += bytes;
        held += bytes;
        if (own > MOST_BYTES) throw tooLarge();
        if (held <= most) return;
        throw sluiceError('E_PLAYGROUND_BUSY', { message: `the requests under way hold more than ${most} bytes` });
      };
      try {
        return await use(await textOf(request, count));
      } finally {
        held -= own;
      }
    },
  };
}

/** `count`: told of each piece before it is taken. */
async function textOf(request: Request, count: (bytes: number) => void): Promise<string> {
  if (Number(request.headers.get('content-length') ?? 0) > MOST_BYTES) throw tooLarge();
  if (request.body === null) return '';
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  try {
    for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
      count(chunk.length);
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  } catch (thrown) {
    if (!(thrown instanceof TypeError)) throw thrown;
    throw sluiceError('E_PLAYGROUND_REQUEST', { message: 'the request is no UTF-8' });
  }
}

function tooLarge() {
  return sluiceError('E_PLAYGROUND_SIZE', { message: `the request is larger than ${MOST_BYTES} bytes` });
}
