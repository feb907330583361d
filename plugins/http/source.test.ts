// What the webhook makes of a request, and whom it lets in: real requests over real connections.

import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { batchOf, type ChangeEvent, type Context, envelopeText } from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import { aWebhook, defaults, idsOf, post, turns } from './a-webhook.ts';
import type { SourceConfig } from './config.ts';
import plugin from './index.ts';
import { httpSink } from './sink.ts';
import { webhookSource } from './source.ts';

describe('a request', () => {
  test('is answered 202 only after its events are acked', async () => {
    await using hook = await aWebhook();
    let answered = false;
    const answer = post(hook.url, '{"id":1}').then((response) => {
      answered = true;
      return response;
    });
    const item = await hook.next();
    await turns();
    expect(answered).toBe(false);
    await hook.ack(item);
    const response = await answer;
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({ events: 1, unreadable: 0 });
  });

  test('with one object, an array or lines becomes rows, in order, as the text that they are', async () => {
    await using hook = await aWebhook({ key: ['id'], table: 'orders' });
    const { items } = hook.ackAll();
    const before = Date.now();
    await post(hook.url, ' {"id": 1, "big": 9007199254740993, "x": 1.0}\n', { 'idempotency-key': 'a' });
    await post(hook.url, '[{"id":2},{"id":3,"big":9007199254740993}]', { 'idempotency-key': 'b' });
    await post(hook.url, '{"id":4}\n\n{"id":5}\r\n', {
      'content-type': 'application/x-ndjson',
      'idempotency-key': 'c',
    });
    await post(hook.url, '{"id":6}\n{"id":7}', { 'content-type': 'application/json', 'idempotency-key': 'd' });
    const batches = items.map((item) => item.batch);
    const texts = batches.flatMap((batch) => Array.from({ length: batch.length }, (_, i) => batch.after(i)));
    expect(texts).toEqual([
      '{"id": 1, "big": 9007199254740993, "x": 1.0}',
      '{"id":2}',
      '{"id":3,"big":9007199254740993}',
      '{"id":4}',
      '{"id":5}',
      '{"id":6}',
      '{"id":7}',
    ]);
    expect(items.flatMap(idsOf)).toEqual(['a:0', 'b:0', 'b:1', 'c:0', 'c:1', 'd:0', 'd:1']);
    expect(batches.every((batch) => !batch.typed)).toBe(true); // so the engine looks at the numbers
    const [first] = batches[0]!.events();
    expect(first).toMatchObject({
      op: 'c',
      key: { id: 1 },
      before: null,
      source: { plugin: 'http', stream: 'shop', table: 'orders', snapshot: false },
    });
    expect(first!.source.ts_ms).toBeGreaterThanOrEqual(before);
    expect(items.at(-1)!.position).toMatchObject({ n: 7 });
  });

  test('with `format: event` gives change events whole: op, key, old key, both rows as text, source', async () => {
    await using hook = await aWebhook({ format: 'event' });
    const source = {
      plugin: 'postgres',
      stream: 'far',
      db: 'shop',
      schema: 'public',
      table: 't',
      snapshot: false,
      ts_ms: 77,
    };
    const events = [
      { id: 'own-1', op: 'u', key: { id: 2 }, before: { id: 1, n: 9007199254740993n }, after: { id: 2 }, source },
      { op: 'd', key: { id: 2 }, before: { id: 2 }, after: null, source },
      { op: 'x' },
    ];
    const body = JSON.stringify(events, (_, v: unknown) => (typeof v === 'bigint' ? `#${v}` : v)).replace(
      /"#(\d+)"/,
      '$1',
    );
    const answer = post(hook.url, body, { 'idempotency-key': 'k' });
    const item = await hook.next();
    await hook.ack(item);
    expect(await (await answer).json()).toEqual({ events: 3, unreadable: 1 });
    const { batch } = item;
    expect(idsOf(item)).toEqual(['own-1', 'k:1', 'k:2']);
    expect([batch.op(0), batch.key(0), batch.oldKey(0), batch.table(0), batch.ts(0)]).toEqual([
      'u',
      { id: 2 },
      { id: 1 },
      'public.t',
      77,
    ]);
    expect(batch.before(0)).toBe('{"id":1,"n":9007199254740993}');
    expect([batch.wholeBefore(0), batch.wholeBefore(1), batch.after(1)]).toEqual([true, false, null]);
    expect(batch.unreadable!.get(2)).toMatchObject({ raw: '{"op":"x"}', error: { code: 'E_EVENT_SHAPE' } });
  });

  test('is refused with the reason, and nothing of it is taken', async () => {
    await using hook = await aWebhook({ max_body: 100 });
    const { items } = hook.ackAll();
    const status = async (response: Promise<Response>): Promise<unknown> => {
      const answer = await response;
      return [answer.status, ((await answer.json()) as { error: string }).error];
    };
    expect(await status(post(hook.url, '{"id":'))).toEqual([400, expect.stringMatching(/^the body is no JSON/)]);
    expect(await status(post(hook.url, '{\n"id":'))).toEqual([400, expect.stringMatching(/^the body is no JSON/)]);
    expect(await status(post(hook.url, ' '))).toEqual([400, 'the body is empty']);
    expect(await status(post(hook.url, '42'))).toEqual([400, 'the body is neither an object nor an array of objects']);
    expect(await status(post(hook.url, new Uint8Array([0x7b, 0xff, 0x7d])))).toEqual([400, 'the body is no UTF-8']);
    expect(await status(post(hook.url, '{}', { 'idempotency-key': 'x'.repeat(257) }))).toEqual([
      400,
      'the idempotency-key is longer than 256 characters',
    ]);
    expect(await status(post(`${hook.url}x`, '{}'))).toEqual([404, 'no such path']);
    expect(await status(fetch(hook.url))).toEqual([405, 'use POST']);
    expect((await fetch(hook.url)).headers.get('allow')).toBe('POST, PUT');
    expect(await status(post(hook.url, '{}', { 'content-encoding': 'gzip' }))).toEqual([
      415,
      'send the body without content-encoding',
    ]);
    expect(await status(post(hook.url, JSON.stringify({ text: 'x'.repeat(100) })))).toEqual([
      413,
      'the body is larger than max_body',
    ]);
    const endless = new ReadableStream({
      pull(controller) {
        controller.enqueue(new TextEncoder().encode('x'.repeat(60)));
      },
    });
    const tooMuch = fetch(hook.url, { method: 'POST', body: endless, duplex: 'half' } as RequestInit);
    expect((await tooMuch).status).toBe(413);
    expect((await post(hook.url, '[]')).status).toBe(202); // nothing to keep, so nothing to wait for
    expect((await post(hook.url, '{"id":1}')).status).toBe(202);
    expect(items.flatMap(idsOf)).toHaveLength(1);
  });

  test('with a bad line has that line as an event that cannot be read, in its place; the others pass', async () => {
    await using hook = await aWebhook({ key: ['id'] });
    const lines = Buffer.concat([
      Buffer.from('{"id":1}\n{"id":2\n[3]\n'),
      Buffer.from([0x7b, 0xff, 0x0a]),
      Buffer.from('{"no":"key"}\n{"id":9007199254740993}\n{"id":6}\n'),
    ]);
    const answer = post(hook.url, lines, { 'content-type': 'application/x-ndjson', 'idempotency-key': 'r' });
    const item = await hook.next();
    await hook.ack(item);
    expect(await (await answer).json()).toEqual({ events: 7, unreadable: 5 });
    expect(idsOf(item)).toEqual(['r:0', 'r:1', 'r:2', 'r:3', 'r:4', 'r:5', 'r:6']);
    const seen = [...item.batch.unreadable!].map(([i, u]) => [i, u.id, u.error.code, u.error.at?.line, u.raw]);
    expect(seen).toEqual([
      [1, 'r:1', 'E_EVENT_PARSE', 2, '{"id":2'],
      [2, 'r:2', 'E_EVENT_PARSE', 3, '[3]'],
      [3, 'r:3', 'E_EVENT_ENCODING', 4, 'base64:e/8='],
      [4, 'r:4', 'E_EVENT_SHAPE', 5, '{"no":"key"}'],
      [5, 'r:5', 'E_EVENT_NUMBER', 6, '{"id":9007199254740993}'],
    ]);
    expect([item.batch.after(0), item.batch.after(6)]).toEqual(['{"id":1}', '{"id":6}']);
  });

  test('keeps every number of an array as it is, in any place', async () => {
    await using hook = await aWebhook();
    const { items } = hook.ackAll();
    const number = fc.oneof(
      fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map(String),
      fc.tuple(fc.integer(), fc.bigInt({ min: 0n, max: 10n ** 25n })).map(([a, b]) => `${a}.${b}1`),
      fc.constantFrom('1e400', '-1e999', '0.1', '12345678901234567890e5'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(number, { minLength: 1, maxLength: 8 }), async (numbers) => {
        items.length = 0;
        const response = await post(hook.url, `[${numbers.map((n) => `{"a":[${n}],"s":"${n}"}`).join(', ')}]`);
        expect(response.status).toBe(202);
        const [item] = items;
        numbers.forEach((n, i) => {
          const text = item!.batch.after(i)!;
          const written = /"a":\[([^\]]*)\]/.exec(text)![1]!;
          if (written !== n) {
            expect(Number(written)).toBe(Number(n)); // another spelling of the same double
            expect(n.replace(/\D/g, '').replace(/^0+|0+$/g, '').length).toBeLessThanOrEqual(17);
          }
        });
      }),
      { numRuns: 80 },
    );
  });
});

