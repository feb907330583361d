// What a running source is asked to do: a snapshot of a table, to park it, to take it up again. First it is looked at, so that whoever
// asks is told what is wrong; then it waits for the next place between two transactions, where it is done.

import type { Client } from 'pg';
import { type Context, messageOf, type SluiceError, type SourceRequest, sluiceError } from 'sluice/sdk';
import type { SourceSettings } from './config.ts';
import { type Address, close, rowsOf } from './connection.ts';
import { readLayout, readRelation } from './layout.ts';
import { addTodo, type Progress, park, unpark } from './progress.ts';
import { ensurePublication, readPublication, sqlName } from './publication.ts';
import { connectSql, namesOf, type Started } from './start.ts';
import { readTables, type Table } from './tables.ts';
import { visibilityOf } from './visibility.ts';

/** @throws SluiceError E_REQUEST_FAILED when it cannot be done */
export async function checkRequest(
  request: SourceRequest,
  address: Address,
  context: Pick<Context, 'stream'>,
  started: Started,
): Promise<void> {
  const table = request.table === undefined ? undefined : named(request.table, started);
  const parked = started.progress.parked.find((one) => one.table === table?.table);
  if (request.type === 'snapshot' && parked !== undefined) {
    throw refused(`the table is parked: ${parked.reason}`, 'run `sluice resume`, which begins with a snapshot of it');
  }
  if (request.type === 'resume' && parked === undefined) throw refused('the table is not parked');
  if (request.type === 'park') return;
  // a connection of its own: the one that reads may be within a transaction
  const sql = await connectSql(address, context.stream);
  try {
    if (request.type === 'resume') {
      const [now] = await readTables(sql, [table!.table]);
      if (now?.unfit) throw refused(`the table cannot be read yet: ${now.unfit}`);
      return;
    }
    if (request.where === undefined) return;
    for (const one of table === undefined ? [...started.tables.values()] : [table]) {
      await sql.query(`explain select 1 from ${sqlName(one)} where (${request.where})`).catch((thrown: unknown) => {
        throw refused(`the server refuses the condition: ${messageOf(thrown)}`, 'write SQL of the source');
      });
    }
  } finally {
    await close(sql);
  }
}

function named(name: string, { tables }: Started): Table {
  const table = tables.get(name) ?? tables.get(`public.${name}`);
  if (table !== undefined) return table;
  throw refused('this stream reads no table of that name', 'name one of the `tables` of its source');
}

function refused(message: string, fix?: string): SluiceError {
  return sluiceError('E_REQUEST_FAILED', { message, ...(fix === undefined ? {} : { fix }) });
}

export interface RequestScope {
  readonly sql: Client;
  readonly config: SourceSettings;
  readonly context: Pick<Context, 'stream' | 'tap'>;
  readonly started: Started;
  readonly progress: Progress;
  readonly suspects: Set<bigint>;
}

/** Does it: the progress then says so. Asked of a progress that says so already, it changes nothing that matters. */
export async function applyRequest(request: SourceRequest, scope: RequestScope): Promise<void> {
  const { started, progress } = scope;
  if (request.type === 'park') {
    park(progress, named(request.table, started).table, request.reason);
    return;
  }
  if (request.type === 'resume') {
    const { table } = named(request.table, started);
    unpark(progress, table);
    await publishAgain(table, scope);
    addTodo(progress, [table]);
    return;
  }
  const isParked = (table: string): boolean => progress.parked.some((one) => one.table === table);
  const tables = request.table === undefined ? [...started.tables.keys()] : [named(request.table, started).table];
  addTodo(
    progress,
    tables.filter((table) => !isParked(table)),
    request.where,
  );
}

/** A table that was parked from the start may not be published yet. */
async function publishAgain(
  table: string,
  { sql, config, context, started, progress, suspects }: RequestScope,
): Promise<void> {
  const [now] = await readTables(sql, [table]);
  if (now === undefined) return;
  started.tables.set(table, now);
  const name = namesOf(config, context.stream).publication;
  const { version } = started.facts;
  const wish = { name, create: config.create, known: progress.publication, version };
  started.published = context.tap
    ? await readPublication(sql, wish)
    : await ensurePublication(sql, now.unfit === null ? [now] : [], wish);
  const relation = await readRelation(sql, now.oid, started.published?.tables.get(table)?.columns ?? null, version);
  if (relation !== null) {
    const { fingerprint } = await readLayout(sql, relation, config.jsonb);
    progress.tables = { ...progress.tables, [table]: fingerprint };
  }
  // What transactions that run now do to the table may not come in the stream: the snapshot waits until they are over.
  const [[snapshot] = []] = await rowsOf(sql, 'select pg_current_snapshot()');
  for (const xid of visibilityOf(snapshot!).running) suspects.add(xid);
}
