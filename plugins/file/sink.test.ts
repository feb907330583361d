// The file sink: formats, cut-back, rotation, and faults of the disk.

import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { batchOf, type ChangeEvent, type Json, type Op, type WriteResult } from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import { context, type Folder, type Logged, newFolder, readAll, rowsOf, sinkOf } from './fixture.ts';
import plugin from './index.ts';

const never = new AbortController().signal;
const source = { plugin: 'test', stream: 's', db: 'd', table: 't', snapshot: false, ts_ms: 0 };

const event = (op: Op, n: number): ChangeEvent => ({
  id: String(n),
  op,
  key: { n },
  before: op === 'd' || op === 'u' ? { n } : null,
  after: op === 'd' || op === 't' ? null : { n },
  source,
  ts_ms: 0,
});

/** Without the lock, whose name begins with a dot. */
const files = async (folder: Folder): Promise<string[]> =>
  (await readdir(folder.at('.'))).filter((name) => !name.startsWith('.'));

const text = (path: string): Promise<string> => readFile(path, 'utf8');

describe('writing', () => {
  test('gives one line for each row, in a folder that it makes', async () => {
    await using folder = await newFolder();
    const path = folder.at('deep/er/out.ndjson');
    await using sink = sinkOf({ path });
    const rows = ['{"a":1}', '{"ü":"京都 😀"}', `{"long":"${'é'.repeat(300_000)}"}`, '{\n "b": 2\r\n}'];
    expect(await sink.write(rowsOf(...rows), never)).toEqual(rows.map(() => ({ status: 'ok' })));
    expect(await text(path)).toBe(`${rows.slice(0, 3).join('\n')}\n{  "b": 2  }\n`);
  });

  test('of rows takes creates, reads and updates, and rejects each other event alone', async () => {
    await using folder = await newFolder();
    const path = folder.at('out.ndjson');
    await using sink = sinkOf({ path });
    const ops: Op[] = ['c', 'd', 'r', 't', 'u', 's', 'm'];
    const results: WriteResult[] = [];
    for (const [i, op] of ops.entries()) results.push(...(await sink.write(batchOf([event(op, i)]), never)));
    expect(results.map((result) => result.status)).toEqual(['ok', 'reject', 'ok', 'reject', 'ok', 'reject', 'reject']);
    expect(results[1]).toMatchObject({
      error: {
        code: 'E_SINK_REJECT',
        message: expect.stringContaining('a delete'),
        fix: expect.stringContaining('format: event'),
      },
    });
    expect(await text(path)).toBe('{"n":0}\n{"n":2}\n{"n":4}\n');
  });

  test('lets nothing pass an event of its key, or a truncate of its table, that was rejected', async () => {
    await using folder = await newFolder();
    const path = folder.at('out.ndjson');
    await using sink = sinkOf({ path });
    const events = [event('c', 1), event('d', 1), event('c', 2), event('u', 1), event('t', 0), event('c', 3)];
    const results = await sink.write(batchOf(events), never);
    expect(results.map((result) => result.status)).toEqual(['ok', 'reject', 'ok', 'held', 'held', 'held']);
    expect(await text(path)).toBe('{"n":1}\n{"n":2}\n');
  });

  test('of events takes them all, and the source of this plugin reads them back', async () => {
    await using folder = await newFolder();
    const path = folder.at('out.ndjson');
    await using sink = sinkOf({ path, format: 'event' });
    const ops: Op[] = ['c', 'd', 'r', 't', 'u', 's', 'm'];
    const events = ops.map((op, i) => event(op, i));
    await sink.write(batchOf(events), never);
    const lines = (await text(path))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toEqual(events.map(({ ts_ms: _, ...rest }) => rest));
    expect((await readAll({ path, format: 'event' })).events.map(({ id }) => id)).toEqual(events.map(({ id }) => id));
  });

  test('nothing but rejects makes no line, and an empty batch none', async () => {
    await using folder = await newFolder();
    const path = folder.at('out.ndjson');
    await using sink = sinkOf({ path });
    await sink.write(batchOf([event('d', 1)]), never);
    await sink.write(batchOf([]), never);
    await sink.state!.flush();
    expect(await text(path)).toBe('');
  });

  test('after a last line that was cut begins on a new one', async () => {
    await using folder = await newFolder();
    const path = folder.at('out.ndjson');
    await writeFile(path, '{"old":1}\n{"cut":');
    await using sink = sinkOf({ path });
    await sink.state!.restore(null);
    await sink.write(rowsOf('{"a":1}'), never);
    expect(await text(path)).toBe('{"old":1}\n{"cut":\n{"a":1}\n');
  });
});

