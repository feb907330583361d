// The `redact` of a stream: its patterns are looked at here, so that a wrong one is a finding and never a value that slips
// through.

import { patternOf } from '../capture/patterns.ts';
import { toSluiceError } from '../errors.ts';
import type { RedactConfig } from './model.ts';
import type { Work } from './work.ts';
import type { WrittenStream } from './written.ts';

export function redactOf(work: Work, written: WrittenStream['redact'], pointer: string): RedactConfig | undefined {
  if (written === undefined) return undefined;
  const texts = (list: readonly (string | undefined)[]): string[] => list.filter((each) => each !== undefined);
  for (const [i, pattern] of written.patterns.entries()) {
    if (pattern === undefined) continue;
    try {
      patternOf(pattern);
    } catch (thrown) {
      const { code, message, fix } = toSluiceError(thrown);
      work.error(code, `${pointer}/patterns/${i}`, message, fix ?? 'mend it');
    }
  }
  for (const [i, path] of written.paths.entries()) {
    if (path === undefined || !path.split('.').includes('')) continue;
    const message = 'the path has an empty part';
    work.error('E_MANIFEST_INVALID', `${pointer}/paths/${i}`, message, 'write it as address.street');
  }
  return { columns: texts(written.columns), paths: texts(written.paths), patterns: texts(written.patterns) };
}
