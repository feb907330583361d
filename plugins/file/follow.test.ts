// Following a file that grows, is rotated or cut, with a real writer beside it.

import { appendFile, copyFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { context, eventsOf, type Folder, type Got, type Logged, newFolder, sourceOf } from './fixture.ts';
import type { FilePosition } from './position.ts';

// A follower in the background: until(n) resolves once there are n events, and fails when the source ends or throws.
interface Follower extends AsyncDisposable {
  readonly events: Got[];
  readonly positions: FilePosition[];
  until(events: number): Promise<void>;
  untilFile(generation: number): Promise<void>;
}

function followFrom(
  path: string,
  from: FilePosition | null,
  options: { poll?: number; logged?: Logged[] } = {},
): Follower {
  const stop = new AbortController();
  const source = sourceOf({ path, follow: true, poll: options.poll ?? 20 }, context({}, options.logged));
  const events: Got[] = [];
  const positions: FilePosition[] = [];
  let news = Promise.withResolvers<void>();
  const reading = (async () => {
    for await (const { batch, position } of source.read(from, stop.signal)) {
      events.push(...eventsOf(batch));
      positions.push(position!);
      news.resolve();
      news = Promise.withResolvers<void>();
    }
  })();
  const ended = reading.then(() => {
    throw new Error('the source ended');
  });
  ended.catch(() => undefined);
  const wait = async (ready: () => boolean): Promise<void> => {
    while (!ready()) await Promise.race([news.promise, ended]);
  };
  return {
    events,
    positions,
    until: (n) => wait(() => events.length >= n),
    untilFile: (generation) => wait(() => positions.at(-1)?.generation === generation),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await reading.catch(() => undefined);
      await source[Symbol.asyncDispose]();
    },
  };
}

/** Follows until there are so many events, and stops. */
async function firstPosition(path: string, events: number): Promise<FilePosition> {
  await using follower = followFrom(path, null);
  await follower.until(events);
  return follower.positions[0]!;
}

const rows = (events: readonly Got[]): unknown[] => events.map((event) => JSON.parse(event.after!).n);
const row = (n: number): string => `{"n":${n},"text":"äß😀"}\n`;

async function start(folder: Folder, text: string): Promise<string> {
  const path = folder.at('app.ndjson');
  await writeFile(path, text);
  return path;
}

test('lines that are added in odd pieces come once each, and never half', async () => {
  await using folder = await newFolder();
  const path = await start(folder, '');
  await using follower = followFrom(path, null);
  const whole = Buffer.from(Array.from({ length: 60 }, (_, n) => row(n)).join(''));
  for (let at = 0, step = 1; at < whole.length; at += step, step = (step * 7 + 3) % 61) {
    await appendFile(path, whole.subarray(at, at + step));
  }
  await follower.until(60);
  expect(rows(follower.events)).toEqual(Array.from({ length: 60 }, (_, n) => n));
  expect(follower.events.map((event) => event.line)).toEqual(Array.from({ length: 60 }, (_, n) => n + 1));
  expect(new Set(follower.events.map((event) => event.id)).size).toBe(60);
});

test('half a line waits for its end, and every position can be gone on from', async () => {
  await using folder = await newFolder();
  const path = await start(folder, `${row(0)}{"n":1`);
  let from: FilePosition;
  {
    await using follower = followFrom(path, null);
    await follower.until(1);
    from = follower.positions.at(-1)!;
    expect(rows(follower.events)).toEqual([0]);
  }
  await using follower = followFrom(path, from);
  await appendFile(path, '}\n');
  await follower.until(1);
  expect(follower.events).toMatchObject([{ line: 2, after: '{"n":1}' }]);
});

test("a line is seen at once, by the system's word, long before the next poll", async () => {
  await using folder = await newFolder();
  const path = await start(folder, row(0));
  await using follower = followFrom(path, null, { poll: 3_600_000 });
  await follower.until(1);
  await appendFile(path, row(1));
  await follower.until(2);
});

