// Which tables are read: what the settings name, as the catalog knows it, and which of them cannot be read and why.

import type { Client } from 'pg';
import { type SluiceError, sluiceError } from 'sluice/sdk';
import { quoted, rowsOf } from './connection.ts';

export interface Table {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** `schema.name`. */
  readonly table: string;
  /** A partitioned table: its partitions' changes come under its name. */
  readonly partitioned: boolean;
  /** In bytes, with what is stored apart, of all partitions together. */
  readonly size: number;
  /** About how many rows it has; negative: nobody has counted. */
  readonly rows: number;
  /** Without a key its rows have no order, and so cannot be read while changes come. */
  readonly keyless: boolean;
  /** Why it is not read, as a sentence; null: it is. */
  readonly unfit: string | null;
}

/**
 * The tables that the settings name (`schema.table`, `schema.*`, or a name in `public`), or all ordinary ones; `unlogged` ones too only
 * where that is asked for.
 * @throws SluiceError E_SOURCE_READ when one that is named is not there, unless it may be missing
 */
export async function readTables(
  client: Client,
  wanted: readonly string[] | null,
  options: { readonly missing?: 'leave'; readonly unlogged?: true } = {},
): Promise<readonly Table[]> {
  const rows = await rowsOf(
    client,
    // asking for the size of a table waits for whoever has locked it: of such a one the catalog's own count is good enough
    `with recursive locked as materialized (
       select relation from pg_locks where mode = 'AccessExclusiveLock' and locktype = 'relation'
         and database = (select oid from pg_database where datname = current_database())),
     tree(root, oid) as (
       select i.inhparent, i.inhrelid from pg_inherits i join pg_class p on p.oid = i.inhparent where p.relkind = 'p'
       union all select tree.root, i.inhrelid from tree join pg_inherits i on i.inhparent = tree.oid),
     sizes as materialized (
       select c.oid, case when c.oid in (select relation from locked)
         then (c.relpages + coalesce(t.relpages, 0))::bigint * current_setting('block_size')::int else pg_table_size(c.oid) end as size
       from pg_class c left join pg_class t on t.oid = c.reltoastrelid where c.relkind = 'r' and c.relpersistence <> 't'),
     below as (select tree.root as oid, sum(size) as size from tree join sizes using (oid) group by tree.root),
     above as (select oid, array_to_json(array_agg(root)) as roots from tree group by oid)
     select c.oid, n.nspname, c.relname, c.relkind, c.relreplident, coalesce(sizes.size, below.size, 0),
       c.reltuples::float8, c.relpersistence, above.roots,
       exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary),
       exists (select from pg_index i where i.indrelid = c.oid and i.indisreplident)
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
       left join sizes on sizes.oid = c.oid left join below on below.oid = c.oid left join above on above.oid = c.oid
     where c.relkind in ('r', 'p') and c.relpersistence <> 't' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
     order by 2, 3`,
  );
  const all = rows.map((row) => {
    const [oid, schema, name, kind, identity, size, tuples, persistence, roots, primary, index] = row;
    return {
      oid: Number(oid),
      schema: schema!,
      name: name!,
      table: `${schema}.${name}`,
      partitioned: kind === 'p',
      size: Number(size),
      rows: Number(tuples),
      roots: roots === null ? [] : (JSON.parse(roots!) as (number | string)[]).map(Number),
      keyless: identity === 'i' ? index !== 't' : primary !== 't',
      unfit: unfitBecause(
        identity!,
        persistence!,
        primary === 't',
        index === 't',
        `${quoted(schema!)}.${quoted(name!)}`,
      ),
    };
  });
  if (wanted === null)
    return all.filter(({ roots, unfit }) => roots.length === 0 && (unfit !== UNLOGGED || options.unlogged === true));
  const chosen = new Map<string, (typeof all)[number]>();
  for (const entry of wanted) {
    const name = entry.includes('.') ? entry : `public.${entry}`;
    const found = name.endsWith('.*')
      ? all.filter(({ schema, roots }) => schema === name.slice(0, -2) && roots.length === 0)
      : all.filter(({ table }) => table === name);
    for (const table of found) chosen.set(table.table, table);
  }
  const tables = [...chosen.values()].map((table): Table => {
    const root =
      table.roots.length === 0 ? undefined : [...chosen.values()].find(({ oid }) => table.roots.includes(oid));
    return root === undefined
      ? table
      : { ...table, unfit: `its rows come as those of ${root.table}: leave it out of \`tables\`` };
  });
  if (options.missing === 'leave') return tables;
  const missing = missingOf(wanted, tables);
  if (missing.length > 0) throw noSuchTable(missing);
  return tables;
}

/** What the settings name and the database does not have: `schema.table`, or `schema.*`. */
export function missingOf(wanted: readonly string[] | null, found: readonly Table[]): readonly string[] {
  const names = (wanted ?? []).map((entry) => (entry.includes('.') ? entry : `public.${entry}`));
  return names.filter((name) =>
    name.endsWith('.*')
      ? !found.some(({ schema }) => schema === name.slice(0, -2))
      : !found.some(({ table }) => table === name),
  );
}

/** Of all ordinary tables: those that are left out, because their changes are not in the log. None of those that are named. */
export function leftOut(wanted: readonly string[] | null, found: readonly Table[]): readonly Table[] {
  return wanted === null ? found.filter(({ unfit }) => unfit === UNLOGGED) : [];
}

export function noSuchTable(missing: readonly string[]): SluiceError {
  return sluiceError('E_SOURCE_READ', {
    message: `the database has no table ${missing.join(', ')}`,
    fix: 'check `tables` (names are `schema.table`), or make the table',
  });
}

/** Rows without a key are read at once, if they are no more than this. */
const WHOLE_BYTES = 16 * 1024 * 1024;

/** Its rows have no order to be read in, and are too many to be read at once. */
export function isUnreadable({ keyless, size }: Pick<Table, 'keyless' | 'size'>): boolean {
  return keyless && size > WHOLE_BYTES;
}

/** Why a table that is named and is not there is parked. Once it is there it is read whole, without being resumed. */
export const ABSENT = 'the database has no such table: make it, or take it out of `tables`';

const UNLOGGED = 'it is unlogged: its changes are not written to the log that is read (`alter table … set logged`)';

/** Published without an identity, the application's own updates of the table would fail, so such a table is left out. */
function unfitBecause(
  identity: string,
  persistence: string,
  primary: boolean,
  index: boolean,
  sql: string,
): string | null {
  if (persistence === 'u') return UNLOGGED;
  const mend = `\`alter table ${sql} add primary key (…)\`, or \`alter table ${sql} replica identity full\``;
  if (identity === 'd' && !primary) return `it has no primary key: ${mend}`;
  if (identity === 'n') return `its replica identity is nothing: \`alter table ${sql} replica identity default\``;
  if (identity === 'i' && !index)
    return `the index of its replica identity is gone: \`alter table ${sql} replica identity default\``;
  return null;
}
