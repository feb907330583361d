// Paths as people read them: from where the verb was called, unless that leads out of there.

import { relative } from 'node:path';

export function shownPath(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
}
