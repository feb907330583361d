// Ids: each stands once in its list, and what refers to one finds it.

import { nearest } from './nearest.ts';
import type { Work } from './work.ts';

/** The ids of a list, in order, with those that stand twice reported at the second. */
export function uniqueIds(work: Work, pointer: string, what: string): string[] {
  const list = work.raw(pointer);
  const first = new Map<string, string>();
  if (!Array.isArray(list)) return [];
  list.forEach((_, i) => {
    const at = `${pointer}/${i}/id`;
    const id = work.raw(at);
    if (typeof id !== 'string' || id === '' || !work.isResolved(at)) return;
    const before = first.get(id);
    if (before === undefined) {
      first.set(id, at);
      return;
    }
    const line = work.doc.places.at(before, 'value').line;
    work.error(
      'E_MANIFEST_DUPLICATE',
      at,
      `this id is that of another ${what} already, at line ${line}`,
      'give each its own',
    );
  });
  return [...first.keys()];
}

/** True when `id` is one of `known`; else a finding with the nearest known one. */
export function checkReference(
  work: Work,
  pointer: string,
  id: string,
  known: readonly string[],
  what: string,
): boolean {
  if (known.includes(id)) return true;
  // an id that came from the environment may be anything: it is not shown, nor what is near to it
  const shown = known.filter((each) => !work.secrets.has(each));
  const near = nearest(id, shown);
  const list = shown.slice(0, 8).map((each) => `\`${each}\``);
  const fix =
    near !== null
      ? `did you mean \`${near}\`?`
      : list.length === 0
        ? `declare ${what}`
        : `use one of ${list.join(', ')}`;
  work.error('E_MANIFEST_REFERENCE', pointer, `there is no ${what} of this id`, fix);
  return false;
}
