// What the log says of children that end.

import { describe, expect, test, vi } from 'vitest';
import { createBreaker } from './breaker.ts';
import { createEndings } from './endings.ts';
import type { Program } from './index.ts';
import { createPool } from './pool.ts';
import type { Entry } from './work.ts';

const limits = {
  timeout: 50,
  memory: 64 << 20,
  output: 1 << 20,
  fan_out: 10,
  logs: 1000,
  load: 5000,
  depth: 100,
  deaths: 1000,
};
const heads = 'on_demand' as const;

function entry(number: number, label?: string): Entry {
  const program: Program = { guest: '', text: '', limits, heads, ...(label === undefined ? {} : { label }) };
  return { number, program, heads: false, apart: false, jobs: new Set(), breaker: createBreaker(limits.deaths) };
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
      const guest = '() => (main) => { Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1) }';
      const loaded = await pool.load({ guest, text: '', limits, heads, label: 'bad' });
      const text = { main: () => 'x', second: () => null, seconds: false, head: () => '', id: () => '', time: () => 0 };
      await loaded.run({ length: 3, ...text });
    }
    const ended = said.filter((fields) => fields.ended !== undefined);
    expect(ended.reduce((sum, fields) => sum + fields.ended!, 0)).toBeGreaterThanOrEqual(3);
    for (const fields of ended) expect(Object.keys(fields.programs!)).toEqual(['bad']);
  });
});
