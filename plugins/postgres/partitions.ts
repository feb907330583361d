// The partitions of partitioned tables. What is done to one of them by its own name does not come in the stream: the rows that it had
// when it was attached, those that went when it was detached, dropped or truncated. So the catalog is looked at, at each start and
// with each heartbeat, and compared with what the position knows; where rows came or went, the table is read again.
// Guarantee: nothing of it is passed over in silence. A partition that was made as one (`create table … partition of`), or that is
// empty, is nothing new: all of its rows come in the stream.

import type { Client } from 'pg';
import type { Logger } from 'sluice/sdk';
import type { SourceSettings } from './config.ts';
import { rowsOf } from './connection.ts';
import { addTodo, type Progress, park } from './progress.ts';
import { codeOf } from './source-faults.ts';
import { isUnreadable, type Table } from './tables.ts';

export interface Partition {
  readonly oid: number;
  /** `schema.name`. */
  readonly table: string;
  /** The file of its rows: another one once they were truncated or rewritten. 0: it is itself partitioned. */
  readonly file: number;
  /** It was made as a partition, so it never had rows of its own before. */
  readonly born: boolean;
}

export interface PartitionScope {
  readonly sql: Client;
  readonly progress: Progress;
  readonly config: Pick<SourceSettings, 'snapshot' | 'partition_changes'>;
  readonly log: Logger;
}

/**
 * The partitions of each partitioned table, at every depth, by `schema.table`. Takes no lock that anybody waits for.
 *
 * Whether a partition was made as one: attaching rewrites the catalog's row of each of its columns, and making it writes them together
 * with those of the system columns, in one command.
 */
export async function readPartitions(
  client: Client,
  tables: readonly Table[],
): Promise<ReadonlyMap<string, readonly Partition[]>> {
  const roots = tables.filter(({ partitioned }) => partitioned);
  const found = new Map<string, Partition[]>(roots.map(({ table }) => [table, []]));
  if (roots.length === 0) return found;
  const names = new Map(roots.map(({ oid, table }) => [oid, table]));
  const rows = await rowsOf(
    client,
    `with recursive tree(root, oid, xmin) as (
       select inhparent, inhrelid, xmin::text from pg_inherits where inhparent = any($1::oid[]) and not inhdetachpending
       union all select tree.root, i.inhrelid, i.xmin::text from tree join pg_inherits i on i.inhparent = tree.oid
         where not inhdetachpending)
     select tree.root, c.oid, n.nspname || '.' || c.relname, c.relfilenode,
       made.xmin::text = tree.xmin and exists (select from pg_attribute a where a.attrelid = c.oid and a.attnum > 0
         and a.xmin = made.xmin and a.cmin::text = made.cmin::text)
     from tree join pg_class c using (oid) join pg_namespace n on n.oid = c.relnamespace
       left join pg_attribute made on made.attrelid = c.oid and made.attnum = -1
     order by c.oid`,
    [roots.map(({ oid }) => oid)],
  );
  for (const [root, oid, table, file, born] of rows) {
    found.get(names.get(Number(root))!)!.push({
      oid: Number(oid),
      table: table!,
      file: Number(file),
      born: born === 't',
    });
  }
  return found;
}

/** What a position keeps of them: oids, with the file where it is not named by the oid, as it is at first. */
export function partitionsText(partitions: readonly Partition[]): string {
  return partitions.map(({ oid, file }) => (file === oid || file === 0 ? `${oid}` : `${oid}/${file}`)).join(' ');
}

/**
 * Compares the partitions with what the progress knows of them, and has a table read again where that is needed. Of a table that the
 * progress knows nothing of, only what is there is kept. True when something was found.
 */
export async function followPartitions(
  scope: PartitionScope,
  tables: readonly Table[],
  found: ReadonlyMap<string, readonly Partition[]>,
): Promise<boolean> {
  const { progress } = scope;
  const parked = new Set(progress.parked.map(({ table }) => table));
  let changed = false;
  for (const table of tables) {
    const now = found.get(table.table);
    if (now === undefined || parked.has(table.table)) continue;
    const before = progress.partitions[table.table];
    const text = partitionsText(now);
    if (before === text) continue;
    changed = true;
    progress.partitions = { ...progress.partitions, [table.table]: text };
    const why = before === undefined ? [] : await changesOf(scope.sql, before, now);
    if (why.length > 0) readAgain(scope, table, why);
  }
  return changed;
}

/** What happened to rows without a word in the stream, as sentences. */
async function changesOf(client: Client, before: string, now: readonly Partition[]): Promise<readonly string[]> {
  const files = new Map(
    (before === '' ? [] : before.split(' ')).map((one) => {
      const [oid, file = oid] = one.split('/');
      return [Number(oid), Number(file)] as const;
    }),
  );
  const there = new Set(now.map(({ oid }) => oid));
  const gone = [...files.keys()].filter((oid) => !there.has(oid)).length;
  const why = gone === 0 ? [] : [`${gone === 1 ? 'a partition was' : `${gone} partitions were`} detached or dropped`];
  for (const { oid, table, file, born } of now) {
    const known = files.get(oid);
    if (known !== undefined && known !== file && file !== 0)
      why.push(`partition ${table} was truncated, or its rows were written anew`);
    const made = known === undefined && born && (file === oid || file === 0);
    if (known === undefined && !made && !(await isEmpty(client, oid))) why.push(`partition ${table} was attached`);
  }
  return why;
}

/** With what is below it. False also where that cannot be told, because somebody has locked it. */
async function isEmpty(client: Client, oid: number): Promise<boolean> {
  try {
    const [row] = await rowsOf(
      client,
      `with recursive tree(oid) as (
         select $1::oid union all select i.inhrelid from tree join pg_inherits i on i.inhparent = tree.oid)
       select coalesce(sum(pg_relation_size(oid)), 0) = 0 from tree`,
      [oid],
    );
    return row?.[0] === 't';
  } catch (thrown) {
    if (codeOf(thrown) === '55P03') return false;
    throw thrown;
  }
}

function readAgain(
  { progress, config, log }: PartitionScope,
  { table, keyless, size }: Table,
  why: readonly string[],
): void {
  const what = why.length > 3 ? `${why.slice(0, 3).join('; ')}; and ${why.length - 3} more` : why.join('; ');
  if (config.snapshot === 'never' || config.partition_changes === 'log') {
    log.warn(
      { table },
      `table ${table}: ${what}; the sinks are not told: run \`sluice snapshot --table ${table}\` where they should be`,
    );
  } else if (isUnreadable({ keyless, size })) {
    const reason = `${what}; without a primary key its rows must be read at once, and they are too many: add one, then resume it`;
    park(progress, table, reason);
    log.warn({ table }, `table ${table} is parked: ${reason}`);
  } else {
    addTodo(progress, [table]);
    log.warn({ table }, `table ${table}: ${what}; the stream does not say which rows, so the table is read again`);
  }
}
