// The one thing that no database with UTF-8 can hold: half of a surrogate pair. A driver would put U+FFFD in its place.

import { type SluiceError, sluiceError } from '../errors.ts';

/** `where` names the place, never the value. */
export function brokenText(where: string): SluiceError {
  return sluiceError('E_SINK_REJECT', {
    message: `the text for ${where} is no well-formed Unicode (it has half of a surrogate pair)`,
    fix: 'mend the text at the source, or in a transform with `toWellFormed()`',
  });
}
