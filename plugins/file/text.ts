// The bytes of one open file as text to be read from an offset on: plain (with read-ahead) or gzip (from its start).
// Guarantee: memory is bounded by a few chunks, whatever the size of the file. Refuses folders, pipes and devices.

import type { ReadStream } from 'node:fs';
import { constants, type FileHandle, open } from 'node:fs/promises';
import type { Gunzip } from 'node:zlib';
import { codesOf, sluiceError } from 'sluice/sdk';
import { notAFile, openFault, readFault } from './faults.ts';
import { HEAD } from './position.ts';

const CHUNK = 512 * 1024;

export interface Text extends AsyncDisposable {
  readonly path: string;
  readonly ino: string;
  readonly gzip: boolean;
  /** The first n bytes (at most HEAD), or fewer where there are no more. */
  head(n: number): Promise<Buffer>;
  /** Makes next() go on from `offset`, and gives the n bytes before it; null when the text is shorter than that. */
  seek(offset: number, n: number): Promise<Buffer | null>;
  /** The next bytes, which nobody writes to again; null at the end, which for a plain file may move. */
  next(): Promise<Buffer | null>;
  /** At the end of a plain file: false when what was read is not there any more (the file was cut). */
  intact(): Promise<boolean>;
}

/** @throws SluiceError E_SOURCE_CONNECT */
export async function openText(path: string, permanent: boolean): Promise<Text> {
  let handle: FileHandle;
  try {
    // O_NONBLOCK: opening a pipe without a writer would hang for ever
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw openFault(error, path, permanent);
  }
  try {
    const stat = await handle.stat({ bigint: true });
    if (!stat.isFile()) throw notAFile(path, 'source', stat.isDirectory());
    const ino = String(stat.ino);
    const magic = await readAt(handle, 0, 2);
    if (magic.length === 2 && magic[0] === 0x1f && magic[1] === 0x8b) return gzipText(path, ino, handle);
    if (path.endsWith('.gz')) {
      throw sluiceError('E_SOURCE_READ', {
        message: 'the file is named .gz and holds no gzip',
        fix: magic.length < 2 ? 'wait until it is written' : 'rename it',
        at: { file: path },
        permanent: true,
      });
    }
    return plainText(path, ino, handle);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function readAt(handle: FileHandle, from: number, n: number): Promise<Buffer> {
  const bytes = Buffer.alloc(n);
  let done = 0;
  while (done < n) {
    const { bytesRead } = await handle.read(bytes, done, n - done, from + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

function plainText(path: string, ino: string, handle: FileHandle): Text {
  let offset = 0;
  let ahead: Promise<{ bytesRead: number; buffer: Buffer } | { error: unknown }> | undefined;
  let seen: Buffer = Buffer.alloc(0); // the last bytes that were given, to see whether they are still there
  const begin = (): void => {
    // a new one each time: batches keep the lines in it
    ahead = handle.read(Buffer.allocUnsafeSlow(CHUNK), 0, CHUNK, offset).catch((error: unknown) => ({ error }));
  };
  return {
    path,
    ino,
    gzip: false,
    head: (n) => readAt(handle, 0, n),
    async seek(to, n) {
      const from = Math.max(0, to - n);
      const { size } = await handle.stat();
      offset = to;
      return size < to ? null : readAt(handle, from, to - from);
    },
    async next() {
      if (ahead === undefined) begin();
      const result = await ahead!;
      ahead = undefined;
      if ('error' in result) throw readFault(result.error, path);
      const { bytesRead, buffer } = result;
      if (bytesRead === 0) return null;
      offset += bytesRead;
      const chunk = buffer.subarray(0, bytesRead);
      seen = Buffer.from(chunk.subarray(-64));
      if (bytesRead === CHUNK) begin();
      return chunk;
    },
    async intact() {
      const { size } = await handle.stat();
      if (size < offset) return false;
      return (await readAt(handle, offset - seen.length, seen.length)).equals(seen);
    },
    async [Symbol.asyncDispose]() {
      await ahead;
      await handle.close();
    },
  };
}

function gzipText(path: string, ino: string, handle: FileHandle): Text {
  let raw: ReadStream | undefined;
  let gunzip: Gunzip | undefined;
  let chunks: AsyncIterator<Buffer> | undefined;
  const kept: Buffer[] = []; // read by head() or seek(), and not given by next() yet
  let first: Buffer = Buffer.alloc(0); // the beginning of the text, which cannot be read again
  const pull = async (): Promise<Buffer | null> => {
    if (chunks === undefined) {
      const { createGunzip } = await import('node:zlib'); // some ms of a start, that most files do not need
      const unzip = createGunzip({ chunkSize: CHUNK });
      gunzip = unzip;
      raw = handle.createReadStream({ start: 0, highWaterMark: CHUNK / 2, autoClose: false });
      raw.on('error', (error) => unzip.destroy(error));
      chunks = raw.pipe(unzip)[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    }
    try {
      const { value, done } = await chunks.next();
      if (done === true) return null;
      if (first.length < HEAD) first = Buffer.concat([first, value.subarray(0, HEAD)]).subarray(0, HEAD);
      return value;
    } catch (error) {
      const code = codesOf(error)[0] ?? '';
      if (!code.startsWith('Z_')) throw readFault(error, path);
      throw sluiceError('E_SOURCE_READ', {
        message: code === 'Z_BUF_ERROR' ? 'the gzip file ends too early: it was cut' : 'the gzip file is damaged',
        fix: 'fetch the file again; the run goes on where it stopped',
        at: { file: path },
        cause: error,
        permanent: true,
      });
    }
  };
  return {
    path,
    ino,
    gzip: true,
    async head(n) {
      while (first.length < n) {
        const chunk = await pull();
        if (chunk === null) break;
        kept.push(chunk);
      }
      return first.subarray(0, n);
    },
    async seek(to, n) {
      let at = 0;
      let before: Buffer = Buffer.alloc(0);
      while (at < to) {
        const chunk = kept.shift() ?? (await pull());
        if (chunk === null) return null;
        const use = Math.min(chunk.length, to - at);
        before = Buffer.concat([before, chunk.subarray(Math.max(0, use - n), use)]);
        before = before.subarray(Math.max(0, before.length - n));
        if (use < chunk.length) kept.unshift(chunk.subarray(use));
        at += use;
      }
      return before;
    },
    next: async () => kept.shift() ?? pull(),
    intact: async () => true,
    async [Symbol.asyncDispose]() {
      raw?.destroy();
      gunzip?.destroy();
      await handle.close().catch(() => undefined);
    },
  };
}
