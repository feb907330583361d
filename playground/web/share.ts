// The share link: what is in it stands in the fragment (`#v1=…`), which a browser never sends to a server. Deflated and in
// base64url. A link is text of strangers: `readShare` checks every part before anything is taken from it.
// Captured events and dead letters are only in it when they were ticked; sample events always may be.

import { parsedObject } from './json-text.ts';
import { isLanguageName, type LanguageName } from './language-names.ts';

export interface Share {
  readonly language: LanguageName;
  readonly scope: 'row' | 'event';
  readonly source: string;
  /** Events as JSON text, as they came. */
  readonly events: readonly string[];
}

/** Beyond this a link is refused, in both directions. */
export const MAX_LINK = 512 * 1024;
const MAX_TEXT = 8 * 1024 * 1024;
/** More than anybody shares; each is drawn. */
const MAX_EVENTS = 500;
const PREFIX = 'v1=';

/** The fragment, without `#`. Throws when it would be longer than MAX_LINK. */
export async function shareFragment(share: Share): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(share));
  const packed = await through(bytes, new CompressionStream('deflate-raw'), Number.POSITIVE_INFINITY);
  const fragment = PREFIX + toBase64Url(packed);
  if (fragment.length > MAX_LINK)
    throw new Error(`The link would have ${fragment.length} characters; ${MAX_LINK} is the most.`);
  return fragment;
}

export function isShare(fragment: string): boolean {
  return fragment.startsWith(PREFIX);
}

/** What a fragment holds; null: it is no share link, or a broken one. */
export async function readShare(fragment: string): Promise<Share | null> {
  if (!isShare(fragment) || fragment.length > MAX_LINK) return null;
  try {
    const packed = fromBase64Url(fragment.slice(PREFIX.length));
    const bytes = await through(packed, new DecompressionStream('deflate-raw'), MAX_TEXT);
    return checked(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return null;
  }
}

function checked(value: unknown): Share | null {
  if (typeof value !== 'object' || value === null) return null;
  const { language, scope, source, events } = value as Record<string, unknown>;
  if (typeof language !== 'string' || !isLanguageName(language)) return null;
  if ((scope !== 'row' && scope !== 'event') || typeof source !== 'string') return null;
  if (!Array.isArray(events) || events.length > MAX_EVENTS || !events.every(isEvent)) return null;
  return { language, scope, source, events };
}

function isEvent(text: unknown): text is string {
  return typeof text === 'string' && parsedObject(text) !== null;
}

/** At most `most` bytes come out: a small link could hold gigabytes of the same letter. */
async function through(
  bytes: Uint8Array<ArrayBuffer>,
  by: CompressionStream | DecompressionStream,
  most: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of new Blob([bytes]).stream().pipeThrough(by) as unknown as AsyncIterable<Uint8Array>) {
    length += part.length;
    if (length > most) throw new Error('too long');
    parts.push(part);
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function toBase64Url(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
}
