// The checkpoint in the target database: rows and checkpoint change in one transaction, so a crash never parts them.
// Guarantees: only the writer that took the stream over last can commit (its epoch is in the same transaction); a torn or
// changed text is an error, never half a checkpoint (invariant 5).

import { type Checkpoint, type SluiceError, seal, sluiceError, unseal } from 'sluice/sdk';
import { quoted } from './connection.ts';
import { stateOf } from './sink-faults.ts';
import type { Session } from './sink-session.ts';

/** The table that holds the checkpoints, as SQL. */
export function homeTable(schema: string): string {
  return `${quoted(schema)}.checkpoint`;
}

/** Reads only; null when the database has no checkpoint of this stream. */
export async function loadCheckpoint(session: Session, table: string, stream: string): Promise<Checkpoint | null> {
  if (!(await isThere(session, table))) return null;
  const { rows } = await session.query(`select checkpoint from ${table} where stream = $1`, [stream]);
  const text = rows[0]?.[0];
  return text == null ? null : unseal(text, `table ${table}`);
}

/** Raises the epoch and says what it is now: from here on, commits of older writers fail. */
export async function takeOver(session: Session, table: string, schema: string, stream: string): Promise<string> {
  if (!(await isThere(session, table))) await makeTable(session, table, schema);
  const { rows } = await session.query(
    `insert into ${table} as t (stream, epoch) values ($1, 1) on conflict (stream) do update set epoch = t.epoch + 1 returning epoch`,
    [stream],
  );
  return rows[0]![0]!;
}

/** Within the transaction of the rows. @throws SluiceError E_CHECKPOINT_EPOCH */
export async function saveCheckpoint(
  session: Session,
  table: string,
  stream: string,
  epoch: string,
  checkpoint: Checkpoint,
): Promise<void> {
  const { checksum: _, ...rest } = checkpoint;
  const { changed } = await session.query(
    `update ${table} set checkpoint = $1, saved_at = now() where stream = $2 and epoch = $3::text::bigint`,
    [JSON.stringify(seal(rest)), stream, epoch],
  );
  if (changed === 1) return;
  throw sluiceError('E_CHECKPOINT_EPOCH', {
    message: `another writer has taken over stream ${stream}; this one may not write any more`,
    fix: 'run a stream in one process only',
    permanent: true,
  });
}

/** Forgets the checkpoint. The row stays, so that the epochs go on and an older writer stays out. */
export async function forgetCheckpoint(session: Session, table: string, stream: string): Promise<void> {
  if (!(await isThere(session, table))) return;
  await session.query(`update ${table} set checkpoint = null, epoch = epoch + 1 where stream = $1`, [stream]);
}

async function isThere(session: Session, table: string): Promise<boolean> {
  const { rows } = await session.query('select to_regclass($1) is not null', [table]);
  return rows[0]?.[0] === 't';
}

async function makeTable(session: Session, table: string, schema: string): Promise<void> {
  try {
    // `if not exists` asks for the right to make the schema even where it is there
    const { rows } = await session.query('select to_regnamespace($1) is null', [quoted(schema)]);
    if (rows[0]?.[0] === 't') await session.exec(`create schema if not exists ${quoted(schema)}`);
    await session.exec(
      `create table if not exists ${table} (stream text primary key, epoch bigint not null, checkpoint text, saved_at timestamptz)`,
    );
  } catch (thrown) {
    if (stateOf(thrown) === '42501') throw noRight(schema, thrown);
    if (!['23505', '42P06', '42P07'].includes(stateOf(thrown))) throw thrown; // another stream has just made it
  }
}

function noRight(schema: string, cause: unknown): SluiceError {
  return sluiceError('E_SINK_WRITE', {
    message: `the role may not make the table of the checkpoint in the schema ${quoted(schema)}`,
    fix: `run \`create schema ${quoted(schema)} authorization <role>\`, or set \`state_schema\` to a schema of the role's own`,
    cause,
  });
}