test('a renamed file is read to its end, then the new one from its beginning', async () => {
  await using folder = await newFolder();
  const path = await start(folder, row(0));
  await using follower = followFrom(path, null, { poll: 500 }); // also how long the old file is given
  await follower.until(1);
  await rename(path, folder.at('app.ndjson.1'));
  await appendFile(folder.at('app.ndjson.1'), row(1));
  await writeFile(path, row(0) + row(2)); // begins as the old one did
  await appendFile(folder.at('app.ndjson.1'), '{"n":7}'); // the writer's last words, without a newline
  await follower.until(5);
  expect(rows(follower.events)).toEqual([0, 1, 7, 0, 2]);
  expect(follower.events.map((event) => event.line)).toEqual([1, 2, 3, 1, 2]);
  expect(new Set(follower.events.map((event) => event.id)).size).toBe(5);
});

test('a file that was renamed while nobody read is found and finished first', async () => {
  await using folder = await newFolder();
  const path = await start(folder, row(0) + row(1));
  let from = await firstPosition(path, 2);
  await appendFile(path, row(2));
  await rename(path, folder.at('app.1.ndjson'));
  await writeFile(path, row(3));
  {
    await using follower = followFrom(path, from);
    await follower.until(2);
    expect(rows(follower.events)).toEqual([2, 3]);
    await follower.untilFile(1);
    from = follower.positions.at(-1)!;
  }
  // From then on the old file is not needed.
  await rm(folder.at('app.1.ndjson'));
  await appendFile(path, row(4));
  await using follower = followFrom(path, from);
  await follower.until(1);
  expect(rows(follower.events)).toEqual([4]);
  expect(follower.events[0]!.id).toMatch(/^[0-9a-f]{8}\.1:/);
});

test('a new file moves the position before it has any lines', async () => {
  await using folder = await newFolder();
  const path = await start(folder, row(0));
  let from: FilePosition;
  {
    await using follower = followFrom(path, null);
    await follower.until(1);
    await rename(path, folder.at('app.ndjson.1'));
    await writeFile(path, '');
    await follower.untilFile(1);
    from = follower.positions.at(-1)!;
  }
  await rm(folder.at('app.ndjson.1'));
  await appendFile(path, row(1));
  await using follower = followFrom(path, from);
  await follower.until(1);
  expect(rows(follower.events)).toEqual([1]);
});

test('a file whose rest is gone is refused, because nobody knows what it held', async () => {
  await using folder = await newFolder();
  const path = await start(folder, row(0));
  const from = await firstPosition(path, 1);
  await rename(path, folder.at('gone'));
  await writeFile(path, row(1));
  await using follower = followFrom(path, from);
  await expect(follower.until(1)).rejects.toMatchObject({ code: 'E_SOURCE_POSITION', permanent: true });
});

test('a file that is cut is read from its beginning again', async () => {
  await using folder = await newFolder();
  const path = await start(folder, row(0) + row(1));
  const logged: Logged[] = [];
  await using follower = followFrom(path, null, { logged });
  await follower.until(2);
  await truncate(path);
  await appendFile(path, row(2));
  await follower.until(3);
  await writeFile(path, row(3) + row(4) + row(5)); // cut, and longer than before in one go
  await follower.until(6);
  expect(rows(follower.events)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(new Set(follower.events.map((event) => event.id)).size).toBe(6);
  expect(logged.filter(({ level }) => level === 'warn').length).toBe(2);
});

test('a file that was copied away and cut while nobody read is finished in the copy first', async () => {
  await using folder = await newFolder();
  const path = await start(folder, row(0));
  const from = await firstPosition(path, 1);
  await appendFile(path, row(1));
  await copyFile(path, folder.at('app.ndjson.1'));
  await writeFile(path, row(2));
  await using follower = followFrom(path, from);
  await follower.until(2);
  expect(rows(follower.events)).toEqual([1, 2]);
});

test('stops at once while it waits', async () => {
  await using folder = await newFolder();
  const path = await start(folder, row(0));
  const follower = followFrom(path, null, { poll: 3_600_000 });
  await follower.until(1);
  await follower[Symbol.asyncDispose](); // would hang for an hour
});
