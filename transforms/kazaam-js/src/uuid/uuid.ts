// UUIDs of version 3, 4 and 5 (RFC 9562), as 16 bytes and as text.

import { utf8 } from '../utf8.ts';
import { md5, sha1 } from './digests.ts';

export type Uuid = readonly number[];

const NAMESPACES: ReadonlyMap<string, string> = new Map([
  ['DNS', '6ba7b810-9dad-11d1-80b4-00c04fd430c8'],
  ['URL', '6ba7b811-9dad-11d1-80b4-00c04fd430c8'],
  ['OID', '6ba7b812-9dad-11d1-80b4-00c04fd430c8'],
  ['X500', '6ba7b814-9dad-11d1-80b4-00c04fd430c8'],
]);

const CANONICAL = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const PLAIN = /^[0-9a-f]{32}$/i;

/** A name like `DNS`, or a UUID: with or without dashes, in braces, or after `urn:uuid:`. null for anything else. */
export function namespaceOf(text: string): Uuid | null {
  const bare = NAMESPACES.get(text) ?? /^urn:uuid:(.*)$/s.exec(text)?.[1] ?? /^\{(.*)\}$/s.exec(text)?.[1] ?? text;
  if (!CANONICAL.test(bare) && !PLAIN.test(bare)) return null;
  const hex = bare.replaceAll('-', '');
  return Array.from({ length: 16 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

/** The UUID of a name in a namespace: by MD5 for version 3, by SHA-1 for version 5. */
export function namedUuid(version: 3 | 5, namespace: Uuid, name: string): Uuid {
  const digest = (version === 3 ? md5 : sha1)([...namespace, ...utf8(name)]);
  return marked(digest.slice(0, 16), version);
}

/** Version 4. `random` gives numbers from 0 to less than 1. */
export function randomUuid(random: () => number): Uuid {
  return marked(
    Array.from({ length: 16 }, () => Math.floor(random() * 256) & 255),
    4,
  );
}

function marked(bytes: number[], version: number): Uuid {
  bytes[6] = (bytes[6]! & 0x0f) | (version << 4);
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes;
}

export function uuidText(uuid: Uuid): string {
  const hex = uuid.map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
