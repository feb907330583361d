// The file that a sink appends to, and the ones it rotates through: opened, cut back, appended, synced.
// Guarantee: after append() either all of the bytes are in the file or none count, so that a second try never tears a line.
// Without `rotate` the file is at `path`. With it the files are `<name>.1.ndjson`, `<name>.2.ndjson` …: the highest number is
// the one being written, and a finished file never changes its name.

import { fstatSync, statSync } from 'node:fs';
import { constants, type FileHandle, mkdir, open, readdir, truncate, unlink } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { isSluiceError, type Json, type Logger, sluiceError } from 'sluice/sdk';
import { notAFile, sinkFault } from './faults.ts';
import { type OutputState, toState } from './output-state.ts';
import { type Print, printOf, samePrint, TAIL } from './position.ts';
import { lockSinkFile } from './sink-lock.ts';

export interface Rotation {
  readonly size?: number;
  readonly every?: number;
}

export interface Output extends AsyncDisposable {
  /** Goes back to a saved state. null: whatever the file holds stays, and is appended to. */
  restore(saved: Json | null): Promise<void>;
  append(bytes: Uint8Array): Promise<void>;
  /** Makes all that was appended durable. */
  flush(): Promise<Json>;
}

const NOTHING = Buffer.alloc(0);

export function outputFile(path: string, rotate: Rotation | undefined, log: Logger): Output {
  return new OutputFile(path, rotate, log);
}

class OutputFile implements Output {
  readonly #path: string;
  readonly #rotate: Rotation | undefined;
  readonly #log: Logger;
  #lock: Disposable | null | undefined; // null: cannot be had here; undefined: not asked for yet
  #handle: FileHandle | undefined;
  #index = 0; // of the rotated file; 0 is `path` itself, or, with `rotate`, not known yet
  #length = -1; // -1: not known, the file's own length counts
  #tail: Buffer = NOTHING; // the last bytes before #length
  #ino = ''; // as stat gives it, in decimal
  #started = 0; // when the file was begun, in ms
  #unsynced = false;
  #newName = false; // the folder has a new entry that is not durable yet
  #lost: Error | undefined; // what was written is lost, or was never found again: nothing goes on before restore()

  constructor(path: string, rotate: Rotation | undefined, log: Logger) {
    this.#path = path;
    this.#rotate = rotate;
    this.#log = log;
  }

  async restore(saved: Json | null): Promise<void> {
    await this.#close();
    this.#lost = undefined;
    this.#unsynced = false;
    try {
      await this.#restored(saved);
    } catch (error) {
      // The next one to open the file would cut it, and it may be somebody else's.
      this.#lost = error as Error;
      throw error;
    }
  }

  async #restored(saved: Json | null): Promise<void> {
    const state = toState(saved, this.#path);
    if (saved !== null && state === null) {
      this.#log.warn({}, 'the checkpoint speaks of another file than the one named now: it is appended to');
    }
    this.#index = state?.index ?? 0;
    this.#length = state?.length ?? -1;
    this.#started = state?.started ?? 0;
    if (state === null) await this.#open();
    else await this.#goBack(state);
  }

