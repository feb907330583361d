// What an answer of the endpoint means: away, refused, or taken with a word on each event.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { batchOf, batchOfText, codesOf } from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import { anEndpoint, type Received } from './an-endpoint.ts';
import { retryAfter } from './answer.ts';
import { event, events, never, rows, sinkTo, source, statuses } from './sink-for-tests.ts';

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
