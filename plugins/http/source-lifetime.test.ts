// The webhook over time: back-pressure, reading again after an error, and the end.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import type { Context } from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import { aWebhook, defaults, type Item, idsOf, post, turns } from './a-webhook.ts';
import type { WebhookPosition } from './holding.ts';
import plugin from './index.ts';

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
    const never = await post(hook.url, JSON.stringify({ text: 'x'.repeat(1000) })); // room for it will never be free
    expect([never.status, await never.json()]).toEqual([413, { error: 'the body is larger than max_buffer' }]);
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
