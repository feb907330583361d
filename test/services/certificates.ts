// For tests: a certificate authority of its own, and what it signs, made without any tool beside Node (which can make keys and
// sign, but no certificates: so the DER is written here). EC keys on P-256, SHA-256, valid from yesterday for a year.
// The structure is that of RFC 5280, section 4.1.

import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';

/** PEM texts. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

export interface Authority {
  /** PEM text of the authority's own certificate. */
  readonly certificate: string;
  /** A server's certificate, for host names and IPv4 addresses. */
  server(hosts: readonly string[]): Certificate;
  /** A client's: its common name is what a server takes for the name of the user. */
  client(name: string): Certificate;
}

export function newAuthority(name: string): Authority {
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issue = (subject: string, publicKey: KeyObject, extensions: readonly Buffer[]): string => {
    const body = sequence(
      tagged(0xa0, integer(Buffer.of(2))), // version 3
      integer(Buffer.concat([Buffer.of(1), randomBytes(15)])),
      ECDSA_WITH_SHA256,
      distinguishedName(name),
      sequence(time(-1), time(365)),
      distinguishedName(subject),
      publicKey.export({ type: 'spki', format: 'der' }),
      tagged(0xa3, sequence(...extensions)),
    );
    const signature = sign('sha256', body, own.privateKey);
    return pem(sequence(body, ECDSA_WITH_SHA256, bits(signature)));
  };
  const signed = (subject: string, extensions: readonly Buffer[]): Certificate => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    return { certificate: issue(subject, publicKey, extensions), key };
  };
  return {
    certificate: issue(name, own.publicKey, [extension('2.5.29.19', sequence(TRUE))]), // basic constraints: a CA
    server(hosts) {
      const names = hosts.map((host) =>
        isIP(host) === 4 ? tagged(0x87, Buffer.from(host.split('.').map(Number))) : tagged(0x82, Buffer.from(host)),
      );
      return signed(hosts[0]!, [extension('2.5.29.17', sequence(...names))]); // subject alternative names
    },
    client: (subject) => signed(subject, []),
  };
}

const TRUE = Buffer.of(0x01, 0x01, 0xff);
const ECDSA_WITH_SHA256 = sequence(objectId('1.2.840.10045.4.3.2'));

function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  const size = length < 0x100 ? Buffer.of(0x81, length) : Buffer.of(0x82, length >> 8, length & 0xff);
  return Buffer.concat([Buffer.of(tag), size, content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

/** Of bytes whose first bit is 0: a positive number. */
function integer(bytes: Buffer): Buffer {
  return tagged(0x02, bytes);
}

function bits(bytes: Buffer): Buffer {
  return tagged(0x03, Buffer.concat([Buffer.of(0), bytes]));
}

function objectId(text: string): Buffer {
  const [first, second, ...rest] = text.split('.').map(Number);
  const bytes = [first! * 40 + second!];
  for (const part of rest) {
    const groups = [part & 0x7f];
    for (let left = part >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return tagged(0x06, Buffer.from(bytes));
}

function distinguishedName(commonName: string): Buffer {
  return sequence(tagged(0x31, sequence(objectId('2.5.4.3'), tagged(0x0c, Buffer.from(commonName)))));
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(objectId(id), TRUE, tagged(0x04, value)); // critical
}

/** UTCTime, so many days from now. */
function time(days: number): Buffer {
  const text = new Date(Date.now() + days * 86_400_000).toISOString();
  return tagged(0x17, Buffer.from(`${text.slice(2, 19).replace(/[-:T]/g, '')}Z`));
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