  async append(bytes: Uint8Array): Promise<void> {
    if (this.#lost !== undefined) throw this.#lost;
    await this.#open();
    this.#lookInside();
    if (this.#isDue(bytes.length)) await this.#next();
    if (this.#tail.length > 0 && this.#tail.at(-1) !== 10) await this.#put(Buffer.from('\n')); // its last line was cut
    await this.#put(bytes);
  }

  async flush(): Promise<Json> {
    if (this.#lost !== undefined) throw this.#lost;
    await this.#open();
    if (this.#unsynced) await this.#sync();
    if (this.#newName) await this.#syncFolder();
    this.#lookInside();
    if (this.#length > 0) await this.#lookAtName();
    const state: OutputState = {
      file: basename(this.#path),
      index: this.#index,
      length: this.#length,
      tail: printOf(this.#tail),
      started: this.#started,
      ino: this.#ino,
    };
    return state;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    this.#lock?.[Symbol.dispose]();
    this.#lock = undefined;
  }

  // Before the first thing that changes a file; kept until the sink is disposed.
  async #takeLock(): Promise<void> {
    if (this.#lock !== undefined) return;
    await mkdir(dirname(this.#path), { recursive: true });
    this.#lock = lockSinkFile(this.#path);
    if (this.#lock === null) {
      this.#log.warn({}, 'no lock can be had beside the file: see to it that no other process writes it');
    }
  }

  #file(index: number): string {
    if (index === 0) return this.#path;
    const ending = extname(this.#path);
    return join(dirname(this.#path), `${basename(this.#path, ending)}.${index}${ending}`);
  }

  // Opens the file and brings it to the length that counts.
  async #open(): Promise<void> {
    if (this.#handle !== undefined) return;
    const folder = dirname(this.#path);
    try {
      await mkdir(folder, { recursive: true });
      if (this.#rotate !== undefined && this.#index === 0) this.#index = Math.max(1, ...(await this.#indices()));
      const file = this.#file(this.#index);
      const handle = await openOrMake(file);
      this.#newName ||= handle.made;
      this.#handle = handle.file;
      const stat = await this.#handle.stat();
      if (!stat.isFile()) throw notAFile(file, 'sink', stat.isDirectory());
      await this.#takeLock();
      this.#ino = String((await this.#handle.stat({ bigint: true })).ino);
      if (this.#length < 0) this.#length = stat.size;
      if (stat.size < this.#length) throw this.#shorter();
      if (stat.size > this.#length) await this.#handle.truncate(this.#length);
      if (this.#started === 0) this.#started = Date.now();
      this.#tail = await this.#before(this.#length);
    } catch (error) {
      await this.#close();
      throw isSluiceError(error) ? error : sinkFault('E_SINK_CONNECT', error, this.#path);
    }
  }

  // To a saved state: files begun after it are removed, its own is cut back.
  async #goBack(state: OutputState): Promise<void> {
    try {
      await this.#takeLock();
      const found = statSync(this.#file(state.index), { bigint: true, throwIfNoEntry: false });
      // An empty file in its place is a new one too, unless it is the very file of the checkpoint: that one was emptied.
      const isNew =
        found === undefined || (found.size === 0n && state.ino !== undefined && String(found.ino) !== state.ino);
      if (isNew && state.length > 0) {
        this.#log.warn({}, 'the file that the checkpoint speaks of was taken away: a new one is begun');
        this.#length = 0;
        this.#started = 0;
      }
      if (!isNew && found.size < state.length) throw this.#shorter();
      if (!isNew && found.size > 0n && !(await this.#is(state))) throw this.#another();
      for (let index = state.index + 1; state.index > 0 && this.#size(this.#file(index), -1) >= 0; index++) {
        await unlink(this.#file(index));
      }
      if (this.#rotate !== undefined && state.index === 0) await this.#leave(state);
      if (this.#rotate === undefined && state.index > 0) await this.#leave(state);
    } catch (error) {
      throw isSluiceError(error) ? error : sinkFault('E_SINK_CONNECT', error, this.#path);
    }
    await this.#open();
  }

  // `rotate` was set or taken away since: the file of the checkpoint is cut back all the same, and the other kind begun.
  async #leave(state: OutputState): Promise<void> {
    if (this.#size(this.#file(state.index)) > state.length) await truncate(this.#file(state.index), state.length);
    this.#index = 0;
    this.#length = -1;
    this.#started = 0;
  }

  // Whether the file holds, before the saved length, what it held then. Else it is not ours to cut.
  async #is(state: OutputState): Promise<boolean> {
    const file = await open(this.#file(state.index), 'r');
    try {
      return samePrint(await readPrint(file, state.length, state.tail.n), state.tail);
    } finally {
      await file.close();
    }
  }

  async #put(bytes: Uint8Array): Promise<void> {
    const handle = this.#handle!;
    try {
      let done = 0;
      while (done < bytes.length) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done); // at the end: O_APPEND
        done += bytesWritten;
      }
    } catch (error) {
      // Undo the part that was written. If that fails too, the next open does it: the length that counts is unchanged.
      await handle.truncate(this.#length).catch(() => undefined);
      await this.#close();
      throw sinkFault('E_SINK_WRITE', error, this.#path);
    }
    this.#length += bytes.length;
    this.#unsynced = true;
    this.#tail =
      bytes.length >= TAIL ? Buffer.from(bytes.subarray(-TAIL)) : Buffer.concat([this.#tail, bytes]).subarray(-TAIL);
  }

  #isDue(coming: number): boolean {
    if (this.#rotate === undefined || this.#length === 0) return false;
    const { size, every } = this.#rotate;
    return (
      (size !== undefined && this.#length + coming > size) ||
      (every !== undefined && Date.now() - this.#started >= every)
    );
  }

  // At a border between batches: the file is finished and durable, the next one begins.
  async #next(): Promise<void> {
    if (this.#unsynced) await this.#sync();
    const file = this.#file(this.#index + 1);
    if (this.#size(file, -1) >= 0) {
      throw sluiceError('E_SINK_WRITE', {
        message: 'the file that comes next in the rotation is there already',
        fix: 'move it away: the same batch is written again',
        at: { file },
      });
    }
    await this.#close();
    this.#index++;
    this.#length = 0;
    this.#started = 0;
    await this.#open();
  }

  async #sync(): Promise<void> {
    if (this.#handle === undefined) await this.#open();
    try {
      await this.#handle!.datasync();
    } catch (error) {
      // After a failed sync the system may have dropped the pages and say yes the next time: only the checkpoint is sure.
      this.#lost = sluiceError('E_SINK_WRITE', {
        message: 'what was written could not be made durable',
        fix: 'look at the disk, then start again: it goes on from the checkpoint',
        at: { file: this.#path },
        cause: error,
        permanent: true,
      });
      throw this.#lost;
    }
    this.#unsynced = false;
  }

  async #syncFolder(): Promise<void> {
    try {
      const folder = await open(dirname(this.#path), 'r');
      await folder.sync().finally(() => folder.close());
    } catch {
      // some systems cannot sync a folder; the file itself is durable
    }
    this.#newName = false;
  }

  // Did somebody else cut it, write to it or delete it? One system call, which does not wait for the disk. It is made before each
  // write, because the next batch would fill what was cut, and nobody would see the hole.
  #lookInside(): void {
    const { size, nlink } = fstatSync(this.#handle!.fd);
    if (size === this.#length && nlink > 0) return;
    const what = nlink === 0 ? 'deleted' : size < this.#length ? 'cut' : 'written by somebody else';
    this.#lost = sluiceError('E_SINK_WRITE', {
      message: `the file was ${what} while it was written`,
      fix: 'leave the file to Sluice (use `rotate`), then start again: it goes on from the checkpoint',
      at: { file: this.#file(this.#index) },
      permanent: true,
    });
    throw this.#lost;
  }

  // Does it still have its name?
  async #lookAtName(): Promise<void> {
    const file = this.#file(this.#index);
    const mine = fstatSync(this.#handle!.fd, { bigint: true });
    const found = statSync(file, { bigint: true, throwIfNoEntry: false });
    if (found === undefined || found.ino !== mine.ino) {
      // It was renamed. Its lines are durable where they are now; the next ones go into a new file.
      this.#log.warn({}, 'the file was renamed while it was written: a new one is begun');
      await this.#close();
      this.#length = found === undefined ? 0 : -1;
      this.#started = 0;
      await this.#open();
    }
  }

  async #before(length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(Math.min(TAIL, length));
    await this.#handle!.read(bytes, 0, bytes.length, length - bytes.length);
    return bytes;
  }

  #size(file: string, otherwise = 0): number {
    return statSync(file, { throwIfNoEntry: false })?.size ?? otherwise;
  }

  async #indices(): Promise<number[]> {
    const ending = extname(this.#path);
    const start = `${basename(this.#path, ending)}.`;
    const names = await readdir(dirname(this.#path));
    return names
      .filter((name) => name.startsWith(start) && name.endsWith(ending))
      .map((name) => name.slice(start.length, name.length - ending.length))
      .filter((middle) => /^[1-9]\d{0,8}$/.test(middle))
      .map(Number);
  }

  #shorter(): Error {
    return sluiceError('E_SINK_CONNECT', {
      message: 'the file is shorter than at the last checkpoint: lines that were delivered are missing',
      fix: 'put the file back, or move it away to begin a new one',
      at: { file: this.#file(this.#index) },
      permanent: true,
    });
  }

  #another(): Error {
    return sluiceError('E_SINK_CONNECT', {
      message: 'the file is not the one that was written up to the last checkpoint',
      fix: 'put the file back, or move this one away to begin a new one',
      at: { file: this.#file(this.#index) },
      permanent: true,
    });
  }

  async #close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close().catch(() => undefined);
  }
}

async function openOrMake(file: string): Promise<{ file: FileHandle; made: boolean }> {
  // O_APPEND: in a file that is cut in this very moment, a write at its old length would hide the cut behind a hole.
  const flags = constants.O_RDWR | constants.O_APPEND | (constants.O_NONBLOCK ?? 0);
  try {
    return { file: await open(file, flags), made: false };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { file: await open(file, flags | constants.O_CREAT, 0o666), made: true };
  }
}

async function readPrint(file: FileHandle, end: number, n: number): Promise<Print> {
  const bytes = Buffer.alloc(n);
  const { bytesRead } = await file.read(bytes, 0, n, end - n);
  return printOf(bytes.subarray(0, bytesRead));
}
