// Events as the body of a request, and the key by which the endpoint knows the request again.
// Guarantees: rows go as the text that they are, none is parsed; the same events always have the same key, and others another.

import { createHash } from 'node:crypto';
import { type EventBatch, envelopeText } from 'sluice/sdk';
import type { SinkConfig } from './config.ts';

export const CONTENT_TYPES = {
  single: 'application/json',
  array: 'application/json',
  ndjson: 'application/x-ndjson',
} as const;

/** The text of event i, or null when `format: row` finds no row: a delete, a truncate, a schema change, a message. */
export function textOf(batch: EventBatch, i: number, format: SinkConfig['format']): string | null {
  if (format === 'event') return envelopeText(batch, i);
  const op = batch.op(i);
  return op === 'c' || op === 'u' || op === 'r' ? batch.after(i) : null;
}

export function bodyOf(texts: readonly string[], shape: SinkConfig['batch']): string {
  if (shape === 'single') return texts[0]!;
  if (shape === 'array') return `[${texts.join(',')}]`;
  // Outside of strings a line break is only space, and inside of one JSON writes it as \n: so this changes no value.
  return texts.map((text) => `${/[\r\n]/.test(text) ? text.replace(/[\r\n]+/g, ' ') : text}\n`).join('');
}

/**
 * `<stream>:<id>`, or for several events `<stream>:<first>..<last>:<hash of all ids>`: with the first and last alone, a
 * request that leaves one out in the middle would be taken for the one that has it, and that event would be lost.
 */
export function idempotencyKey(stream: string, ids: readonly string[]): string {
  const first = ids[0]!;
  if (ids.length === 1) return headerText(`${stream}:${first}`);
  const hash = createHash('sha256').update(JSON.stringify(ids)).digest('hex').slice(0, 16);
  return headerText(`${stream}:${first}..${ids.at(-1)!}:${hash}`);
}

const LONGEST = 256;

// What a header cannot hold is percent-encoded, and what is too long for most endpoints is cut and closed with a hash.
function headerText(text: string): string {
  const safe = text.toWellFormed().replace(/[^\x21-\x24\x26-\x7e]/gu, encodeURIComponent);
  if (safe.length <= LONGEST) return safe;
  return `${safe.slice(0, LONGEST - 65)}~${createHash('sha256').update(text).digest('hex')}`;
}
