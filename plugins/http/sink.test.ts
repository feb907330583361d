// What the HTTP sink sends, and what it never shows: against a real endpoint on this machine.

import fc from 'fast-check';
import { batchOf, batchOfText, type ChangeEvent, type Context, canonical } from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import { anEndpoint, type Received } from './an-endpoint.ts';
import { idempotencyKey } from './bodies.ts';
import type { SinkConfig } from './config.ts';
import plugin from './index.ts';
import { config, event, events, never, rows, sinkTo, source, statuses } from './sink-for-tests.ts';

describe('what is sent', () => {
  test('one request per event, with its row, its type and its key', async () => {
    await using endpoint = await anEndpoint(() => ({ status: 201 }));
    await using sink = sinkTo(endpoint.url, { max_in_flight: 1, method: 'PUT', headers: { 'X-Team': 'blue' } });
    expect(statuses(await sink.write(batchOf(events(3)), never))).toEqual(['ok', 'ok', 'ok']);
    expect(endpoint.received.map((r) => JSON.parse(r.body) as unknown)).toEqual(events(3).map((e) => e.after));
    expect(endpoint.received[1]).toMatchObject({
      method: 'PUT',
      path: '/in',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'shop:e1', 'x-team': 'blue' },
    });
    expect(endpoint.connections()).toBe(1); // kept, not one for each
  });

  test('`event` sends the whole change event, and no digit of a number is lost in any shape', async () => {
    const text = '{\n "id": 9007199254740993 }';
    const batch = batchOfText({
      length: 2,
      bytes: 60,
      typed: false,
      readAt: 0,
      id: (i) => `${i}`,
      op: () => 'c',
      key: () => null,
      source: () => source,
      before: () => null,
      after: () => text,
    });
    for (const shape of ['single', 'array', 'ndjson'] as const) {
      await using endpoint = await anEndpoint(() => ({ status: 200 }));
      await using sink = sinkTo(endpoint.url, { batch: shape, format: 'event', max_in_flight: 1 });
      await sink.write(batch, never);
      const sent = endpoint.received.map((r) => r.body).join('');
      expect(sent.match(/9007199254740993/g)).toHaveLength(2);
      const parsed = endpoint.received.flatMap((r) => rows(r) as unknown as ChangeEvent[]);
      expect(parsed.map((e) => [e.id, e.op, e.source.table])).toEqual([
        ['0', 'c', 'orders'],
        ['1', 'c', 'orders'],
      ]);
    }
  });

  test('many in one request: an array or lines, cut by `max_events` and by `max_bytes`', async () => {
    for (const shape of ['array', 'ndjson'] as const) {
      await using endpoint = await anEndpoint(() => ({ status: 200 }));
      await using sink = sinkTo(endpoint.url, { batch: shape, max_events: 4 });
      expect(statuses(await sink.write(batchOf(events(10)), never))).toEqual(new Array(10).fill('ok'));
      expect(endpoint.received.map((r) => rows(r).map((row) => row.id))).toEqual([
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9],
      ]);

      await using small = await anEndpoint(() => ({ status: 200 }));
      await using narrow = sinkTo(small.url, { batch: shape, max_bytes: 60 });
      await narrow.write(batchOf(events(6)), never);
      expect(small.received.map((r) => rows(r).length)).toEqual([2, 2, 2]);
      expect(small.received.every((r) => Buffer.byteLength(r.body) <= 62)).toBe(true);
    }
  });

  test('an empty batch sends nothing', async () => {
    await using endpoint = await anEndpoint(() => ({ status: 200 }));
    for (const shape of ['single', 'array'] as const) {
      await using sink = sinkTo(endpoint.url, { batch: shape });
      expect(await sink.write(batchOf([]), never)).toEqual([]);
    }
    expect(endpoint.received).toEqual([]);
  });

  test('`format: row` rejects what has no row and holds back what follows of its key', async () => {
    for (const shape of ['single', 'array'] as const) {
      await using endpoint = await anEndpoint(() => ({ status: 200 }));
      await using sink = sinkTo(endpoint.url, { batch: shape });
      const gone = event(1, { id: 'd1', op: 'd', before: { id: 1 }, after: null });
      const results = await sink.write(batchOf([event(1), gone, event(1, { id: 'again' }), event(2)]), never);
      expect(statuses(results)).toEqual(['ok', 'reject', 'held', 'ok']);
      expect(results[1]).toMatchObject({ error: { code: 'E_SINK_REJECT' } });
      expect(
        endpoint.received
          .flatMap(rows)
          .map((row) => row.id)
          .sort(),
      ).toEqual([1, 2]);
    }
  });
});

