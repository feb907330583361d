// Writes one batch within the caller's transaction and answers for each event: core's way of it, with SQLite's savepoints and
// SQLite's errors.

import {
  type EventBatch,
  isSluiceError,
  type Logger,
  messageOf,
  type RowWriter,
  sluiceError,
  type WriteResult,
  writeRows,
} from 'sluice/sdk';
import { applyTogether, type Scope, type TargetCache, type WriteSettings } from './apply.ts';
import type { Connection } from './driver.ts';
import { faultOf } from './faults.ts';
import { deleteRanges } from './ranges.ts';

/** Must run within a transaction. @throws whatever is not a row's own fault */
export async function writeBatch(
  db: Connection,
  batch: EventBatch,
  settings: WriteSettings,
  cache: TargetCache,
  signal: AbortSignal,
  log: Logger,
): Promise<WriteResult[]> {
  const [now] = await db.all<{ schema_version: number }>('PRAGMA schema_version');
  if (now!.schema_version !== cache.schema) cache.tables.clear();
  cache.schema = now!.schema_version;
  const scope: Scope = { db, batch, settings, cache };
  await deleteRanges(scope, log);
  const writer: RowWriter = {
    apply: (table, steps) => applyTogether(scope, table, steps),
    savepoint: () => db.exec('SAVEPOINT steps'),
    release: () => db.exec('RELEASE steps'),
    async rollback() {
      await db.exec('ROLLBACK TO steps; RELEASE steps');
      cache.tables.clear(); // what was made or added since the savepoint is gone again
    },
    judge(thrown, table, alone) {
      const ours = isSluiceError(thrown) && !thrown.permanent;
      const fault = faultOf(thrown);
      if (!ours && fault !== 'row' && fault !== 'statement') return 'throw';
      if (!alone) return 'narrow';
      if (ours) return thrown;
      const reason = messageOf(thrown);
      if (fault === 'statement' && /^no such (table|column)/.test(reason)) return 'throw';
      return sluiceError('E_SINK_REJECT', { message: `table "${table}" refused the row: ${reason}`, cause: thrown });
    },
  };
  return writeRows(batch, settings, writer, signal);
}
