// The sample source: its story, and that reading goes on exactly after any position.

import fc from 'fast-check';
import {
  type ChangeEvent,
  type Context,
  canonical,
  isPluginDefinition,
  type Json,
  type Row,
  unsafeNumber,
} from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import type { SourceConfig } from './config.ts';
import plugin from './index.ts';
import { columns } from './shop.ts';
import { type SamplePosition, sampleSource } from './source.ts';

const defaults: SourceConfig = { events: 12, seed: 1, poison: true, tables: ['customers', 'orders'] };

function context(batch: Partial<Context['batch']> = {}): Context {
  const quiet = (): void => undefined;
  return {
    stream: 'shop',
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    signal: new AbortController().signal,
    batch: { maxEvents: 1000, maxBytes: 1024 * 1024, maxWait: 50, respectSourceTx: true, ...batch },
    auth: null,
    tap: false,
  };
}

interface Given {
  readonly events: ChangeEvent[];
  readonly positions: SamplePosition[];
}

async function readFrom(
  from: SamplePosition | null,
  config: Partial<SourceConfig> = {},
  limits: Partial<Context['batch']> = {},
): Promise<Given> {
  const given: Given = { events: [], positions: [] };
  await using source = sampleSource({ ...defaults, ...config }, context(limits));
  for await (const item of source.read(from, new AbortController().signal)) {
    given.events.push(...item.batch.events());
    given.positions.push(item.position!);
  }
  return given;
}

const plain = (events: readonly ChangeEvent[]): unknown[] => events.map(({ ts_ms: _, ...rest }) => rest);

describe('the first twelve events', () => {
  test('tell the whole story', async () => {
    const { events } = await readFrom(null);
    expect(events.map((e) => `${e.op} ${e.source.table} ${String(e.key!['id'])}`)).toEqual([
      'r customers 1',
      'r customers 2',
      'c orders 9007199254740993',
      'c customers 3',
      'c orders 9007199254740994',
      'c orders 9007199254740995',
      'u customers 1',
      'u orders 9007199254740994',
      'u customers 4',
      'd orders 9007199254740994',
      'u orders 9007199254740993',
      'u orders 9007199254740993',
    ]);
    expect(events.map((e) => (e.after ?? e.before)!['name'] ?? null).filter((name) => name !== null)).toEqual([
      'Zoë Ångström',
      '山田 花子',
      "Seán O'Brien",
      'Zoë Ångström',
      "Seán O'Brien",
    ]);
    expect(events[1]!.after!['email']).toBeNull();
    expect(events[8]).toMatchObject({ before: { id: 3 }, after: { id: 4 } });
    expect(events[7]!.source.unchanged).toEqual(['note']);
    expect(events[7]!.after).not.toHaveProperty('note');
    expect(events.slice(10).map((e) => e.after!['status'])).toEqual(['paid', 'shipped']);
  });

  test('hold one order that makes naive code throw, and that no later event touches', async () => {
    const { events } = await readFrom(null);
    const naive = (row: Row): number =>
      (row['items'] as unknown as { quantity: number }[]).reduce((n, i) => n + i.quantity, 0);
    const orders = events.filter((e) => e.source.table === 'orders' && e.after !== null);
    const poison = orders.filter((e) => {
      try {
        naive(e.after!);
        return false;
      } catch {
        return true;
      }
    });
    expect(poison.map((e) => e.id)).toEqual(['1:5']);
    expect(events.filter((e) => canonical(e.key) === canonical(poison[0]!.key))).toHaveLength(1);
    const clean = await readFrom(null, { poison: false });
    for (const e of clean.events)
      if (Array.isArray(e.after?.['items'])) expect(naive(e.after as Row)).toBeGreaterThan(0);
    expect(clean.events.every((e) => typeof e.after?.['items'] !== 'string')).toBe(true);
  });

  test('are the same when read again, and others for another seed', async () => {
    const once = await readFrom(null);
    expect(plain((await readFrom(null)).events)).toEqual(plain(once.events));
    expect(plain((await readFrom(null, { seed: 2 })).events)).not.toEqual(plain(once.events));
  });
});

