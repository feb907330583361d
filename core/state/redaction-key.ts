// The key of a state store's tokens: random, made once, in a file beside the store that only its owner may read.
// Without it, captures of two days could not be compared; with one key for all, tokens could be looked up in a table.

import { randomBytes, randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { sluiceError } from '../errors.ts';
import { privateFolder } from './private-file.ts';

export const BYTES = 32;

/** @throws SluiceError E_STATE_OPEN when the file can be neither read nor made */
export function redactionKeyBeside(store: string): Buffer {
  const path = `${store}.redact-key`;
  try {
    return read(path) ?? made(path);
  } catch (cause) {
    const message = 'the key of redaction, beside the state store, cannot be read or made';
    throw sluiceError('E_STATE_OPEN', { message, fix: 'check the rights of its folder', cause });
  }
}

function read(path: string): Buffer | null {
  try {
    const key = readFileSync(path);
    if (key.length !== BYTES) throw new Error('the file is no key');
    return key;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

// Whole or not there: written under another name and then linked. Who comes second takes the key of who came first.
function made(path: string): Buffer {
  privateFolder(path);
  const draft = `${path}.${randomUUID()}`;
  const file = openSync(draft, 'wx', 0o600);
  try {
    writeSync(file, randomBytes(BYTES));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(draft);
  }
  return readFileSync(path);
}
