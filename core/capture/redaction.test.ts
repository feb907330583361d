// Redaction of events: what is marked is nowhere, everything else is as it was, and what was equal is equal still.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitEnvelope } from '../envelope.ts';
import type { RedactConfig } from '../manifest/model.ts';
import { isSecretName } from './patterns.ts';
import { defaultRedact, redactionOf } from './redaction.ts';

const key = Buffer.alloc(32, 7);
const source = { plugin: 'p', stream: 's', db: 'd', schema: 'public', table: 'orders', snapshot: false, ts_ms: 1 };
const envelope = (more: object): string => JSON.stringify({ id: 'e1', op: 'u', key: { id: 1 }, source, ...more });
const redact = (text: string, config: Partial<RedactConfig> = {}): Readonly<Record<string, unknown>> =>
  JSON.parse(redactionOf({ ...defaultRedact, ...config }, key).event(text)!) as Readonly<Record<string, unknown>>;

describe('a marked column', () => {
  const row = { id: 1, name: 'Jane Doe', nick: 'JD', note: 'Jane Doe called', age: 41, ok: true, none: null };

  it('is a token in the row, in its old image, in the key and in every other text', () => {
    const out = redact(
      envelope({ key: { name: 'Jane Doe' }, before: row, after: row, headers: { who: 'by Jane Doe' } }),
      {
        columns: ['name'],
      },
    );
    const token = (out['after'] as { name: string }).name;
    expect(token).toMatch(/^[A-Z][a-z]{3} [A-Z][a-z]{2}$/);
    expect(JSON.stringify(out)).not.toContain('Jane Doe');
    expect(out).toMatchObject({
      key: { name: token },
      before: { name: token },
      after: { id: 1, nick: 'JD', note: `${token} called`, age: 41, ok: true, none: null },
      headers: { who: `by ${token}` },
      source,
    });
  });

  it('of the key makes the id another one too, always the same', () => {
    const text = envelope({ id: 'orders:1:Jane', key: { name: 'Jane' }, after: { name: 'Jane' } });
    const [a, b] = [redact(text, { columns: ['name'] }), redact(text, { columns: ['name'] })];
    expect(a['id']).toMatch(/^r-[0-9a-f]{24}$/);
    expect(b['id']).toBe(a['id']);
    expect(redact(text, { columns: ['other'] })['id']).toBe('orders:1:Jane');
  });

  it.each([
    ['name', true],
    ['orders.name', true],
    ['public.orders.name', true],
    ['customers.name', false],
    ['rders.name', false],
  ])('written as %s: %s', (column, marked) => {
    const after = redact(envelope({ after: { name: 'Jane' } }), { columns: [column] })['after'];
    expect((after as { name: string }).name !== 'Jane').toBe(marked);
  });

  it('keeps kinds: numbers are numbers, null is null, below a path of stars nested values keep their shape', () => {
    const after = redact(envelope({ after: { x: { a: [12, 'ab', null, true], b: 1.5 } } }), { paths: ['x.*'] })[
      'after'
    ];
    expect(after).toEqual({
      x: { a: [expect.any(Number), expect.stringMatching(/^[a-z]{2}$/), null, false], b: expect.any(Number) },
    });
    expect(JSON.stringify(after)).not.toMatch(/12|"ab"|1\.5/);
  });

  it('hides the keys of its objects too, each as one of its own', () => {
    const phones = { 'jane.doe': { home: '0151 123' }, 4711: 1, a: 2, b: 3, c: 4, d: 5, e: 6, f: 7 };
    const after = redact(envelope({ after: { phones, note: 'of jane.doe, 4711' } }), { columns: ['phones'] })['after'];
    expect(JSON.stringify(after)).not.toMatch(/jane|home|0151|4711|"a"/);
    expect(Object.keys((after as { phones: object }).phones)).toHaveLength(8);
  });

  it('is found however its name is written', () => {
    const row = { name: 'Jane', Street: 'Side Road', items: [{ Note: 'ring twice' }] };
    const out = redact(envelope({ after: row }), {
      columns: ['NAME', 'Public.Orders.street'],
      paths: ['Items.*.note'],
    });
    expect(JSON.stringify(out)).not.toMatch(/Jane|Side Road|ring twice/);
  });

  it('of two or three characters is no whole value elsewhere either, and the envelope stays', () => {
    const row = { code: 'u', pin: 123, short: 'JD', a: 'JD', b: 123, c: 'JD and 123', d: { JD: 1 }, e: 'u' };
    const out = redact(envelope({ after: row }), { columns: ['code', 'short', 'pin'] });
    const after = out['after'] as typeof row;
    expect(out).toMatchObject({ op: 'u', source });
    expect([after.a, after.b, after.c, after.e]).toEqual([after.short, after.pin, 'JD and 123', 'u']);
    expect([after.a === 'JD', after.b === 123, Object.hasOwn(after.d, 'JD')]).toEqual([false, false, false]);
  });
});

