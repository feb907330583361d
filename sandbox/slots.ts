// Slot files: where slices and answers pass between the pipeline process and a child. Each is a file that has no name any
// more (unlinked as soon as it is open), in shared memory, handed to the child as a descriptor.
// One system call moves a slice, where a pipe takes many (facts/perf.md, 3.7). A child can write nonsense into its slots,
// and no more: the parent copies what it reads before it looks at it.

import {
  accessSync,
  closeSync,
  constants,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
  writevSync,
} from 'node:fs';
import { join } from 'node:path';

const SHARED_MEMORY = '/dev/shm';
const KEEP = 4 << 20; // a slot that grew beyond this gives its memory back

export interface Slot {
  readonly fd: number;
  /** Writes the pieces one after the other, and gives the count of bytes. */
  write(pieces: readonly (string | Buffer)[]): number;
  /** The bytes and a line feed, in a buffer of their own. */
  read(offset: number, bytes: number): Buffer | null;
  /** The slot is free again. */
  clear(): void;
  close(): void;
}

/** null: the system has no shared memory. */
export function openSlots(count: number): Slot[] | null {
  if (!hasSharedMemory()) return null;
  const folder = mkdtempSync(join(SHARED_MEMORY, 'sluice-'));
  try {
    return Array.from({ length: count }, (_, i) => {
      const path = join(folder, String(i));
      return slot(openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600));
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function slot(fd: number): Slot {
  let largest = 0;
  return {
    fd,
    write(pieces) {
      const bytes = typeof pieces[0] === 'string' ? writeTexts(fd, pieces) : writeBytes(fd, pieces);
      largest = Math.max(largest, bytes);
      return bytes;
    },
    read(offset, bytes) {
      largest = Math.max(largest, offset + bytes);
      const buffer = Buffer.allocUnsafeSlow(bytes + 1);
      for (let got = 0; got < bytes; ) {
        const n = readSync(fd, buffer, got, bytes - got, offset + got);
        if (n === 0) return null;
        got += n;
      }
      buffer[bytes] = 10;
      return buffer;
    },
    clear() {
      if (largest > KEEP) ftruncateSync(fd, 0);
      largest = 0;
    },
    close() {
      closeSync(fd);
    },
  };
}

// Piece by piece into one buffer: a string of them all would only be garbage of half a megabyte.
function writeTexts(fd: number, pieces: readonly (string | Buffer)[]): number {
  let most = 0;
  for (const piece of pieces) most += piece.length * 3;
  const buffer = scratchFor(most);
  let bytes = 0;
  for (const piece of pieces) if (piece !== '') bytes += buffer.write(String(piece), bytes, 'utf8');
  for (let sent = 0; sent < bytes; ) sent += writeSync(fd, buffer, sent, bytes - sent, sent);
  return bytes;
}

function writeBytes(fd: number, pieces: readonly (string | Buffer)[]): number {
  const buffers = pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece));
  const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
  let sent = writevSync(fd, buffers, 0);
  if (sent < bytes) {
    const all = Buffer.concat(buffers);
    while (sent < bytes) sent += writeSync(fd, all, sent, bytes - sent, sent);
  }
  return bytes;
}

/** One buffer for everything that passes by: fresh ones of this size cost a page fault for each 4 KiB. */
export function scratchFor(bytes: number): Buffer {
  if (bytes > LARGEST_SCRATCH) return Buffer.allocUnsafeSlow(bytes);
  if (bytes > scratch.length) scratch = Buffer.allocUnsafeSlow(Math.min(LARGEST_SCRATCH, bytes * 2));
  return scratch;
}

const LARGEST_SCRATCH = 8 << 20;
let scratch = Buffer.alloc(0);

function hasSharedMemory(): boolean {
  try {
    accessSync(SHARED_MEMORY, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
