// What is looked for in every text: named kinds of values, and regular expressions of the author's.

import { sluiceError } from '../errors.ts';
import { nearest } from '../manifest/nearest.ts';
import { isCard } from './tokens.ts';

export interface Pattern {
  readonly regex: RegExp;
  /** A second look at what the expression found: the parts of it that are meant. By default all of it. */
  within?(text: string): readonly string[];
}

const MOST_DIGITS = 19; // of a card

const LETTER = '[\\p{L}\\p{N}._%+-]';
const ADDRESS = `${LETTER}+@[\\p{L}\\p{N}-]+(?:\\.[\\p{L}\\p{N}-]+)*\\.[A-Za-z]{2,}`;

const ONE_ADDRESS = new RegExp(ADDRESS, 'gu'); // match() begins anew each time

const NAMED: Readonly<Record<string, Pattern>> = {
  // From the beginning of a word, and one behind the other: begun at each letter, a word of 1 MB took half a second.
  email: {
    regex: new RegExp(`(?<!${LETTER})(?:${ADDRESS})+`, 'gu'),
    within: (text) => text.match(ONE_ADDRESS) ?? [],
  },
  card: { regex: /\d(?:[ -]?\d){12,}/g, within: cardsIn },
  iban: { regex: /\b[A-Z]{2}\d\d(?: ?[A-Z0-9]){11,30}\b/g },
};

// Digits in groups may be a card and more: `4111 1111 1111 1111 12/28`. A card begins and ends where a group does.
function cardsIn(text: string): readonly string[] {
  const found: string[] = [];
  const starts = [...text.matchAll(/(?<!\d)\d/g)].map((match) => match.index);
  const ends = [...text.matchAll(/\d(?!\d)/g)].map((match) => match.index + 1);
  let from = 0;
  let next = 0; // the first end behind the start
  for (const start of starts) {
    while (next < ends.length && ends[next]! <= start) next++;
    if (start < from) continue;
    const end = ends.slice(next, next + MOST_DIGITS).findLast((each) => isCard(text.slice(start, each)));
    if (end === undefined) continue;
    found.push(text.slice(start, end));
    from = end;
  }
  return found;
}

export const patternNames: readonly string[] = Object.keys(NAMED);

/** `email`, or `/expression/flags`. @throws SluiceError E_MANIFEST_INVALID */
export function patternOf(written: string): Pattern {
  if (Object.hasOwn(NAMED, written)) return NAMED[written]!;
  const parts = /^\/(.+)\/([imsu]*)$/s.exec(written);
  if (parts === null) {
    const near = nearest(written, patternNames);
    throw sluiceError('E_MANIFEST_INVALID', {
      message: 'the pattern is no known name, and no expression between slashes',
      fix: near === null ? `write one of ${patternNames.join(', ')}, or /expression/` : `did you mean \`${near}\`?`,
    });
  }
  try {
    const regex = new RegExp(parts[1]!, `${parts[2]}g`);
    if (regex.test('')) throw new SyntaxError('it matches the empty text');
    regex.lastIndex = 0;
    return { regex };
  } catch (error) {
    throw sluiceError('E_MANIFEST_INVALID', {
      message: `the pattern is no regular expression: ${(error as Error).message}`,
      fix: 'mend it',
    });
  }
}

// What a name ends with when its value is a secret, whatever else it is; one or many, as a hash, as a key.
const SECRET_NAME = new RegExp(
  `(?:${[
    'password|passwd|passwort|pwd|passphrase|passcode|secret|token|jwt|credential|cookie|authorization|mnemonic',
    '(?:api|access|private|signing|encryption|master|ssh|auth)key|seedphrase|sessionid',
    'ssn|socialsecurity(?:number)?|cvv2?|cvc2?|securitycode|(?:pin|otp|mfa|totp)code',
  ].join('|')})s?(?:hash|hashed|digest|salt|encrypted|plain|text|value|key|old|new|\\d+)*(?:e?s)?$`,
);
// Short ones, as a word of their own: not in `passenger`, `compass` or `spin`.
const SECRET_WORD = /^(?:pass|pins?|otps?|totp|puk)$/;

/** True for `password`, `apiToken`, `client_secrets`, `passwordHash`, `Set-Cookie`, `card_pin`; not for `token_count`. */
export function isSecretName(name: string): boolean {
  const words = name
    .replaceAll(/(\p{Ll})(?=\p{Lu})/gu, '$1 ')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean);
  const last = words.at(-1)?.replace(/\d+$/, '') ?? '';
  return SECRET_NAME.test(words.join('')) || SECRET_WORD.test(last);
}
