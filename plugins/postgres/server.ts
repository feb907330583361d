// What the server is: its version, its settings that count here, how far its log goes.

import type { Client } from 'pg';
import { type SluiceError, sluiceError } from 'sluice/sdk';
import { rowsOf } from './connection.ts';
import { lsnOf } from './lsn.ts';
import { rowsOfCommand } from './slot.ts';

export interface ServerFacts {
  /** Such as 150018. */
  readonly version: number;
  /** The system identifier: the same on its standbys. */
  readonly server: string;
  readonly database: string;
  readonly timeline: number;
  /** How far its log is written. */
  readonly written: bigint;
  readonly walLevel: string;
  readonly standby: boolean;
  readonly encoding: string;
  /** How long a silent reader is tolerated, in ms; 0: for ever. */
  readonly senderTimeout: number;
}

export async function serverFacts(sql: Client, replication: Client): Promise<ServerFacts> {
  const [system] = await rowsOfCommand(replication, 'IDENTIFY_SYSTEM');
  const facts = await sqlFacts(sql);
  return {
    ...facts,
    server: system!['systemid']!,
    timeline: Number(system!['timeline']),
    written: lsnOf(system!['xlogpos']!),
  };
}

export type SqlFacts = Omit<ServerFacts, 'server' | 'timeline' | 'written'>;

export async function sqlFacts(sql: Client): Promise<SqlFacts> {
  const [row] = await rowsOf(
    sql,
    `select current_setting('server_version_num'), current_setting('wal_level'), pg_is_in_recovery(),
       current_setting('server_encoding'), current_database(),
       (select setting from pg_settings where name = 'wal_sender_timeout')`,
  );
  const [version, walLevel, standby, encoding, database, timeout] = row!;
  return {
    version: Number(version),
    walLevel: walLevel!,
    standby: standby === 't',
    encoding: encoding!,
    database: database!,
    senderTimeout: Number(timeout),
  };
}

const OLDEST = 140_000;

/** Why the source cannot read from this server, or null. `streams`: not only rows. */
export function serverFault(facts: SqlFacts, streams: boolean): SluiceError | null {
  if (facts.version < OLDEST) {
    return settings('the server is older than PostgreSQL 14', 'use a newer server', true);
  }
  // Text goes out as UTF-8, except where the server does not know what its bytes are.
  if (facts.encoding === 'SQL_ASCII') {
    return settings(
      "the database's encoding is SQL_ASCII: nobody knows what its texts are",
      'use one with an encoding',
      true,
    );
  }
  if (facts.standby) {
    return settings(
      'the server is a standby',
      'connect to the primary; the stream goes on by itself once it is one',
      false,
    );
  }
  if (streams && facts.walLevel !== 'logical') {
    const fix = "run `alter system set wal_level = 'logical'` and restart the server";
    return settings(`wal_level is ${facts.walLevel}, and logical replication needs \`logical\``, fix, true);
  }
  return null;
}

function settings(message: string, fix: string, permanent: boolean): SluiceError {
  return sluiceError('E_SOURCE_SETTINGS', { message, fix, permanent });
}
