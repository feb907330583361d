// The layout of a table as rows of it come: columns, how their texts become cells, which are the key. Made of a relation message of
// the stream, or of the catalog; equal tables give equal layouts, so a change of the schema is seen by its fingerprint.

import { createHash } from 'node:crypto';
import type { Client } from 'pg';
import type { Cell, Column } from 'sluice/sdk';
import { rowsOf } from './connection.ts';
import type { Relation } from './pgoutput.ts';
import { type JsonbForm, type TypeRow, type ValueType, valueType } from './types.ts';

export interface Layout {
  /** The relation's oid. */
  readonly relation: number;
  readonly schema: string;
  readonly name: string;
  /** `schema.name`. */
  readonly table: string;
  readonly columns: readonly Column[];
  readonly types: readonly ValueType[];
  /** Indexes of the key's columns, in the key's order. */
  readonly key: readonly number[];
  /** Indexes of columns whose values are looked at when they come. */
  readonly fallible: readonly number[];
  /** `d` default, `n` nothing, `f` full, `i` index. */
  readonly identity: string;
  /** Equal for equal columns of one table; made anew it is another one. Short, because a position keeps it. */
  readonly fingerprint: string;
}

/** From the texts of a row, as the server sent them, to cells. Changes the array that it is given. */
export function toCells(layout: Layout, texts: (string | null | undefined)[]): readonly Cell[] {
  const { types } = layout;
  for (let k = 0; k < types.length; k++) {
    const cell = types[k]!.cell;
    const text = texts[k];
    if (cell !== undefined && text !== null && text !== undefined) texts[k] = cell(text);
  }
  return texts;
}

/** The layout of a relation; what its message leaves out (types by name, the order of the key) is asked of the catalog. */
export async function readLayout(client: Client, relation: Relation, jsonb: JsonbForm): Promise<Layout> {
  const oids = [...new Set(relation.columns.map(({ type }) => type))];
  const types = await readTypes(client, oids);
  const natives = await rowsOf(
    client,
    'select format_type(t, m) from unnest($1::oid[], $2::int4[]) with ordinality as u(t, m, n) order by n',
    [relation.columns.map(({ type }) => type), relation.columns.map(({ modifier }) => modifier)],
  );
  const key = await readKey(client, relation);
  const values = relation.columns.map(({ type }) => valueType(type, types, jsonb));
  const columns = relation.columns.map(({ name, type }, at): Column => {
    const place = key.indexOf(name);
    return {
      name,
      type: values[at]!.kind,
      native: natives[at]?.[0] ?? types.get(type)?.name ?? 'unknown',
      ...(place < 0 ? {} : { key: place + 1 }),
    };
  });
  return {
    relation: relation.id,
    schema: relation.schema,
    name: relation.name,
    table: `${relation.schema}.${relation.name}`,
    columns,
    types: values,
    key: key.map((name) => columns.findIndex((column) => column.name === name)),
    fallible: values.flatMap(({ fallible }, at) => (fallible ? [at] : [])),
    identity: relation.identity,
    fingerprint: `${relation.id}:${createHash('sha256').update(JSON.stringify(columns)).digest('hex').slice(0, 12)}`,
  };
}

/** What the relation message says of a table, from the catalog as it is now. null: there is no such table any more. */
export async function readRelation(
  client: Client,
  oid: number,
  published: readonly string[] | null,
  version: number,
): Promise<Relation | null> {
  const [table] = await rowsOf(
    client,
    `select n.nspname, c.relname, c.relreplident from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = $1`,
    [oid],
  );
  if (table === undefined) return null;
  const columns = await rowsOf(
    client,
    `select attname, atttypid, atttypmod, attgenerated from pg_attribute
     where attrelid = $1 and attnum > 0 and not attisdropped order by attnum`,
    [oid],
  );
  const identity = table[2]!;
  // up to 17 the catalog lists generated columns as published; they are not
  const generatedToo = published !== null && version >= 180_000;
  return {
    id: oid,
    schema: table[0]!,
    name: table[1]!,
    identity,
    columns: columns
      .filter(([name, , , generated]) => (generated === '' || generatedToo) && (published?.includes(name!) ?? true))
      .map(([name, type, modifier]) => ({
        name: name!,
        type: Number(type),
        modifier: Number(modifier),
        identity: false, // readKey() asks the catalog
      })),
  };
}

/**
 * The key's columns in their order: of the index that is the replica identity, else of the primary key. Of a relation message whose
 * table has changed since, what the message says counts: its flags are as of the change.
 */
async function readKey(client: Client, relation: Relation): Promise<readonly string[]> {
  const flagged = relation.columns.filter(({ identity }) => identity).map(({ name }) => name);
  const rows = await rowsOf(
    client,
    `select a.attname from pg_index i, unnest(i.indkey) with ordinality as k(num, n), pg_attribute a
     where i.indrelid = $1 and case when $2 = 'i' then i.indisreplident else i.indisprimary end
       and a.attrelid = i.indrelid and a.attnum = k.num and k.n <= i.indnkeyatts order by k.n`,
    [relation.id, relation.identity],
  );
  const now = rows.map(([name]) => name!);
  const all = now.every((name) => relation.columns.some((column) => column.name === name));
  if (relation.identity === 'f' || flagged.length === 0) return all ? now : [];
  return now.length === flagged.length && now.every((name) => flagged.includes(name)) ? now : flagged;
}

async function readTypes(client: Client, oids: readonly number[]): Promise<ReadonlyMap<number, TypeRow>> {
  const rows = await rowsOf(
    client,
    `with recursive need(oid) as (
       select unnest($1::oid[])
       union select case when t.typtype = 'd' then t.typbasetype else t.typelem end from need join pg_type t using (oid)
         where t.typtype = 'd' or (t.typcategory = 'A' and t.typlen = -1 and t.typelem <> 0))
     select t.oid, t.typname, t.typtype, case when t.typtype = 'd' then t.typbasetype else t.typelem end,
       t.typcategory = 'A' and t.typlen = -1 and t.typelem <> 0 and t.typname not in ('int2vector', 'oidvector'), e.typdelim,
       t.typnamespace = 'pg_catalog'::regnamespace
     from need join pg_type t using (oid) left join pg_type e on e.oid = t.typelem`,
    [oids],
  );
  return new Map(
    rows.map(([oid, name, sort, of, isArray, delimiter, builtIn]) => [
      Number(oid),
      {
        oid: Number(oid),
        // a type of an extension may have a name of ours
        name: builtIn === 't' ? name! : '',
        sort: sort!,
        of: Number(of),
        isArray: isArray === 't',
        delimiter: delimiter ?? ',',
      },
    ]),
  );
}
