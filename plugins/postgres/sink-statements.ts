// The statements of the sink: upserts and deletes of many rows at once, key changes, rows without a key.
// Guarantees: the text of a statement depends on table and columns only, so that it is prepared once; a row that is there and equal,
// byte by byte, is not written again (DELIVERY.md, section 2.8); only the columns that a row has are updated. Everything runs in
// the caller's transaction.

import { type ColumnType, noColumn, noUniqueKey, type Row, type RowSet, rowSet } from 'sluice/sdk';
import { quoted } from './connection.ts';
import { type Bound, bind, bindCell, textArray, UNFIT, unfitValue } from './sink-binds.ts';
import type { Session } from './sink-session.ts';
import type { SourceColumns, Target } from './sink-target.ts';
import type { TargetColumn } from './sink-types.ts';

const MAX_ROWS = 5000;
const MAX_BYTES = 4 << 20;

export interface Place {
  readonly session: Session;
  readonly target: Target;
  readonly source: SourceColumns;
  /** The sink's `columns`. */
  readonly kinds: ReadonlyMap<string, ColumnType>;
}

/** No two rows of one key. Of a row of which not all is known only what is there is updated, as PostgreSQL's own replication does. */
export async function upsert(place: Place, set: RowSet, key: readonly string[]): Promise<void> {
  const { target } = place;
  if (!target.isUnique(key)) throw noUniqueKey(target.name, key);
  const columns = writable(place, set.names);
  const others = columns.filter((column) => !key.includes(column.name));
  const has = new Set(set.names);
  // the server asks for what no row may lack before it looks whether there is a row to update
  const incomplete = [...target.columns.values()].some((column) => column.required && !has.has(column.name));
  for (const part of partsOf(place, columns, set)) {
    if (set.partial) {
      if (others.length > 0) await place.session.query(updateSql(target, columns, others, key), part);
    } else if (incomplete) {
      if (others.length > 0) await place.session.query(updateSql(target, columns, others, key), part);
      await place.session.query(insertSql(target, columns, whereMissing(target, key), ' on conflict do nothing'), part);
    } else {
      await place.session.query(insertSql(target, columns, '', onConflict(others, key)), part);
    }
  }
}

export async function append(place: Place, set: RowSet): Promise<void> {
  const columns = writable(place, set.names);
  const sql = insertSql(place.target, columns, '', '');
  for (const part of partsOf(place, columns, set)) await place.session.query(sql, part);
}

export async function deleteKeys(place: Place, key: readonly string[], rows: readonly Row[]): Promise<void> {
  const { target } = place;
  const columns = columnsOf(place, key);
  const sql = `delete from ${target.sql} t using ${unnested(columns)} where ${sameKey(key, 't', 'u')}`;
  for (const part of partsOf(place, columns, rowSet(key, rows))) await place.session.query(sql, part);
}

/** Moves a row to another key. Returns false when no row has the old key: then nothing was done. */
export async function move(place: Place, oldKey: Row, key: Row, row: Row): Promise<boolean> {
  const { session, target } = place;
  const keys = columnsOf(place, Object.keys(key));
  const olds = columnsOf(place, Object.keys(oldKey));
  const columns = writable(place, Object.keys({ ...row, ...key }));
  const was = conditions(olds, 1);
  const now = conditions(keys, 1 + olds.length);
  const [oldTexts, newTexts] = [textsOf(place, olds, oldKey), textsOf(place, keys, key)];
  // What has the new key here has it no more at the source, or it could not have been given to this row.
  await session.query(
    `delete from ${target.sql} t where ${now} and not (${was}) and exists (select from ${target.sql} t where ${was})`,
    [...oldTexts, ...newTexts],
  );
  const sets = columns.map((column, i) => `${quoted(column.name)} = $${olds.length + 1 + i}::text::${column.type}`);
  const texts = [...oldTexts, ...textsOf(place, columns, { ...row, ...key })];
  if (columns.some((column) => column.identity)) return moveIdentity(place, columns, olds, texts);
  const { changed } = await session.query(`update ${target.sql} t set ${sets.join(', ')} where ${was}`, texts);
  return changed > 0;
}