describe('the checkpoint', () => {
  test('cuts off what was written after it, and a new start without one never cuts', async () => {
    await using folder = await newFolder();
    const path = folder.at('out.ndjson');
    await writeFile(path, '{"old":1}\n');
    let first: Json;
    let later: Json;
    {
      await using sink = sinkOf({ path });
      await sink.state!.restore(null);
      first = await sink.state!.flush(); // saved before the first write
      await sink.write(rowsOf('{"a":1}'), never);
      later = await sink.state!.flush();
      await sink.write(rowsOf('{"a":2}'), never);
    }
    await using sink = sinkOf({ path });
    await sink.state!.restore(later);
    expect(await text(path)).toBe('{"old":1}\n{"a":1}\n');
    await sink.write(rowsOf('{"a":2}'), never);
    expect(await text(path)).toBe('{"old":1}\n{"a":1}\n{"a":2}\n');
    await sink.state!.restore(first);
    expect(await text(path)).toBe('{"old":1}\n');
    await sink.write(rowsOf('{"b":1}'), never);
    await sink.state!.restore(null);
    expect(await text(path)).toBe('{"old":1}\n{"b":1}\n');
  });

  test('over any history of writes, flushes and crashes leaves exactly what was settled', async () => {
    const step = fc.oneof(
      fc.integer({ min: 1, max: 4 }).map((rows) => ({ rows })),
      fc.constant('flush' as const),
      fc.constant('crash' as const),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.constantFrom(undefined, 25, 60), async (steps, size) => {
        await using folder = await newFolder();
        const config = { path: folder.at('out.ndjson'), ...(size === undefined ? {} : { rotate: { size } }) };
        let sink = sinkOf(config);
        await sink.state!.restore(null);
        let saved = { state: await sink.state!.flush(), rows: [] as string[] };
        let rows: string[] = [];
        let next = 0;
        const disk = async (): Promise<string> => {
          const number = (name: string): number => Number(name.split('.')[1]);
          const names = (await files(folder)).toSorted((a, b) => number(a) - number(b));
          return (await Promise.all(names.map((name) => text(folder.at(name))))).join('');
        };
        for (const what of steps) {
          if (what === 'flush') {
            saved = { state: JSON.parse(JSON.stringify(await sink.state!.flush())) as Json, rows: [...rows] };
          } else if (what === 'crash') {
            await sink[Symbol.asyncDispose]();
            sink = sinkOf(config);
            await sink.state!.restore(saved.state);
            rows = [...saved.rows];
          } else {
            const more = Array.from({ length: what.rows }, () => `{"n":${next++}}`);
            await sink.write(rowsOf(...more), never);
            rows.push(...more);
          }
          expect(await disk()).toBe(rows.map((row) => `${row}\n`).join(''));
        }
        await sink[Symbol.asyncDispose]();
      }),
      { numRuns: 150 },
    );
  });

  test('does not cut a file that is not the one it speaks of, nor take one that lost lines', async () => {
    await using folder = await newFolder();
    const path = folder.at('out.ndjson');
    await using sink = sinkOf({ path });
    await sink.write(rowsOf('{"a":1}', '{"a":2}'), never);
    const saved = await sink.state!.flush();
    await writeFile(path, 'somebody else wrote this long text here\n');
    await expect(sink.state!.restore(saved)).rejects.toMatchObject({ code: 'E_SINK_CONNECT', permanent: true });
    // whoever goes on all the same (a stream does that does not need the sink) does not cut it either
    await expect(sink.state!.flush()).rejects.toMatchObject({ code: 'E_SINK_CONNECT' });
    await expect(sink.write(rowsOf('{"a":3}'), never)).rejects.toMatchObject({ code: 'E_SINK_CONNECT' });
    expect(await text(path)).toBe('somebody else wrote this long text here\n');
    await writeFile(path, '{"a":1}\n');
    await expect(sink.state!.restore(saved)).rejects.toMatchObject({ message: expect.stringContaining('shorter') });
    await rm(path);
    await sink.state!.restore(saved); // taken away whole: a new one
    await sink.write(rowsOf('{"a":3}'), never);
    expect(await text(path)).toBe('{"a":3}\n');
    await expect(sink.state!.restore({ length: 'much' })).rejects.toMatchObject({ code: 'E_STATE_CORRUPT' });
  });

  test('of a file with another name is not used on this one', async () => {
    await using folder = await newFolder();
    const logged: Logged[] = [];
    await using first = sinkOf({ path: folder.at('a.ndjson') });
    await first.write(rowsOf('{"a":1}'), never);
    await writeFile(folder.at('b.ndjson'), '{"b":1}\n{"b":2}\n');
    await using second = sinkOf({ path: folder.at('b.ndjson') }, context({}, logged));
    await second.state!.restore(await first.state!.flush());
    expect(await text(folder.at('b.ndjson'))).toBe('{"b":1}\n{"b":2}\n');
    expect(logged).toHaveLength(1);
  });
});