test('reading goes on exactly after any position, whatever the batches were', async () => {
  const whole = plain((await readFrom(null, { events: 40, seed: 7 })).events);
  await fc.assert(
    fc.asyncProperty(
      fc.nat(41),
      fc.integer({ min: 1, max: 13 }),
      fc.integer({ min: 1, max: 20_000 }),
      async (n, maxEvents, maxBytes) => {
        const from = JSON.parse(JSON.stringify({ n })) as SamplePosition;
        const rest = await readFrom(from, { events: 40, seed: 7 }, { maxEvents, maxBytes });
        expect(plain(rest.events)).toEqual(whole.slice(n));
        for (const position of rest.positions) {
          const again = await readFrom(position, { events: 40, seed: 7 });
          expect(plain(again.events)).toEqual(whole.slice(position.n));
        }
      },
    ),
    { numRuns: 40 },
  );
});

test('the history is one that a database could have: every update and delete finds the row that it names', async () => {
  for (const seed of [1, 2, 99]) {
    const rows = new Map<string, Row>();
    const ids = new Set<string>();
    for (const e of (await readFrom(null, { events: 1200, seed })).events) {
      expect(ids.has(e.id)).toBe(false);
      ids.add(e.id);
      const table = e.source.table;
      const names = columns.get(table)!.map((column) => column.name);
      const old = e.before === null ? undefined : rows.get(`${table} ${String(e.before['id'])}`);
      if (e.before === null) expect(rows.has(`${table} ${String(e.key!['id'])}`)).toBe(false);
      else expect(old).toMatchObject(e.before as Record<string, Json>);
      if (e.before !== null) rows.delete(`${table} ${String(e.before['id'])}`);
      if (e.after === null) continue;
      const row = { ...old, ...e.after };
      expect(Object.keys(row).sort()).toEqual([...names].sort());
      rows.set(`${table} ${String(row['id'])}`, row);
      for (const column of columns.get(table)!) {
        const value = row[column.name];
        if (value === null) expect(column.nullable).toBe(true);
        else if (column.type === 'bigint' || column.type === 'decimal') expect(value).toMatch(/^\d+(\.\d\d)?$/);
      }
      expect(unsafeNumber(JSON.stringify(e))).toBeNull();
    }
  }
});

test('a batch keeps to its limits, and a story without an end goes on until it is stopped', async () => {
  const sizes: number[] = [];
  const stop = new AbortController();
  await using source = sampleSource({ ...defaults, events: 0 }, context({ maxEvents: 100, maxBytes: 20_000 }));
  for await (const { batch } of source.read({ n: 5 }, stop.signal)) {
    sizes.push(batch.length);
    expect(JSON.stringify(batch.events()).length).toBeLessThan(21_000);
    if (sizes.length === 200) stop.abort();
  }
  expect(sizes.every((size) => size > 0 && size <= 100)).toBe(true);
  expect(sizes).toHaveLength(200);
});

test('events of tables that are left out still count, so positions mean the same with and without them', async () => {
  const orders = await readFrom(null, { tables: ['orders'] });
  expect(orders.events.map((e) => e.id)).toEqual(['1:2', '1:4', '1:5', '1:7', '1:9', '1:10', '1:11']);
  expect(orders.positions.at(-1)).toEqual({ n: 12 });
});

test('the rate is kept to, and an abort ends the wait for the next event', async () => {
  const start = performance.now();
  await readFrom({ n: 2 }, { rate: 100, events: 22 }, { maxEvents: 3 });
  expect(performance.now() - start).toBeGreaterThan(170); // 20 events at 100 a second: the last one is due after 190 ms

  const stop = new AbortController();
  await using source = sampleSource({ ...defaults, rate: 0.001 }, context());
  const reading = source.read({ n: 2 }, stop.signal)[Symbol.asyncIterator]();
  expect((await reading.next()).value.batch.length).toBe(1);
  const waiting = reading.next();
  stop.abort();
  expect((await waiting).done).toBe(true);
});

test('a position of something else is refused by name, and trying again is said to be no use', async () => {
  for (const wrong of [{ n: -1 }, { n: 1.5 }, { lsn: '0/1' }, 'x', [3]] as unknown as SamplePosition[]) {
    await expect(readFrom(wrong)).rejects.toMatchObject({ code: 'E_SOURCE_POSITION', permanent: true });
  }
  expect((await readFrom({ n: 12 })).events).toEqual([]);
  expect((await readFrom({ n: 500 })).events).toEqual([]);
});

test('the definition makes the source and its check passes', async () => {
  expect(isPluginDefinition(plugin)).toBe(true);
  const source = await plugin.source!.create(defaults as never, context());
  await source.ack({ n: 3 });
  await source[Symbol.asyncDispose]();
  expect(await plugin.source!.check!(defaults as never, context())).toMatchObject([{ ok: true }]);
});