// A column that is always made by the server can be inserted with a value, but not updated: the row is made anew.
async function moveIdentity(
  { session, target }: Place,
  columns: readonly TargetColumn[],
  olds: readonly TargetColumn[],
  texts: readonly (string | null)[],
): Promise<boolean> {
  const given = new Map(columns.map((column, i) => [column.name, `$${olds.length + 1 + i}::text::${column.type}`]));
  const all = [...target.columns.values()].filter((column) => !column.generated);
  const values = all.map((column) => given.get(column.name) ?? `t.${quoted(column.name)}`);
  const { changed } = await session.query(
    `with old as (delete from ${target.sql} t where ${conditions(olds, 1)} returning *)
     insert into ${target.sql} (${nameList(all)}) overriding system value select ${values.join(', ')} from old t`,
    texts,
  );
  return changed > 0;
}

/** One row that equals `before` in every column of it: how rows without a key are found. */
export async function updateMatch(place: Place, before: Row, after: Row): Promise<boolean> {
  const found = columnsOf(place, Object.keys(before));
  const columns = writable(place, Object.keys(after));
  const sets = columns.map((column, i) => `${quoted(column.name)} = $${found.length + 1 + i}::text::${column.type}`);
  const { changed } = await place.session.query(
    `update ${place.target.sql} t set ${sets.join(', ')} where ${oneMatch(place.target, found)}`,
    [...textsOf(place, found, before), ...textsOf(place, columns, after)],
  );
  return changed > 0;
}

export async function deleteMatch(place: Place, before: Row): Promise<void> {
  const found = columnsOf(place, Object.keys(before));
  const sql = `delete from ${place.target.sql} t where ${oneMatch(place.target, found)}`;
  await place.session.query(sql, textsOf(place, found, before));
}

export async function truncate({ session, target }: Place): Promise<void> {
  await session.exec(`delete from ${target.sql}`); // not TRUNCATE: whoever reads the table meanwhile still sees its rows
}

/** Columns that can be written. A generated one follows from the others; what an event says of it is the source's own affair. */
export function writable(place: Place, names: readonly string[]): TargetColumn[] {
  return columnsOf(place, names).filter((column) => !column.generated);
}

function columnsOf({ target }: Place, names: readonly string[]): TargetColumn[] {
  return names.map((name) => {
    const column = target.columns.get(name);
    if (column === undefined) throw noColumn(target.name, name);
    return column;
  });
}

/** One text for each column. @throws SluiceError when a value does not fit */
function textsOf(place: Place, columns: readonly TargetColumn[], row: Row): (string | null)[] {
  return columns.map((column) => fit(place, column, bind(column, kindOf(place, column.name), row[column.name]), row));
}

function kindOf({ kinds, source }: Pick<Place, 'kinds' | 'source'>, name: string): ColumnType {
  return kinds.get(name) ?? source.columns.find((column) => column.name === name)?.type ?? 'any';
}

/** The text of row r for column c of `columns`. @throws SluiceError when the value does not fit */
export function textAt(
  place: Place,
  columns: readonly TargetColumn[],
  set: RowSet,
): (r: number, c: number) => string | null {
  const kinds = columns.map((column) => kindOf(place, column.name));
  const { cells } = set;
  if (cells === null) {
    const rows = set.rows();
    return (r, c) => fit(place, columns[c]!, bind(columns[c]!, kinds[c]!, rows[r]![columns[c]!.name]), rows[r]!);
  }
  const at = columns.map((column) => set.names.indexOf(column.name));
  return (r, c) => {
    const text = cells.text(r, at[c]!);
    const bound = bindCell(columns[c]!, kinds[c]!, cells.types[at[c]!]!, text);
    if (bound === UNFIT) throw unfitValue(place.target.name, columns[c]!, text);
    return bound;
  };
}

function fit(place: Place, column: TargetColumn, bound: Bound, row: Row): string | null {
  if (bound === UNFIT) throw unfitValue(place.target.name, column, row[column.name]);
  return bound;
}

