// The publication: what of the database the slot gives. Made, and widened by added tables, where the settings let us; else looked at.

import type { Client } from 'pg';
import { type Logger, sluiceError } from 'sluice/sdk';
import { quoted, rowsOf } from './connection.ts';
import { codeOf, publicationGone } from './source-faults.ts';
import type { Table } from './tables.ts';

export interface Published {
  /** Its oid: made anew under the same name, it is another one. */
  readonly oid: number;
  /** It gives inserts, updates, deletes and truncates. */
  readonly whole: boolean;
  /** Changes of partitions come under the name of their partitioned table. */
  readonly viaRoot: boolean;
  /** By `schema.table`. */
  readonly tables: ReadonlyMap<string, PublishedTable>;
}

export interface PublishedTable {
  /** The columns that are published, in no order; null: all that are not generated. */
  readonly columns: readonly string[] | null;
  /** SQL: only rows of which this is true. */
  readonly filter: string | null;
}

export interface PublicationWish {
  readonly name: string;
  /** The slot that reads it. */
  readonly slot: string;
  readonly create: boolean;
  /** The oid that a saved position knows; null: reading begins. */
  readonly known: number | null;
  /** The server's version, such as 150018. */
  readonly version: number;
}

/**
 * Makes sure that the publication has these tables. Must be committed before the slot is made.
 * @throws SluiceError E_SOURCE_PUBLICATION
 */
export async function ensurePublication(
  client: Client,
  tables: readonly Table[],
  wish: PublicationWish,
): Promise<Published> {
  const { name, create, known } = wish;
  let found = await readPublication(client, wish);
  if (known !== null && found?.oid !== known) throw publicationGone(wish.slot);
  if (found === null) {
    if (!create) {
      throw sluiceError('E_SOURCE_PUBLICATION', {
        message: 'there is no such publication',
        fix: `run \`create publication ${quoted(name)} for table …\` at the source, or set \`create: true\``,
        permanent: true,
      });
    }
    const list = tables.length === 0 ? '' : ` for table ${tables.map(sqlName).join(', ')}`;
    await change(client, `create publication ${quoted(name)}${list} with (publish_via_partition_root = true)`);
    found = (await readPublication(client, wish))!;
  }
  const published = found;
  checkWhole(published, name, tables);
  const missing = tables.filter(({ table }) => !published.tables.has(table));
  if (missing.length === 0) return published;
  if (!create) {
    throw sluiceError('E_SOURCE_PUBLICATION', {
      message: `the publication has no table ${missing.map(({ table }) => table).join(', ')}`,
      fix: `run \`alter publication ${quoted(name)} add table …\` at the source, or set \`create: true\``,
      permanent: true,
    });
  }
  await change(client, `alter publication ${quoted(name)} add table ${missing.map(sqlName).join(', ')}`);
  return (await readPublication(client, wish))!;
}

/**
 * Takes tables out of a publication of our own that the settings name no more: the server need not decode their changes. Where the
 * role may not, the log says so, and reading goes on without them.
 */
export async function dropOthers(
  client: Client,
  published: Published,
  keep: ReadonlySet<string>,
  name: string,
  log: Logger,
): Promise<void> {
  const others = [...published.tables.keys()].filter((table) => !keep.has(table));
  if (others.length === 0) return;
  const listed = await rowsOf(
    client,
    `select n.nspname || '.' || c.relname, n.nspname, c.relname from pg_publication_rel r join pg_class c on c.oid = r.prrelid
       join pg_namespace n on n.oid = c.relnamespace where r.prpubid = $1 and n.nspname || '.' || c.relname = any($2)`,
    [published.oid, others],
  );
  if (listed.length === 0) return; // it has all tables, or those of a schema
  const names = listed.map(([table]) => table!);
  const sql = listed.map(([, schema, table]) => sqlName({ schema: schema!, name: table! })).join(', ');
  const statement = `alter publication ${quoted(name)} drop table ${sql}`;
  try {
    await change(client, statement);
    log.info(
      { tables: names },
      `took ${names.join(', ')} out of the publication: \`tables\` does not name them any more`,
    );
  } catch (thrown) {
    if (codeOf(thrown) !== '42501') throw thrown;
    log.warn(
      { tables: names },
      `the publication still has tables that are not read: run \`${statement}\` as its owner`,
    );
  }
}

/** Also with a role whose transactions are read only by default, as a reader's may well be: `create` is leave to do this. */
async function change(client: Client, statement: string): Promise<void> {
  await client.query('begin read write');
  try {
    await client.query(statement);
    await client.query('commit');
  } catch (thrown) {
    await client.query('rollback').catch(() => undefined); // the first error says what is wrong
    throw thrown;
  }
}

/**
 * A kind of changes that is not published is lost without a word, and what the log holds of it cannot be had afterwards.
 * @throws SluiceError E_SOURCE_PUBLICATION
 */
export function checkWhole({ whole, viaRoot }: Published, name: string, tables: readonly Table[]): void {
  const split = viaRoot ? [] : tables.filter(({ partitioned }) => partitioned);
  if (split.length > 0) {
    throw sluiceError('E_SOURCE_PUBLICATION', {
      message: `the publication gives the changes of ${split.map(({ table }) => table).join(', ')} under the names of its partitions`,
      fix: `run \`${publishViaRoot(name)}\` at the source, start the stream, and \`sluice snapshot\`: it reads the rows again, with what was lost`,
      permanent: true,
    });
  }
  if (whole) return;
  throw sluiceError('E_SOURCE_PUBLICATION', {
    message: 'the publication leaves out some kinds of changes, which are lost',
    fix: `run \`${publishAll(name)}\` at the source, start the stream, and \`sluice snapshot\`: it reads the rows again, with what was lost`,
    permanent: true,
  });
}

export function publishAll(name: string): string {
  return `alter publication ${quoted(name)} set (publish = 'insert, update, delete, truncate')`;
}

export function publishViaRoot(name: string): string {
  return `alter publication ${quoted(name)} set (publish_via_partition_root = true)`;
}

export async function readPublication(
  client: Client,
  { name, version }: Pick<PublicationWish, 'name' | 'version'>,
): Promise<Published | null> {
  const [row] = await rowsOf(
    client,
    'select oid, pubinsert and pubupdate and pubdelete and pubtruncate, pubviaroot from pg_publication where pubname = $1',
    [name],
  );
  if (row === undefined) return null;
  const details = version >= 150_000 ? 'array_to_json(attnames), rowfilter' : 'null, null';
  const tables = await rowsOf(
    client,
    `select schemaname, tablename, ${details} from pg_publication_tables where pubname = $1`,
    [name],
  );
  return {
    oid: Number(row[0]),
    whole: row[1] === 't',
    viaRoot: row[2] === 't',
    tables: new Map(
      tables.map(([schema, table, columns, filter]) => [
        `${schema}.${table}`,
        {
          columns: columns === null || columns === undefined ? null : (JSON.parse(columns) as string[]),
          filter: filter ?? null,
        },
      ]),
    ),
  };
}

export function sqlName({ schema, name }: Pick<Table, 'schema' | 'name'>): string {
  return `${quoted(schema)}.${quoted(name)}`;
}
