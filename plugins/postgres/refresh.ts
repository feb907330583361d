// Looks now and then whether the tables are still those that are read: one that was made anew under its name, that is new under
// `schema.*`, or that somebody took out of the publication, gives no changes, and nobody would say so.

import type { Client } from 'pg';
import type { Context } from 'sluice/sdk';
import type { SourceSettings } from './config.ts';
import { rowsOf } from './connection.ts';
import { readLayout, readRelation } from './layout.ts';
import { followPartitions, partitionsText, readPartitions } from './partitions.ts';
import { addTodo, type Progress, park, unpark } from './progress.ts';
import { checkWhole, ensurePublication, type Published, readPublication } from './publication.ts';
import { namesOf, type Started } from './start.ts';
import { ABSENT, readTables, type Table } from './tables.ts';
import { visibilityOf } from './visibility.ts';

export interface RefreshScope {
  readonly sql: Client;
  readonly config: SourceSettings;
  readonly context: Pick<Context, 'stream' | 'tap' | 'log'>;
  readonly started: Started;
  readonly progress: Progress;
  readonly suspects: Set<bigint>;
}

/**
 * Publishes what is not published and reads it whole. True when something was found.
 * @throws SluiceError E_SOURCE_PUBLICATION when some kinds of changes are published no more
 */
export async function refreshTables(scope: RefreshScope): Promise<boolean> {
  const { sql, config, context, started, progress } = scope;
  const now = await readTables(sql, config.tables ?? null, { missing: 'leave' });
  const { publication: name } = namesOf(config, context.stream);
  const published = await readPublication(sql, { name, ...started.facts });
  if (published !== null) checkWhole(published, name, now);
  for (const { table, reason } of progress.parked) {
    if (reason === ABSENT && now.some((one) => one.table === table)) unpark(progress, table);
  }
  const isParked = (table: string): boolean => progress.parked.some((one) => one.table === table);
  const lost = now.filter(
    ({ table, oid }) =>
      !isParked(table) && (started.tables.get(table)?.oid !== oid || published?.tables.has(table) !== true),
  );
  for (const table of lost) {
    started.tables.set(table.table, table);
    if (table.unfit !== null) {
      park(progress, table.table, table.unfit);
      context.log.warn({ table: table.table }, `table ${table.table} is parked: ${table.unfit}`);
    } else if (!config.create) {
      const reason = 'it is not in the publication any more: add it, then resume it';
      park(progress, table.table, reason);
      context.log.warn({ table: table.table }, `table ${table.table} is parked: ${reason}`);
    } else {
      context.log.info({ table: table.table }, `table ${table.table} is new: it is published, and read whole`);
      await publishTable(table, scope);
      if (config.snapshot !== 'never') addTodo(progress, [table.table]);
    }
  }
  const kept = now.filter((table) => !lost.includes(table));
  // what may be read at once goes by the size of now
  for (const table of kept)
    if (started.tables.get(table.table)?.oid === table.oid) started.tables.set(table.table, table);
  const { log } = context;
  const found = await followPartitions({ sql, progress, config, log }, kept, await readPartitions(sql, kept));
  return found || lost.length > 0;
}

/** Puts a table into the publication. Its rows can be read once the transactions that run now are over. */
export async function publishTable(table: Table, scope: RefreshScope): Promise<void> {
  const { sql, config, started, progress, suspects } = scope;
  started.tables.set(table.table, table);
  started.published = await publishedWith(table, scope);
  const columns = started.published?.tables.get(table.table)?.columns ?? null;
  const relation = await readRelation(sql, table.oid, columns, started.facts.version);
  if (relation !== null) {
    const { fingerprint } = await readLayout(sql, relation, config.jsonb);
    progress.tables = { ...progress.tables, [table.table]: fingerprint };
  }
  const [partitions] = (await readPartitions(sql, [table])).values();
  if (partitions !== undefined)
    progress.partitions = { ...progress.partitions, [table.table]: partitionsText(partitions) };
  // What transactions that run now do to the table may not come in the stream: the snapshot waits until they are over.
  const [[snapshot] = []] = await rowsOf(sql, 'select pg_current_snapshot()');
  for (const xid of visibilityOf(snapshot!).running) suspects.add(xid);
}

async function publishedWith(
  table: Table,
  { sql, config, context, started, progress }: RefreshScope,
): Promise<Published | null> {
  const { publication: name, slot } = namesOf(config, context.stream);
  const wish = { name, slot, create: config.create, known: progress.publication, version: started.facts.version };
  if (context.tap) return readPublication(sql, wish);
  return ensurePublication(sql, table.unfit === null ? [table] : [], wish);
}
