// The fast lane of one step that changes a document in place: one walk finds what the step reads and what it overwrites, and what is
// not there yet becomes the last members of the root. Everything else is left to the general way.

import type { Path } from '../path.ts';
import { escapeText } from '../text-escapes.ts';
import { GIVE_UP, places, scan } from './scan.ts';
import { Trie } from './trie.ts';

export interface Edit {
  /** The document with the values at the targets; null for the general way. */
  run(document: string): string | null;
}

/** `make` gives the target's value from what was read; null for a value that is missing. */
export interface Target {
  readonly path: Path;
  make(read: (source: number) => string | null): string;
}

/** null if a path is more than the lane knows, or if one target lies inside of another. */
export function compileEdit(sources: readonly Path[], targets: readonly Target[]): Edit | null {
  const trie = new Trie();
  const slotOf = (path: Path): number | null =>
    path.error === null && path.each === null ? trie.add(path.keys) : null;
  const reads = sources.map(slotOf);
  const writes = targets.map(({ path }) => slotOf(path));
  const names = targets.map(({ path }) => path.keys);
  if (reads.includes(null) || writes.includes(null)) return null;
  if (names.some((keys, i) => names.some((other, k) => i !== k && other[0] === keys[0]))) return null;
  // of a longer path, a part may be there already: then it is the general way's, if it is not there as a whole
  const members = names.map((keys) => (keys.length === 1 ? `"${escapeText(keys[0]!)}":` : null));
  const run = (document: string): string | null => {
    const end = scan(document, trie);
    if (end === GIVE_UP) return null;
    const read = (source: number): string | null => {
      const slot = reads[source]!;
      const from = places[2 * slot]!;
      return from < 0 ? null : document.slice(from, places[2 * slot + 1]);
    };
    if (writes.length === 1) {
      const slot = writes[0]!;
      const from = places[2 * slot]!;
      if (from >= 0) {
        const to = places[2 * slot + 1]!;
        return document.slice(0, from) + targets[0]!.make(read) + document.slice(to);
      }
      if (members[0] === null) return null;
      const comma = isEmpty(document, end) ? '' : ',';
      return document.slice(0, end) + comma + members[0] + targets[0]!.make(read) + document.slice(end);
    }
    return severalTargets(document, end, read);
  };

  const severalTargets = (document: string, end: number, read: (source: number) => string | null): string | null => {
    const found: { from: number; to: number; value: string }[] = [];
    let added = '';
    for (let i = 0; i < targets.length; i++) {
      const slot = writes[i]!;
      const from = places[2 * slot]!;
      const to = places[2 * slot + 1]!;
      if (from < 0 && members[i] === null) return null;
      const value = targets[i]!.make(read);
      if (from >= 0) found.push({ from, to, value });
      else added += (added === '' && isEmpty(document, end) ? '' : ',') + members[i] + value;
    }
    found.sort((a, b) => a.from - b.from);
    let out = '';
    let at = 0;
    for (const { from, to, value } of found) {
      out += document.slice(at, from) + value;
      at = to;
    }
    return added === '' ? out + document.slice(at) : out + document.slice(at, end) + added + document.slice(end);
  };
  return { run };
}

/** Whether nothing stands before the document's closing bracket at `end`. */
function isEmpty(document: string, end: number): boolean {
  let i = end - 1;
  while (' \n\r\t'.includes(document[i]!)) i--;
  return document[i] === '{';
}
