import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { batchOf, type ChangeEvent, type Context, envelopeText, type Source, type SourceItem } from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import { inAChild } from '../in-a-child.ts';
import type { SourceConfig } from './config.ts';
import type { WebhookPosition } from './holding.ts';
import plugin from './index.ts';
import { httpSink } from './sink.ts';
import { webhookSource } from './source.ts';

const defaults: SourceConfig = {
  host: '127.0.0.1',
  port: 0,
  path: '/in',
  format: 'row',
  table: 'events',
  numbers: 'exact',
  max_body: 1024 * 1024,
  max_waiting: 100,
  max_buffer: 64 * 1024 * 1024,
};

type Item = SourceItem<WebhookPosition> & { readonly position: WebhookPosition };

interface Webhook extends AsyncDisposable {
  readonly url: string;
  readonly source: Source<WebhookPosition>;
  readonly logged: unknown[];
  /** The next batch; acked only by ack(). */
  next(): Promise<Item>;
  ack(item: Item): Promise<void>;
  /** Acks every batch as it comes, until the read is stopped; gives what came. */
  ackAll(): { readonly items: Item[]; readonly done: Promise<void> };
  /** Ends the read; another one begins with next(). */
  stop(): Promise<void>;
  readAgain(from: WebhookPosition | null): void;
}

async function aWebhook(
  config: Partial<SourceConfig> = {},
  from: WebhookPosition | null = null,
  limits: Partial<Context['batch']> = {},
): Promise<Webhook> {
  const logged: unknown[] = [];
  let listens = (_port: number): void => undefined;
  const listening = new Promise<number>((resolve) => (listens = resolve));
  const log = (fields: object, message: string): void => {
    logged.push([fields, message]);
    if ('port' in fields) listens(fields.port as number);
  };
  const source = webhookSource(
    { ...defaults, ...config },
    {
      stream: 'shop',
      log: { debug: log, info: log, warn: log, error: log },
      signal: new AbortController().signal,
      batch: { maxEvents: 1000, maxBytes: 1024 * 1024, maxWait: 50, respectSourceTx: true, ...limits },
      auth: null,
      tap: false,
    },
  );
  let stopper = new AbortController();
  let iterator = source.read(from, stopper.signal)[Symbol.asyncIterator]();
  let pending: Promise<IteratorResult<SourceItem<WebhookPosition>>> | null = iterator.next();
  const path = config.path ?? defaults.path;
  const port = await Promise.race([
    listening,
    pending.then(
      () => 0,
      (error: unknown) => {
        throw error;
      },
    ),
  ]);
  const self: Webhook = {
    url: `http://127.0.0.1:${port}${path}`,
    source,
    logged,
    async next() {
      const result = await (pending ?? iterator.next());
      pending = null;
      if (result.done === true) throw new Error('the read has ended');
      return result.value as Item;
    },
    ack: (item) => source.ack(item.position),
    ackAll() {
      const items: Item[] = [];
      const done = (async () => {
        for (;;) {
          const result = await (pending ?? iterator.next());
          pending = null;
          if (result.done === true) return;
          items.push(result.value as Item);
          await source.ack((result.value as Item).position);
        }
      })();
      return { items, done };
    },
    async stop() {
      stopper.abort();
      await pending?.catch(() => undefined);
      pending = null;
      await iterator.return?.();
    },
    readAgain(position) {
      stopper = new AbortController();
      iterator = source.read(position, stopper.signal)[Symbol.asyncIterator]();
      pending = iterator.next();
      pending.catch(() => undefined);
    },
    async [Symbol.asyncDispose]() {
      await self.stop();
      await source[Symbol.asyncDispose]();
    },
  };
  return self;
}

