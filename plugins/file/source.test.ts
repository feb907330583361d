// The file source: what a line becomes, resuming, gzip, and what is wrong with a file.

import { chmod, mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { timeOf } from './batches.ts';
import { context, newFolder, readAll, sourceOf } from './fixture.ts';
import plugin from './index.ts';
import type { FilePosition } from './position.ts';

const never = new AbortController().signal;

// Big enough for several chunks of the reader.
function manyRows(n: number): string[] {
  return Array.from({ length: n }, (_, i) => {
    const text = i % 97 === 0 ? 'straße 京都 😀' : 'x'.repeat(i % 400);
    return JSON.stringify({ id: i, text, nested: [{ a: ']},{"' }] }, null, i % 89 === 0 ? 1 : 0).replaceAll('\n', ' ');
  });
}

describe('a file', () => {
  test.each([
    ['lines', (rows: string[]) => Buffer.from(`${rows.join('\n')}\n`)],
    ['lines, in gzip', (rows: string[]) => gzipSync(`${rows.join('\n')}\n`)],
    [
      'lines, in several members of gzip',
      (rows: string[]) =>
        Buffer.concat([gzipSync(`${rows.slice(0, 3000).join('\n')}\n`), gzipSync(rows.slice(3000).join('\n'))]),
    ],
    ['an array', (rows: string[]) => Buffer.from(`[\n  ${rows.join(',\n  ')}\n]\n`)],
    ['an array, in gzip', (rows: string[]) => gzipSync(`\ufeff [${rows.join(',')}]`)],
  ])('of %s is read whole, and from every position exactly the rest', async (_, make) => {
    await using folder = await newFolder();
    const path = folder.at('rows.data');
    const rows = manyRows(9000);
    await writeFile(path, make(rows));
    const { events, steps } = await readAll({ path }, null, { maxEvents: 400, maxBytes: 150_000 });
    expect(events.map((event) => event.after)).toEqual(rows);
    expect(new Set(events.map((event) => event.id)).size).toBe(rows.length);
    expect(steps.length).toBeGreaterThan(9000 / 400);
    let done = 0;
    for (const step of steps) {
      done += step.events.length;
      const saved = JSON.parse(JSON.stringify(step.position)) as FilePosition;
      expect((await readAll({ path }, saved)).events).toEqual(events.slice(done));
    }
  });

  test('gives the same ids wherever it lies, and others for another text', async () => {
    await using folder = await newFolder();
    await writeFile(folder.at('a.ndjson'), '{"a":1}\n{"a":2}\n');
    await writeFile(folder.at('b.ndjson'), '{"a":1}\n{"a":2}\n{"a":3}\n');
    await writeFile(folder.at('c.ndjson'), '{"a":4}\n');
    const ids = async (name: string): Promise<string[]> =>
      (await readAll({ path: folder.at(name) })).events.map((event) => event.id);
    expect((await ids('b.ndjson')).slice(0, 2)).toEqual(await ids('a.ndjson'));
    expect((await ids('c.ndjson'))[0]).not.toBe((await ids('a.ndjson'))[0]);
  });

  test('that grew between two runs is read on, not again', async () => {
    await using folder = await newFolder();
    const path = folder.at('rows.ndjson');
    await writeFile(path, '{"a":1}\n');
    const first = await readAll({ path });
    await writeFile(path, '{"a":2}\n', { flag: 'a' });
    const second = await readAll({ path }, first.steps.at(-1)!.position);
    expect(second.events).toEqual([{ id: expect.stringMatching(/:8$/), line: 2, after: '{"a":2}' }]);
    expect(second.events[0]!.id.split(':')[0]).toBe(first.events[0]!.id.split(':')[0]);
  });

  test('that was copied back, with another inode, is the same file', async () => {
    await using folder = await newFolder();
    const path = folder.at('rows.ndjson');
    await writeFile(path, '{"a":1}\n{"a":2}\n');
    const { steps } = await readAll({ path }, null, { maxEvents: 1 });
    await writeFile(folder.at('hold'), ''); // so that the inode is not given to the same file again
    await rm(path);
    await writeFile(folder.at('other'), '');
    await writeFile(path, '{"a":1}\n{"a":2}\n');
    expect((await readAll({ path }, steps[0]!.position)).events.map((event) => event.after)).toEqual(['{"a":2}']);
  });

  test.each([
    ['shorter', '{"a":1}\n'],
    ['another one', '{"b":1}\n{"a":2}\n{"a":3}\n'],
    ['changed just before the place', '{"a":1}\n{"a":9}\n{"a":3}\n'],
  ])('that is %s now is refused, for good', async (_, now) => {
    await using folder = await newFolder();
    const path = folder.at('rows.ndjson');
    await writeFile(path, '{"a":1}\n{"a":2}\n');
    const { steps } = await readAll({ path });
    await writeFile(path, now);
    await expect(readAll({ path }, steps.at(-1)!.position)).rejects.toMatchObject({
      code: 'E_SOURCE_POSITION',
      permanent: true,
      fix: expect.stringContaining('checkpoint'),
    });
  });

  test('can be started by hand at an offset', async () => {
    await using folder = await newFolder();
    const path = folder.at('rows.ndjson');
    await writeFile(path, '{"a":1}\n{"a":2}\n');
    const from = { offset: 8 } as unknown as FilePosition;
    expect((await readAll({ path }, from)).events.map((event) => event.after)).toEqual(['{"a":2}']);
    await expect(readAll({ path }, { offset: 99 } as unknown as FilePosition)).rejects.toMatchObject({
      code: 'E_SOURCE_POSITION',
    });
    await expect(readAll({ path }, { offset: -1 } as unknown as FilePosition)).rejects.toMatchObject({
      code: 'E_SOURCE_POSITION',
    });
  });

  test('without anything in it has no events', async () => {
    await using folder = await newFolder();
    for (const [name, text] of Object.entries({ a: '', b: '\n \n', c: '[]', d: ' [ \n ] ', e: '\ufeff' })) {
      await writeFile(folder.at(name), text);
      expect((await readAll({ path: folder.at(name) })).events).toEqual([]);
    }
  });

  test('keeps to the limits of a batch', async () => {
    await using folder = await newFolder();
    const path = folder.at('rows.ndjson');
    await writeFile(path, manyRows(3000).join('\n'));
    const { steps } = await readAll({ path }, null, { maxEvents: 100, maxBytes: 10_000 });
    for (const { events } of steps) {
      expect(events.length).toBeLessThanOrEqual(100);
      const sizes = events.map((event) => Buffer.byteLength(event.after!));
      expect(sizes.slice(0, -1).reduce((sum, size) => sum + size, 0)).toBeLessThan(10_000);
    }
  });

  test('stops when it is told to', async () => {
    await using folder = await newFolder();
    const path = folder.at('rows.ndjson');
    await writeFile(path, manyRows(3000).join('\n'));
    const stop = new AbortController();
    await using source = sourceOf({ path }, context({ maxEvents: 10 }));
    let batches = 0;
    for await (const _ of source.read(null, stop.signal)) if (++batches === 3) stop.abort();
    expect(batches).toBe(3);
  });
});

describe('a line that cannot be read', () => {
  test('is one unreadable event with its place, and the others come through', async () => {
    await using folder = await newFolder();
    const path = folder.at('rows.ndjson');
    await writeFile(
      path,
      Buffer.concat([
        Buffer.from('{"a":1}\n\nnope\n'),
        Buffer.from([0x7b, 0xff, 0x7d, 0x0a]),
        Buffer.from(`{"a":"${'x'.repeat(300)}"}\n{"a":2}`),
      ]),
    );
    const { events } = await readAll({ path, max_line: 100 });
    expect(events.map(({ id: _, ...event }) => event)).toEqual([
      { line: 1, after: '{"a":1}' },
      { line: 3, raw: 'nope', code: 'E_EVENT_PARSE' },
      { line: 4, raw: `base64:${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64')}`, code: 'E_EVENT_ENCODING' },
      { line: 5, raw: expect.stringMatching(/^{"a":"x{94}$/), code: 'E_EVENT_SIZE' },
      { line: 6, after: '{"a":2}' },
    ]);
    await using source = sourceOf({ path });
    for await (const { batch } of source.read(null, never)) {
      expect(batch.unreadable!.get(1)!.error.toJSON().at).toEqual({ file: path, line: 3 });
    }
  });
});

describe('a row', () => {
  test('has its table, key, time and line when somebody asks', async () => {
    await using folder = await newFolder();
    const path = folder.at('orders.2024.ndjson');
    await writeFile(
      path,
      '{"id":7,"at":"2024-02-29T10:00:00.5Z"}\n{"id":8}\n{"at":5}\n{broken}\n{"id":9007199254740993}\n',
    );
    await using source = sourceOf({ path, key: ['id'], time: 'at' });
    for await (const { batch } of source.read(null, never)) {
      expect(batch.typed).toBe(false);
      expect(Array.from({ length: 5 }, (_, i) => batch.key(i))).toEqual([{ id: 7 }, { id: 8 }, null, null, null]);
      expect(Array.from({ length: 5 }, (_, i) => batch.ts(i))).toEqual([
        Date.UTC(2024, 1, 29, 10, 0, 0, 500),
        0,
        5,
        0,
        0,
      ]);
      expect(batch.table(0)).toBe('orders');
      expect(JSON.parse(batch.head(0))).toEqual({
        id: batch.id(0),
        op: 'c',
        key: { id: 7 },
        source: {
          plugin: 'file',
          stream: 'test',
          db: 'orders.2024.ndjson',
          table: 'orders',
          snapshot: false,
          ts_ms: batch.ts(0),
          line: 1,
        },
      });
      expect(() => batch.events()).toThrow(expect.objectContaining({ code: 'E_EVENT_PARSE' }));
    }
  });

  test.each([
    ['2024-02-29T10:00:00', Date.UTC(2024, 1, 29, 10)],
    ['2024-02-29 10:00:00.25', Date.UTC(2024, 1, 29, 10, 0, 0, 250)],
    ['2024-02-29T10:00+02:00', Date.UTC(2024, 1, 29, 8)],
    ['2024-02-29', Date.UTC(2024, 1, 29)],
    [1709200800000.7, 1709200800000],
    ['yesterday', 0],
    ['5', 0],
    [null, 0],
    [undefined, 0],
  ])('with the time %s happened at %d, in every time zone', (value, expected) => {
    expect(timeOf(value)).toBe(expected);
  });

  test('may have its numbers rounded when the manifest says so', async () => {
    await using folder = await newFolder();
    const path = folder.at('n.ndjson');
    await writeFile(path, '{"id":9007199254740993}\n');
    await using source = sourceOf({ path, key: ['id'], numbers: 'double' });
    for await (const { batch } of source.read(null, never)) {
      expect(batch.typed).toBe(true);
      expect(batch.key(0)).toEqual({ id: 9007199254740992 });
    }
  });
});

describe('change events', () => {
  test('keep their own fields and ids, and a line that is none is unreadable', async () => {
    await using folder = await newFolder();
    const path = folder.at('events.ndjson');
    const source0 = {
      plugin: 'sqlite',
      stream: 'orders',
      db: 'shop',
      schema: 'public',
      table: 'orders',
      snapshot: false,
      ts_ms: 5,
    };
    const update = {
      id: 'x1',
      op: 'u',
      key: { id: 2 },
      source: source0,
      before: { id: 1, n: '9007199254740993' },
      after: { id: 2 },
    };
    const bare = { op: 'd', key: { id: 2 }, source: { table: 'orders' }, before: { id: 2 } };
    await writeFile(path, `${JSON.stringify(update)}\n${JSON.stringify(bare)}\n{"a":1}\n`);
    await using source = sourceOf({ path, format: 'event' });
    for await (const { batch } of source.read(null, never)) {
      expect([batch.id(0), batch.op(0), batch.table(0), batch.ts(0)]).toEqual(['x1', 'u', 'public.orders', 5]);
      expect([batch.key(0), batch.oldKey(0)]).toEqual([{ id: 2 }, { id: 1 }]);
      expect([batch.before(0), batch.after(0)]).toEqual([JSON.stringify(update.before), JSON.stringify(update.after)]);
      expect([batch.wholeBefore(0), batch.wholeBefore(1)]).toEqual([true, false]);
      expect(JSON.parse(batch.head(0)).source).toEqual(source0);
      expect(batch.id(1)).toMatch(/^[0-9a-f]{8}:\d+$/);
      expect(JSON.parse(batch.head(1)).source).toEqual({
        plugin: 'file',
        stream: 'test',
        db: 'events.ndjson',
        table: 'orders',
        snapshot: false,
        ts_ms: 0,
      });
      const bad = batch.unreadable!.get(2)!;
      expect(bad.error.toJSON()).toMatchObject({ code: 'E_EVENT_SHAPE', at: { file: path, line: 3 } });
      expect(bad.raw).toBe('{"a":1}');
    }
  });
});

describe('what cannot be read at all says so', () => {
  test('a missing file ends the stream, a missing file that is followed is waited for', async () => {
    await using folder = await newFolder();
    const path = folder.at('none.ndjson');
    await expect(readAll({ path })).rejects.toMatchObject({
      code: 'E_SOURCE_CONNECT',
      permanent: true,
      fix: 'check the path',
    });
    await expect(readAll({ path, follow: true })).rejects.toMatchObject({ code: 'E_SOURCE_CONNECT', permanent: false });
  });

  test('a folder, a file inside of a file, a circle of links', async () => {
    await using folder = await newFolder();
    await mkdir(folder.at('d'));
    await writeFile(folder.at('f'), '{}');
    await symlink(folder.at('l'), folder.at('l'));
    const failure = async (name: string): Promise<unknown> =>
      readAll({ path: folder.at(name) }).catch((error) => error);
    expect(await failure('d')).toMatchObject({
      code: 'E_SOURCE_CONNECT',
      message: 'the path is a folder',
      permanent: true,
    });
    expect(await failure('f/x')).toMatchObject({ code: 'E_SOURCE_CONNECT', permanent: true });
    expect(await failure('l')).toMatchObject({ code: 'E_SOURCE_CONNECT', permanent: true });
  });

  test.runIf(process.getuid?.() !== 0)('a file that this user may not read', async () => {
    await using folder = await newFolder();
    await writeFile(folder.at('f'), '{}');
    await chmod(folder.at('f'), 0);
    await expect(readAll({ path: folder.at('f') })).rejects.toMatchObject({
      code: 'E_SOURCE_CONNECT',
      fix: expect.stringContaining('right'),
    });
  });

  test('gzip that is cut gives what is readable first', async () => {
    await using folder = await newFolder();
    const path = folder.at('rows.ndjson.gz');
    const rows = manyRows(9000);
    await writeFile(path, gzipSync(rows.join('\n')));
    await truncate(path, Math.floor(gzipSync(rows.join('\n')).length * 0.9));
    await using source = sourceOf({ path });
    const seen: (string | null)[] = [];
    const reading = (async () => {
      for await (const { batch } of source.read(null, never)) {
        for (let i = 0; i < batch.length; i++) seen.push(batch.after(i));
      }
    })();
    await expect(reading).rejects.toMatchObject({
      code: 'E_SOURCE_READ',
      message: expect.stringContaining('cut'),
      permanent: true,
    });
    expect(seen.length).toBeGreaterThan(5000);
    expect(seen).toEqual(rows.slice(0, seen.length));
  });

  test('a damaged gzip, one that is none, and UTF-16', async () => {
    await using folder = await newFolder();
    const damaged = gzipSync(manyRows(2000).join('\n'));
    damaged.fill(0x55, 200, 400);
    await writeFile(folder.at('a.gz'), damaged);
    await writeFile(folder.at('b.gz'), '{}\n');
    await writeFile(folder.at('c'), Buffer.from('\ufeff{}\n', 'utf16le'));
    for (const name of ['a.gz', 'b.gz', 'c']) {
      await expect(readAll({ path: folder.at(name) })).rejects.toMatchObject({
        code: 'E_SOURCE_READ',
        permanent: true,
      });
    }
  });

  test('an array or gzip that is to be followed', async () => {
    await using folder = await newFolder();
    await writeFile(folder.at('a'), '[{}]');
    await writeFile(folder.at('b'), gzipSync('{}'));
    for (const name of ['a', 'b']) {
      await expect(readAll({ path: folder.at(name), follow: true })).rejects.toMatchObject({
        code: 'E_CONFIG_INVALID',
        permanent: true,
      });
    }
  });

  test('check says it before anything runs', async () => {
    await using folder = await newFolder();
    await writeFile(folder.at('a'), '{}');
    await writeFile(folder.at('b.gz'), gzipSync('{}'));
    const check = (name: string, follow = false) => plugin.source!.check!({ path: folder.at(name), follow }, context());
    expect(await check('a')).toMatchObject([{ ok: true }]);
    expect(await check('b.gz')).toMatchObject([{ ok: true }]);
    expect(await check('b.gz', true)).toMatchObject([{ ok: false, name: 'follow' }]);
    expect(await check('none')).toMatchObject([{ ok: false, fix: 'check the path' }]);
  });
});

test('a place is the same whatever links lead to it', async () => {
  await using folder = await newFolder();
  await mkdir(folder.at('real'));
  await symlink(folder.at('real'), folder.at('link'));
  const place = (path: string) => plugin.sink!.place!({ path: folder.at(path) });
  expect(place('link/x')).toBe(place('real/x'));
  await writeFile(folder.at('real/x'), '');
  expect(plugin.source!.place!({ path: folder.at('link/x') })).toBe(place('real/x'));
});
