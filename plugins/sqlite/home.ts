// The checkpoint in the target database: rows and checkpoint change in one transaction, so a crash never parts them.
// Guarantees: only the writer that took the stream over last can commit (its epoch is in the same transaction); a torn or
// changed text is an error, never half a checkpoint (invariant 5).

import { type Checkpoint, seal, sluiceError, unseal } from 'sluice/sdk';
import { type Connection, inTransaction } from './driver.ts';

const TABLE = '_sluice_checkpoint';
const WHERE = `table ${TABLE}`;

/** Reads only; null when the database has no checkpoint of this stream. */
export async function loadCheckpoint(db: Connection, stream: string): Promise<Checkpoint | null> {
  const [there] = await db.all(`SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?`, [TABLE]);
  if (there === undefined) return null;
  const [row] = await db.all<{ checkpoint: string | null }>(`SELECT checkpoint FROM ${TABLE} WHERE stream = ?`, [
    stream,
  ]);
  return row?.checkpoint == null ? null : unseal(row.checkpoint, WHERE);
}

/** Raises the epoch and says what it is now: from here on, commits of older writers fail. */
export function takeOver(db: Connection, stream: string): Promise<number> {
  return inTransaction(db, 'write', async () => {
    await db.exec(
      `CREATE TABLE IF NOT EXISTS ${TABLE} (stream TEXT PRIMARY KEY NOT NULL, epoch INTEGER NOT NULL, checkpoint TEXT) WITHOUT ROWID`,
    );
    const [row] = await db.all<{ epoch: number }>(
      `INSERT INTO ${TABLE} (stream, epoch) VALUES (?, 1) ON CONFLICT (stream) DO UPDATE SET epoch = epoch + 1 RETURNING epoch`,
      [stream],
    );
    return row!.epoch;
  });
}

/** Within the transaction of the rows. @throws SluiceError E_CHECKPOINT_EPOCH */
export async function saveCheckpoint(
  db: Connection,
  stream: string,
  epoch: number,
  checkpoint: Checkpoint,
): Promise<void> {
  const { checksum: _, ...rest } = checkpoint;
  const text = JSON.stringify(seal(rest));
  const changed = await db.run(`UPDATE ${TABLE} SET checkpoint = ? WHERE stream = ? AND epoch = ?`, [
    text,
    stream,
    epoch,
  ]);
  if (changed === 1) return;
  throw sluiceError('E_CHECKPOINT_EPOCH', {
    message: `another writer has taken over stream ${stream}; this one may not write any more`,
    fix: 'run a stream in one process only',
    permanent: true,
  });
}

/** Forgets the checkpoint. The row stays, so that the epochs go on and an older writer stays out. */
export function forgetCheckpoint(db: Connection, stream: string): Promise<void> {
  return inTransaction(db, 'write', async () => {
    const [there] = await db.all(`SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?`, [TABLE]);
    if (there !== undefined)
      await db.run(`UPDATE ${TABLE} SET checkpoint = NULL, epoch = epoch + 1 WHERE stream = ?`, [stream]);
  });
}
