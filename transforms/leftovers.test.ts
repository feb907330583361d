// Work that an event leaves running (a promise that nobody waits for): it has its own event's clock, dice, log and time, and the
// same event gives the same bytes and the same lines whatever events stand around it.

import { batchOf, type EventBatch } from 'sluice/sdk';
import { describe, expect, test } from 'vitest';
import { bench, eventOf, failuresOf, type RuleParts, recorder } from './test-rule.ts';

const { transform } = bench();
const { signal } = new AbortController();
const COUNT = 1000;

/** Every third event leaves something behind, and each event has a time of its own. */
const events = Array.from({ length: COUNT }, (_, id) => {
  const event = eventOf(id, { after: { id, leave: id % 3 === 0 } });
  return { ...event, source: { ...event.source, ts_ms: 1_700_000_000_000 + id * 1000 } };
});

interface Seen {
  readonly rows: ReadonlyMap<string, string>;
  /** The lines of each event, in order. */
  readonly lines: ReadonlyMap<string, readonly string[]>;
  readonly failed: readonly string[];
}

async function seen(code: string, batches: readonly EventBatch[], parts: RuleParts = {}): Promise<Seen> {
  const { log, entries } = recorder();
  await using made = await transform(code, parts, log);
  const rows = new Map<string, string>();
  const failed: string[] = [];
  for (const batch of batches) {
    const result = await made.apply(batch, signal);
    for (let j = 0; j < result.out.length; j++) rows.set(result.out.id(j), result.out.after(j)!);
    for (const { index, error } of result.failed) failed.push(`${batch.id(index)} ${error.code} ${error.message}`);
  }
  const lines = new Map<string, string[]>();
  for (const { fields, text } of entries) {
    const id = String(fields['event']);
    lines.set(id, [...(lines.get(id) ?? []), text]);
  }
  return { rows, lines, failed };
}

const oneByOne = (some: typeof events): EventBatch[] => some.map((event) => batchOf([event]));

const waits = (turns: number): string => `for (let i = 0; i < ${turns}; i++) await 0;`;
const CASES: [string, string][] = [
  [
    'dice in a loop of awaits, behind an async function',
    `export default async (row) => {
      if (row.leave) (async () => { for (let i = 0; i < 50; i++) { await 0; Math.random(); } })();
      await 0; await 0;
      return { ...row, r: Math.random() };
    }`,
  ],
  [
    'the clock, read into the log, behind an async function',
    `export default async (row, ctx) => {
      if (row.leave) (async () => { ${waits(30)} ctx.log('late', Date.now(), new Date().toISOString()); })();
      ${waits(3)}
      return { ...row, now: Date.now() };
    }`,
  ],
  [
    'lines, dice and the clock, behind a function that is not async',
    `export default (row) => {
      if (row.leave) Promise.resolve().then(() => console.log('late', Math.random(), Date.now())).then(() => console.warn('later'));
      console.log('now', Math.random());
      return { ...row };
    }`,
  ],
  [
    'dice in a thenable and in a getter of what is thrown',
    `export default async (row) => {
      const thenable = { then(done) { Math.random(); done(Math.random()); } };
      if (row.leave) { Promise.resolve(thenable).then(() => Math.random()); await 0; throw { get message() { return Math.random() }, toString() { return String(Math.random()) } }; }
      return { ...row, r: await thenable, s: Math.random() };
    }`,
  ],
  [
    'the event, but neither dice nor clock nor log',
    `export default async (row, ctx) => {
      let found = 'nothing';
      if (row.leave) (async () => { ${waits(20)} found = ctx.event.id; })();
      ${waits(10)}
      return { ...row, found, op: ctx.event.op };
    }`,
  ],
];

