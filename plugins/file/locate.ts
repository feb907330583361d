// Finds the text that a position belongs to: the file at the path, or, after a rotation, the renamed file beside it.
// Refuses (E_SOURCE_POSITION) to go on in another text, or to leave out the rest of one that is not to be found.

import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Logger, sluiceError } from 'sluice/sdk';
import { type FilePosition, printOf, samePrint } from './position.ts';
import { openText, type Text } from './text.ts';

/** The text to read, and where: null means from its beginning. */
export interface Located {
  readonly text: Text;
  readonly from: FilePosition | null;
  readonly generation: number;
}

export async function locate(path: string, saved: FilePosition | null, follow: boolean, log: Logger): Promise<Located> {
  if (saved === null) return { text: await openText(path, !follow), from: null, generation: 0 };
  let current: Text | undefined;
  try {
    current = await openText(path, !follow);
  } catch (error) {
    // renamed, and the new file is not there yet: its rest can be read meanwhile
    const moved = follow ? await renamed(path, saved) : null;
    if (moved === null) throw error;
    return { text: moved, from: saved, generation: saved.generation };
  }
  if (await fits(current, saved)) return { text: current, from: saved, generation: saved.generation };
  if (follow) {
    const moved = await renamed(path, saved);
    if (moved !== null) {
      await current[Symbol.asyncDispose]();
      return { text: moved, from: saved, generation: saved.generation };
    }
    if (current.ino === saved.ino) {
      log.warn(
        {},
        'the file was cut since it was read last: what was added between is lost; reading from its beginning',
      );
      return { text: await reopen(current), from: null, generation: saved.generation + 1 };
    }
  }
  await current[Symbol.asyncDispose]();
  throw sluiceError('E_SOURCE_POSITION', {
    message: follow
      ? 'the file is another one than at the last checkpoint, and the one that was read then is not in its folder any more'
      : 'the file is shorter, or another one, than at the last checkpoint',
    fix: 'put the file that was read back, or clear the checkpoint to read the present file from its beginning',
    at: { file: path },
    permanent: true,
  });
}

/** Positions a text. False: this is not the text that the position was taken from. */
async function fits(text: Text, saved: FilePosition): Promise<boolean> {
  const { head, tail, offset, ino } = saved;
  // Without a print of the text only the inode can tell two files apart.
  if (head.n === 0 && ino !== '' && text.ino !== ino) return false;
  if (head.n > 0 && !samePrint(printOf(await text.head(head.n)), head)) return false;
  const before = await text.seek(offset, tail.n);
  return before !== null && samePrint(printOf(before), tail);
}

async function reopen(text: Text): Promise<Text> {
  await text[Symbol.asyncDispose]();
  return openText(text.path, false);
}

// By its inode; else (it was copied away before it was cut) the only file whose beginning and bytes before the offset fit.
async function renamed(path: string, saved: FilePosition): Promise<Text | null> {
  const folder = dirname(path);
  const stem = basename(path).split('.')[0]!;
  const copies: Text[] = [];
  let found: Text | null = null;
  for (const name of await readdir(folder).catch(() => [])) {
    if (found !== null || name === basename(path) || !name.startsWith(stem)) continue;
    const text = await openText(join(folder, name), false).catch(() => null);
    if (text === null) continue;
    const fit = !text.gzip && (await fits(text, saved).catch(() => false));
    if (fit && text.ino === saved.ino) found = text;
    else if (fit && saved.head.n > 0) copies.push(text);
    else await text[Symbol.asyncDispose]();
  }
  if (found === null && copies.length === 1) return copies[0]!;
  for (const text of copies) await text[Symbol.asyncDispose]();
  return found;
}
