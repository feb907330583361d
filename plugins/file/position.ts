// Where a file source resumes: an offset and a line number, with what it takes to know the file again.
// Guarantee: a position is used only on text that has the same beginning and the same bytes just before the offset;
// another file is never read on from the middle, which would lose its first part in silence.

import { hash } from 'node:crypto';
import { isRow, type Json, sluiceError } from 'sluice/sdk';

/** The first bytes of a file that make it known. */
export const HEAD = 1024;
/** The bytes before the offset that are compared when a file is resumed. */
export const TAIL = 256;

/** n bytes, by their hash. */
export type Print = { readonly n: number; readonly hash: string };

export type FilePosition = {
  /** `lines`, inside an `array` (between two elements), or after its end (`closed`). */
  readonly kind: 'lines' | 'array' | 'closed';
  /** In bytes of the (uncompressed) text: where the next line or element begins. */
  readonly offset: number;
  /** The number of the line there, from 1. */
  readonly line: number;
  /** The inode: finds a renamed file again, and tells two files with one beginning apart. */
  readonly ino: string;
  readonly head: Print;
  readonly tail: Print;
  /** What the ids of the file's events begin with; empty until there was one. */
  readonly tag: string;
  /** How many files this path has been through before this one. */
  readonly generation: number;
};

export const printOf = (bytes: Uint8Array): Print => ({
  n: bytes.length,
  hash: bytes.length === 0 ? '' : short(bytes),
});

export const samePrint = (a: Print, b: Print): boolean => a.n === b.n && a.hash === b.hash;

const short = (bytes: Uint8Array): string => hash('sha1', bytes, 'hex').slice(0, 16);

/**
 * What the ids of a file's events begin with. Made from the text and not from the inode, so that the same file gives the
 * same ids on every machine. Lines: of the first line alone, because a file of lines may grow.
 */
export function tagOf(head: Uint8Array, kind: FilePosition['kind'], generation: number): string {
  const newline = head.indexOf(10);
  const bytes = kind === 'lines' && newline >= 0 ? head.subarray(0, newline) : head;
  const tag = hash('sha1', bytes, 'hex').slice(0, 8);
  return generation === 0 ? tag : `${tag}.${generation}`;
}

const NONE: Print = { n: 0, hash: '' };

/**
 * A saved position, checked. Whoever sets one by hand need only give `{ "offset": … }`.
 * @throws SluiceError E_SOURCE_POSITION
 */
export function toPosition(saved: Json): FilePosition {
  const p = isRow(saved) ? saved : {};
  const { kind = 'lines', offset, line = 1, ino = '', head = NONE, tail = NONE, tag = '', generation = 0 } = p;
  const ok =
    (kind === 'lines' || kind === 'array' || kind === 'closed') &&
    isCount(offset) &&
    isCount(line) &&
    typeof ino === 'string' &&
    isPrint(head) &&
    isPrint(tail) &&
    typeof tag === 'string' &&
    isCount(generation);
  if (!ok) {
    throw sluiceError('E_SOURCE_POSITION', {
      message: 'the saved position is no position of a file',
      fix: 'set one of the form { "offset": 0 }, or clear the checkpoint to read from the beginning',
      permanent: true,
    });
  }
  return { kind, offset, line, ino, head, tail, tag, generation };
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isPrint = (value: unknown): value is Print =>
  isRow(value) && isCount(value['n']) && value['n'] <= HEAD && typeof value['hash'] === 'string';
