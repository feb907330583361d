// Hostile code through the whole engine. Each attack is planted in one row: every other row comes out right and in order, the
// planted one has one fate with a fitting code, the engine's own process stays responsive and small, and the next rows pass.
// A tenth of the attacks in `npm test`; all of them with `npm run test:long`, which also writes the tables of results.

import { afterAll, describe, expect, test } from 'vitest';
import { long } from '../long.ts';
import { type Attack, moreAttacks } from './more-attacks.ts';
import { attacks, loops } from './planted.ts';
import { type Row, writeResults } from './results.ts';
import { expectedRows, PLANTED, type Seen, underAttack } from './under-attack.ts';

const groups: readonly (readonly [string, readonly Attack[]])[] = [
  ['attacks', attacks],
  ['endless loops', loops],
  ['more attacks', moreAttacks],
];

const MB = 1e6;
const CODES = ['TIMEOUT', 'MEMORY', 'CRASH', 'RUNTIME', 'OUTPUT', 'DEPTH', 'FAN_OUT'].map(
  (name) => `E_TRANSFORM_${name}`,
);
const results: Row[] = [];

for (const [group, all] of groups) {
  const some = all.filter((_, i) => long || i % 10 === 3);
  describe(group, () => {
    test.each(some)('$name', { timeout: 180_000 }, async ({ name, code }) => {
      const seen = await underAttack(code);
      results.push({ group, name, fate: fateOf(seen), seen });
      expect(seen.healthy).toEqual(expectedRows);
      expect(seen.planted.join()).not.toMatch(/HACKED|"object|"function/);
      for (const letter of seen.letters) {
        expect(letter.row).toBe(PLANTED);
        expect(CODES).toContain(letter.code);
      }
      expect(seen.letters.length + seen.planted.length + seen.ledger.filtered).toBe(1);
      expect(seen.ledger).toMatchObject({
        in: 400,
        delivered: 399 + seen.planted.length,
        dead_lettered: seen.letters.length,
      });
      expect(seen.exit).toBe(143);
      expect(seen.next).toBeLessThan(20_000);
      expect(seen.lag).toBeLessThan(500);
      expect(seen.grew).toBeLessThan(50 * MB);
    });
  });
}

afterAll(() => writeResults(results, long));

function fateOf({ letters, planted }: Seen): string {
  return letters[0]?.code ?? (planted.length > 0 ? 'harmless' : 'filtered');
}
