// One session of the sink with the server: statements one after the other, prepared once each.
// Guarantees: a statement ends after its time-out even if the server or the network says nothing any more (the server is told
// the same, so that it gives up first); after any failure of the connection `broken` is true for good.

import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Client } from 'pg';
import { type SluiceError, sluiceError } from 'sluice/sdk';
import { type Address, close, connect, destroy } from './connection.ts';

export interface Session {
  readonly broken: boolean;
  /** A prepared statement with parameters as texts; rows as texts, and how many rows it changed. */
  query(sql: string, params?: readonly (string | null)[]): Promise<Answer>;
  /** Several statements, no parameters, no rows. */
  exec(sql: string): Promise<void>;
  /** COPY … FROM STDIN: its lines. */
  copyIn(sql: string, lines: Iterable<string>): Promise<void>;
  /** Ends it at once: whatever is open at the server is rolled back. */
  destroy(): void;
  close(): Promise<void>;
}

export interface Answer {
  readonly rows: readonly (readonly (string | null)[])[];
  readonly changed: number;
}

/** More statements than these are not prepared: a table whose rows have ever other columns must not fill the server. */
const MAX_PREPARED = 300;
const GRACE_MS = 5_000;

export async function openSession(address: Address, name: string, statementTimeout: number): Promise<Session> {
  const client = await connect(address, {
    name,
    settings: {
      statement_timeout: String(statementTimeout),
      lock_timeout: String(statementTimeout),
      idle_in_transaction_session_timeout: '0',
      // a client that is gone without a word must not hold its locks for hours (no effect on a local socket)
      tcp_keepalives_idle: '20',
      tcp_keepalives_interval: '10',
      tcp_keepalives_count: '3',
      tcp_user_timeout: '60000',
    },
  });
  const names = new Map<string, string>();
  let broken = false;
  client.on('end', () => {
    broken = true;
  });
  const nameOf = (sql: string): string | undefined => {
    const known = names.get(sql);
    if (known !== undefined || names.size >= MAX_PREPARED) return known;
    const made = `sluice_${names.size}`;
    names.set(sql, made);
    return made;
  };
  const limited = async <T>(work: () => Promise<T>): Promise<T> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        broken = true;
        destroy(client);
        reject(silent());
      }, statementTimeout + GRACE_MS);
    });
    try {
      return await Promise.race([work(), late]);
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    get broken() {
      return broken;
    },
    query: (sql, params = []) =>
      limited(async () => {
        const prepared = nameOf(sql);
        const result = await client.query<(string | null)[]>({
          ...(prepared === undefined ? {} : { name: prepared }),
          text: sql,
          values: [...params],
          rowMode: 'array',
        });
        return { rows: result.rows, changed: result.rowCount ?? 0 };
      }),
    exec: (sql) =>
      limited(async () => {
        await client.query(sql);
      }),
    copyIn: (sql, lines) => limited(() => copyLines(client, sql, lines)),
    destroy() {
      broken = true;
      destroy(client);
    },
    async close() {
      broken = true;
      await close(client);
    },
  };
}

async function copyLines(client: Client, sql: string, lines: Iterable<string>): Promise<void> {
  const module = await import('pg-copy-streams');
  await pipeline(Readable.from(lines), client.query(module.from(sql)));
}

function silent(): SluiceError {
  return sluiceError('E_SINK_CONNECT', {
    message: 'the server did not answer a statement in time, and did not end it either',
    fix: 'look at the network and at the server; the stream goes on by itself',
  });
}
