// The tables that the sink writes: what they look like, read from the catalog. Reads only.

import type { Column } from 'sluice/sdk';
import type { Session } from './sink-session.ts';
import { modifierOf, type TargetColumn } from './sink-types.ts';

/** What an event tells about the columns of its table at the source. */
export interface SourceColumns {
  readonly columns: readonly Column[];
  /** The source is PostgreSQL too: its types can be taken over as they are. */
  native(): boolean;
}

export interface Target {
  readonly oid: string;
  /** As the settings or the source name it, for messages. */
  readonly name: string;
  /** As SQL, with its schema. */
  readonly sql: string;
  readonly columns: ReadonlyMap<string, TargetColumn>;
  /** True when ON CONFLICT can name these columns. */
  isUnique(columns: readonly string[]): boolean;
  /** It was made here, for events without a key. */
  readonly madeWithoutKey: boolean;
  /** A foreign key leads from it, or to it. */
  readonly linked: boolean;
  /** COPY found rows in its way: from then on rows are upserted. */
  copy: boolean;
}

/** Stands as the comment of a table: it is ours to give a key. */
export const WITHOUT_KEY = 'made by Sluice for events without a key';

/** null when there is no such table. `sql`: its name as SQL, with its schema. */
export async function readTarget(session: Session, name: string, sql: string): Promise<Target | null> {
  const found = await session.query(
    `select c.oid, obj_description(c.oid, 'pg_class'),
       exists (select from pg_constraint f where f.contype = 'f' and c.oid in (f.conrelid, f.confrelid))
     from pg_class c where c.oid = to_regclass($1) and c.relkind in ('r', 'p', 'v', 'f')`,
    [sql],
  );
  const [row] = found.rows;
  if (row === undefined) return null;
  const oid = row[0]!;
  const columns = new Map<string, TargetColumn>();
  const read = await session.query(
    `with recursive base(attnum, type, modifier) as (
       select attnum, atttypid, atttypmod from pg_attribute where attrelid = $1::text::oid and attnum > 0 and not attisdropped
       union all
       select b.attnum, t.typbasetype, t.typtypmod from base b join pg_type t on t.oid = b.type where t.typtype = 'd')
     select a.attname, quote_ident(s.nspname) || '.' || quote_ident(w.typname), format_type(a.atttypid, a.atttypmod), t.typname,
       case when t.typcategory = 'A' then coalesce(d.typname, e.typname) end, coalesce(e.typdelim, ','),
       format_type(b.type, b.modifier), a.attgenerated <> '', a.attidentity = 'a',
       a.attnotnull and not a.atthasdef and a.attidentity = '' and a.attgenerated = ''
     from pg_attribute a
       join pg_type w on w.oid = a.atttypid
       join pg_namespace s on s.oid = w.typnamespace
       join base b on b.attnum = a.attnum
       join pg_type t on t.oid = b.type and t.typtype <> 'd'
       left join pg_type e on e.oid = t.typelem and t.typcategory = 'A'
       left join pg_type d on d.oid = e.typbasetype and e.typtype = 'd'
     where a.attrelid = $1::text::oid order by a.attnum`,
    [oid],
  );
  for (const [column, type, full, base, element, delimiter, real, generated, identity, required] of read.rows) {
    columns.set(column!, {
      name: column!,
      type: type!,
      full: full!,
      base: base!,
      element: element ?? null,
      delimiter: delimiter!,
      modifier: modifierOf(real!),
      generated: generated === 't',
      identity: identity === 't',
      required: required === 't',
    });
  }
  const indexes = await session.query(
    `select i.indexrelid, a.attname from pg_index i
       join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey[0:i.indnkeyatts - 1])
     where i.indrelid = $1::text::oid and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null`,
    [oid],
  );
  const unique = new Map<string, Set<string>>();
  for (const [index, column] of indexes.rows) {
    const set = unique.get(index!);
    if (set === undefined) unique.set(index!, new Set([column!]));
    else set.add(column!);
  }
  return {
    oid,
    name,
    sql,
    columns,
    madeWithoutKey: row[1] === WITHOUT_KEY,
    linked: row[2] === 't',
    copy: true,
    isUnique: (names) =>
      [...unique.values()].some((set) => set.size === names.length && names.every((one) => set.has(one))),
  };
}

/** Changes whenever a column of one of these tables is added, dropped or altered. By oid. */
export async function shapesOf(session: Session, oids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const { rows } = await session.query(
    `select attrelid, string_agg(attnum || ' ' || xmin, ',' order by attnum) from pg_attribute
     where attrelid = any($1::text::oid[]) and attnum > 0 group by 1`,
    [`{${oids.join(',')}}`],
  );
  return new Map(rows.map(([oid, shape]) => [oid!, shape!]));
}