describe('rotation', () => {
  test('by size begins a new file at a border between batches, and a finished one keeps its name', async () => {
    await using folder = await newFolder();
    const path = folder.at('out.ndjson');
    await using sink = sinkOf({ path, rotate: { size: 20 } });
    for (const n of [1, 2, 3, 4]) await sink.write(rowsOf(`{"n":${n}}`), never);
    await sink.write(rowsOf('{"n":"longer than a whole file"}'), never);
    await sink.write(rowsOf('{"n":5}'), never);
    expect(await files(folder)).toEqual(['out.1.ndjson', 'out.2.ndjson', 'out.3.ndjson', 'out.4.ndjson']);
    expect(await text(folder.at('out.1.ndjson'))).toBe('{"n":1}\n{"n":2}\n');
    expect(await text(folder.at('out.3.ndjson'))).toBe('{"n":"longer than a whole file"}\n');
  });

  test('by age counts from when the file was begun, also over a restart', async () => {
    await using folder = await newFolder();
    const path = folder.at('out.ndjson');
    let saved: Json;
    {
      await using sink = sinkOf({ path, rotate: { every: 3_600_000 } });
      await sink.write(rowsOf('{"n":1}'), never);
      await sink.write(rowsOf('{"n":2}'), never);
      saved = await sink.state!.flush();
    }
    expect(await files(folder)).toEqual(['out.1.ndjson']);
    await using sink = sinkOf({ path, rotate: { every: 3_600_000 } });
    await sink.state!.restore({ ...(saved as object), started: Date.now() - 3_600_000 } as Json);
    await sink.write(rowsOf('{"n":3}'), never);
    await sink.write(rowsOf('{"n":4}'), never);
    expect(await text(folder.at('out.2.ndjson'))).toBe('{"n":3}\n{"n":4}\n');
  });

  test('without a checkpoint goes on in the newest file', async () => {
    await using folder = await newFolder();
    await writeFile(folder.at('out.2.ndjson'), '{"n":1}\n');
    await writeFile(folder.at('out.10.ndjson'), '{"n":2}\n');
    await writeFile(folder.at('out.x.ndjson'), '');
    await using sink = sinkOf({ path: folder.at('out.ndjson'), rotate: { size: 1000 } });
    await sink.state!.restore(null);
    await sink.write(rowsOf('{"n":3}'), never);
    expect(await text(folder.at('out.10.ndjson'))).toBe('{"n":2}\n{"n":3}\n');
  });

  test('that was switched on or off since the checkpoint still cuts back the file of the checkpoint', async () => {
    await using folder = await newFolder();
    const path = folder.at('out.ndjson');
    let saved: Json;
    {
      await using sink = sinkOf({ path });
      await sink.write(rowsOf('{"n":1}'), never);
      saved = await sink.state!.flush();
      await sink.write(rowsOf('{"n":2}'), never);
    }
    {
      await using sink = sinkOf({ path, rotate: { size: 10 } });
      await sink.state!.restore(saved);
      await sink.write(rowsOf('{"n":2}'), never);
      saved = await sink.state!.flush();
      await sink.write(rowsOf('{"n":3}'), never);
    }
    await using sink = sinkOf({ path });
    await sink.state!.restore(saved);
    await sink.write(rowsOf('{"n":3}'), never);
    expect(await text(path)).toBe('{"n":1}\n{"n":3}\n');
    expect(await text(folder.at('out.1.ndjson'))).toBe('{"n":2}\n');
    expect(await files(folder)).toEqual(['out.1.ndjson', 'out.ndjson']);
  });

  test('that says neither size nor age is refused', () => {
    expect(() => sinkOf({ path: 'out', rotate: {} })).toThrow(expect.objectContaining({ code: 'E_CONFIG_INVALID' }));
  });
});

describe('faults', () => {
  test('a write that fails half-way is undone, and what is written next goes in whole', async () => {
    await using folder = await newFolder();
    const path = folder.at('out.ndjson');
    // A real limit of the system: files of this process may have 8 blocks, so the second batch is written in part at first.
    const script = fileURLToPath(new URL('./children/full-disk.ts', import.meta.url));
    const child = spawnSync(
      'sh',
      ['-c', `ulimit -S -f 8; exec "$0" --no-warnings "$1" "$2"`, process.execPath, script, path],
      {
        encoding: 'utf8',
      },
    );
    expect(child.stderr).toBe('');
    const report = JSON.parse(child.stdout) as { error: object; after: number };
    expect(report.error).toMatchObject({ code: 'E_SINK_WRITE' });
    expect(report.after).toBe(3 * 1001); // not a byte of the batch that failed
    expect((await text(path)).split('\n').map((line) => line.length)).toEqual([1000, 1000, 1000, 1000, 0]);
  });

  test('a folder that cannot be made or is no file is absence, in clear words', async () => {
    await using folder = await newFolder();
    await mkdir(folder.at('d'));
    await writeFile(folder.at('f'), '');
    const failure = (name: string): Promise<unknown> =>
      sinkOf({ path: folder.at(name) })
        .state!.restore(null)
        .catch((e) => e);
    expect(await failure('d')).toMatchObject({ code: 'E_SINK_CONNECT', message: 'the path is a folder' });
    expect(await failure('f/out')).toMatchObject({
      code: 'E_SINK_CONNECT',
      message: expect.stringContaining('no folder'),
    });
    await rm(folder.at('f'));
    const check = (name: string) => plugin.sink!.check!({ path: folder.at(name) }, context());
    expect(await check('d')).toMatchObject([{ ok: false }]);
    expect(await check('new/out')).toMatchObject([{ ok: true }]);
    expect(await readdir(folder.at('.'))).toEqual(['d']); // and check made nothing
  });
});