// The parameters of one statement for each part of the rows: an array of texts for each column.
function* partsOf(place: Place, columns: readonly TargetColumn[], set: RowSet): Generator<string[]> {
  const at = textAt(place, columns, set);
  for (let from = 0; from < set.length; ) {
    const texts: (string | null)[][] = columns.map(() => []);
    let bytes = 0;
    let r = from;
    for (; r < set.length && r < from + MAX_ROWS && bytes < MAX_BYTES; r++) {
      for (let c = 0; c < columns.length; c++) {
        const text = at(r, c);
        texts[c]!.push(text);
        bytes += text === null ? 4 : text.length;
      }
    }
    yield texts.map(textArray);
    from = r;
  }
}

// Every value comes as text and is cast to its column's type without the modifier: an explicit cast with it would cut the value
// (`'abcd'::varchar(2)`), the assignment to the column refuses it.
function unnested(columns: readonly TargetColumn[]): string {
  const names = columns.map((_, i) => `c${i}`);
  const values = columns.map((column, i) => `c${i}::${column.type} as ${quoted(column.name)}`);
  const arrays = columns.map((_, i) => `$${i + 1}::text[]`);
  return `(select ${values.join(', ')} from unnest(${arrays.join(', ')}) as n(${names.join(', ')})) u`;
}

function insertSql(target: Target, columns: readonly TargetColumn[], where: string, end: string): string {
  const overriding = columns.some((column) => column.identity) ? ' overriding system value' : '';
  const values = columns.map((column) => `u.${quoted(column.name)}`).join(', ');
  return `insert into ${target.sql} as t (${nameList(columns)})${overriding} select ${values} from ${unnested(columns)}${where}${end}`;
}

function onConflict(others: readonly TargetColumn[], key: readonly string[]): string {
  const on = ` on conflict (${key.map(quoted).join(', ')}) do`;
  const updated = others.filter((column) => !column.identity);
  if (updated.length === 0) return `${on} nothing`;
  const sets = updated.map((column) => `${quoted(column.name)} = excluded.${quoted(column.name)}`);
  return `${on} update set ${sets.join(', ')} where ${differs(updated, 'excluded')}`;
}

function updateSql(
  target: Target,
  columns: readonly TargetColumn[],
  others: readonly TargetColumn[],
  key: readonly string[],
): string {
  const updated = others.filter((column) => !column.identity);
  const sets = updated.map((column) => `${quoted(column.name)} = u.${quoted(column.name)}`);
  return `update ${target.sql} t set ${sets.join(', ')} from ${unnested(columns)} where ${sameKey(key, 't', 'u')} and ${differs(updated, 'u')}`;
}

function whereMissing(target: Target, key: readonly string[]): string {
  return ` where not exists (select from ${target.sql} k where ${sameKey(key, 'k', 'u')})`;
}

// `*<>` compares the bytes: it sees 1.0 and 1.00 as two, and knows types that have no `=` (json, point, xml).
function differs(columns: readonly TargetColumn[], other: string): string {
  return `${record(columns, 't')} *<> ${record(columns, other)}`;
}

function record(columns: readonly TargetColumn[], of: string): string {
  return `row(${columns.map((column) => `${of}.${quoted(column.name)}`).join(', ')})::record`;
}

function oneMatch(target: Target, columns: readonly TargetColumn[]): string {
  const theirs = columns.map((column, i) => `$${i + 1}::text::${column.full}`).join(', ');
  const same = columns.length === 0 ? 'true' : `${record(columns, 't')} *= row(${theirs})::record`;
  return `t.ctid = (select t.ctid from ${target.sql} t where ${same} limit 1)`;
}

function sameKey(key: readonly string[], one: string, other: string): string {
  return key.map((name) => `${one}.${quoted(name)} = ${other}.${quoted(name)}`).join(' and ');
}

function conditions(columns: readonly TargetColumn[], first: number): string {
  return columns.map((column, i) => `t.${quoted(column.name)} = $${first + i}::text::${column.type}`).join(' and ');
}

export function nameList(columns: readonly TargetColumn[]): string {
  return columns.map((column) => quoted(column.name)).join(', ');
}