describe('the idempotency key', () => {
  test('is the same when the same events are sent again, by another sink too', async () => {
    await using endpoint = await anEndpoint((_, n) => ({ status: n < 2 ? 500 : 200 }));
    for (const shape of ['single', 'array'] as const) {
      for (let run = 0; run < 2; run++) {
        await using sink = sinkTo(endpoint.url, { batch: shape, max_in_flight: 1 });
        await sink.write(batchOf(events(shape === 'single' ? 1 : 3)), never).catch(() => undefined);
      }
    }
    const keys = endpoint.received.map((r) => r.headers['idempotency-key']);
    expect(keys.slice(0, 2)).toEqual(['shop:e0', 'shop:e0']);
    expect(keys[2]).toMatch(/^shop:e0\.\.e2:[0-9a-f]{16}$/);
    expect(keys[3]).toBe(keys[2]);
  });

  test('differs whenever the events differ, also in the middle only, and is a legal header whatever the ids are', () => {
    expect(idempotencyKey('s', ['a', 'b', 'c'])).not.toBe(idempotencyKey('s', ['a', 'x', 'c']));
    const id = fc.string({ unit: 'binary', minLength: 1, maxLength: 400 });
    fc.assert(
      fc.property(
        fc.array(id, { minLength: 1, maxLength: 4 }),
        fc.array(id, { minLength: 1, maxLength: 4 }),
        (a, b) => {
          const key = idempotencyKey('shop', a);
          expect(key).toMatch(/^[\x21-\x7e]{1,256}$/);
          expect(idempotencyKey('shop', [...a])).toBe(key);
          const wellFormed = (ids: string[]): string => canonical(ids.map((text) => text.toWellFormed()));
          if (wellFormed(a) !== wellFormed(b)) expect(idempotencyKey('shop', b)).not.toBe(key);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('secrets', () => {
  const TOKEN = 'tok-5ecret"value';
  const PASSWORD = 'p4ss/w0rd';

  test('never stand in an error, also when the endpoint says them back', async () => {
    const echo = (r: Received): string => JSON.stringify({ ...r.headers, path: r.path });
    for (const status of [400, 500, 401]) {
      await using endpoint = await anEndpoint((r) => ({ status, body: echo(r) }));
      const url = endpoint.url.replace('127', `bob:${encodeURIComponent(PASSWORD)}@127`);
      const withQuery = `${endpoint.url}?key=query-5ecret`;
      const sinks = [
        sinkTo(url),
        sinkTo(withQuery, { token: TOKEN }),
        sinkTo(endpoint.url, { headers: { 'x-api-key': TOKEN } }),
        sinkTo(endpoint.url, {}, { type: 'username_password', config: { username: 'bob', password: PASSWORD } }),
      ];
      for (const sink of sinks) {
        await using _ = sink;
        const outcome = await sink.write(batchOf(events(1)), never).catch((error: unknown) => error);
        const shown = JSON.stringify(outcome) + ((outcome as Error).stack ?? '');
        expect(shown).toContain('***');
        const basic = Buffer.from(`bob:${PASSWORD}`).toString('base64');
        for (const secret of [TOKEN, 'tok-5ecret', PASSWORD, encodeURIComponent(PASSWORD), basic, 'query-5ecret']) {
          expect(shown).not.toContain(secret);
        }
      }
      const sent = endpoint.received.map((r) => r.headers['authorization'] ?? r.headers['x-api-key']);
      const basic = `Basic ${Buffer.from(`bob:${PASSWORD}`).toString('base64')}`;
      expect(sent).toEqual([basic, `Bearer ${TOKEN}`, TOKEN, basic]);
    }
  });

  test('a configuration that cannot work is refused at the start, without showing it', () => {
    const wrong: Partial<SinkConfig>[] = [
      { url: 'no url 5ecret' },
      { url: 'ftp://bob:5ecret@h/' },
      { token: '5ecret', headers: { Authorization: 'x' } },
      { url: 'http://bob:5ecret@h/', token: '5ecret' },
      { headers: { 'x-5': '5ecret\r\nevil: 1' } },
      { headers: { 'bad name': 'x' } },
      { headers: { 'Idempotency-Key': '5ecret' } },
      { headers: { 'content-length': '5' } },
      { token: '5ecret\n' },
    ];
    for (const more of wrong) {
      let thrown: unknown;
      try {
        sinkTo('http://127.0.0.1/', more);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toMatchObject({ code: 'E_CONFIG_INVALID', permanent: true });
      expect(JSON.stringify(thrown)).not.toContain('5ecret');
    }
    expect(() => sinkTo('http://127.0.0.1/', {}, { type: 'certificate', config: {} })).toThrow(/certificate/);
  });

  test('the place is the address without user, password and query, and differs when the target does', () => {
    const place = (url: string): unknown => plugin.sink!.place!(config(url) as never);
    expect(place('https://bob:5ecret@h.example:443/in?key=5ecret')).toMatch(/^https:\/\/h\.example\/in\?[0-9a-f]{16}$/);
    expect(place('http://h.example:8080/in')).toBe('http://h.example:8080/in');
    expect(place('http://h/in?table=a')).not.toBe(place('http://h/in?table=b'));
    expect(place('http://a@h/in')).toBe(place('http://h/in'));
  });
});

describe('redirects', () => {
  test('to the same host are followed with the same method and body', async () => {
    await using endpoint = await anEndpoint((r) =>
      r.path === '/in' ? { status: 308, headers: { location: '/new' } } : { status: 200 },
    );
    await using sink = sinkTo(endpoint.url, { token: 'abcdef' });
    expect(statuses(await sink.write(batchOf(events(1)), never))).toEqual(['ok']);
    expect(endpoint.received[1]).toMatchObject({ method: 'POST', path: '/new', body: '{"id":0,"name":"Zoë"}' });
  });

  test('to another host, and in a circle, are refused: nothing is sent there', async () => {
    await using stranger = await anEndpoint(() => ({ status: 200 }));
    await using endpoint = await anEndpoint(() => ({ status: 307, headers: { location: stranger.url } }));
    await using sink = sinkTo(endpoint.url, { token: 'abcdef' });
    await expect(sink.write(batchOf(events(1)), never)).rejects.toMatchObject({
      message: 'the endpoint redirects to another host',
    });
    expect(stranger.received).toEqual([]);
    await using circle = await anEndpoint(() => ({ status: 307, headers: { location: '/in' } }));
    await using round = sinkTo(circle.url);
    await expect(round.write(batchOf(events(1)), never)).rejects.toMatchObject({
      message: 'the endpoint redirects again and again',
    });
    expect(circle.received).toHaveLength(4);
  });
});

test('check connects and sends no request', async () => {
  await using endpoint = await anEndpoint(() => ({ status: 200 }));
  const check = (url: string): Promise<readonly { ok: boolean; message: string }[]> =>
    plugin.sink!.check!(config(url) as never, {} as Context);
  expect(await check(endpoint.url)).toMatchObject([{ ok: true }]);
  expect(endpoint.received).toEqual([]);
  expect(endpoint.connections()).toBe(1);
  expect(await check(endpoint.url.replace('http:', 'https:'))).toMatchObject([{ ok: false }]);
  await endpoint[Symbol.asyncDispose]();
  expect(await check(endpoint.url)).toMatchObject([{ ok: false, message: 'the endpoint refuses connections' }]);
});
