// A snapshot that is repeated says what it has seen in which range of keys: what lies there and was not seen is no more.
// Deletes only by the source's own key, integers as integers and texts by their bytes: where the sink writes by another key, its
// columns compare otherwise, or several source tables go into one, nothing is deleted and the log says so.

import { isWholeTable, type Json, type Logger, messageOf, type SnapshotRange, tableOfRange } from 'sluice/sdk';
import { known, type Scope } from './apply.ts';
import { faultOf } from './faults.ts';
import { quoted } from './kinds.ts';
import type { SourceColumns, Target } from './target.ts';

/** In the caller's transaction, before the events of the batch: what they bring is in `keep`. */
export async function deleteRanges(scope: Scope, log: Logger): Promise<void> {
  for (const range of scope.batch.ranges ?? []) {
    const name = tableOfRange(scope.settings.table, scope.batch, range);
    const target = name === null ? null : await known(scope, name);
    if (name !== null && target === null) continue;
    const columns = target === null ? null : keyOf(scope, range, target);
    if (target !== null && columns !== null) await deleteRange(scope, range, target, columns, log);
    else
      log.warn(
        { table: range.table },
        'rows that were deleted meanwhile may stay: the table is written by another key, or by several tables',
      );
  }
}

interface KeyColumn {
  readonly name: string;
  readonly integer: boolean;
}

function keyOf({ batch, settings }: Scope, range: SnapshotRange, target: Target): readonly KeyColumn[] | null {
  if (settings.key !== undefined) return null;
  const source: SourceColumns = { columns: batch.columns(range.table), native: () => false };
  const key = source.columns.filter((column) => column.key !== undefined).sort((a, b) => a.key! - b.key!);
  // rows that have no key take the place of all that is there
  if (key.length === 0) return isWholeTable(range) && source.columns.length > 0 ? [] : null;
  const columns = key.flatMap(({ name, type }) => {
    const column = target.column(name, source);
    const integer = type === 'int' || type === 'bigint';
    return column?.affinity === (integer ? 'integer' : 'text') ? [{ name: column.name, integer }] : [];
  });
  if (columns.length < key.length) return null;
  return target.isUnique(columns.map(({ name }) => name)) ? columns : null;
}

async function deleteRange(
  { db, cache }: Scope,
  { table, from, to, keep }: SnapshotRange,
  target: Target,
  columns: readonly KeyColumn[],
  log: Logger,
): Promise<void> {
  const ours = columns.map(({ name, integer }) => `${quoted(name)}${integer ? '' : ' COLLATE BINARY'}`).join(', ');
  const params: string[] = [];
  const bound = (key: readonly Json[]): string => {
    params.push(...key.map(String));
    return `(${columns.map(({ integer }) => (integer ? 'CAST(? AS INTEGER)' : '?')).join(', ')})`;
  };
  const where = [
    ...(from === null ? [] : [`(${ours}) > ${bound(from)}`]),
    ...(to === null ? [] : [`(${ours}) <= ${bound(to)}`]),
  ];
  if (columns.length > 0) params.push(JSON.stringify(keep.map((key) => key.map(String)))); // one text: a chunk has more keys than a statement may have variables
  const kept = columns.map(({ integer }, i) => {
    const value = `json_extract(value, '$[${i}]')`;
    return integer ? `CAST(${value} AS INTEGER)` : value;
  });
  where.push(columns.length === 0 ? 'true' : `(${ours}) NOT IN (SELECT ${kept.join(', ')} FROM json_each(?))`);
  await db.exec('SAVEPOINT range');
  try {
    const gone = await db.run(`DELETE FROM ${quoted(target.table.name)} WHERE ${where.join(' AND ')}`, params);
    if (gone > 0) log.info({ table, rows: gone }, 'deleted rows that the source has no more');
  } catch (thrown) {
    if (faultOf(thrown) !== 'row') throw thrown;
    await db.exec('ROLLBACK TO range');
    cache.tables.clear();
    log.warn({ table, reason: messageOf(thrown) }, 'rows that the source has no more could not be deleted');
  }
  await db.exec('RELEASE range');
}