describe('the same event gives the same bytes and lines in a batch of 1 and in one of 1000', () => {
  test.each(CASES)('%s', async (_name, code) => {
    const together = await seen(code, [batchOf(events)]);
    const some = events.filter((_, i) => i < 40 || i > COUNT - 10);
    const alone = await seen(code, oneByOne(some));
    for (const { id } of some) {
      expect([id, together.rows.get(id)]).toEqual([id, alone.rows.get(id)]);
      expect([id, together.lines.get(id)]).toEqual([id, alone.lines.get(id)]);
    }
    expect(together.failed.slice(0, 10)).toEqual(alone.failed.slice(0, 10));
    const half = await seen(code, [batchOf(events.slice(COUNT / 2)), batchOf(events.slice(0, COUNT / 2))]);
    expect([...half.rows].sort()).toEqual([...together.rows].sort());
    expect([...half.lines].sort()).toEqual([...together.lines].sort());
  });
});

test('what is left behind writes its lines under its own event, and reads its own time', async () => {
  const { lines } = await seen(
    `export default (row, ctx) => {
      if (row.leave) (async () => { ${waits(5)} console.log('console', Date.now() - 1.7e12); ctx.log('ctx', ctx.event.id); })();
      return row;
    }`,
    [batchOf(events.slice(0, 100))],
  );
  expect(lines.size).toBe(34);
  for (const [id, texts] of lines) {
    expect(texts).toEqual([`console ${Number(id.slice(1)) * 1000}`, `ctx ${id}`]);
  }
});

describe('time', () => {
  const all = events.map((event) => event.id);

  test('an endless chain that an event leaves behind is its own, and the async events after it have all their time', async () => {
    const result = await seen(
      `export default async (row) => {
        if (row.id === 5) (async () => { for (;;) await 0; })();
        if (row.id === 9) Promise.resolve().then(function again() { Promise.resolve().then(again); });
        ${waits(4)}
        return row;
      }`,
      [batchOf(events.slice(0, 60))],
      { limits: { timeout: 100 } },
    );
    expect(result.failed.map((text) => text.split(' ').slice(0, 2))).toEqual([
      ['e5', 'E_TRANSFORM_TIMEOUT'],
      ['e9', 'E_TRANSFORM_TIMEOUT'],
    ]);
    expect([...result.rows.keys()]).toEqual(all.slice(0, 60).filter((id) => id !== 'e5' && id !== 'e9'));
  });

  test('long work that is left behind is not taken from the time of others', async () => {
    // All of it together takes some five times the limit, each by itself a fortieth of it (2.5 ms on a quiet machine): so the
    // limit tells one from the other, however fast or busy the machine is.
    const spin = 'let x = 0; for (let i = 0; i < 5e5; i++) x = (x * 31 + i) | 0;';
    const result = await seen(
      `export default async (row) => {
        if (row.leave) (async () => { ${waits(2)} ${spin} })();
        ${waits(20)}
        return row;
      }`,
      [batchOf(events.slice(0, 600))],
      { limits: { timeout: 100 } },
    );
    expect(result.failed).toEqual([]);
    expect(result.rows.size).toBe(600);
  });

  test('a timed-out event keeps the lines it wrote, also as the last of its batch', async () => {
    const code = "export default (row) => { console.log('began', row.id); if (row.id === 3) for (;;); return row }";
    const result = await seen(code, [batchOf(events.slice(0, 4))], { limits: { timeout: 50 } });
    expect(result.failed.length).toBe(1);
    expect([...result.lines]).toEqual([0, 1, 2, 3].map((id) => [`e${id}`, [`began ${id}`]]));
  });
});

test('state: keep starts anew when a microtask asks for dice, and no kept state sees an event twice', async () => {
  const code = `let n = 0;
    const ids = [];
    export default async (row) => { await 0; ids.push(row.id); return { n: ++n, ids: [...ids], r: Math.random() } }`;
  await using made = await transform(code, { state: 'keep' });
  const counts: unknown[] = [];
  for (const [from, to] of [
    [0, 3],
    [3, 5],
  ] as const) {
    const { out, failed } = await made.apply(batchOf(events.slice(from, to)), signal);
    expect(failuresOf({ failed } as never)).toEqual([]);
    for (let j = 0; j < out.length; j++) {
      const row = JSON.parse(out.after(j)!) as { n: number; ids: number[] };
      expect(new Set(row.ids).size).toBe(row.ids.length);
      counts.push(row.n);
    }
  }
  expect(counts).toEqual([1, 2, 3, 4, 5]);
});