describe('the secret', () => {
  const secret = 'top-5ecret-words';
  const sign = (body: string, key = secret): string => `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;

  test('lets in who sends it or signs with it, and nobody else', async () => {
    await using hook = await aWebhook({ secret });
    const { items } = hook.ackAll();
    const body = '{"id":1,"ü":"ß"}';
    const good = [
      { 'x-sluice-secret': secret },
      { 'x-signature': sign(body) },
      { 'x-signature': sign(body).slice(7).toUpperCase() },
    ];
    for (const headers of good)
      expect((await post(hook.url, body, headers as Record<string, string>)).status).toBe(202);
    const bad = [
      {},
      { 'x-sluice-secret': 'top-5ecret-wordz' },
      { 'x-sluice-secret': `${secret}x` },
      { 'x-sluice-secret': '' },
      { 'x-signature': sign('{"id":2}') },
      { 'x-signature': sign(body, 'other') },
      { 'x-signature': '' },
      { 'x-sluice-secret': 'wrong-one', 'x-signature': sign(body) },
    ];
    for (const headers of bad) {
      const response = await post(hook.url, body, headers as Record<string, string>);
      expect(response.status).toBe(401);
      expect(await response.text()).not.toContain('5ecret');
    }
    expect(items).toHaveLength(3);
    expect(JSON.stringify(hook.logged)).not.toContain('5ecret');
  });

  test('is needed to listen beyond this machine, and a tap is refused by name', async () => {
    await expect(aWebhook({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'E_CONFIG_INVALID', permanent: true });
    await using open = await aWebhook({ host: '0.0.0.0', secret });
    expect((await post(open.url, '{}')).status).toBe(401);
    const tapped = { tap: true, batch: {} } as unknown as Context;
    expect(() => webhookSource(defaults, tapped)).toThrow(expect.objectContaining({ code: 'E_SOURCE_TAP' }) as Error);
  });
});

test('our own sink and webhook fit together: every event comes through whole, once, in order', async () => {
  for (const batch of ['single', 'array', 'ndjson'] as const) {
    await using hook = await aWebhook({ format: 'event' });
    const { items } = hook.ackAll();
    const sink = httpSink(
      {
        url: hook.url,
        method: 'POST',
        format: 'event',
        batch,
        max_events: 7,
        max_bytes: 1e6,
        max_in_flight: 1,
        timeout: 9000,
      },
      { stream: 'far', auth: null },
    );
    const source = { plugin: 'test', stream: 'far', db: '', table: 't', snapshot: false, ts_ms: 3 };
    const events: ChangeEvent[] = Array.from({ length: 20 }, (_, i) => ({
      id: `p/${i}`,
      op: 'u',
      key: { id: i },
      before: { id: i, big: '9007199254740993' },
      after: { id: i, text: 'ß\n"' },
      source,
      ts_ms: 0,
    }));
    const sent = batchOf(events);
    expect((await sink.write(sent, new AbortController().signal)).every((result) => result.status === 'ok')).toBe(true);
    const came = items.flatMap(({ batch: b }) =>
      Array.from({ length: b.length }, (_, i) => JSON.parse(envelopeText(b, i)) as unknown),
    );
    expect(came).toEqual(Array.from({ length: 20 }, (_, i) => JSON.parse(envelopeText(sent, i)) as unknown));
    await sink[Symbol.asyncDispose]();
  }
});

test('the places are the URLs that a sink on this machine would use', () => {
  const places = (config: Partial<SourceConfig>): unknown => plugin.source!.place!({ ...defaults, ...config } as never);
  expect(places({ port: 8080 })).toEqual([
    'http://127.0.0.1:8080/in',
    'http://localhost:8080/in',
    'http://[::1]:8080/in',
  ]);
  expect(places({ port: 80, host: 'h.example' })).toEqual(['http://h.example/in']);
  expect(places({ port: 0 })).toBeUndefined();
  expect(places({ port: 8080 })).toContain(plugin.sink!.place!({ url: 'http://u:p@localhost:8080/in' } as never));
});
