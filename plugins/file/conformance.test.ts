// The file plugin before the kit that every plugin has to pass: as lines, as a followed file and as gzip; rows and events.

import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { conformance, type SinkStage, type SourceStage } from 'sluice/testkit';
import { describe, test } from 'vitest';
import { newFolder } from './fixture.ts';
import plugin from './index.ts';

const row = (n: number): string =>
  `${JSON.stringify({ id: n, name: `row ${n} ü😀`, at: `2024-01-01T00:00:0${n % 10}Z` })}\n`;
const rows = (n: number): string => Array.from({ length: n }, (_, i) => row(i)).join('');

async function source(options: object, bytes: string | Buffer, ends = true, unreadable = 0): Promise<SourceStage> {
  const folder = await newFolder();
  const path = folder.at('rows.ndjson');
  await writeFile(path, bytes);
  let next = 1000;
  const change = async (n: number): Promise<void> => {
    for (let i = 0; i < n; i++) await appendFile(path, row(next++));
  };
  return {
    config: { path, key: ['id'], time: 'at', ...options },
    events: 25,
    ends,
    unreadable,
    ...(ends ? {} : { change }),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

async function sink(options: object, more: Partial<SinkStage>): Promise<SinkStage> {
  const folder = await newFolder();
  return {
    config: { path: folder.at('out/out.ndjson'), ...options },
    async readBack() {
      const names = (await readdir(folder.at('out')).catch(() => [])).toSorted();
      return Promise.all(names.map((name) => readFile(folder.at(`out/${name}`), 'utf8')));
    },
    ...more,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

const folder = new URL('.', import.meta.url);

describe('lines; rows', () => {
  conformance({ describe, test }, plugin, {
    folder,
    source: () => source({}, `${rows(24)}nope\n`, true, 1),
    sink: () =>
      sink(
        {},
        { ops: ['c', 'r', 'u'], rejected: (event) => ({ ...event, op: 'd', before: event.after, after: null }) },
      ),
  });
});

describe('a followed file; events, rotated', () => {
  conformance({ describe, test }, plugin, {
    folder,
    source: () => source({ follow: true, poll: '50ms' }, rows(25), false),
    sink: () => sink({ format: 'event', rotate: { size: '4KiB' } }, { ops: ['c', 'u', 'd', 'r'] }),
  });
});

describe('an array in gzip', () => {
  conformance({ describe, test }, plugin, {
    folder,
    source: () => source({}, gzipSync(`[${rows(25).trimEnd().replaceAll('\n', ',')}]`)),
    sink: () => sink({ rotate: { every: '1h' } }, { ops: ['c'] }),
  });
});
