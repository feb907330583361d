// Who holds up the source: transactions that a new slot, or a chunk of a snapshot, must wait for. Said in the log after some seconds,
// and again every minute, so that nobody takes it for a stream that hangs. Never the text of a statement: it may hold values.

import type { Client } from 'pg';
import type { Logger } from 'sluice/sdk';
import { rowsOf } from './connection.ts';

const SAY_AFTER_MS = 3_000;
const SAY_AGAIN_MS = 60_000;

/** Says once in a while that something waits, as long as it is told so again and again. */
export interface WaitTeller {
  /** It waits: asks who holds it up, when it is time to say so. */
  waits(who: () => Promise<string>): Promise<void>;
  /** It does not wait any more. */
  over(): void;
}

export function waitTeller(log: Logger, what: string): WaitTeller {
  let since = 0;
  let next = 0;
  return {
    async waits(who) {
      const now = performance.now();
      if (since === 0) {
        since = now;
        next = now + SAY_AFTER_MS;
      }
      if (now < next) return;
      next = now + SAY_AGAIN_MS;
      const seconds = Math.round((now - since) / 1000);
      log.warn({ seconds }, `${what} waits since ${seconds} s for ${await who()}`);
    },
    over() {
      since = 0;
    },
  };
}

/** Waits for `work`, which session `pid` of the server does, and says what that waits for where it takes long. */
export async function toldWhile<T>(sql: Client, pid: number, log: Logger, what: string, work: Promise<T>): Promise<T> {
  const teller = waitTeller(log, what);
  let over = false;
  let wake = (): void => undefined;
  const watching = (async () => {
    while (!over) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 500);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      if (!over) await teller.waits(() => blockersOf(sql, pid));
    }
  })().catch(() => undefined); // `work` says what is wrong with the server
  try {
    return await work;
  } finally {
    over = true;
    wake();
    await watching;
  }
}

/** The transactions that a session of the server waits for. */
export async function blockersOf(sql: Client, pid: number): Promise<string> {
  return described(sql, 'select unnest(pg_blocking_pids($1))', [pid]);
}

/** The transactions with these ids, as far as they still run. */
export async function holdersOf(sql: Client, xids: Iterable<bigint>): Promise<string> {
  const low = [...xids].map((xid) => String(BigInt.asUintN(32, xid)));
  // of a prepared transaction nobody is the holder
  return described(
    sql,
    `select coalesce(pid, 0) from pg_locks where locktype = 'transactionid' and granted and transactionid::text = any($1)`,
    [low],
  );
}

async function described(sql: Client, pids: string, params: readonly unknown[]): Promise<string> {
  const rows = await rowsOf(
    sql,
    `select distinct of.pid, a.usename, a.application_name, a.state, extract(epoch from clock_timestamp() - a.xact_start)::bigint
     from (${pids}) as of(pid) left join pg_stat_activity a on a.pid = of.pid order by 1`,
    params,
  );
  if (rows.length === 0) return 'a transaction that was open before';
  const each = rows.slice(0, 3).map(([pid, user, name, state, age]) => {
    if (pid === '0') return 'a prepared transaction (pg_prepared_xacts shows it)';
    const of = user === null ? '' : ` of ${user}${name ? ` (${name})` : ''}`;
    const open = age === null ? '' : `, open for ${age} s`;
    return `the transaction of process ${pid}${of}${open}${state ? `, ${state}` : ''}`;
  });
  const more = rows.length > 3 ? ` and ${rows.length - 3} more` : '';
  return `${each.join('; ')}${more}: it goes on when that is over (\`select pg_terminate_backend(pid)\` ends one)`;
}
