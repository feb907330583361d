// What a sink looks at in a text before it binds it.

import { type SluiceError, sluiceError } from '../errors.ts';

/**
 * The one thing that no database with UTF-8 can hold: half of a surrogate pair. A driver would put U+FFFD in its place.
 * `where` names the place, never the value.
 */
export function brokenText(where: string): SluiceError {
  return sluiceError('E_SINK_REJECT', {
    message: `the text for ${where} is no well-formed Unicode (it has half of a surrogate pair)`,
    fix: 'mend the text at the source, or in a transform with `toWellFormed()`',
  });
}

/**
 * True for bytes as events have them. Of any length: one regular expression for the whole of it, with its groups of four, comes
 * to the end of the stack at a few million characters.
 */
export function isBase64(text: string): boolean {
  return text.length % 4 === 0 && !/[^A-Za-z0-9+/]/.test(text.replace(/={1,2}$/, ''));
}