const post = (
  url: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<Response> => fetch(url, { method: 'POST', body, headers });
const idsOf = (item: Item): string[] => Array.from({ length: item.batch.length }, (_, i) => item.batch.id(i));
const turns = async (n = 30): Promise<void> => {
  for (let turn = 0; turn < n; turn++) await new Promise((resolve) => setImmediate(resolve));
};

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

describe('back-pressure', () => {
  test('more requests than may wait are told to come again, and when they do there is room', async () => {
    await using hook = await aWebhook({ max_waiting: 3 });
    const first = [1, 2, 3].map((id) => post(hook.url, JSON.stringify({ id })));
    let taken = 0;
    const items: Item[] = [];
    while (taken < 3) {
      const item = await hook.next();
      items.push(item);
      taken += item.batch.length;
    }
    const fourth = await post(hook.url, '{"id":4}');
    expect([fourth.status, fourth.headers.get('retry-after')]).toEqual([503, '1']);
    for (const item of items) await hook.ack(item);
    expect((await Promise.all(first)).map((response) => response.status)).toEqual([202, 202, 202]);
    const { items: more } = hook.ackAll();
    expect((await post(hook.url, '{"id":4}')).status).toBe(202);
    expect(more).toHaveLength(1);
  });

  test('more bytes than may wait are told to come again, and are free again after the ack', async () => {
    await using hook = await aWebhook({ max_buffer: 1000 });
    const big = JSON.stringify({ text: 'x'.repeat(700) });
    const first = post(hook.url, big);
    const item = await hook.next();
    expect((await post(hook.url, big)).status).toBe(503);
    await hook.ack(item);
    expect((await first).status).toBe(202);
    const { items } = hook.ackAll();
    for (let n = 0; n < 5; n++) expect((await post(hook.url, big)).status).toBe(202); // room is given back every time
    expect(items).toHaveLength(5);
  });

  test('a sender that hangs up in the middle of its body takes no room', async () => {
    await using hook = await aWebhook({ max_waiting: 1 });
    const { items } = hook.ackAll();
    for (let n = 0; n < 3; n++) {
      const socket = connect(Number(new URL(hook.url).port), '127.0.0.1');
      await once(socket, 'connect');
      const head = 'POST /in HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 50\r\n\r\n';
      socket.write(head);
      await once(socket, 'data'); // 100 continue: it is inside
      socket.write('{"id":');
      socket.destroy();
      await once(socket, 'close');
      for (;;) {
        const response = await post(hook.url, `{"id":${n}}`);
        if (response.status === 202) break;
        expect(response.status).toBe(503); // until the server has seen the end of the other
      }
    }
    expect(items.map((item) => item.batch.after(0))).toEqual(['{"id":0}', '{"id":1}', '{"id":2}']);
  });

  test('a large request is cut into batches, and answered after the last of them is acked', async () => {
    await using hook = await aWebhook({}, null, { maxEvents: 4 });
    let answered = false;
    const answer = post(hook.url, JSON.stringify(Array.from({ length: 10 }, (_, id) => ({ id })))).finally(() => {
      answered = true;
    });
    const sizes: number[] = [];
    for (let n = 0; n < 3; n++) {
      await turns();
      expect(answered).toBe(false);
      const item = await hook.next();
      sizes.push(item.batch.length);
      await hook.ack(item);
    }
    expect(sizes).toEqual([4, 4, 2]);
    expect((await answer).status).toBe(202);
  });
});

describe('reading again', () => {
  test('gives what is not acked once more, with the same ids in the same order, and what came meanwhile after it', async () => {
    await using hook = await aWebhook({}, null, { maxEvents: 2 });
    const answers = [post(hook.url, '[{"id":1},{"id":2},{"id":3}]', { 'idempotency-key': 'a' })];
    const first = await hook.next();
    await hook.ack(first);
    const second = await hook.next();
    expect(second.batch.length).toBe(1);
    answers.push(post(hook.url, '{"id":4}'));
    const third = await hook.next();
    const position = JSON.parse(JSON.stringify(first.position)) as WebhookPosition;
    await hook.stop();
    hook.readAgain(position);
    const again = await hook.next();
    expect(idsOf(again)).toEqual([...idsOf(second), ...idsOf(third)]);
    expect(again.batch.after(1)).toBe('{"id":4}');
    await hook.ack(again);
    expect((await Promise.all(answers)).map((response) => response.status)).toEqual([202, 202]);
  });

  test('a request that comes while nobody reads is told to come again', async () => {
    await using hook = await aWebhook();
    await hook.stop();
    expect((await post(hook.url, '{"id":1}')).status).toBe(503);
    hook.readAgain(null);
    const { items } = hook.ackAll();
    expect((await post(hook.url, '{"id":1}')).status).toBe(202);
    expect(items).toHaveLength(1);
  });

  test('numbers go on where the checkpoint was, and names without a key of the sender are never used twice', async () => {
    const ids: string[] = [];
    for (let run = 0; run < 2; run++) {
      await using hook = await aWebhook({}, { n: 41, at: 5 });
      const { items } = hook.ackAll();
      await post(hook.url, '{"id":1}');
      expect(items[0]!.position.n).toBe(42);
      ids.push(...items.flatMap(idsOf));
    }
    expect(ids[0]).toMatch(/^[0-9a-f]{12}:41$/);
    expect(ids[0]).not.toBe(ids[1]);
  });

  test('a request that its sender sends again while it waits is taken once and answered twice', async () => {
    await using hook = await aWebhook();
    const key = { 'idempotency-key': 'order-7' };
    const one = post(hook.url, '{"id":7}', key);
    const item = await hook.next();
    const two = post(hook.url, '{"id":7}', key);
    const other = await post(hook.url, '{"id":8}', key);
    expect(other.status).toBe(422);
    await hook.ack(item);
    expect([(await one).status, (await two).status]).toEqual([202, 202]);
    const { items } = hook.ackAll();
    expect((await post(hook.url, '{"id":9}', key)).status).toBe(202); // nothing is remembered after the ack
    expect(items.map((i) => i.batch.after(0))).toEqual(['{"id":9}']);
  });
});

describe('the end', () => {
  test('an abort ends the read at once, and what was read can still be acked and answered', async () => {
    await using hook = await aWebhook();
    const answer = post(hook.url, '{"id":1}');
    const item = await hook.next();
    await hook.stop();
    await hook.ack(item); // the drain: checkpoint, then ack
    expect((await answer).status).toBe(202);
  });

  test('what is not acked at the end is answered 503, so that its sender sends it again, and the port is free', async () => {
    const hook = await aWebhook();
    const { port } = new URL(hook.url);
    const answers = [post(hook.url, '{"id":1}'), post(hook.url, '{"id":2}', { 'idempotency-key': 'x' })];
    for (let seen = 0; seen < 2; ) seen += (await hook.next()).batch.length;
    await hook[Symbol.asyncDispose]();
    for (const answer of answers) {
      const response = await answer;
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    }
    const again = createServer().listen(Number(port), '127.0.0.1');
    await once(again, 'listening');
    await new Promise((resolve) => again.close(resolve));
  });

  test('a sender that never reads its answer does not hold the end up', async () => {
    const hook = await aWebhook();
    const socket = connect(Number(new URL(hook.url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.pause();
    socket.write('POST /in HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 50\r\n\r\n{"id":');
    await turns();
    const start = performance.now();
    await hook[Symbol.asyncDispose]();
    expect(performance.now() - start).toBeLessThan(4000);
    socket.destroy();
  });

  test('a port that is taken is one clear error, for check as well', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const check = (): Promise<readonly { ok: boolean; message: string }[]> =>
      plugin.source!.check!({ ...defaults, port } as never, {} as Context);
    await expect(aWebhook({ port })).rejects.toMatchObject({ code: 'E_PORT', message: 'the port is taken' });
    expect(await check()).toMatchObject([{ ok: false, message: 'the port is taken' }]);
    await new Promise((resolve) => other.close(resolve));
    expect(await check()).toMatchObject([{ ok: true }]);
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

test('a process killed at any moment loses nothing that was answered 202', { timeout: 120_000 }, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-http-'));
  const file = join(dir, 'kept.ndjson');
  // Does what the engine does: writes the batch, makes it durable together with the position, and only then acks.
  const script = `
    import { openSync, writeSync, fsyncSync, readFileSync } from 'node:fs';
    const { default: plugin } = await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)});
    const file = process.argv.at(-1);
    const out = openSync(file, 'a');
    const saved = readFileSync(file, 'utf8').split('\\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
    const from = saved.length === 0 ? null : JSON.parse(saved.at(-1)).position;
    const log = (fields) => console.log(JSON.stringify(fields));
    const source = await plugin.source.create(${JSON.stringify(defaults)}, {
      stream: 's', log: { debug: log, info: log, warn: log, error: log }, signal: new AbortController().signal,
      batch: { maxEvents: 5, maxBytes: 1e6, maxWait: 50, respectSourceTx: true }, auth: null, tap: false });
    for await (const { batch, position } of source.read(from, new AbortController().signal)) {
      const rows = Array.from({ length: batch.length }, (_, i) => [batch.id(i), JSON.parse(batch.after(i)).id]);
      await new Promise((resolve) => setImmediate(resolve));
      writeSync(out, JSON.stringify({ rows, position }) + '\\n');
      fsyncSync(out);
      await source.ack(position);
    }`;
  const answered = new Set<number>();
  let next = 0;
  let open: number[] = []; // not answered 202 yet: sent again under the same key
  try {
    for (let life = 0; life < 8; life++) {
      const child = inAChild(script, [file]);
      const exited = once(child, 'close');
      const [line] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string];
      const url = `http://127.0.0.1:${(JSON.parse(line) as { port: number }).port}/in`;
      while (open.length < 40) open.push(next++);
      const killAfter = 3 + ((life * 7) % 20);
      let seen = 0;
      await Promise.all(
        open.map(async (id) => {
          const response = await post(url, JSON.stringify({ id }), { 'idempotency-key': `k${id}` }).catch(() => null);
          if (response?.status !== 202) return;
          answered.add(id);
          if (++seen === killAfter) child.kill('SIGKILL');
        }),
      );
      open = open.filter((id) => !answered.has(id));
      child.kill('SIGKILL');
      await exited;
    }
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    const kept = lines.flatMap((line) => (JSON.parse(line) as { rows: [string, number][] }).rows);
    const keptIds = new Set(kept.map(([, id]) => id));
    expect([...answered].filter((id) => !keptIds.has(id))).toEqual([]);
    for (const [name, id] of kept) expect(name).toBe(`k${id}:0`); // duplicates have one id, so a target can tell them
    expect(answered.size).toBeGreaterThan(30);
    expect(open.length).toBeGreaterThan(0); // the kills did cut requests off
  } finally {
    await rm(dir, { recursive: true });
  }
});
