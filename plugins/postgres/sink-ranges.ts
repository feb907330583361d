// A snapshot that is repeated says what it has seen in which range of keys: what lies there and was not seen is no more.
// Deletes only by the source's own key: where the sink writes by another one, cannot compare as the source does, or writes
// several source tables into one, nothing is deleted and the log says so.

import { type ColumnType, isWholeTable, type Json, type Logger, type SnapshotRange, tableOfRange } from 'sluice/sdk';
import { quoted } from './connection.ts';
import { known, type Scope } from './sink-apply.ts';
import { bind, textArray, UNFIT } from './sink-binds.ts';
import { faultOf, reasonOf } from './sink-faults.ts';
import type { Target } from './sink-target.ts';
import type { TargetColumn } from './sink-types.ts';

const INTEGERS = new Set(['int2', 'int4', 'int8', 'numeric']);
const TEXTS = new Set(['text', 'varchar', 'uuid']);

/** In the caller's transaction, before the events of the batch: what they bring is in `keep`. */
export async function deleteRanges(scope: Scope, log: Logger): Promise<void> {
  for (const range of scope.batch.ranges ?? []) {
    const name = tableOfRange(scope.settings.table, scope.batch, range);
    const target = name === null ? null : await known(scope, name);
    if (name !== null && target === null) continue;
    const columns = target === null ? null : keyOf(scope, range, target);
    if (target === null || columns === null) {
      log.warn(
        { table: range.table },
        'rows that were deleted meanwhile may stay: the table is written by another key, or by several tables',
      );
      continue;
    }
    await deleteRange(scope, range, target, columns, log);
  }
}

interface KeyColumn {
  readonly column: TargetColumn;
  readonly kind: ColumnType;
}

function keyOf({ batch, settings }: Scope, range: SnapshotRange, target: Target): readonly KeyColumn[] | null {
  if (settings.key !== undefined) return null;
  const key = batch
    .columns(range.table)
    .filter((column) => column.key !== undefined)
    .sort((a, b) => a.key! - b.key!);
  // rows that have no key take the place of all that is there
  if (key.length === 0) return isWholeTable(range) && batch.columns(range.table).length > 0 ? [] : null;
  const columns = key.flatMap(({ name, type }) => {
    const column = target.columns.get(name);
    const same = type === 'int' || type === 'bigint' ? INTEGERS : TEXTS;
    return column !== undefined && same.has(column.base) ? [{ column, kind: type }] : [];
  });
  return columns.length === key.length && target.isUnique(key.map(({ name }) => name)) ? columns : null;
}

async function deleteRange(
  { session }: Scope,
  range: SnapshotRange,
  target: Target,
  columns: readonly KeyColumn[],
  log: Logger,
): Promise<void> {
  const texts = (key: readonly Json[]): (string | null)[] =>
    columns.map(({ column, kind }, i) => {
      const text = bind(column, kind, key[i]);
      return text === UNFIT ? null : text;
    });
  const params: (string | null)[] = columns.map((_, c) => textArray(range.keep.map((key) => texts(key)[c]!)));
  const ordered = (of: string, { column }: KeyColumn): string =>
    `${of}${TEXTS.has(column.base) && column.base !== 'uuid' ? ' collate "C"' : ''}`;
  const ours = columns.map((one) => ordered(`t.${quoted(one.column.name)}`, one)).join(', ');
  const bound = (key: readonly Json[]): string => {
    const values = texts(key).map((text, i) => {
      params.push(text);
      return ordered(`$${params.length}::text::${columns[i]!.column.type}`, columns[i]!);
    });
    return `(${values.join(', ')})`;
  };
  const where = [
    ...(range.from === null ? [] : [`(${ours}) > ${bound(range.from)}`]),
    ...(range.to === null ? [] : [`(${ours}) <= ${bound(range.to)}`]),
  ];
  const arrays = columns.map((_, i) => `$${i + 1}::text[]`).join(', ');
  const kept = columns.map(({ column }, i) => `c${i}::${column.type}`).join(', ');
  const names = columns.map(({ column }) => `t.${quoted(column.name)}`).join(', ');
  if (columns.length === 0) where.push('true');
  else
    where.push(
      `(${names}) not in (select ${kept} from unnest(${arrays}) as k(${columns.map((_, i) => `c${i}`).join(', ')}))`,
    );
  await session.exec('savepoint range');
  try {
    const { changed } = await session.query(`delete from ${target.sql} t where ${where.join(' and ')}`, params);
    await session.exec('release range');
    if (changed > 0) log.info({ table: range.table, rows: changed }, 'deleted rows that the source has no more');
  } catch (thrown) {
    if (session.broken || faultOf(thrown) !== 'row') throw thrown;
    await session.exec('rollback to range; release range');
    log.warn({ table: range.table, reason: reasonOf(thrown) }, 'rows that the source has no more could not be deleted');
  }
}
