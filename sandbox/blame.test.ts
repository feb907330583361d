// The narrowing ends, blames exactly the event at fault, and runs every other event: over all places and all ways of dying.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { afterLoss, type Range } from './blame.ts';

test('whatever is known about a death, exactly the event at fault fails, and every other one is answered once', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 600 }), fc.nat(), fc.array(fc.boolean()), (count, at, known) => {
      const culprit = at % count;
      const answered = new Set<number>();
      const blamed: number[] = [];
      const waiting: Range[] = [{ from: 0, to: count, single: false, alone: false }];
      let deaths = 0;
      for (let range = waiting.shift(); range !== undefined; range = waiting.shift()) {
        const has = culprit >= range.from && culprit < range.to;
        const from = has && range.single ? culprit : range.from; // single calls hand over what they answered
        for (let i = range.from; i < (has ? from : range.to); i++) {
          expect(answered.has(i)).toBe(false);
          answered.add(i);
        }
        if (!has) continue;
        if (range.alone) blamed.push(range.from);
        else waiting.unshift(...afterLoss({ ...range, from }, known[deaths++] === true ? culprit : null));
        expect(deaths).toBeLessThan(20);
      }
      expect(blamed).toEqual([culprit]);
      expect(answered.size).toBe(count - 1);
    }),
  );
});
