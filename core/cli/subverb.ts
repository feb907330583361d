// Verbs that have verbs of their own (`dead-letters list`): takes it out of the positionals, wherever it stands.

import { sluiceError } from '../errors.ts';
import { nearest } from '../manifest/nearest.ts';
import type { Invocation } from './command.ts';

export function takeSubverb<const T extends readonly string[]>(
  invocation: Invocation,
  known: T,
  verb: string,
): { readonly subverb: T[number]; readonly invocation: Invocation } {
  const index = invocation.positionals.findIndex((word) => known.includes(word));
  if (index < 0) {
    const word = invocation.positionals[0];
    const near = word === undefined ? null : nearest(word, known);
    throw sluiceError('E_USAGE', {
      message: word === undefined ? `${verb} needs one of: ${known.join(', ')}` : `${verb} does not know "${word}"`,
      fix:
        near === null
          ? `write \`sluice ${verb} ${known[0]} …\`; one of: ${known.join(', ')}`
          : `did you mean \`sluice ${verb} ${near}\`?`,
    });
  }
  const positionals = invocation.positionals.filter((_, k) => k !== index);
  return { subverb: invocation.positionals[index] as T[number], invocation: { ...invocation, positionals } };
}
