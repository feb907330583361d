// What others do to the sink's file: a second writer, a cut, a deletion, a rename, while it is written and while it is not.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Json, Sink } from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import { context, type Logged, newFolder, rowsOf, sinkOf } from './fixture.ts';

const never = new AbortController().signal;

const text = (path: string): Promise<string> => readFile(path, 'utf8');

describe('two writers of one file', () => {
  test('are one and one that is refused, until SIGKILL ends the first', async () => {
    await using folder = await newFolder();
    const path = folder.at('out.ndjson');
    const script = fileURLToPath(new URL('./children/hold.ts', import.meta.url));
    const child = spawn(process.execPath, ['--no-warnings', script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    try {
      expect(String((await once(child.stdout, 'data'))[0])).toBe('written\n');
      const refused = { code: 'E_SINK_CONNECT', permanent: true, message: expect.stringContaining('another process') };
      await symlink(path, folder.at('link'));
      for (const name of ['out.ndjson', 'link']) {
        await using second = sinkOf({ path: folder.at(name) });
        await expect(second.state!.restore(null)).rejects.toMatchObject(refused);
        await expect(second.write(rowsOf('{"n":2}'), never)).rejects.toMatchObject(refused);
      }
      expect(await text(path)).toBe('{"n":1}\n');
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
    await using second = sinkOf({ path });
    await second.state!.restore(null);
    await second.write(rowsOf('{"n":2}'), never);
    expect(await text(path)).toBe('{"n":1}\n{"n":2}\n');
  });

  test('in one process are told apart too, and the checkpoint of the second cuts nothing', async () => {
    await using folder = await newFolder();
    const path = folder.at('out.ndjson');
    let saved: Json;
    {
      await using earlier = sinkOf({ path });
      saved = await earlier.state!.flush();
    }
    await using first = sinkOf({ path });
    await first.write(rowsOf('{"n":1}'), never);
    await using second = sinkOf({ path });
    await expect(second.state!.restore(saved)).rejects.toMatchObject({ code: 'E_SINK_CONNECT' });
    expect(await text(path)).toBe('{"n":1}\n');
  });

  test('where no lock can be had are warned of, and the file is written all the same', async () => {
    await using folder = await newFolder();
    await mkdir(folder.at('.out.ndjson.lock')); // as if the folder could not be written
    const logged: Logged[] = [];
    await using sink = sinkOf({ path: folder.at('out.ndjson') }, context({}, logged));
    await sink.state!.restore(null);
    await sink.write(rowsOf('{"n":1}'), never);
    expect(await text(folder.at('out.ndjson'))).toBe('{"n":1}\n');
    expect(logged).toEqual([{ level: 'warn', message: expect.stringContaining('no lock') }]);
  });
});

describe('somebody else', () => {
  test('a file that is cut or deleted while it is written fails the stream, and restore mends it', async () => {
    await using folder = await newFolder();
    const path = folder.at('out.ndjson');
    await using sink = sinkOf({ path });
    await sink.write(rowsOf('{"n":1}'), never);
    const saved = await sink.state!.flush();
    await sink.write(rowsOf('{"n":2}'), never);
    await truncate(path, 3);
    await expect(sink.state!.flush()).rejects.toMatchObject({ code: 'E_SINK_WRITE', permanent: true });
    await expect(sink.write(rowsOf('{"n":3}'), never)).rejects.toMatchObject({ code: 'E_SINK_WRITE' });
    await expect(sink.state!.restore(saved)).rejects.toMatchObject({ code: 'E_SINK_CONNECT' });
    await rm(path);
    await sink.state!.restore(saved);
    await sink.write(rowsOf('{"n":2}'), never);
    await rm(path);
    await expect(sink.state!.flush()).rejects.toMatchObject({ message: expect.stringContaining('deleted') });
  });

  test('a cut that the next batch is longer than, or what somebody else wrote, is noticed before anything is written', async () => {
    await using folder = await newFolder();
    const path = folder.at('out.ndjson');
    const meddled = async (sink: Sink, meddle: () => Promise<void>): Promise<string> => {
      await sink.write(rowsOf('{"n":1}', '{"n":2}'), never);
      await sink.state!.flush();
      await meddle();
      const before = await text(path);
      const error = { code: 'E_SINK_WRITE', permanent: true };
      await expect(sink.write(rowsOf('{"n":"longer than what was cut"}'), never)).rejects.toMatchObject(error);
      await expect(sink.state!.flush()).rejects.toMatchObject(error);
      expect(await text(path)).toBe(before);
      return before;
    };
    {
      await using sink = sinkOf({ path });
      expect(await meddled(sink, () => truncate(path, 11))).toBe('{"n":1}\n{"n');
    }
    await rm(path);
    await using sink = sinkOf({ path });
    expect(await meddled(sink, () => appendFile(path, 'mine\n'))).toBe('{"n":1}\n{"n":2}\nmine\n');
  });

  test('a file that was emptied while Sluice was stopped has lost lines; an empty one in its place is a new one', async () => {
    await using folder = await newFolder();
    const path = folder.at('out.ndjson');
    await using sink = sinkOf({ path });
    await sink.write(rowsOf('{"n":1}'), never);
    const saved = (await sink.state!.flush()) as { readonly [name: string]: Json };
    await truncate(path, 0);
    const shorter = { code: 'E_SINK_CONNECT', message: expect.stringContaining('shorter') };
    await expect(sink.state!.restore(saved)).rejects.toMatchObject(shorter);
    const { ino: _, ...older } = saved; // as an earlier version saved it
    await expect(sink.state!.restore(older)).rejects.toMatchObject(shorter);
    await rename(path, folder.at('out.old')); // as logrotate does it
    await writeFile(path, '');
    await sink.state!.restore(saved);
    await sink.write(rowsOf('{"n":2}'), never);
    expect(await text(path)).toBe('{"n":2}\n');
  });

  test('a file that was renamed while it was written is left alone, and a new one begun', async () => {
    await using folder = await newFolder();
    const path = folder.at('out.ndjson');
    await using sink = sinkOf({ path });
    await sink.write(rowsOf('{"n":1}'), never);
    await rename(path, folder.at('out.old'));
    const saved = await sink.state!.flush();
    await sink.write(rowsOf('{"n":2}'), never);
    expect([await text(folder.at('out.old')), await text(path)]).toEqual(['{"n":1}\n', '{"n":2}\n']);
    await sink.state!.restore(saved);
    expect(await text(path)).toBe('');
    await appendFile(path, '');
  });
});
