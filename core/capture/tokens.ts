// Tokens: what stands in place of a value that must not be seen. Made from the value and a key by HMAC-SHA-256, so one value
// has one token wherever it stands, and nobody gets from the token to the value without the key.
// Guarantees: never the value itself; the format is kept where code may depend on it (an email is an email, a card number
// has its check digit, a date is a date, digits are digits, and all have the same length).
// Two short values may have one token: there are only ten digits.

import { createHmac } from 'node:crypto';

/** Numbers that look drawn and are always the same for one text. */
interface Dice {
  /** 0 … n - 1. n is at most 256. */
  roll(n: number): number;
}

function dice(key: Buffer, text: string): Dice {
  let block = 0;
  let bytes = Buffer.alloc(0);
  let at = 0;
  return {
    roll(n) {
      if (at === bytes.length) {
        bytes = createHmac('sha256', key).update(`${block++}\0${text}`).digest();
        at = 0;
      }
      return bytes[at++]! % n;
    },
  };
}

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const UPPER = LOWER.toUpperCase();
const DIGITS = '0123456789';

/** The token of a text. */
export function tokenOf(value: string, key: Buffer): string {
  if (value === '') return '';
  for (let salt = 0; salt < 8; salt++) {
    const token = formatted(value, dice(key, `${salt}\0${value}`));
    if (token !== value) return token;
  }
  // nothing in it that could be another letter or digit
  const rolls = dice(key, value);
  return value.replaceAll(/\S/gu, () => LOWER[rolls.roll(26)]!);
}

/** The token of a number: as many digits, the sign and the point where they are. */
export function tokenOfNumber(value: number, key: Buffer): number {
  const text = String(value);
  const plain = text.replace(/e.*$/i, '');
  for (let salt = 0; salt < 8; salt++) {
    const rolls = dice(key, `${salt}\0${text}`);
    let digits = plain.replaceAll(/\d/g, () => DIGITS[rolls.roll(10)]!);
    digits = digits.replace(/^(-?)0(?=\d)/, `$1${1 + rolls.roll(9)}`); // else it would be shorter
    if (digits.includes('.')) digits = digits.replace(/0$/, String(1 + rolls.roll(9)));
    else if (!Number.isSafeInteger(Number(digits))) digits = digits.replace(/\d/, '1');
    const token = Number(digits);
    if (token !== value && Number.isFinite(token)) return token;
  }
  return value + 1;
}

/** The token of a number that no double holds, by its text. */
export function tokenOfRawNumber(text: string, key: Buffer): string {
  return tokenOf(text, key).replace(/^(-?)0(?=\d)/, '$11'); // JSON has no number that begins so
}

const DATE = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d:?\d\d)?$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const EMAIL = /^[^\s@]+@[^\s@]+\.[A-Za-z]{2,}$/;
const IBAN = /^[A-Z]{2}\d\d(?: ?[A-Z0-9]){11,30}$/;

function formatted(value: string, rolls: Dice): string {
  if (DATE.test(value)) return date(value, rolls);
  if (UUID.test(value)) return value.replaceAll(/[0-9a-f]/gi, (c, at: number) => hex(c, at, rolls));
  if (EMAIL.test(value)) {
    const end = value.lastIndexOf('.');
    return mapped(value.slice(0, end), rolls) + value.slice(end); // the top-level domain stays, so it is still an address
  }
  if (isCard(value)) return luhn(value.slice(0, 2) + mapped(value.slice(2), rolls)); // two digits say the network
  if (IBAN.test(value)) return iban(value.slice(0, 4) + mapped(value.slice(4), rolls));
  return mapped(value, rolls);
}

/** Letters to letters of their case, digits to digits; the rest stays. */
function mapped(value: string, rolls: Dice): string {
  return value.replaceAll(/[\p{L}\p{N}]/gu, (c) => {
    if (/\p{N}/u.test(c)) return DIGITS[rolls.roll(10)]!;
    return (/\p{Lu}/u.test(c) ? UPPER : LOWER)[rolls.roll(26)]!;
  });
}

// The digit of the version and that of the variant stay, and the case of letters.
function hex(c: string, at: number, rolls: Dice): string {
  if (at === 14 || at === 19) return c;
  const digit = rolls.roll(16).toString(16);
  return c >= 'A' && c <= 'F' ? digit.toUpperCase() : digit;
}

function date(value: string, rolls: Dice): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const limits = [() => two(1 + rolls.roll(12)), () => two(1 + rolls.roll(28)), () => two(rolls.roll(24))];
  const year = `${1950 + rolls.roll(100)}`;
  const zone = /(?:Z|[+-]\d\d:?\d\d)$/.exec(value.slice(10))?.[0] ?? '';
  const middle = value.slice(4, value.length - zone.length);
  let part = 0;
  const rest = middle.replaceAll(/\d+/g, (digits) => {
    part++;
    if (part <= 3) return limits[part - 1]!();
    return part <= 5 ? two(rolls.roll(60)) : digits.replaceAll(/\d/g, () => DIGITS[rolls.roll(10)]!);
  });
  return year + rest + zone;
}

/** The first digits and lengths of the networks in use: a time in milliseconds must not be taken for a card. */
const NETWORKS = /^(?:4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3[0689]\d{12}|6\d{15,18})$/;

/** Digits, in groups or not, of a network's form and with the check digit of card numbers (ISO/IEC 7812-1, Luhn). */
export function isCard(value: string): boolean {
  if (!/^\d(?:[ -]?\d){12,18}$/.test(value)) return false;
  return NETWORKS.test(value.replaceAll(/\D/g, '')) && luhnSum(value) % 10 === 0;
}

function luhnSum(value: string): number {
  const digits = value.replaceAll(/\D/g, '');
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i]);
    sum += i % 2 === 0 ? digit : digit * 2 - (digit > 4 ? 9 : 0);
  }
  return sum;
}

function luhn(value: string): string {
  const zero = `${value.slice(0, -1)}0`;
  return value.slice(0, -1) + String((10 - (luhnSum(zero) % 10)) % 10);
}

// Check digits by ISO 13616: the rest of the number by 97 is 1.
function iban(value: string): string {
  const compact = value.replaceAll(' ', '');
  const moved = `${compact.slice(4)}${compact.slice(0, 2)}00`;
  const number = moved.replaceAll(/[A-Z]/g, (c) => String(c.charCodeAt(0) - 55));
  const check = String(98n - (BigInt(number) % 97n)).padStart(2, '0');
  return value.slice(0, 2) + check + value.slice(4);
}
