// From the messages of the stream to drafts in the pile, and to the progress. Knows which tables are read and which are parked, notices
// changed schemas, and tells the snapshot which keys were touched by whom.
// Guarantees: the id of an event is the place of its commit and its number within the transaction, counted over all that the
// publication gives, so it is the same on every reading; what was given before a lost connection is not given again.

import type { Client } from 'pg';
import type { Logger } from 'sluice/sdk';
import type { Transaction } from './drafts.ts';
import { type Layout, readLayout } from './layout.ts';
import { lsnText } from './lsn.ts';
import {
  type Change,
  hasUnchanged,
  KIND,
  readBegin,
  readChange,
  readCommit,
  readMessage,
  readRelation,
  readTruncate,
  readTuple,
} from './pgoutput.ts';
import type { OpenTransaction, Pile } from './pile.ts';
import { type Progress, park } from './progress.ts';
import type { WalMessage } from './replication.ts';
import { keyText } from './snapshot.ts';
import type { Snapshotter } from './snapshotter.ts';
import type { Table } from './tables.ts';
import type { JsonbForm } from './types.ts';
import { fullXid } from './visibility.ts';

export interface DecoderParts {
  readonly sql: Client;
  readonly log: Logger;
  readonly jsonb: JsonbForm;
  readonly progress: Progress;
  readonly pile: Pile;
  readonly tables: ReadonlyMap<string, Table>;
  readonly snapshotter: Snapshotter;
}

export interface Decoder {
  /** True within a transaction: no request and no snapshot comes between its changes. */
  readonly open: boolean;
  /** Takes one message. A promise, to be waited for before the next, only where the catalog must be asked. */
  take(message: WalMessage): Promise<void> | undefined;
  /** The stream begins anew at the progress. */
  reset(): void;
}

interface Open extends OpenTransaction {
  readonly tx: Transaction;
  readonly xid: bigint;
  /** So many of its changes were given before. */
  readonly skip: number;
}

