// What a running source is asked to do: a snapshot of a table, to park it, to take it up again. First it is looked at, so that whoever
// asks is told what is wrong; then it waits for the next place between two transactions, where it is done.

import type { Client } from 'pg';
import { type Context, messageOf, type SluiceError, type SourceRequest, sluiceError, tablesNamed } from 'sluice/sdk';
import type { SourceSettings } from './config.ts';
import { type Address, close, rowsOf } from './connection.ts';
import { addTodo, park, unpark } from './progress.ts';
import { sqlName } from './publication.ts';
import { publishTable, type RefreshScope } from './refresh.ts';
import { connectSql, type Started } from './start.ts';
import { ABSENT, isUnreadable, readTables, type Table } from './tables.ts';

/** @throws SluiceError E_REQUEST_FAILED when it cannot be done */
export async function checkRequest(
  request: SourceRequest,
  address: Address,
  { stream }: Pick<Context, 'stream'>,
  { snapshot }: Pick<SourceSettings, 'snapshot'>,
  started: Started,
): Promise<void> {
  const absent = request.table === undefined ? [] : tablesNamed(request.table, absentOf(started));
  if (absent.length > 0)
    throw refused('the database has no such table', 'make the table: it is then read whole by itself');
  const table = request.table === undefined ? undefined : named(request.table, started);
  const parked = started.progress.parked.find((one) => one.table === table?.table);
  if (request.type === 'snapshot' && parked !== undefined) {
    throw refused(`the table is parked: ${parked.reason}`, 'run `sluice resume`, which begins with a snapshot of it');
  }
  if (request.type === 'resume' && parked === undefined) throw refused('the table is not parked');
  if (request.type === 'park') return;
  if (request.type === 'snapshot' && table !== undefined && !isReadable(table, request.where)) {
    throw refused(request.where === undefined ? UNORDERED : UNTOLD, 'add a primary key');
  }
  // a connection of its own: the one that reads may be within a transaction
  const sql = await connectSql(address, stream);
  try {
    if (request.type === 'resume') {
      const [now] = await readTables(sql, [table!.table]);
      if (now?.unfit) throw refused(`the table cannot be read yet: ${now.unfit}`);
      if (now !== undefined && isUnreadable(now) && snapshot !== 'never') {
        throw refused(UNORDERED, 'add a primary key, or set `snapshot: never`: it then begins with its next change');
      }
      return;
    }
    if (request.where === undefined) return;
    await sql.query('begin transaction read only');
    for (const one of table === undefined ? [...started.tables.values()] : [table]) {
      await checkCondition(sql, one, request.where).catch((thrown: unknown) => {
        throw refused(
          `the server refuses the condition: ${messageOf(thrown)}`,
          'write one SQL expression of the source',
        );
      });
    }
  } finally {
    await close(sql);
  }
}

const UNORDERED = 'the table has no primary key, so its rows must be read at once, and they are too many';
const UNTOLD = 'the table has no primary key, so rows that are read again cannot be told from those that are there';

function isReadable(table: Table, where: string | undefined): boolean {
  return !isUnreadable(table) && !(table.keyless && where !== undefined);
}

/**
 * Plans it, and runs nothing. Twice, between two kinds of brackets: what is more than one expression (`true) or (true`) can close one
 * kind of them, and not both.
 */
async function checkCondition(sql: Client, table: Table, condition: string): Promise<void> {
  await rowsOf(sql, `explain select array[${condition}\n]::bool[] from ${sqlName(table)}`);
  await rowsOf(sql, `explain select 1 from ${sqlName(table)} where (${condition}\n)`);
}

function absentOf({ progress }: Started): readonly string[] {
  return progress.parked.filter(({ reason }) => reason === ABSENT).map(({ table }) => table);
}

/** A name without its schema is that of any schema, but only of one. */
function named(name: string, { tables }: Started): Table {
  const [found, ...more] = tablesNamed(name, [...tables.keys()]);
  if (found === undefined) {
    throw refused('this stream reads no table of that name', 'name one of the `tables` of its source');
  }
  if (more.length === 0) return tables.get(found)!;
  throw refused(
    `several tables are called ${name}: ${[found, ...more].sort().join(', ')}`,
    'name one of them with its schema',
  );
}

function refused(message: string, fix?: string): SluiceError {
  return sluiceError('E_REQUEST_FAILED', { message, ...(fix === undefined ? {} : { fix }) });
}

/** Does it: the progress then says so. Asked of a progress that says so already, it changes nothing that matters. */
export async function applyRequest(request: SourceRequest, scope: RefreshScope): Promise<void> {
  const { started, progress } = scope;
  if (request.type === 'park') {
    park(progress, named(request.table, started).table, request.reason);
    return;
  }
  if (request.type === 'resume') {
    const { table } = named(request.table, started);
    unpark(progress, table);
    const [now] = await readTables(scope.sql, [table], { missing: 'leave' });
    if (now !== undefined) await publishTable(now, scope); // parked from the start, it may not be published yet
    if (now?.keyless !== true || scope.config.snapshot !== 'never') addTodo(progress, [table]);
    return;
  }
  const isParked = (table: string): boolean => progress.parked.some((one) => one.table === table);
  // A condition must not take the place of a snapshot of all rows, which is not over.
  const isCovered = (table: string): boolean =>
    request.where !== undefined && progress.todo.some((todo) => todo.table === table && todo.where === undefined);
  const tables = request.table === undefined ? [...started.tables.keys()] : [named(request.table, started).table];
  addTodo(
    progress,
    tables.filter(
      (table) => !isParked(table) && !isCovered(table) && isReadable(started.tables.get(table)!, request.where),
    ),
    request.where,
  );
}
