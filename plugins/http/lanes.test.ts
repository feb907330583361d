// Order per key with requests side by side, over generated batches and answers.

import fc from 'fast-check';
import { batchOf, type ChangeEvent, keyTexts } from 'sluice/sdk';
import { expect, test } from 'vitest';
import { anEndpoint } from './an-endpoint.ts';
import { never, sinkTo, source, statuses } from './sink-for-tests.ts';

test('requests side by side keep the order of each key, whatever the endpoint answers and however long it takes', async () => {
  const step = fc.record({
    key: fc.integer({ min: 0, max: 4 }),
    op: fc.constantFrom<ChangeEvent['op']>('u', 'u', 'u', 'u', 't', 'm'),
    moveTo: fc.option(fc.integer({ min: 0, max: 4 }), { freq: 5 }),
    table: fc.constantFrom('a', 'b'),
    reply: fc.constantFrom(200, 200, 200, 200, 400),
    turns: fc.nat(6),
  });
  let most = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 6 }), async (steps, width) => {
      const batch = batchOf(
        steps.map((s, i) => {
          const base = { id: String(i), source: { ...source, table: s.table }, ts_ms: 0 };
          if (s.op !== 'u') return { ...base, op: s.op, key: null, before: null, after: { i } };
          const id = s.moveTo ?? s.key;
          return { ...base, op: 'u' as const, key: { id }, before: { id: s.key, i: 0 }, after: { id, i } };
        }),
      );
      let now = 0;
      const begun = new Map<number, number>();
      const ended = new Map<number, number>();
      let tick = 0;
      await using endpoint = await anEndpoint(async (r) => {
        const i = Number((JSON.parse(r.body) as ChangeEvent).id);
        begun.set(i, tick++);
        most = Math.max(most, ++now);
        expect(now).toBeLessThanOrEqual(width);
        for (let turn = 0; turn < steps[i]!.turns; turn++) await new Promise((resolve) => setImmediate(resolve));
        now--;
        ended.set(i, tick++);
        return { status: steps[i]!.reply };
      });
      await using sink = sinkTo(endpoint.url, { format: 'event', max_in_flight: width });
      const results = statuses(await sink.write(batch, never));
      const conflict = (i: number, j: number): boolean => {
        if (steps[i]!.table !== steps[j]!.table) return false;
        const a = keyTexts(batch, i, undefined);
        const b = keyTexts(batch, j, undefined);
        return a === null || b === null || a.some((key) => b.includes(key));
      };
      for (let j = 0; j < steps.length; j++) {
        const earlier = Array.from({ length: j }, (_, i) => i).filter((i) => conflict(i, j));
        const blocked = earlier.some((i) => results[i] !== 'ok');
        expect(results[j]).toBe(blocked ? 'held' : steps[j]!.reply === 200 ? 'ok' : 'reject');
        expect(begun.has(j)).toBe(!blocked);
        if (!blocked) for (const i of earlier) expect(ended.get(i)!).toBeLessThan(begun.get(j)!);
      }
    }),
    { numRuns: 60 },
  );
  expect(most).toBeGreaterThan(1); // they did run side by side
});
