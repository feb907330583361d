// Bytes as the text of a document. A byte order mark stays: it is part of what came.

import { KazaamError } from './errors.ts';

/** @throws KazaamError ParseError for bytes that are no UTF-8: as text they would come out as other bytes */
export function documentText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new KazaamError('ParseError', 'ParseError - the bytes are not UTF-8');
  }
}
