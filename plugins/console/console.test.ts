// The console sink: its lines, and a real standard output that is slow or goes away.

import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { text as readAll } from 'node:stream/consumers';
import { batchOf, batchOfText, type ChangeEvent, type Context, isPluginDefinition, type Sink } from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import { inAChild } from '../in-a-child.ts';
import plugin from './index.ts';
import { consoleSink } from './sink.ts';

const source = { plugin: 'test', stream: 's', db: 'shop', table: 'orders', snapshot: false, ts_ms: 5 };
const event = (id: string, more: Partial<ChangeEvent> = {}): ChangeEvent => ({
  id,
  op: 'c',
  key: { id: Number(id) },
  before: null,
  after: { id: Number(id), name: 'Zoë' },
  source,
  ts_ms: 1,
  ...more,
});
const never = new AbortController().signal;

async function printed(
  format: 'row' | 'event' | 'pretty',
  batch: Parameters<Sink['write']>[0],
): Promise<{ out: string; results: unknown }> {
  const out = new PassThrough();
  const sink = consoleSink({ format }, out);
  const results = await sink.write(batch, never);
  await sink[Symbol.asyncDispose]();
  out.end();
  return { out: await readAll(out), results };
}

describe('the lines', () => {
  test('`event` prints the whole change event, one JSON line each', async () => {
    const { out, results } = await printed(
      'event',
      batchOf([event('1'), event('2', { op: 'd', before: { id: 2 }, after: null })]),
    );
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as ChangeEvent);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toEqual({ id: '1', op: 'c', key: { id: 1 }, source, before: null, after: { id: 1, name: 'Zoë' } });
    expect(lines[1]!.op).toBe('d');
    expect(results).toEqual([{ status: 'ok' }, { status: 'ok' }]);
  });

  test('a row that came with line breaks is one line all the same, and every digit of its numbers is there', async () => {
    const batch = batchOfText({
      length: 1,
      bytes: 60,
      typed: false,
      readAt: 0,
      id: () => '1',
      op: () => 'c',
      key: () => null,
      source: () => source,
      before: () => null,
      after: () => '{\n  "id": 9007199254740993,\r\n  "note": "a\\nb"\n}',
    });
    expect((await printed('row', batch)).out).toBe('{   "id": 9007199254740993,   "note": "a\\nb" }\n');
    expect((await printed('pretty', batch)).out).toContain('9007199254740993');
  });

  test('`row` prints only rows, rejects a delete and holds back what comes after it of the same key', async () => {
    const batch = batchOf([
      event('1'),
      event('1', { op: 'd', before: { id: 1 }, after: null }),
      event('1'),
      event('2'),
    ]);
    const { out, results } = await printed('row', batch);
    expect(out).toBe('{"id":1,"name":"Zoë"}\n{"id":2,"name":"Zoë"}\n');
    expect(results).toMatchObject([
      { status: 'ok' },
      { status: 'reject', error: { code: 'E_SINK_REJECT' } },
      { status: 'held' },
      { status: 'ok' },
    ]);
  });

  test('`pretty` shows op, table, both keys of a key change and the row below', async () => {
    const moved = event('2', { op: 'u', before: { id: 1, name: 'Zoë' }, after: { id: 2, name: 'Zoë' } });
    expect((await printed('pretty', batchOf([moved]))).out).toBe(
      'update orders {"id":1} -> {"id":2} #2\n  {\n    "id": 2,\n    "name": "Zoë"\n  }\n',
    );
  });
});

describe('standard output', () => {
  const script = (body: string): string => `
    const { default: plugin } = await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)});
    const { batchOf } = await import('sluice/sdk');
    const sink = await plugin.sink.create({ format: 'row' }, {});
    const source = { plugin: 'test', stream: 's', db: '', table: 't', snapshot: false, ts_ms: 0 };
    const batch = (n, size) => batchOf(Array.from({ length: n }, (_, i) => (
      { id: String(i), op: 'c', key: null, before: null, after: { i, text: 'x'.repeat(size) }, source, ts_ms: 0 })));
    const say = (value) => process.stderr.write(JSON.stringify(value) + '\\n');
    ${body}`;

  test('everything that was answered ok comes out of the pipe, in order', async () => {
    const child = inAChild(
      script(
        `const r = await sink.write(batch(5000, 200), new AbortController().signal); say(r.length); await sink[Symbol.asyncDispose]();`,
      ),
    );
    const [out, said] = await Promise.all([readAll(child.stdout!), readAll(child.stderr!)]);
    expect(said).toBe('5000\n');
    const lines = out.trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { i: number }).i)).toEqual(
      Array.from({ length: 5000 }, (_, i) => i),
    );
  });

  test('a reader that goes away is one clear error that says waiting cannot help, and no crash', async () => {
    const child = inAChild(
      script(`
      process.stdin.resume(); process.stdin.on('end', async () => {
        const errors = [];
        for (let n = 0; n < 3; n++) await sink.write(batch(1000, 1000), new AbortController().signal).catch((e) => errors.push(e));
        say(errors.map((e) => [e.code, e.permanent, e.message]));
        await sink[Symbol.asyncDispose](); process.exit(0);
      }); say('ready');`),
    );
    const said = readAll(child.stderr!);
    await once(child.stderr!, 'readable');
    child.stdout!.destroy();
    await once(child.stdout!, 'close');
    child.stdin!.end();
    const [code] = (await once(child, 'close')) as [number];
    const gone = ['E_SINK_WRITE', true, 'nobody reads standard output any more'];
    expect((await said).split('\n')[1]).toBe(JSON.stringify([gone, gone, gone]));
    expect(code).toBe(0);
  });

  test('a slow reader holds the write back, and an abort ends it', async () => {
    const out = new PassThrough({ highWaterMark: 1024 });
    const sink = consoleSink({ format: 'event' }, out);
    const stop = new AbortController();
    let settled = false;
    const big = batchOf(
      Array.from({ length: 2000 }, (_, i) => event(String(i), { after: { id: i, text: 'x'.repeat(500) } })),
    );
    const writing = sink.write(big, stop.signal).finally(() => {
      settled = true;
    });
    writing.catch(() => undefined);
    await once(out, 'readable');
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(settled).toBe(false);
    expect(out.readableLength + out.writableLength).toBeLessThan(300_000); // of a million and more
    stop.abort();
    await expect(writing).rejects.toMatchObject({ code: 'E_SINK_WRITE' });
    await sink[Symbol.asyncDispose]();
  });
});

test('the definition makes the sink, and the sink lets go of standard output', async () => {
  expect(isPluginDefinition(plugin)).toBe(true);
  const before = process.stdout.listenerCount('error');
  const sink = await plugin.sink!.create({ format: 'event' } as never, {} as Context);
  expect(process.stdout.listenerCount('error')).toBe(before + 1);
  await sink[Symbol.asyncDispose]();
  expect(process.stdout.listenerCount('error')).toBe(before);
});
