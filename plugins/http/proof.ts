// Does a request come from somebody who knows the secret? Either the secret itself in `x-sluice-secret`, or, for senders
// that sign, `x-signature: sha256=<HMAC-SHA256 of the body in hex>`. Compared in constant time, so that nobody can guess
// the secret byte by byte.

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** What can be said before the body is there. `signed`: only the body can tell. */
export type Proof = 'good' | 'bad' | 'signed';

export function headerProof(secret: string | undefined, headers: IncomingHttpHeaders): Proof {
  if (secret === undefined) return 'good';
  const given = headers['x-sluice-secret'];
  if (given !== undefined) return sameText(String(given), secret) ? 'good' : 'bad';
  return headers['x-signature'] === undefined ? 'bad' : 'signed';
}

export function isSignedBy(secret: string, headers: IncomingHttpHeaders, body: Buffer): boolean {
  const given = String(headers['x-signature'])
    .trim()
    .toLowerCase()
    .replace(/^sha256=/, '');
  return sameText(given, createHmac('sha256', secret).update(body).digest('hex'));
}

// Over hashes: timingSafeEqual wants equal lengths, and the length of a secret is nobody's business either.
function sameText(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}
