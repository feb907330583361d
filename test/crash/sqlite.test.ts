// Invariant 7 at the real process: SQLite to SQLite, the target being the home of the checkpoint, with a JavaScript
// transform between; killed at random moments while a writer changes the source. Nothing is lost, nothing is applied twice.

import { expect, test } from 'vitest';
import { long, scaled } from '../long.ts';
import { keepWriting, newBench, sumOf } from './bench.ts';
import { killAgainAndAgain } from './kills.ts';
import { randomOf, seed } from './random.ts';
import { makeTarget, openShop, openTarget, RESHAPE } from './shop.ts';

const MANIFEST = `version: 1
transformations:
  - { id: reshape, type: javascript, file: ./reshape.js }
streams:
  - id: shop
    source: { type: sqlite, path: ./source.db, poll: 10ms }
    transformations: [reshape]
    sinks:
      - { id: copy, type: sqlite, path: ./target.db }
    batch: { max_events: 200 }
`;

const LIMIT = long ? 1_500_000 : 240_000;

test(
  'killed at any moment, the home holds every change once, and the ledger and the dead letters are exact',
  async () => {
    console.log(`seed ${seed}`);
    const random = randomOf(seed);
    using bench = newBench({ 'sluice.yaml': MANIFEST, 'reshape.js': RESHAPE });
    const shop = openShop(bench.path('source.db'), random, { poison: true });
    for (let n = 0; n < 40; n++) shop.change(200);
    shop.heal();
    shop.countFromHere();
    makeTarget(bench.path('target.db'));
    const target = openTarget(bench.path('target.db'));
    // The number of events of a snapshot is known only if nothing changes meanwhile; from then on the writer never rests.
    const snapshot = { over: false, seq: 0, rows: shop.events };
    using writer = keepWriting(25, () => {
      if (!snapshot.over) {
        const position = JSON.parse(target.seen()?.position ?? 'null') as { todo?: unknown; seq: number } | null;
        if (position === null || position.todo !== undefined) return;
        snapshot.over = true;
        snapshot.seq = position.seq;
      }
      // The machine may be slow: a writer that nobody can follow would make one transaction of all that is left to do.
      if (shop.events - (target.seen()?.ledger.in ?? 0) > 15_000) return;
      shop.change(random.chance(0.02) ? 600 : 12);
    });

    const tally = await killAgainAndAgain({
      random: randomOf(seed + 1),
      kills: scaled(100),
      moved: scaled(80),
      start: () => bench.start('run'),
      seen: () => target.seen(),
      target: () => target.writes(),
      checkWriter: writer.check,
      async afterKill(n, seen) {
        expect(target.writtenTwice()).toEqual([]);
        if (seen !== null && snapshot.over) {
          // The ledger and the position were committed together: each change up to the position is counted, and no other.
          const { seq } = JSON.parse(seen.position!) as { seq: number };
          expect(seen.ledger.in).toBe(snapshot.rows + seq - snapshot.seq);
        }
        if (n % 5 !== 0) return;
        const { ledger } = await bench.status();
        expect(ledger.in).toBe(sumOf(ledger));
        expect(ledger.pending).toBe(0); // no process has anything in its hands
      },
    });
    writer[Symbol.dispose]();
    shop.heal();
    const end = await bench.run('run', '--until-idle', '1s');
    expect(end.code, end.stderr).toBe(0);

    const rows = target.rows();
    const twice = target.writtenTwice();
    expect(rows).toEqual(shop.expected());
    expect(twice).toEqual([]);
    const { ledger } = await bench.status();
    expect(ledger.in).toBe(shop.events);
    expect(ledger.dead_lettered).toBe(shop.poisoned.size);
    expect(ledger.in).toBe(sumOf(ledger));
    const letters = await bench.letters();
    expect(new Set(letters.map((letter) => letter.event_id)).size).toBe(letters.length);
    const versions = letters.map(
      (letter) => (JSON.parse(letter.event) as { after: { version: number } }).after.version,
    );
    expect(versions.toSorted((a, b) => a - b)).toEqual([...shop.poisoned].toSorted((a, b) => a - b));
    expect(shop.poisoned.size).toBeGreaterThan(10);
    expect(ledger.filtered).toBeGreaterThan(10);
    console.log(
      `sqlite to sqlite: ${tally.kills} kills, ${tally.afterFirst} after the first checkpoint, ${tally.moved} with the position moved; ` +
        `${ledger.in} events, ${letters.length} dead letters, ${target.writes()} writes, ${twice.length} duplicates`,
    );
    shop.close();
    target.close();
  },
  LIMIT,
);

test(
  'killed during a snapshot whose tables change all the time, the home still becomes the source',
  async () => {
    const random = randomOf(seed + 2);
    using bench = newBench({ 'sluice.yaml': MANIFEST, 'reshape.js': RESHAPE });
    const shop = openShop(bench.path('source.db'), random, { poison: false });
    for (let n = 0; n < 100; n++) shop.change(200);
    makeTarget(bench.path('target.db'));
    const target = openTarget(bench.path('target.db'));
    using writer = keepWriting(20, () => shop.change());
    const tally = await killAgainAndAgain({
      random: randomOf(seed + 3),
      kills: scaled(30),
      moved: scaled(20),
      start: () => bench.start('run'),
      seen: () => target.seen(),
      target: () => target.writes(),
      checkWriter: writer.check,
      afterKill() {
        expect(target.writtenTwice()).toEqual([]);
      },
    });
    writer[Symbol.dispose]();
    const end = await bench.run('run', '--until-idle', '1s');
    expect(end.code, end.stderr).toBe(0);
    expect(target.rows()).toEqual(shop.expected());
    expect(target.writtenTwice()).toEqual([]);
    const { ledger } = await bench.status();
    expect(ledger.in).toBe(sumOf(ledger));
    expect(ledger.dead_lettered).toBe(0);
    console.log(
      `sqlite to sqlite, busy snapshot: ${tally.kills} kills, ${tally.afterFirst} after the first checkpoint, ` +
        `${tally.moved} with the position moved; ${ledger.in} events, ${target.writtenTwice().length} duplicates`,
    );
    shop.close();
    target.close();
  },
  LIMIT,
);
