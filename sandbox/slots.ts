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
} from 'node:fs';
import { join } from 'node:path';

const SHARED_MEMORY = '/dev/shm';
const KEEP = 4 << 20; // a slot that grew beyond this gives its memory back

export interface Slot {
  readonly fd: number;
  /** Writes the pieces one after the other, and gives the count of bytes. */
  write(pieces: readonly string[]): number;
  read(offset: number, bytes: number): string | null;
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
      let most = 0;
      for (const piece of pieces) most += piece.length * 3;
      const buffer = scratchFor(most);
      let bytes = 0;
      // piece by piece: a string of them all would only be garbage of half a megabyte
      for (const piece of pieces) if (piece !== '') bytes += buffer.write(piece, bytes, 'utf8');
      for (let sent = 0; sent < bytes; ) sent += writeSync(fd, buffer, sent, bytes - sent, sent);
      largest = Math.max(largest, bytes);
      return bytes;
    },
    read(offset, bytes) {
      largest = Math.max(largest, offset + bytes);
      const buffer = scratchFor(bytes);
      for (let got = 0; got < bytes; ) {
        const n = readSync(fd, buffer, got, bytes - got, offset + got);
        if (n === 0) return null;
        got += n;
      }
      return buffer.toString('utf8', 0, bytes);
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
