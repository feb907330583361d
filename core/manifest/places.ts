// Where each value and key of a manifest stands in its text, by JSON Pointer; and the text itself with its secrets masked,
// which is the only form of it that leaves the loader (frames show source lines).

import type { LineCounter } from 'yaml';
import type { ErrorPlace } from '../errors.ts';

/** Offsets into the text: start, end. */
export type Range = readonly [number, number];

interface Entry {
  readonly key: Range | null;
  readonly value: Range;
}

export interface Places {
  set(pointer: string, key: Range | null, value: Range): void;
  valueRange(pointer: string): Range | undefined;
  /** The place of the value (or the key) at a pointer; of the nearest one above it when there is none. */
  at(pointer: string, on: 'value' | 'key'): ErrorPlace;
  atOffset(offset: number, pointer?: string): ErrorPlace;
}

export function placesOf(file: string, lines: LineCounter): Places {
  const entries = new Map<string, Entry>();
  const atOffset = (offset: number, pointer = ''): ErrorPlace => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col), pointer };
  };
  return {
    set: (pointer, key, value) => void entries.set(pointer, { key, value }),
    valueRange: (pointer) => entries.get(pointer)?.value,
    atOffset,
    at(pointer, on) {
      for (let up = pointer; ; up = up.slice(0, up.lastIndexOf('/'))) {
        const entry = entries.get(up);
        if (entry !== undefined) {
          // a missing key of a block map is best shown at the key that holds the map, not at its first child
          const range = on === 'key' ? (entry.key ?? entry.value) : entry.value;
          return atOffset(range[0], pointer);
        }
        if (up === '') return atOffset(0, pointer);
      }
    },
  };
}

/** The text with everything in the ranges, and passwords in URLs, replaced by stars of the same length. */
export function masked(text: string, ranges: readonly Range[]): string {
  let result = text;
  for (const [from, to] of ranges) {
    result = result.slice(0, from) + stars(result.slice(from, to)) + result.slice(to);
  }
  return result.replaceAll(
    /(:\/\/[^\s/?#:@]*:)([^\s/@]+)(@)/g,
    (_whole, head: string, password: string, at: string) => head + stars(password) + at,
  );
}

const SECRET_KEY = /pass(?!ed)|pwd|secret|token|credential|authoriz|api.?key|private|signature/i;

/**
 * True for values that look like secrets by where they stand, whatever the schemas say: a misspelt `passwrd` is no secret
 * to any schema, and its line must not be printed all the same. Masking too much in a frame costs nothing.
 */
export function looksSecret(pointer: string): boolean {
  if (/^\/authentication\/\d+\/config\//.test(pointer)) return !pointer.endsWith('/username');
  return SECRET_KEY.test(pointer);
}

/** For a text that has no tree: what follows a key that looks like one, to the end of its line. */
export function maskedByLine(text: string): string {
  return masked(text, []).replaceAll(
    /^([^\r\n]*?[\w"'-]+[ \t]*:[ \t]*)([^\r\n]+)$/gm,
    (whole, head: string, value: string) => (SECRET_KEY.test(whole) ? head + stars(value) : whole),
  );
}

// Placeholders are no secrets, and whoever reads the frame needs to see them; their defaults may be.
function stars(text: string): string {
  return text
    .split(/(\$\{(?:env|file):[^}:]*\}?)/)
    .map((part, i) => (i % 2 === 1 ? part : part.replaceAll(/[^\r\n]/g, '*')))
    .join('');
}
