// Files that the manifest names, read and written for the page. Paths come from the manifest alone, never from a request.
// Guarantees: a file is written whole or not at all, and never one that is read-only; what somebody else wrote since it was read is not written over. Whoever
// reads and then writes does so within the workbench's `writes`, or two requests could both find what they expect.
// What remains: a program that puts another file in place between our last look and our own, two system calls apart, loses it;
// no system call of Node's compares and replaces in one. One that writes into the file at that moment keeps what it wrote.

import { createHash, randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, unlinkSync } from 'node:fs';
import { access, chmod, constants, readFile, realpath, stat, unlink, writeFile } from 'node:fs/promises';
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
      putInPlace(draft, file, next);
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
    if (before !== null) await mayWrite(file);
    next = join(dirname(file), `.${randomBytes(6).toString('hex')}.sluice-new`);
    await writeFile(next, after, { flag: 'wx' });
    if (before !== null) await chmod(next, (await stat(file)).mode);
    return { draft, file, next };
  } catch (error) {
    if (next !== undefined) await unlink(next).catch(() => undefined);
    throw notWritten(path, error);
  }
}

// Another file in its place needs rights in the folder alone; who took them from the file meant it. The root user has them all.
async function mayWrite(file: string): Promise<void> {
  await access(file, constants.W_OK);
  if (((await stat(file)).mode & 0o222) === 0) throw Object.assign(new Error('read-only'), { code: 'EACCES' });
}

/** In one go, so that as little as possible can happen in between. @throws ChangedOnDisk, SluiceError E_MANIFEST_FILE */
function putInPlace({ path, before, after }: Draft, file: string, next: string): void {
  try {
    if (before === null) {
      if (!linked(next, file)) renameSync(next, file); // a link takes no other file's place
      return;
    }
    const kept = `${next}-old`;
    const isKept = linked(file, kept);
    try {
      const now = readFileSync(file, 'utf8');
      if (now !== before) throw new ChangedOnDisk(path, now);
      renameSync(next, file);
      const old = isKept ? readFileSync(kept, 'utf8') : before;
      if (old === before || old === after) return;
      renameSync(kept, file); // somebody was writing into it: it goes back to where they think it is
      throw new ChangedOnDisk(path, old);
    } finally {
      if (isKept) removed(kept);
    }
  } catch (error) {
    if (error instanceof ChangedOnDisk) throw error;
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new ChangedOnDisk(path, readFileSync(file, 'utf8'));
    throw notWritten(path, error);
  }
}

/** A second name of a file; false where the file system has none. @throws EEXIST, ENOENT */
function linked(file: string, name: string): boolean {
  try {
    linkSync(file, name);
    return true;
  } catch (error) {
    if (['EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return false;
  }
}

function removed(file: string): void {
  try {
    unlinkSync(file);
  } catch {
    // it was put back
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