it('finds paths, and JSON that stands as text', () => {
  const payload = JSON.stringify({ address: { street: 'Main Street 5' }, items: [{ note: 'ring twice' }] });
  const out = redact(
    envelope({ after: { address: { street: 'Side Road', city: 'X' }, items: [{ note: 'n1' }], payload } }),
    {
      paths: ['address.street', 'items.*.note', 'payload.items.*.note'],
    },
  );
  expect(out['after']).toMatchObject({ address: { city: 'X' } });
  expect(JSON.stringify(out)).not.toMatch(/Side Road|n1|ring twice/);
  expect((out['after'] as { payload: string }).payload).toContain('Main Street 5');
});

describe('a value that was taken out', () => {
  const name = 'Müller "Jo" \\ Söhne\n';
  const ascii = (text: string): string =>
    text.replaceAll(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`);
  const json = JSON.stringify({ who: name, list: [{ [name]: 1 }] });

  it.each([
    ['in JSON as text', json],
    ['in JSON as text, in ASCII', ascii(json)],
    ['in JSON as text within JSON as text', JSON.stringify({ payload: ascii(json) })],
    ['in a line of a log that holds JSON', `sent ${ascii(json)} to them`],
    ['in a line of a log that holds JSON twice', `sent ${JSON.stringify(ascii(json))} to them`],
    ['in a URL', `https://example.org/?q=${encodeURIComponent(name)}`],
    ['as base64', Buffer.from(name).toString('base64')],
  ])('does not stand %s', (_, text) => {
    const after = redact(envelope({ after: { name, text } }), { columns: ['name'] })['after'] as { text: string };
    const decoded = after.text
      .replaceAll(/\\+u([0-9a-f]{4})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
      .replaceAll('\\', '');
    const forms = [decoded, decodeURIComponent(after.text), Buffer.from(after.text, 'base64').toString()];
    expect(forms.filter((form) => /[Mm]üller|S(?:ö|\u00f6)hne/.test(form))).toEqual([]);
    expect(after.text).not.toBe(text);
    if (/^[[{]/.test(text)) expect(() => JSON.parse(after.text) as unknown).not.toThrow();
  });

  it('does not stand as a number that no double holds, nor a card that is one', () => {
    const text = envelope({ after: {} }).replace(
      '"after":{}',
      '"after":{"n":12345678901234567890,"m":12345678901234567890,"card":6011000990139424000}',
    );
    const marked = redactionOf({ ...defaultRedact, columns: ['n'], patterns: ['/^6011/'] }, key).event(text)!;
    expect(marked).not.toMatch(/12345678901234567890|6011000990139424000/);
    expect(marked).toMatch(/"n":(\d{20}),"m":\1,"card":\d{19}\b/);
  });
});

it('finds emails, cards and IBANs in any text without being told, and leaves what only looks like them', () => {
  const row = {
    a: 'write to jane@example.org, please',
    b: 'card 4111 1111 1111 1111 12/28, or 4111111111111111.',
    c: 'DE89 3704 0044 0532 0130 00',
    d: 4111111111111111,
    e: 'order 4111111111111112 of 2026-01-31 10:00:00',
    f: 'jane at example',
    g: 1767225600006,
  };
  const after = redact(envelope({ after: row }))['after'] as typeof row;
  expect(JSON.stringify(after)).not.toMatch(/jane@|example\.org|4111 1111 1111 1111|0532 0130|4111111111111111/);
  expect(after.a).toMatch(/^write to [a-z]{4}@[a-z]{7}\.org, please$/);
  expect(after.b).toMatch(/^card \d{4} \d{4} \d{4} \d{4} 12\/28, or \d{16}\.$/);
  expect([after.e, after.f, after.g]).toEqual([row.e, row.f, row.g]);
  expect(redact(envelope({ after: row }), { patterns: [] })['after']).toEqual(row);
});

it('takes expressions of the author', () => {
  const out = redact(envelope({ after: { note: 'key AKIA1234 here' } }), { patterns: ['/AKIA\\d+/'] });
  expect((out['after'] as { note: string }).note).toMatch(/^key [A-Z]{4}\d{4} here$/);
});

it('always takes values of secret names', () => {
  const out = redact(envelope({ after: { api_token: 'abc', nested: { Password: 'hunter2' }, token_count: 3 } }), {
    patterns: [],
  });
  expect(JSON.stringify(out)).not.toMatch(/"abc"|hunter2/);
  expect(out['after']).toMatchObject({ token_count: 3 });
});

it.each([
  'password',
  'apiToken',
  'X-Api-Key',
  'client_secret',
  'passwordHash',
  'password_hashes',
  'secretKey',
  'SECRET_KEYS',
  'refreshTokens',
  'credentials',
  'cookies',
  'pass',
  'dbPass',
  'user_pass2',
  'pin',
  'card.PIN',
  'pinCode',
  'pins',
  'otp',
  'cvv2',
  'ssn',
  'privateKeys',
])('takes %s for the name of a secret', (name) => expect(isSecretName(name)).toBe(true));

it.each([
  'passenger',
  'token_count',
  'id',
  'compass',
  'spin',
  'shipping',
  'passed',
  'key',
  'keyboard',
  'tokenizer',
  'hash',
])('does not take %s for the name of a secret', (name) => expect(isSecretName(name)).toBe(false));

it('leaves numbers that a double cannot hold as they were written', () => {
  const text = envelope({ after: {} }).replace('"after":{}', '"after":{"n":12345678901234567890,"m":1e400}');
  expect(redactionOf(defaultRedact, key).event(text)).toContain('{"n":12345678901234567890,"m":1e400}');
  const marked = redactionOf({ ...defaultRedact, columns: ['n'] }, key).event(text)!;
  expect(marked).toMatch(/"n":\d{20},"m":1e400/);
  expect(marked).not.toContain('12345678901234567890');
});

it('takes values out of the keys of nested data, and leaves the names of columns, tables and the envelope', () => {
  const row = { who: 'orders', after: 'x', map: { 'jane@example.org': 1, orders: 2 } };
  const out = redact(envelope({ after: row }), { columns: ['who'] });
  expect(Object.keys(out['after'] as object)).toEqual(['who', 'after', 'map']);
  expect((out['source'] as { table: string }).table).toBe('orders');
  expect(JSON.stringify(out['after'])).not.toMatch(/jane@|orders/);
});

it('gives nothing for what is no event', () => {
  expect(redactionOf(defaultRedact, key).event('{"a":')).toBeNull();
  expect(redactionOf(defaultRedact, key).event('[1]')).toBeNull();
});

it('takes a marked value out of any event, and the event stays one', () => {
  const value = fc.oneof(fc.emailAddress(), fc.string({ minLength: 4, maxLength: 30 }), fc.uuid(), fc.maxSafeInteger());
  const json = fc.jsonValue({ maxDepth: 3 });
  fc.assert(
    fc.property(value, json, fc.string(), (secret, other, around) => {
      fc.pre(typeof secret === 'number' ? Math.abs(secret) > 999 : /[\p{L}\p{N}]/u.test(secret.trim()));
      const text = envelope({ after: { secret, other, note: `${around}${secret}${around}` } });
      const out = redactionOf({ ...defaultRedact, columns: ['secret'] }, key).event(text)!;
      expect(splitEnvelope(out).op).toBe('u');
      const { after } = JSON.parse(out) as { after: { secret: unknown; note: string } };
      expect(after.secret).not.toBe(secret);
      expect(typeof after.secret).toBe(typeof secret);
      expect(after.note.includes(String(secret))).toBe(false);
    }),
    { numRuns: 1000 },
  );
});
