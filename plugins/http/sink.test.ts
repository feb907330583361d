import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import fc from 'fast-check';
import {
  batchOf,
  batchOfText,
  type ChangeEvent,
  type Context,
  canonical,
  codesOf,
  keyTexts,
  type WriteResult,
} from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import { anEndpoint, type Received } from './an-endpoint.ts';
import { retryAfter } from './answer.ts';
import { idempotencyKey } from './bodies.ts';
import type { SinkConfig } from './config.ts';
import plugin from './index.ts';
import { httpSink } from './sink.ts';

const source = { plugin: 'test', stream: 's', db: 'shop', table: 'orders', snapshot: false, ts_ms: 5 };
const event = (n: number, more: Partial<ChangeEvent> = {}): ChangeEvent => ({
  id: `e${n}`,
  op: 'c',
  key: { id: n },
  before: null,
  after: { id: n, name: 'Zoë' },
  source,
  ts_ms: 1,
  ...more,
});
const events = (n: number): ChangeEvent[] => Array.from({ length: n }, (_, i) => event(i));
const never = new AbortController().signal;

const config = (url: string, more: Partial<SinkConfig> = {}): SinkConfig => ({
  url,
  method: 'POST',
  format: 'row',
  batch: 'single',
  max_events: 500,
  max_bytes: 1024 * 1024,
  max_in_flight: 4,
  timeout: 10_000,
  ...more,
});
const sinkTo = (
  url: string,
  more: Partial<SinkConfig> = {},
  auth: Context['auth'] = null,
): ReturnType<typeof httpSink> => httpSink(config(url, more), { stream: 'shop', auth });
const statuses = (results: readonly WriteResult[]): string[] => results.map((result) => result.status);
const rows = (received: Received): { id: number }[] =>
  received.headers['content-type'] === 'application/x-ndjson'
    ? received.body
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { id: number })
    : ([JSON.parse(received.body)].flat() as { id: number }[]);

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

