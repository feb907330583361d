// A snapshot of which the place in the log is known: that of a temporary slot. How rows without a key are read while changes come: they
// have no order to go on in and cannot be told apart, so all of them are read as of one place, and changes count from that place on.
// Making a slot waits for the transactions that are open; the stream must stand still for it, so it is given up soon and tried again.

import type { Client } from 'pg';
import { pause } from 'sluice/sdk';
import type { Address } from './address.ts';
import { close, connect, rowsOf } from './connection.ts';
import { lsnOf } from './lsn.ts';
import { processOf, rowsOfCommand } from './slot.ts';
import { codeOf } from './source-faults.ts';
import { blockersOf } from './waiting.ts';

/** Usable until it is ended. */
export interface Frozen extends AsyncDisposable {
  /** For `set transaction snapshot`. */
  readonly snapshot: string;
  /** It sees what was committed before this, and nothing else. */
  readonly at: bigint;
}

const PATIENCE_MS = 2_000;
/** What the server has none left of: the stream has its own, and goes on meanwhile. */
const LACKS: Readonly<Record<string, string>> = {
  '53300': 'a free connection for replication (max_wal_senders, max_connections)',
  '53400': 'a free replication slot (max_replication_slots)',
};
let made = 0;

/** Asks `sql` who is in the way. A text: what it would have to wait for. */
export async function freeze(sql: Client, address: Address, stream: string): Promise<Frozen | string> {
  let replication: Client | null = null;
  try {
    const own = await connect(address, { name: `sluice ${stream}`, replication: true });
    replication = own;
    const name = `sluice_now_${process.pid}_${Date.now().toString(36)}_${made++}`;
    const making = rowsOfCommand(own, `CREATE_REPLICATION_SLOT "${name}" TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT`);
    making.catch(() => undefined); // told below, or cancelled
    const timer = new AbortController();
    const rows = await Promise.race([making, pause(PATIENCE_MS, timer.signal).then(() => null)]);
    timer.abort();
    if (rows !== null) {
      const [row] = rows;
      return {
        snapshot: row!['snapshot_name']!,
        at: lsnOf(row!['consistent_point']!),
        [Symbol.asyncDispose]: () => close(own),
      };
    }
    const pid = processOf(own);
    const who = await blockersOf(sql, pid);
    // a session that waits does not notice that its client is gone
    await rowsOf(sql, 'select pg_cancel_backend($1)', [pid]);
    await close(own);
    return who;
  } catch (thrown) {
    if (replication !== null) await close(replication);
    const lacks = LACKS[codeOf(thrown)];
    if (lacks === undefined) throw thrown;
    return lacks;
  }
}
