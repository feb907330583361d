// Tokens: equal for equal values, never the value, and of its format.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isCard, tokenOf, tokenOfNumber } from './tokens.ts';

const key = Buffer.alloc(32, 7);
const classes = (text: string): string =>
  text
    .replaceAll(/\p{N}/gu, '0')
    .replaceAll(/\p{Lu}/gu, 'A')
    .replaceAll(/(?!A)\p{L}/gu, 'a');

it('is the same for the same value and key, and another for another key', () => {
  expect(tokenOf('Jane Doe', key)).toBe(tokenOf('Jane Doe', key));
  expect(tokenOf('Jane Doe', key)).not.toBe(tokenOf('Jane Doe', Buffer.alloc(32, 8)));
  expect(tokenOf('jane@example.org', key)).not.toBe(tokenOf('john@example.org', key));
});

it('is never the value, and keeps the place of letters, digits and all else', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }), (value) => {
      const token = tokenOf(value, key);
      if (/[\p{L}\p{N}]/u.test(value)) {
        expect(token).not.toBe(value);
        expect(classes(token)).toBe(classes(value));
      } else if (/\S/u.test(value)) expect(token).not.toBe(value);
      expect(tokenOf(value, key)).toBe(token);
    }),
    { numRuns: 2000 },
  );
});

it('is an email for an email, with its top-level domain', () => {
  const token = tokenOf('Jane.Doe+x@mail.example.org', key);
  expect(token).toMatch(/^[A-Z][a-z]{3}\.[A-Z][a-z]{2}\+[a-z]@[a-z]{4}\.[a-z]{7}\.org$/);
});

it('is a card number with a good check digit for a card number', () => {
  for (const card of ['4111111111111111', '3400 000000 00009', '5500-0055-5555-5559']) {
    const token = tokenOf(card, key);
    expect([isCard(card), isCard(token), token.length]).toEqual([true, true, card.length]);
    expect(token.replaceAll(/\d/g, '0')).toBe(card.replaceAll(/\d/g, '0'));
  }
});

it('is an IBAN with good check digits for an IBAN', () => {
  const token = tokenOf('DE89 3704 0044 0532 0130 00', key);
  expect(token).toMatch(/^DE\d\d(?: \d{4}){4} \d\d$/);
  const compact = token.replaceAll(' ', '');
  const digits = `${compact.slice(4)}${compact.slice(0, 4)}`.replaceAll(/[A-Z]/g, (c) => String(c.charCodeAt(0) - 55));
  expect(BigInt(digits) % 97n).toBe(1n);
});

it('is a date for a date, and a UUID of its version for a UUID', () => {
  fc.assert(
    fc.property(fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') }), (when) => {
      for (const text of [
        when.toISOString(),
        when.toISOString().slice(0, 10),
        `${when.toISOString().slice(0, -1)}+02:00`,
      ]) {
        const token = tokenOf(text, key);
        expect(Number.isNaN(Date.parse(token)), token).toBe(false);
        expect([token.length, token === text]).toEqual([text.length, false]);
      }
    }),
  );
  expect(tokenOf('9b2f1c3e-5a6d-4e7f-8a9b-0c1d2e3f4a5b', key)).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/,
  );
});

it('is a number of as many digits for a number, and survives being written', () => {
  const number = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }));
  fc.assert(
    fc.property(number, (value) => {
      const token = tokenOfNumber(value, key);
      expect(token).not.toBe(value);
      expect(JSON.parse(JSON.stringify(token))).toBe(token);
      if (Number.isSafeInteger(value) && Math.abs(value) > 9)
        expect([Number.isSafeInteger(token), String(token).length]).toEqual([true, String(value).length]);
    }),
    { numRuns: 2000 },
  );
  expect(String(tokenOfNumber(1234.56, key))).toMatch(/^\d{4}\.\d\d$/);
});
