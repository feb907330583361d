// Invariant 7 at the real process: a file that grows to a file, with a JavaScript transform between; killed at random
// moments. Each transformed line is there exactly once and in order; the ledger and the dead letters are exact.

import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import type { Checkpoint } from '../../core/checkpoint.ts';
import { long, scaled } from '../long.ts';
import { keepWriting, newBench, sumOf } from './bench.ts';
import { killAgainAndAgain, type Seen } from './kills.ts';
import { LINES_MANIFEST, openLines, RESHAPE_LINES } from './lines.ts';
import { endOfLines } from './lines-outcome.ts';
import { randomOf, seed } from './random.ts';

/** The newest checkpoint in the state store, which a killed process may have left in the middle of making it. */
function seenIn(path: string): Seen | null {
  let db: DatabaseSync;
  try {
    if (!statSync(path, { throwIfNoEntry: false })) return null;
    db = new DatabaseSync(path, { timeout: 20_000 });
  } catch {
    return null;
  }
  try {
    const made = db.prepare(`SELECT 1 FROM sqlite_master WHERE name = 'checkpoint'`).get();
    if (made === undefined) return null;
    const row = db.prepare('SELECT text FROM checkpoint ORDER BY seq DESC LIMIT 1').get();
    if (typeof row?.['text'] !== 'string') return null;
    const { position, ledger } = JSON.parse(row['text']) as Checkpoint;
    return { position: position === null ? null : JSON.stringify(position), ledger };
  } finally {
    db.close();
  }
}

test(
  'killed at any moment, the file holds every line once and in order, and the ledger and the dead letters are exact',
  async () => {
    console.log(`seed ${seed}`);
    const random = randomOf(seed);
    using bench = newBench({ 'sluice.yaml': LINES_MANIFEST, 'reshape.js': RESHAPE_LINES });
    const lines = openLines(bench.path('in.ndjson'), random);
    for (let n = 0; n < 20; n++) lines.append();
    using writer = keepWriting(20, () => lines.append(random.chance(0.03) ? 1000 : 40));
    const tally = await killAgainAndAgain({
      random: randomOf(seed + 1),
      kills: scaled(100),
      moved: scaled(80),
      start: () => bench.start('run'),
      seen: () => seenIn(bench.path('.sluice/state.db')),
      target: () => statSync(bench.path('out.ndjson'), { throwIfNoEntry: false })?.size ?? 0,
      checkWriter: writer.check,
      async afterKill(n, seen) {
        expect(seen?.ledger.in ?? 0).toBeLessThanOrEqual(lines.count);
        if (n % 5 !== 0) return;
        const { ledger } = await bench.status();
        expect(ledger.in).toBe(sumOf(ledger));
        expect(ledger.pending).toBe(0);
      },
    });
    writer[Symbol.dispose]();
    const { ledger, letters, duplicates } = await endOfLines(bench, lines);
    expect(lines.bad.length).toBeGreaterThan(10);
    console.log(
      `file to file: ${tally.kills} kills, ${tally.afterFirst} after the first checkpoint, ${tally.moved} with the position moved; ` +
        `${ledger.in} events, ${letters} dead letters, ${duplicates} duplicates`,
    );
    lines.close();
  },
  long ? 1_500_000 : 240_000,
);
