// Who reads the change table, and up to where each is done. Changes go when the slowest reader has acked them.
// Guarantee (invariant 1): nothing is pruned that a registered reader has not acked; a reader whose changes are gone
// nevertheless (somebody removed its row) is told so.

import { CHANGES, createLog, lastSeq, META, prunedSeq, READERS, readLogState } from './change-log.ts';
import { type Connection, inTransaction } from './driver.ts';
import { goneError, type SqlitePosition } from './position.ts';
import { type Synced, syncWithin, type Wish } from './triggers.ts';

export interface Registered extends Synced {
  readonly tag: string;
  /** Where to read on. */
  readonly seq: number;
}

const PRUNE_AT_ONCE = 20_000;

/**
 * Makes change table and triggers, registers the reader, and says where it stands, in one transaction: from its commit on
 * no change is missed. @throws SluiceError E_SOURCE_POSITION
 */
export function register(db: Connection, wish: Wish, from: SqlitePosition | null): Promise<Registered> {
  return inTransaction(db, 'write', async () => {
    const before = await readLogState(db);
    if (from !== null) checkFits(before, from);
    await createLog(db);
    const others = await db.all<{ acked: number | null }>(
      `SELECT min(acked) AS acked FROM ${READERS} WHERE name <> ?`,
      [wish.reader],
    );
    const last = await lastSeq(db);
    // A reader that is known starts where it acked, also without a position: a crash before its first checkpoint must
    // not cost the deletes that were logged since then.
    await db.run(
      `INSERT INTO ${READERS} (name, acked, tables, seen_at) VALUES (?, ?, '[]', ?)
       ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at`,
      [wish.reader, from?.seq ?? last, new Date().toISOString()],
    );
    const [own] = await db.all<{ acked: number }>(`SELECT acked FROM ${READERS} WHERE name = ?`, [wish.reader]);
    const synced = await syncWithin(db, wish, from?.seq ?? others[0]?.acked ?? last);
    const state = await readLogState(db);
    return { ...synced, tag: state!.tag, seq: from?.seq ?? own!.acked };
  });
}

/** What `register` checks, for a reader that leaves nothing behind. */
export function checkFits(state: { tag: string; last: number; pruned: number } | null, from: SqlitePosition): void {
  if (state === null) throw goneError('it has no change table');
  if (state.tag !== from.db) throw goneError('it is another database');
  if (from.seq > state.last) throw goneError('it is older than the position (was it restored from a backup?)');
  if (from.seq < state.pruned) throw goneError('the changes after the position were pruned');
}

/** Everything up to `seq` may be forgotten as far as this reader goes. */
export function acknowledge(db: Connection, reader: string, seq: number): Promise<void> {
  return inTransaction(db, 'write', async () => {
    await db.run(`UPDATE ${READERS} SET acked = max(acked, ?), seen_at = ? WHERE name = ?`, [
      seq,
      new Date().toISOString(),
      reader,
    ]);
    await prune(db);
  });
}

// Invariant 1: up to the slowest reader, and in bounded pieces, so that the write lock of the application is held briefly.
async function prune(db: Connection): Promise<void> {
  const [row] = await db.all<{ acked: number | null; first: number | null }>(
    `SELECT (SELECT min(acked) FROM ${READERS}) AS acked, (SELECT min(seq) FROM ${CHANGES}) AS first`,
  );
  const { acked, first } = row!;
  if (acked === null || first === null || first > acked) return;
  const to = Math.min(acked, first + PRUNE_AT_ONCE);
  await db.run(`DELETE FROM ${CHANGES} WHERE seq <= ?`, [to]);
  if (to > (await prunedSeq(db))) await db.run(`UPDATE ${META} SET value = ? WHERE name = 'pruned'`, [to]);
}
