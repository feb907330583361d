// The replication slot: what the server keeps its log for.

import type { Client } from 'pg';
import { type Logger, type SluiceError, sluiceError } from 'sluice/sdk';
import { rowsOf } from './connection.ts';
import { lsnOf } from './lsn.ts';
import { slotAdvanced, slotLost } from './source-faults.ts';
import { toldWhile } from './waiting.ts';

export interface Slot {
  readonly name: string;
  /** Everything that was committed before this was acked. */
  readonly confirmed: bigint;
  /** The process that reads from it, or null. */
  readonly reader: number | null;
  readonly lost: boolean;
  /** Why, in the server's words (from 17 on): `wal_removed`, `idle_timeout`, … */
  readonly lostBecause: string | null;
  /** `pgoutput`, of a logical slot. */
  readonly plugin: string | null;
  readonly database: string | null;
  /** Bytes of log that it holds. */
  readonly held: number;
}

export async function readSlot(client: Client, name: string): Promise<Slot | null> {
  const [row] = await rowsOf(
    client,
    `select coalesce(confirmed_flush_lsn, '0/0'), active_pid, wal_status, plugin, database,
       coalesce(pg_current_wal_lsn() - restart_lsn, 0), to_jsonb(s)->>'invalidation_reason'
     from pg_replication_slots s where slot_name = $1`,
    [name],
  );
  if (row === undefined) return null;
  const [confirmed, reader, status, plugin, database, held, because] = row;
  return {
    name,
    confirmed: lsnOf(confirmed!),
    reader: reader === null || reader === undefined ? null : Number(reader),
    lost: status === 'lost' || (because ?? null) !== null,
    lostBecause: because ?? null,
    plugin: plugin ?? null,
    database: database ?? null,
    held: Number(held),
  };
}

/** Why the slot cannot be read from `position` on (null: from where it stands), or null. */
export function slotFault(slot: Slot, database: string, position: bigint | null): SluiceError | null {
  if (slot.plugin !== 'pgoutput' || slot.database !== database) {
    return sluiceError('E_SOURCE_SLOT_WRONG', {
      message:
        slot.plugin === 'pgoutput'
          ? 'the replication slot is of another database'
          : 'the replication slot was made for another output plugin than pgoutput',
      fix: 'give this stream a `slot` of its own',
      permanent: true,
    });
  }
  if (slot.lost) return slotLost(slot.lostBecause ?? 'wal_removed', slot.name);
  // Only what a checkpoint covers is acked, so the slot never stands after a position of ours.
  if (position !== null && slot.confirmed > position) return slotAdvanced();
  return null;
}

export interface NewSlot {
  /** Everything that is committed after this comes. */
  readonly start: bigint;
  /** The name of a snapshot as of `start`, as long as the connection that made the slot is asked nothing else. */
  readonly snapshot: string | null;
}

/** Waits for all running transactions, and says in the log for which, asking `sql`. `temporary`: it goes with its connection. */
export async function createSlot(
  sql: Client,
  replication: Client,
  name: string,
  log: Logger,
  options: { readonly temporary: boolean; readonly snapshot: boolean },
): Promise<NewSlot> {
  const { temporary, snapshot } = options;
  const command = `CREATE_REPLICATION_SLOT "${name}"${temporary ? ' TEMPORARY' : ''} LOGICAL pgoutput ${snapshot ? 'EXPORT_SNAPSHOT' : 'NOEXPORT_SNAPSHOT'}`;
  const [row] = await toldWhile(
    sql,
    processOf(replication),
    log,
    'making the replication slot',
    rowsOfCommand(replication, command),
  );
  return { start: lsnOf(row!['consistent_point']!), snapshot: row!['snapshot_name'] ?? null };
}

/** The server's process of a connection. */
export function processOf(client: Client): number {
  return (client as unknown as { readonly processID: number }).processID;
}

/** A command of the replication protocol: it goes in the simple protocol, without parameters. */
export async function rowsOfCommand(
  replication: Client,
  sql: string,
): Promise<readonly Readonly<Record<string, string | null>>[]> {
  return (await replication.query<Record<string, string | null>>(sql)).rows;
}
