// Files that the manifest names, read and written for the page. Paths come from the manifest alone, never from a request.
// Guarantees: a file is written whole or not at all; what somebody else wrote since it was read is not written over.

import { createHash, randomBytes } from 'node:crypto';
import { chmod, readFile, realpath, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sluiceError } from 'sluice/sdk';

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

/** null: there is no such file. @throws SluiceError E_MANIFEST_FILE */
export async function textOf(path: string): Promise<string | null> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    if (code === 'ENOENT') return null;
    throw sluiceError('E_MANIFEST_FILE', { message: `the file cannot be read (${code})`, at: { file: path } });
  }
}

/** Thrown when a file is not what a change was made from. */
export class ChangedOnDisk extends Error {
  /** Of the file; the id of a transformation where it is that code alone. */
  readonly path: string;
  readonly source: string;
  constructor(path: string, source: string) {
    super('the file has changed on disk since it was read');
    this.path = path;
    this.source = source;
  }
}

/** `base`: the hash of what is replaced; null: there must be no file. @throws ChangedOnDisk, SluiceError E_MANIFEST_FILE */
export async function replaceText(path: string, text: string, base: string | null): Promise<void> {
  const now = await textOf(path);
  if (now === null ? base !== null : base !== hashOf(now)) throw new ChangedOnDisk(path, now ?? '');
  const file = now === null ? path : await realpath(path); // a link stays one
  const next = join(dirname(file), `.${randomBytes(6).toString('hex')}.sluice-new`);
  try {
    await writeFile(next, text, { flag: 'wx' });
    if (now !== null) await chmod(next, (await stat(file)).mode);
    await rename(next, file);
  } catch (error) {
    await unlink(next).catch(() => undefined);
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw sluiceError('E_MANIFEST_FILE', {
      message: `the file cannot be written (${code})`,
      fix: 'check its folder and its rights',
      at: { file: path },
    });
  }
}
