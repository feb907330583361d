// Writes one batch within the caller's transaction and answers for each event: core's way of it, with PostgreSQL's savepoints
// and PostgreSQL's errors.

import { type EventBatch, isSluiceError, type Logger, type RowWriter, type WriteResult, writeRows } from 'sluice/sdk';
import { applyTogether, known, type Scope, type WriteSettings } from './sink-apply.ts';
import type { Refused } from './sink-deferred.ts';
import { faultOf, isUnknownName, refused, unknownName } from './sink-faults.ts';
import { deleteRanges } from './sink-ranges.ts';
import type { Session } from './sink-session.ts';
import { shapesOf, type Target } from './sink-target.ts';
import { REFERENCE } from './sink-types.ts';

/** What is known of the tables of one session. */
export interface TargetCache {
  readonly tables: Map<string, Target | null>;
  /** By oid: changes with the columns of a table. */
  shapes: ReadonlyMap<string, string>;
}

/** Must run within a transaction. `rejected`: events that are not tried. @throws whatever is not a row's own fault */
export async function writeBatch(
  session: Session,
  batch: EventBatch,
  settings: WriteSettings,
  cache: TargetCache,
  signal: AbortSignal,
  log: Logger,
  rejected: Refused = new Map(),
): Promise<WriteResult[]> {
  await forgetChanged(session, cache);
  const scope: Scope = { session, batch, settings, tables: cache.tables };
  await deleteRanges(scope, log);
  let fresh = false; // everything that is known was read in this call, after something failed
  const writer: RowWriter = {
    apply: (table, steps) => applyTogether(scope, table, steps),
    savepoint: () => session.exec('savepoint steps'),
    release: () => session.exec('release steps'),
    async rollback() {
      await session.exec('rollback to steps; release steps');
      cache.tables.clear(); // what was made or added since the savepoint is gone again
    },
    judge(thrown, table, alone) {
      if (session.broken) return 'throw';
      const ours = isSluiceError(thrown);
      if (ours && thrown.permanent) return 'throw';
      const references = ours || !isUnknownName(thrown) ? [] : referencesOf(cache.tables.get(table));
      if (references.length > 0) return alone ? unknownName(table, references) : 'narrow';
      const fault = faultOf(thrown);
      if (!ours && fault === 'absent') return 'throw';
      if (!fresh && !ours && fault === 'statement') {
        fresh = true;
        return 'again'; // somebody has changed the table since it was read
      }
      if (!alone) return 'narrow';
      if (ours) return thrown;
      return fault === 'statement' ? 'throw' : refused(table, thrown);
    },
    refused: (i) => rejected.get(i),
    linked: async (table) => (await known(scope, table))?.linked === true,
  };
  return writeRows(batch, settings, writer, signal);
}

/** The columns whose values name things of the database. */
function referencesOf(target: Target | null | undefined): readonly string[] {
  const columns = [...(target?.columns.values() ?? [])];
  return columns.filter(({ base, element }) => REFERENCE.test(element ?? base)).map(({ name }) => `column "${name}"`);
}

async function forgetChanged(session: Session, cache: TargetCache): Promise<void> {
  const oids: string[] = [];
  for (const [name, target] of cache.tables) {
    if (target === null)
      cache.tables.delete(name); // it may be there by now
    else oids.push(target.oid);
  }
  if (oids.length === 0) return;
  const shapes = await shapesOf(session, oids);
  for (const [name, target] of cache.tables) {
    if (target !== null && (!shapes.has(target.oid) || shapes.get(target.oid) !== cache.shapes.get(target.oid)))
      cache.tables.delete(name);
  }
  cache.shapes = shapes;
}