describe('an endpoint that is not there', () => {
  test.each([500, 502, 504, 408, 401, 403, 404, 405, 301, 303])(
    '%i throws, so the stream waits and no event is blamed',
    async (status) => {
      for (const shape of ['single', 'array'] as const) {
        await using endpoint = await anEndpoint(() => ({ status, headers: { location: '/elsewhere' } }));
        await using sink = sinkTo(endpoint.url, { batch: shape, max_in_flight: 1 });
        const thrown = await sink.write(batchOf(events(5)), never).catch((error: unknown) => error);
        expect(thrown).toMatchObject({ code: 'E_SINK_WRITE', message: `the endpoint answered ${status}` });
        expect(codesOf(thrown)).toContain(`HTTP_${status}`); // what permanent_error_codes can name
        expect(endpoint.received).toHaveLength(1); // the others of the batch do not run into it one by one
      }
    },
  );

  test('429 and 503 with retry-after are `retry` for every event, with the time that was asked for', async () => {
    for (const status of [429, 503]) {
      for (const shape of ['single', 'ndjson'] as const) {
        await using endpoint = await anEndpoint(() => ({ status, headers: { 'retry-after': '7' } }));
        await using sink = sinkTo(endpoint.url, { batch: shape, max_in_flight: 1 });
        const results = await sink.write(batchOf(events(3)), never);
        expect(results).toHaveLength(3);
        for (const result of results)
          expect(result).toMatchObject({ status: 'retry', retryAfterMs: 7000, error: { code: 'E_SINK_WRITE' } });
      }
    }
  });

  test('retry-after is seconds or a date, is never negative, never more than an hour, and nonsense is none', () => {
    const now = Date.UTC(2026, 0, 1);
    expect(retryAfter('120', now)).toBe(120_000);
    expect(retryAfter(new Date(now + 5000).toUTCString(), now)).toBe(5000);
    expect(retryAfter(new Date(now - 5000).toUTCString(), now)).toBe(0);
    expect(retryAfter('99999999999', now)).toBe(3_600_000);
    for (const nonsense of ['', 'soon', '-5', '1.5', undefined]) expect(retryAfter(nonsense, now)).toBeNull();
  });

  test('the time that the endpoint asked for is kept to, also where a part of the batch was taken and the write threw', async () => {
    await using endpoint = await anEndpoint((_, n) =>
      n === 1 ? { status: 429, headers: { 'retry-after': '1' } } : { status: 200 },
    );
    await using sink = sinkTo(endpoint.url, { max_in_flight: 1 });
    const start = performance.now();
    await expect(sink.write(batchOf(events(3)), never)).rejects.toMatchObject({ code: 'E_SINK_WRITE' });
    expect(statuses(await sink.write(batchOf(events(3)), never))).toEqual(['ok', 'ok', 'ok']);
    expect(performance.now() - start).toBeGreaterThan(990);
    // e0 was taken before: it is not sent a second time
    expect(endpoint.received.map((r) => r.headers['idempotency-key'])).toEqual([
      'shop:e0',
      'shop:e1',
      'shop:e1',
      'shop:e2',
    ]);
  });

  test('an outage in the middle of a batch throws, and what was taken is not sent again in the same run', async () => {
    let down = true;
    await using endpoint = await anEndpoint((r) => ({
      status: down && rows(r).some((row) => row.id >= 4) ? 503 : 200,
    }));
    for (const shape of ['single', 'array'] as const) {
      down = true;
      endpoint.received.length = 0;
      await using sink = sinkTo(endpoint.url, { batch: shape, max_in_flight: 1, max_events: 2 });
      await expect(sink.write(batchOf(events(6)), never)).rejects.toMatchObject({ code: 'E_SINK_WRITE' });
      down = false;
      expect(statuses(await sink.write(batchOf(events(6)), never))).toEqual(new Array(6).fill('ok'));
      const ids = endpoint.received.flatMap(rows).map((row) => row.id);
      expect(ids).toEqual(shape === 'single' ? [0, 1, 2, 3, 4, 4, 5] : [0, 1, 2, 3, 4, 5, 4, 5]);
      // later events of the same ids are other events: nothing is remembered beyond the batch
      await sink.write(batchOf(events(1)), never);
      expect(endpoint.received.at(-1)!.headers['idempotency-key']).toBe('shop:e0');
    }
  });

  test('nobody listens, no answer in time, a connection that is cut: each says so in words, without an address', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    await using nobody = sinkTo(`http://127.0.0.1:${port}/`);
    const refused = await nobody.write(batchOf(events(2)), never).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'E_SINK_CONNECT', message: 'the endpoint refuses connections' });
    expect(codesOf(refused)).toContain('ECONNREFUSED');
    expect(JSON.stringify(refused)).not.toContain(String(port));

    await using silent = await anEndpoint(() => null);
    await using patient = sinkTo(silent.url, { timeout: 50 });
    await expect(patient.write(batchOf(events(1)), never)).rejects.toMatchObject({
      code: 'E_SINK_CONNECT',
      message: 'the endpoint did not answer within `timeout`',
    });

    await using cutting = await anEndpoint((_r, _n, response) => {
      response.socket!.destroy();
      return null;
    });
    await using cut = sinkTo(cutting.url);
    await expect(cut.write(batchOf(events(1)), never)).rejects.toMatchObject({
      message: 'the endpoint closed the connection',
    });
  });

  test('an answer that begins and never ends is cut off by the time-out as well', async () => {
    await using endpoint = await anEndpoint((_r, _n, response) => {
      response.writeHead(200);
      response.write('{');
      return null;
    });
    await using sink = sinkTo(endpoint.url, { timeout: 50 });
    await expect(sink.write(batchOf(events(1)), never)).rejects.toMatchObject({ code: 'E_SINK_CONNECT' });
  });

  test('an abort ends the requests under way and the wait that the endpoint asked for', async () => {
    for (const shape of ['single', 'array'] as const) {
      const stop = new AbortController();
      await using endpoint = await anEndpoint(() => {
        stop.abort();
        return null;
      });
      await using sink = sinkTo(endpoint.url, { batch: shape, timeout: 60_000 });
      await expect(sink.write(batchOf(events(20)), stop.signal)).rejects.toMatchObject({ code: 'E_SINK_WRITE' });
      expect(endpoint.received.length).toBeLessThanOrEqual(4);
    }
    await using busy = await anEndpoint(() => ({ status: 429, headers: { 'retry-after': '3000' } }));
    await using sink = sinkTo(busy.url);
    await sink.write(batchOf(events(1)), never);
    const stop = new AbortController();
    const waiting = sink.write(batchOf(events(1)), stop.signal);
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'E_SINK_WRITE' });
    expect(busy.received).toHaveLength(1);
  });

  test('a kept connection that the endpoint closes as it is used again is no outage', async () => {
    await using endpoint = await anEndpoint((_r, n, response) => {
      if (n !== 1) return { status: 200 };
      response.socket!.destroy(); // the connection of the first request: closed while idle, as seen from the client
      return null;
    });
    await using sink = sinkTo(endpoint.url, { max_in_flight: 1 });
    expect(statuses(await sink.write(batchOf([event(0)]), never))).toEqual(['ok']);
    expect(statuses(await sink.write(batchOf([event(1)]), never))).toEqual(['ok']);
    expect(endpoint.received.map((r) => r.headers['idempotency-key'])).toEqual(['shop:e0', 'shop:e1', 'shop:e1']);
    expect(endpoint.connections()).toBe(2);
  });
});

