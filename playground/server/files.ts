// Files that the manifest names, read and written for the page. Paths come from the manifest alone, never from a request.
// Guarantees: a file is written whole or not at all; what somebody else wrote since it was read is not written over. Whoever
// reads and then writes does so within the workbench's `writes`, or two requests could both find what they expect.

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

/** A file as it is and as it would be. `before` null: it is not there. */
export interface Draft {
  readonly path: string;
  readonly before: string | null;
  readonly after: string;
}

/**
 * Writes them in this order. All are looked at before the first is put in place, and each again right before its turn.
 * @throws ChangedOnDisk when one of them is not `before`, SluiceError E_MANIFEST_FILE
 */
export async function replaceTexts(drafts: readonly Draft[]): Promise<void> {
  const staged: Staged[] = [];
  try {
    for (const draft of drafts) staged.push(await stage(draft));
    for (const { draft, file, next } of staged) {
      await look(draft);
      await rename(next, file).catch((error: unknown) => {
        throw notWritten(draft.path, error);
      });
    }
  } finally {
    for (const { next } of staged) await unlink(next).catch(() => undefined); // those that were put in place are not there
  }
}

/** A draft that lies beside its file, under another name. */
interface Staged {
  readonly draft: Draft;
  /** Where it goes: a link stays one. */
  readonly file: string;
  readonly next: string;
}

async function stage(draft: Draft): Promise<Staged> {
  const { path, before, after } = draft;
  await look(draft);
  let next: string | undefined;
  try {
    const file = before === null ? path : await realpath(path);
    next = join(dirname(file), `.${randomBytes(6).toString('hex')}.sluice-new`);
    await writeFile(next, after, { flag: 'wx' });
    if (before !== null) await chmod(next, (await stat(file)).mode);
    return { draft, file, next };
  } catch (error) {
    if (next !== undefined) await unlink(next).catch(() => undefined);
    throw notWritten(path, error);
  }
}

async function look({ path, before }: Draft): Promise<void> {
  const now = await textOf(path);
  if (now !== before) throw new ChangedOnDisk(path, now ?? '');
}

function notWritten(path: string, error: unknown) {
  return sluiceError('E_MANIFEST_FILE', {
    message: `the file cannot be written (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`,
    fix: 'check its folder and its rights',
    at: { file: path },
  });
}
