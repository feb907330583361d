// Which dead letters words and flags pick, and that they come in pages.

import { describe, expect, test } from 'vitest';
import type { StreamConfig } from '../manifest/model.ts';
import { memoryStore } from '../state/memory.ts';
import type { StateStore } from '../state/store.ts';
import { letterOf } from '../state/test-samples.ts';
import type { Invocation } from './command.ts';
import { demandAll, isNarrowed, pagesOf, type Selection, selectionOf } from './letters.ts';

const streams = [{ id: 'b' }, { id: 'a' }] as unknown as readonly StreamConfig[];
const asked = (words: readonly string[], flags: Invocation['flags'] = {}): Selection =>
  selectionOf(words, streams, { positionals: [], flags, json: false, quiet: false, verbose: false, color: false });

/** 1200 letters of a (numbers 1 to 1200), then 10 of b, and one of a stream that the manifest does not have any more. */
async function filled(): Promise<StateStore> {
  const store = memoryStore();
  const of = (stream: string, n: number) => Array.from({ length: n }, (_, i) => letterOf(stream, `e${i}`));
  await store.write({ deadLetters: [...of('a', 1200), ...of('b', 10), letterOf('gone', 'e')] });
  return store;
}

async function idsOf(store: StateStore, selection: Selection): Promise<readonly (readonly number[])[]> {
  const pages: number[][] = [];
  for await (const page of pagesOf(store, selection)) pages.push(page.map((letter) => letter.id));
  return pages;
}

describe('pages of dead letters', () => {
  test('hold at most 500, give every letter once, stream by stream in the order of the manifest', async () => {
    await using store = await filled();
    const pages = await idsOf(store, asked([]));
    expect(pages.map((page) => page.length)).toEqual([10, 500, 500, 200]);
    expect(pages.flat()).toEqual([
      ...Array.from({ length: 10 }, (_, i) => 1201 + i),
      ...Array.from({ length: 1200 }, (_, i) => 1 + i),
    ]);
  });

  test('end at the limit, which counts all streams together', async () => {
    await using store = await filled();
    expect((await idsOf(store, asked([], { limit: '12' }))).flat()).toHaveLength(12);
    expect((await idsOf(store, asked([], { limit: '515' }))).map((page) => page.length)).toEqual([10, 500, 5]);
  });

  test('are narrowed by numbers and filters', async () => {
    await using store = await filled();
    expect(await idsOf(store, asked(['1205', '7', '7']))).toEqual([[1205], [7]]);
    expect(await idsOf(store, asked(['7'], { event: 'e7' }))).toEqual([]);
    expect(await idsOf(store, asked([], { event: 'e7' }))).toEqual([[1208], [8]]);
  });
});

test('a number that names no letter of these streams is an error, whatever the limit', async () => {
  await using store = await filled();
  await demandAll(store, asked(['7', '1205'], { limit: '1' }));
  for (const word of ['4711', '1211']) {
    await expect(demandAll(store, asked(['7', word])), word).rejects.toMatchObject({
      code: 'E_DEAD_LETTER_NOT_FOUND',
      message: `there is no dead letter ${word}`,
    });
  }
});

test('what is no number, status or limit is refused', () => {
  for (const word of ['0', '-1', '1.5', 'x', '1e99', '']) expect(() => asked([word]), word).toThrow('is no number');
  expect(() => asked([], { status: 'lost' })).toThrow('--status');
  expect(() => asked([], { limit: '0' })).toThrow('--limit');
});

test('a selection is narrowed by numbers, filters and a limit, and by nothing else', () => {
  expect(isNarrowed(asked([]))).toBe(false);
  expect(isNarrowed(asked(['1']))).toBe(true);
  expect(isNarrowed(asked([], { table: 't' }))).toBe(true);
  expect(isNarrowed(asked([], { limit: '3' }))).toBe(true);
});
