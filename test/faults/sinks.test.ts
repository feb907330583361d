// Sinks that are away, refuse, or are wrong in themselves: absence waits and loses nothing, a refusal costs one event, and
// one stream's trouble is not another's.

import { rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import {
  expectSum,
  fileToFile,
  javascript,
  ndjson,
  numbered,
  type Pipeline,
  pipeline,
  type StreamShown,
  until,
} from './pipeline.ts';

interface Endpoint extends AsyncDisposable {
  readonly port: number;
  /** The rows of every request that was answered 2xx, in the order of the answers. */
  readonly taken: unknown[];
  readonly asked: () => number;
}

/** An endpoint for single rows; `answer` says what it does with the n-th request, from 1. */
async function endpoint(answer: (n: number, row: { id: number }) => number, port = 0): Promise<Endpoint> {
  let asked = 0;
  const taken: unknown[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString('utf8');
    });
    request.on('end', () => {
      const row = JSON.parse(body) as { id: number };
      const status = answer(++asked, row);
      if (status < 300) taken.push(row);
      response.writeHead(status, status === 429 ? { 'retry-after': '0' } : {}).end(status < 300 ? '' : 'not this one');
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    taken,
    asked: () => asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const toHttp = (port: number, more: object = {}, stream: object = {}): object =>
  fileToFile({
    sinks: [{ id: 'web', type: 'http', url: `http://127.0.0.1:${port}/`, format: 'row', max_in_flight: 1, ...more }],
    stream: { retry_policy: { initial_delay: '10ms', max_delay: '50ms' }, ...stream },
  });

/** A port on which nobody listens: one that the system just gave, and that was closed again. */
async function freePort(): Promise<number> {
  const taken = await endpoint(() => 200);
  const { port } = taken;
  await taken[Symbol.asyncDispose]();
  return port;
}

async function shownWhen(p: Pipeline, what: string, is: (stream: StreamShown) => boolean): Promise<StreamShown> {
  return await until(what, async () => {
    const [stream] = await p.status();
    return stream !== undefined && is(stream) ? stream : null;
  });
}

describe('an HTTP endpoint that', () => {
  it.for([500, 503, 429, 401, 404])(
    'answers %i for a while gets every event in order, once it takes them',
    async (status) => {
      await using web = await endpoint((n) => (n >= 3 && n <= 5 ? status : 200));
      await using p = await pipeline(toHttp(web.port), { 'in.ndjson': ndjson(numbered(6)) });
      const ran = await p.run();
      expect(ran.code, ran.stderr).toBe(0);
      expect(web.taken).toEqual(numbered(6));
      expect(web.asked()).toBe(9);
      expect((await p.status())[0]!.ledger).toMatchObject({ in: 6, delivered: 6, dead_lettered: 0 });
    },
  );

  it('answers 400 for one event gets the others, and the one is a dead letter with the reason', async () => {
    await using web = await endpoint((_, row) => (row.id === 3 ? 400 : 200));
    await using p = await pipeline(toHttp(web.port), { 'in.ndjson': ndjson(numbered(6)) });
    expect((await p.run()).code).toBe(0);
    expect(web.taken).toEqual([1, 2, 4, 5, 6].map((id) => ({ id })));
    expect(await p.letters()).toMatchObject([
      {
        place: { kind: 'sink', id: 'web' },
        error: { code: 'E_SINK_REJECT', message: expect.stringContaining('not this one') },
      },
    ]);
    expect((await p.status())[0]!.ledger).toMatchObject({ in: 6, delivered: 5, dead_lettered: 1 });
  });

  it('refuses an event under `retry` is asked so often, and under `skip` once', async () => {
    await using web = await endpoint((_, row) => (row.id === 2 ? 422 : 200));
    const retry = { error_handling: { on_error: 'retry', max_retries: 2, retry_delay: '5ms' } };
    await using p = await pipeline(toHttp(web.port, retry), { 'in.ndjson': ndjson(numbered(3)) });
    expect((await p.run()).code).toBe(0);
    expect(await p.letters()).toMatchObject([{ attempts: 3 }]);
    expect(web.asked()).toBe(5);
    await using q = await pipeline(toHttp(web.port, { error_handling: { on_error: 'skip' } }), {
      'in.ndjson': ndjson(numbered(3)),
    });
    expect((await q.run()).code).toBe(0);
    expect(await q.letters()).toEqual([]);
    expect((await q.status())[0]!.ledger).toMatchObject({ in: 3, delivered: 2, skipped: 1 });
  });

  it('is not there is waited for, shown as the reason, and gets every event in order when it comes', async () => {
    const port = await freePort();
    await using p = await pipeline(toHttp(port), { 'in.ndjson': ndjson(numbered(50)) });
    const running = p.start(['run', 'sluice.json']);
    const waiting = await shownWhen(p, 'the stream waits', (stream) => stream.state === 'waiting');
    expect(waiting.reason).toMatchObject({ code: expect.stringMatching(/^E_SINK_/), message: expect.any(String) });
    expect(waiting.ledger).toMatchObject({ delivered: 0, dead_lettered: 0, pending: 50 });
    expect(await p.letters()).toEqual([]);
    await using web = await endpoint(() => 200, port);
    const ended = await running.exited;
    expect(ended.code, ended.stderr).toBe(0);
    expect(web.taken).toEqual(numbered(50));
  });

  it('is not there and is stopped waiting for loses nothing: the next run delivers all', async () => {
    const port = await freePort();
    await using p = await pipeline(toHttp(port), { 'in.ndjson': ndjson(numbered(5)) });
    const running = p.start(['run', 'sluice.json']);
    await shownWhen(p, 'the stream waits', (stream) => stream.state === 'waiting');
    expect((await running.kill('SIGTERM')).code).toBe(143);
    expect((await p.status())[0]).toMatchObject({ state: 'stopped', ledger: { in: 0, pending: 0 } });
    await using web = await endpoint(() => 200, port);
    expect((await p.run()).code).toBe(0);
    expect(web.taken).toEqual(numbered(5));
  });

  it('stays away ends the stream after max_attempts, or at once for a permanent code, with its events pending', async () => {
    const port = await freePort();
    for (const policy of [
      { max_attempts: 3, initial_delay: '5ms' },
      { permanent_error_codes: ['ECONNREFUSED'], initial_delay: '1h', max_delay: '1h' },
    ]) {
      await using p = await pipeline(toHttp(port, {}, { retry_policy: policy }), { 'in.ndjson': ndjson(numbered(3)) });
      const ran = await p.run();
      expect([1, 3]).toContain(ran.code);
      expect((await p.status())[0]).toMatchObject({ state: 'failed', ledger: { in: 0 } });
      expect(await p.letters()).toEqual([]);
    }
  });
});

describe('a sink that is not needed and is away', () => {
  it('does not hold the stream: what it misses are letters under its name, and the rest is exact', async () => {
    const port = await freePort();
    const manifest = fileToFile({
      sinks: [
        { id: 'out', type: 'file', path: './out.ndjson' },
        {
          id: 'web',
          type: 'http',
          url: `http://127.0.0.1:${port}/`,
          format: 'row',
          required: false,
          write_timeout: '200ms',
        },
      ],
      stream: { commit_policy: 'required', retry_policy: { initial_delay: '10ms', max_delay: '50ms' } },
    });
    await using p = await pipeline(manifest, { 'in.ndjson': ndjson(numbered(6)) });
    const ran = await p.run();
    expect(ran.code, ran.stderr).toBe(0);
    expect(p.rows('out.ndjson')).toEqual(numbered(6));
    const letters = await p.letters('--place', 'web');
    expect(letters.map((letter) => JSON.parse(letter.event).after)).toEqual(numbered(6));
    const [shown] = await p.status();
    expect(shown!.ledger).toMatchObject({ in: 6, delivered: 6, dead_lettered: 0 });
    expect(shown!.sinks['web']).toMatchObject({ delivered: 0 });
    // when it is back, its letters are replayed to it alone
    await using web = await endpoint(() => 200, port);
    const replayed = await p.replay('--place', 'web');
    expect(replayed.results.map(({ outcome }) => outcome)).toEqual(Array(6).fill('delivered'));
    expect(web.taken).toEqual(numbered(6));
    expect(p.rows('out.ndjson')).toHaveLength(6);
    expect((await p.status())[0]!.ledger).toEqual(shown!.ledger);
  });
});

describe.concurrent('a sink by key', () => {
  const toSqlite = (code: string, more: object = {}): object =>
    fileToFile({
      transformations: [javascript(code)],
      sinks: [{ id: 'db', type: 'sqlite', path: './out.db', ...more }],
    });
  const table = (p: Pipeline): unknown[] => p.query('out.db', 'select * from items order by 1');

  it('refuses two outputs of one event with one key, and takes the others', async () => {
    await using p = await pipeline(toSqlite('export default (row) => row.id === 2 ? [row, { ...row, x: 1 }] : row'), {
      'in.ndjson': ndjson(numbered(3)),
    });
    const ran = await p.run();
    expect(ran.code, ran.stderr).toBe(0);
    expect(table(p)).toMatchObject([{ id: 1 }, { id: 3 }]);
    const letters = await p.letters();
    expect(letters.map(({ error }) => error.code)).toEqual(['E_SINK_DUPLICATE', 'E_SINK_DUPLICATE']);
    expect(letters.map(({ event_id }) => event_id.slice(-2))).toEqual(['/0', '/1']);
    expect((await p.status())[0]!.ledger).toMatchObject({ in: 3, delivered: 2, dead_lettered: 1 });
  });

  it('says exactly that a transform changed the key, or dropped it, where it has no `key`', async () => {
    for (const code of ['({ ...row, id: row.id + 100 })', '({ other: row.id })']) {
      await using p = await pipeline(toSqlite(`export default (row) => row.id === 2 ? ${code} : row`), {
        'in.ndjson': ndjson(numbered(3)),
      });
      expect((await p.run()).code).toBe(0);
      expect(table(p)).toMatchObject([{ id: 1 }, { id: 3 }]);
      expect(await p.letters()).toMatchObject([
        {
          place: { kind: 'sink', id: 'db' },
          error: {
            code: 'E_SINK_KEY',
            message: 'a transform changed or dropped the key column "id", and the sink has no `key`',
            fix: expect.stringContaining('key: [column, …]'),
          },
        },
      ]);
    }
  });

  it('with a `key` of its own takes what the transform made', async () => {
    await using p = await pipeline(toSqlite('export default (row) => ({ sku: "s" + row.id })', { key: ['sku'] }), {
      'in.ndjson': ndjson(numbered(2)),
    });
    expect((await p.run()).code).toBe(0);
    expect(table(p)).toEqual([{ sku: 's1' }, { sku: 's2' }]);
  });
});

describe.concurrent('a file sink', () => {
  it('whose path is a folder is told so, and nothing is lost', async () => {
    await using p = await pipeline(fileToFile({ sinks: [{ id: 'out', type: 'file', path: './folder' }] }), {
      'in.ndjson': ndjson(numbered(3)),
      'folder/keep': '',
    });
    const ran = await p.run();
    expect(ran.code).toBe(3);
    expect(ran.stderr).toMatch(/E_SINK_CONNECT.*folder/);
    p.manifest(fileToFile({}));
    expect((await p.run()).code).toBe(0);
    expect(p.rows('out.ndjson')).toEqual(numbered(3));
  });

  it('beneath a file in place of a folder waits, and goes on when the way is free', async () => {
    await using p = await pipeline(
      fileToFile({
        sinks: [{ id: 'out', type: 'file', path: './way/out.ndjson' }],
        stream: { retry_policy: { initial_delay: '20ms', max_delay: '50ms' } },
      }),
      { 'in.ndjson': ndjson(numbered(3)), way: 'a file' },
    );
    const running = p.start(['run', 'sluice.json']);
    const shown = await shownWhen(p, 'the stream waits', (stream) => stream.state === 'waiting');
    expect(shown.reason).toMatchObject({ code: 'E_SINK_CONNECT', message: 'a part of the path is no folder' });
    rmSync(p.path('way'));
    expect((await running.exited).code).toBe(0);
    expect(p.rows('way/out.ndjson')).toEqual(numbered(3));
  });
});

describe('what fails before the first checkpoint', () => {
  it('is tried again with back-off, never in a circle without a pause', async () => {
    await using p = await pipeline(
      fileToFile({
        sinks: [{ id: 'out', type: 'file', path: './way/out.ndjson' }],
        stream: { retry_policy: { max_attempts: 5, initial_delay: '200ms', backoff_multiplier: 1 } },
      }),
      { 'in.ndjson': ndjson(numbered(3)), way: 'a file' },
    );
    const ran = await p.run();
    expect(ran.code, ran.stderr).not.toBe(0);
    const logged = ran.stderr.split('\n').flatMap((line) => {
      if (!line.startsWith('{')) return [];
      const { attempt, time } = JSON.parse(line) as { attempt?: number; time: string };
      return attempt === undefined ? [] : [Date.parse(time)];
    });
    expect(logged).toHaveLength(4);
    for (let i = 1; i < logged.length; i++) expect(logged[i]! - logged[i - 1]!).toBeGreaterThanOrEqual(145); // jitter takes a quarter
  });
});

describe('several streams', () => {
  const two = (service: object, broken: boolean): object => ({
    service,
    transformations: [
      javascript('export default (row) => { throw new Error("no") }', { error_handling: { on_error: 'fail_stream' } }),
    ],
    streams: [0, 1].map((i) => ({
      id: `s${i}`,
      source: { type: 'file', path: './in.ndjson', key: ['id'] },
      transformations: broken && i === 0 ? ['code'] : [],
      sinks: [{ id: 'out', type: 'file', path: `./out${i}.ndjson` }],
    })),
  });

  it.for([1, 16])(
    'of which one fails leave the other alone, with %i at once; the exit code is that of the worst',
    async (n) => {
      await using p = await pipeline(two({ max_concurrent_streams: n }, true), { 'in.ndjson': ndjson(numbered(20)) });
      const ran = await p.run();
      expect(ran.code).toBe(1);
      expect(await p.status()).toMatchObject([
        { id: 's0', state: 'failed', ledger: { in: 0 } },
        { id: 's1', state: 'ended', ledger: { in: 20, delivered: 20 } },
      ]);
      expect(p.rows('out1.ndjson')).toEqual(numbered(20));
      for (const stream of await p.status()) expectSum(stream.ledger);
    },
  );

  it('take turns with `max_concurrent_streams: 1`, and a followed file does not end the turn of the first before --until-idle', async () => {
    await using p = await pipeline(two({ max_concurrent_streams: 1 }, false), { 'in.ndjson': ndjson(numbered(20)) });
    expect((await p.run('--until-idle', '500ms')).code).toBe(0);
    expect([p.rows('out0.ndjson').length, p.rows('out1.ndjson').length]).toEqual([20, 20]);
  });
});