export function newDecoder(parts: DecoderParts): Decoder {
  const { progress, pile, snapshotter, log, tables } = parts;
  const layouts = new Map<number, Layout | null>();
  const change: Change = { relation: 0, oldKind: null, oldAt: -1, newAt: -1 };
  let open: Open | null = null;

  /** The open transaction with one change more; null: the change was given before. */
  const next = (): Open | null => {
    const now = open;
    if (now === null) throw new RangeError('a change outside of a transaction');
    now.order++;
    return now.order <= now.skip ? null : now;
  };
  const isParked = (table: string): boolean =>
    progress.parked.length > 0 && progress.parked.some((one) => one.table === table);

  function takeChange(bytes: Buffer, at: number, end: number): void {
    const kind = bytes[at];
    readChange(bytes, at, end, change);
    const now = next();
    if (now === null) return;
    const layout = layouts.get(change.relation);
    if (layout === undefined) throw new RangeError('a change of a table that was not described');
    if (layout === null || isParked(layout.table) || snapshotter.covers(layout.table)) return;
    const { oldKind, oldAt, newAt } = change;
    const op = kind === KIND.insert ? 'c' : kind === KIND.update ? 'u' : 'd';
    const { tx, order } = now;
    if (snapshotter.watches(layout.table)) watch(layout, bytes, now);
    pile.push({ id: null, op, ts: tx.ts, layout, tx, order, bytes, oldKind, oldAt, newAt }, end - at, now);
  }

  /** Tells the snapshot of the table which keys this change touches. */
  function watch(layout: Layout, bytes: Buffer, now: Open): void {
    const count = layout.columns.length;
    const fresh = change.newAt < 0 ? null : readTuple(bytes, change.newAt, count);
    const old = change.oldAt < 0 ? null : readTuple(bytes, change.oldAt, count);
    const keyOf = (texts: readonly (string | null | undefined)[] | null): string[] | null => {
      if (texts === null) return null;
      const key = layout.key.map((k) => texts[k] ?? old?.[k]);
      return key.every((text) => typeof text === 'string') ? (key as string[]) : null;
    };
    const key = keyOf(fresh);
    const oldKey = keyOf(old);
    const moved = key !== null && oldKey !== null && keyText(key) !== keyText(oldKey);
    const partial = change.newAt >= 0 && change.oldKind !== 'O' && hasUnchanged(bytes, change.newAt);
    snapshotter.touch(layout, now.xid, { key, oldKey, moved, partial });
  }

  async function takeRelation(bytes: Buffer, at: number): Promise<void> {
    const relation = readRelation(bytes, at);
    const name = `${relation.schema}.${relation.name}`;
    if (!tables.has(name)) {
      layouts.set(relation.id, null);
      return;
    }
    const layout = await readLayout(parts.sql, relation, parts.jsonb);
    const known = layouts.get(relation.id)?.columns;
    layouts.set(relation.id, layout);
    if (isParked(name)) return;
    if (layout.key.length === 0 && layout.identity !== 'f') {
      pile.close(open);
      park(progress, name, `it has no key any more: \`alter table ${name} add primary key (…)\``);
      log.warn({ table: name }, `table ${name} is parked: it has no key any more`);
      return;
    }
    const before = progress.tables[name];
    if (before === layout.fingerprint) return;
    // What was before knows the columns that were before; its position must not say that the change was seen.
    pile.close(open);
    progress.tables = { ...progress.tables, [name]: layout.fingerprint };
    if (before === undefined || before.endsWith(':') || open === null) return;
    // Rows that were there got its default, or its old name's values, without a word in the log.
    if (known === undefined || layout.columns.some((column) => !known.some(({ name }) => name === column.name))) {
      const what = known === undefined ? 'other columns than before' : 'a new column';
      const mend = `run \`sluice snapshot --table ${name}\``;
      log.warn(
        { table: name },
        `table ${name} has ${what}; what it holds in rows from before does not come in the stream: ${mend}`,
      );
    }
    const { tx, order } = open;
    const json = JSON.stringify({ columns: layout.columns });
    // Named after the change that it comes before: of itself it has no place in the transaction.
    const id = `${tx.lsn}:${order + 1}:s`;
    const draft = { id, op: 's', ts: tx.ts, layout, tx, order: order + 1, json, table: name } as const;
    if (order >= open.skip) pile.push(draft, json.length, open);
  }

  function takeTruncate(bytes: Buffer, at: number): void {
    for (const relation of readTruncate(bytes, at)) {
      const now = next();
      if (now === null) continue;
      const layout = layouts.get(relation);
      if (layout === undefined || layout === null || isParked(layout.table) || snapshotter.covers(layout.table))
        continue;
      snapshotter.truncated(layout.table, now.xid);
      const { tx, order } = now;
      const { table } = layout;
      pile.push({ id: null, op: 't', ts: tx.ts, layout, tx, order, json: null, table }, 0, now);
    }
  }

  function takeMessage(bytes: Buffer, at: number): void {
    const { transactional, lsn, prefix, content } = readMessage(bytes, at);
    const text = content.toString('utf8');
    const isText = Buffer.from(text, 'utf8').equals(content);
    const json = JSON.stringify(
      isText ? { prefix, content: text } : { prefix, content: content.toString('base64'), encoding: 'base64' },
    );
    const common = { op: 'm', layout: null, json, table: prefix } as const;
    if (transactional) {
      const now = next();
      if (now === null) return;
      const { tx, order } = now;
      pile.push({ ...common, id: null, ts: tx.ts, tx, order }, json.length, now);
      return;
    }
    // It stands in the log by itself, between transactions, and has no time.
    if (open !== null) return;
    if (lsn < progress.lsn) return;
    progress.lsn = lsn + 1n; // reading from here on leaves it out, and nothing else
    pile.push({ ...common, id: `${lsnText(lsn)}:m`, ts: 0, tx: null, order: 0 }, json.length, null);
    pile.boundary();
  }

  return {
    get open() {
      return open !== null;
    },
    take({ bytes, at, end, lsn }) {
      if (bytes === null) {
        if (open === null && lsn > progress.lsn) {
          progress.lsn = lsn;
          pile.boundary();
        }
        if (open === null) snapshotter.passed(lsn);
        return undefined;
      }
      switch (bytes[at]) {
        case KIND.insert:
        case KIND.update:
        case KIND.delete:
          takeChange(bytes, at, end);
          return undefined;
        case KIND.begin: {
          const begin = readBegin(bytes, at);
          snapshotter.passed(begin.lsn);
          const { within } = progress;
          open = {
            lsn: begin.lsn,
            order: 0,
            skip: within?.lsn === begin.lsn ? within.given : 0,
            tx: { lsn: lsnText(begin.lsn), xid: String(begin.xid), ts: begin.ts },
            xid: fullXid(begin.xid, snapshotter.xid),
          };
          return undefined;
        }
        case KIND.commit: {
          const { end: after } = readCommit(bytes, at);
          const over = open;
          open = null;
          progress.lsn = after;
          progress.within = null;
          pile.boundary();
          if (over !== null) snapshotter.streamed(over.xid);
          snapshotter.passed(after);
          return undefined;
        }
        case KIND.relation:
          return takeRelation(bytes, at);
        case KIND.truncate:
          takeTruncate(bytes, at);
          return undefined;
        case KIND.message:
          takeMessage(bytes, at);
          return undefined;
        case KIND.type:
        case KIND.origin:
          return undefined;
        default:
          throw new RangeError('a message of a kind that was not asked for');
      }
    },
    reset() {
      open = null;
      layouts.clear();
    },
  };
}