describe('an event that will never fit', () => {
  test('a 4xx on one event is its reject, with the words of the endpoint; the others pass', async () => {
    await using endpoint = await anEndpoint((r) =>
      rows(r)[0]!.id === 1 ? { status: 422, body: '{"why":"no \u0007total"}' } : { status: 200 },
    );
    await using sink = sinkTo(endpoint.url);
    const results = await sink.write(batchOf(events(3)), never);
    expect(statuses(results)).toEqual(['ok', 'reject', 'ok']);
    expect(results[1]).toMatchObject({
      error: { code: 'E_SINK_REJECT', message: 'the endpoint answered 422: {"why":"no total"}' },
    });
  });

  test('a 4xx on many is narrowed: each is sent alone, and only those at fault are rejected', async () => {
    for (const shape of ['array', 'ndjson'] as const) {
      await using endpoint = await anEndpoint((r) => ({
        status: rows(r).some((row) => row.id === 2 || row.id === 5) ? 400 : 200,
      }));
      await using sink = sinkTo(endpoint.url, { batch: shape, max_events: 4 });
      const later = event(2, { id: 'later', op: 'u', before: null, after: { id: 2, name: 'x' } });
      const results = await sink.write(batchOf([...events(6), later]), never);
      expect(statuses(results)).toEqual(['ok', 'ok', 'reject', 'ok', 'ok', 'reject', 'held']);
      // first the four, then each of them; then two and `later`, which is held back before it is sent
      expect(endpoint.received.map((r) => rows(r).map((row) => row.id))).toEqual([
        [0, 1, 2, 3],
        [0],
        [1],
        [2],
        [3],
        [4, 5],
        [4],
        [5],
      ]);
      expect(endpoint.received[1]!.headers['idempotency-key']).toBe('shop:e0');
    }
  });

  test('an outage while narrowing throws like any other', async () => {
    await using endpoint = await anEndpoint((_, n) => ({ status: n === 0 ? 400 : n === 2 ? 503 : 200 }));
    await using sink = sinkTo(endpoint.url, { batch: 'array' });
    await expect(sink.write(batchOf(events(4)), never)).rejects.toMatchObject({ message: 'the endpoint answered 503' });
    expect(endpoint.received).toHaveLength(3);
  });

  test('`results` in the answer are taken for each event, and an event taken ahead of an earlier one of its key is held', async () => {
    const results = [
      { status: 'ok' },
      { status: 'retry', error: 'locked' },
      { status: 'ok' },
      { status: 'reject', error: { message: 'no such customer' } },
    ];
    for (const status of [200, 207, 422]) {
      await using endpoint = await anEndpoint(() => ({
        status,
        headers: { 'retry-after': '2' },
        body: JSON.stringify({ results }),
      }));
      await using sink = sinkTo(endpoint.url, { batch: 'array' });
      const batch = batchOf([event(0), event(1), event(1, { id: 'e1b' }), event(3)]);
      expect(await sink.write(batch, never)).toMatchObject([
        { status: 'ok' },
        {
          status: 'retry',
          retryAfterMs: 2000,
          error: { message: 'the endpoint asks to send the event again: locked' },
        },
        { status: 'held' },
        { status: 'reject', error: { message: 'the endpoint refused the event: no such customer' } },
      ]);
      expect(endpoint.received).toHaveLength(1);
    }
  });

  test('`results` of another length are believed for nobody; `results` of somebody else’s shape are none of ours', async () => {
    await using wrong = await anEndpoint(() => ({ status: 200, body: '{"results":[{"status":"ok"}]}' }));
    await using sink = sinkTo(wrong.url, { batch: 'array' });
    await expect(sink.write(batchOf(events(2)), never)).rejects.toMatchObject({ code: 'E_SINK_RESULTS' });
    for (const body of [
      '{"results":[1,2,3]}',
      '{"results":[{"status":"created"}]}',
      '{"results":{}}',
      '[]',
      '{',
      'OK',
    ]) {
      await using other = await anEndpoint(() => ({ status: 200, body }));
      await using fine = sinkTo(other.url, { batch: 'array' });
      expect(statuses(await fine.write(batchOf(events(2)), never))).toEqual(['ok', 'ok']);
    }
  });

  test('`success_codes` decide what is taken, and another 2xx is then no success', async () => {
    await using endpoint = await anEndpoint((_, n) => ({ status: n === 0 ? 409 : 202 }));
    await using sink = sinkTo(endpoint.url, { success_codes: [200, 409] });
    expect(statuses(await sink.write(batchOf(events(1)), never))).toEqual(['ok']);
    await expect(sink.write(batchOf(events(1)), never)).rejects.toMatchObject({ message: 'the endpoint answered 202' });
  });

  test('a row that is no JSON is refused by the endpoint like any other, and never taken for an outage', async () => {
    const texts = ['{"id":0}', '{"id":}', '{"id":2}', '{"id":3}'];
    const batch = batchOfText({
      length: 4,
      bytes: 40,
      typed: false,
      readAt: 0,
      id: (i) => `${i}`,
      op: () => 'c',
      key: (i) => ({ id: i }),
      source: () => source,
      before: () => null,
      after: (i) => texts[i]!,
    });
    const reply = (r: Received): { status: number } => {
      try {
        rows(r);
        return { status: 200 };
      } catch {
        return { status: 400 };
      }
    };
    for (const shape of ['single', 'array', 'ndjson'] as const) {
      await using endpoint = await anEndpoint(reply);
      await using sink = sinkTo(endpoint.url, { batch: shape });
      const results = statuses(await sink.write(batch, never));
      expect(results[1]).toBe('reject');
      expect(results.filter((status) => status === 'ok').length).toBeGreaterThan(0);
      expect(results).not.toContain('retry');
    }
  });
});

