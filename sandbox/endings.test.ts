// What the log says of children that end.

import { describe, expect, test, vi } from 'vitest';
import { createBreaker } from './breaker.ts';
import { createEndings } from './endings.ts';
import { createPool } from './pool.ts';
import { ENDLESS, program, slice } from './test-program.ts';
import type { Entry } from './work.ts';

const limits = { timeout: 50 };

function entry(number: number, label?: string): Entry {
  const idle = program('', { limits, ...(label === undefined ? {} : { label }) });
  const breaker = createBreaker(idle.limits.deaths);
  return { number, program: idle, heads: false, apart: false, jobs: new Set(), breaker };
}

describe('of children that end, the log says', () => {
  test('the first at once, and those of the second that follows in one line', () => {
    vi.useFakeTimers();
    try {
      const said: [object, string][] = [];
      const endings = createEndings({ warn: (fields, message) => void said.push([fields, message]) });
      endings.add(entry(1, 'bad of the stream a'), 'timeout');
      expect(said).toEqual([
        [
          { ended: 1, why: { timeout: 1 }, programs: { 'bad of the stream a': 1 } },
          'a sandbox child ended while running bad of the stream a; the events are taken up by another',
        ],
      ]);
      for (let i = 0; i < 3; i++) endings.add(entry(1, 'bad of the stream a'), 'timeout');
      endings.add(entry(2), 'memory');
      expect(said.length).toBe(1);
      vi.advanceTimersByTime(1000);
      expect(said.slice(1)).toEqual([
        [
          { ended: 4, why: { timeout: 3, memory: 1 }, programs: { 'bad of the stream a': 3, 'a transform': 1 } },
          '4 sandbox children ended while running bad of the stream a (3), a transform (1); the events are taken up by another',
        ],
      ]);
      vi.advanceTimersByTime(5000);
      expect(said.length).toBe(2);
    } finally {
      vi.useRealTimers();
    }
  });

  test('what is not said yet when the pool ends', async () => {
    const said: { readonly ended?: number; readonly programs?: object }[] = [];
    const log = { warn: (fields: object) => void said.push(fields) };
    {
      await using pool = createPool({ children: 1, log });
      const loaded = await pool.load(program(ENDLESS, { limits, label: 'bad' }));
      await loaded.run(slice(3));
    }
    const ended = said.filter((fields) => fields.ended !== undefined);
    expect(ended.reduce((sum, fields) => sum + fields.ended!, 0)).toBeGreaterThanOrEqual(3);
    for (const fields of ended) expect(Object.keys(fields.programs!)).toEqual(['bad']);
  });
});