test('requests side by side keep the order of each key, whatever the endpoint answers and however long it takes', async () => {
  const step = fc.record({
    key: fc.integer({ min: 0, max: 4 }),
    op: fc.constantFrom<ChangeEvent['op']>('u', 'u', 'u', 'u', 't', 'm'),
    moveTo: fc.option(fc.integer({ min: 0, max: 4 }), { freq: 5 }),
    table: fc.constantFrom('a', 'b'),
    reply: fc.constantFrom(200, 200, 200, 200, 400),
    turns: fc.nat(6),
  });
  let most = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 6 }), async (steps, width) => {
      const batch = batchOf(
        steps.map((s, i) => {
          const base = { id: String(i), source: { ...source, table: s.table }, ts_ms: 0 };
          if (s.op !== 'u') return { ...base, op: s.op, key: null, before: null, after: { i } };
          const id = s.moveTo ?? s.key;
          return { ...base, op: 'u' as const, key: { id }, before: { id: s.key, i: 0 }, after: { id, i } };
        }),
      );
      let now = 0;
      const begun = new Map<number, number>();
      const ended = new Map<number, number>();
      let tick = 0;
      await using endpoint = await anEndpoint(async (r) => {
        const i = Number((JSON.parse(r.body) as ChangeEvent).id);
        begun.set(i, tick++);
        most = Math.max(most, ++now);
        expect(now).toBeLessThanOrEqual(width);
        for (let turn = 0; turn < steps[i]!.turns; turn++) await new Promise((resolve) => setImmediate(resolve));
        now--;
        ended.set(i, tick++);
        return { status: steps[i]!.reply };
      });
      await using sink = sinkTo(endpoint.url, { format: 'event', max_in_flight: width });
      const results = statuses(await sink.write(batch, never));
      const conflict = (i: number, j: number): boolean => {
        if (steps[i]!.table !== steps[j]!.table) return false;
        const a = keyTexts(batch, i, undefined);
        const b = keyTexts(batch, j, undefined);
        return a === null || b === null || a.some((key) => b.includes(key));
      };
      for (let j = 0; j < steps.length; j++) {
        const earlier = Array.from({ length: j }, (_, i) => i).filter((i) => conflict(i, j));
        const blocked = earlier.some((i) => results[i] !== 'ok');
        expect(results[j]).toBe(blocked ? 'held' : steps[j]!.reply === 200 ? 'ok' : 'reject');
        expect(begun.has(j)).toBe(!blocked);
        if (!blocked) for (const i of earlier) expect(ended.get(i)!).toBeLessThan(begun.get(j)!);
      }
    }),
    { numRuns: 60 },
  );
  expect(most).toBeGreaterThan(1); // they did run side by side
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
