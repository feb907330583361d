// What the source needs of a server, looked at before anything is made there. Changes nothing. Each finding that is not well says the
// statement that mends it.

import type { Client } from 'pg';
import type { CheckResult, Context } from 'sluice/sdk';
import type { SourceSettings } from './config.ts';
import { addressOf, close, quoted, rowsOf } from './connection.ts';
import { type Published, publishAll, publishViaRoot, readPublication, sqlName } from './publication.ts';
import { type SqlFacts, serverFault, sqlFacts } from './server.ts';
import { readSlot, slotFault } from './slot.ts';
import { sourceFault } from './source-faults.ts';
import { connectSql, namesOf } from './start.ts';
import { leftOut, readTables, type Table } from './tables.ts';

export async function checkSource(config: SourceSettings, context: Context): Promise<readonly CheckResult[]> {
  let sql: Client;
  try {
    sql = await connectSql(addressOf(config, context.auth), context.stream);
  } catch (thrown) {
    return [failed('connect', thrown)];
  }
  try {
    return [
      { ok: true, name: 'connect', message: 'the server takes the connection' },
      ...(await look(sql, config, context)),
    ];
  } catch (thrown) {
    return [failed('connect', thrown)];
  } finally {
    await close(sql);
  }
}

async function look(sql: Client, config: SourceSettings, context: Context): Promise<CheckResult[]> {
  const facts = await sqlFacts(sql);
  const streams = config.snapshot !== 'only';
  const fault = serverFault(facts, streams);
  if (fault !== null) return [failed('server', fault)];
  const found: CheckResult[] = [ok('server', 'its version and settings are right')];
  let tables: readonly Table[];
  try {
    const all = await readTables(sql, config.tables ?? null, { unlogged: true });
    const silent = leftOut(config.tables ?? null, all);
    tables = all.filter((table) => !silent.includes(table));
    if (silent.length > 0) {
      const names = silent.map(({ table }) => table).join(', ');
      found.push(ok('unlogged tables', `not read, because their changes are in no log: ${names}`));
    }
  } catch (thrown) {
    return [...found, failed('tables', thrown)];
  }
  const names = namesOf(config, context.stream);
  const published = streams ? await readPublication(sql, { name: names.publication, version: facts.version }) : null;
  found.push(await readable(sql, tables, published));
  if (config.snapshot !== 'never') found.push(...(await seesAllRows(sql, tables)));
  if (streams) {
    found.push(await mayReplicate(sql), identities(tables));
    found.push(
      await publication(sql, config, published, names.publication, tables),
      await slot(sql, config, facts, names.slot),
    );
  }
  return found;
}

/** Whether every column that is read may be selected: of a table with a column that may not be, no row can be read. */
async function readable(sql: Client, tables: readonly Table[], published: Published | null): Promise<CheckResult> {
  const rows = await rowsOf(
    sql,
    `select c.oid, current_user, has_schema_privilege(c.relnamespace, 'usage'),
       (select array_to_json(array_agg(attname)) from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped
          and attgenerated = '' and not has_column_privilege(c.oid, attnum, 'select'))
     from pg_class c where c.oid = any($1::oid[])`,
    [tables.map(({ oid }) => oid)],
  );
  const refused: string[] = [];
  const grants = new Set<string>();
  for (const [oid, role, usage, columns] of rows) {
    const table = tables.find((one) => one.oid === Number(oid))!;
    const read = published?.tables.get(table.table)?.columns;
    const hidden = (JSON.parse(columns ?? '[]') as string[]).filter((name) => read?.includes(name) ?? true);
    if (usage === 't' && hidden.length === 0) continue;
    refused.push(hidden.length === 0 ? table.table : `${table.table} (${hidden.join(', ')})`);
    if (usage !== 't') grants.add(`grant usage on schema ${quoted(table.schema)} to ${quoted(role!)}`);
    if (hidden.length > 0) grants.add(`grant select on ${sqlName(table)} to ${quoted(role!)}`);
  }
  if (refused.length === 0) return ok('tables', `${tables.length} tables can be read`);
  return bad('tables', `the role may not read ${refused.join(', ')}`, [...grants].join('; '));
}

/** A policy would hide rows from the source: the server refuses such a table, and it is parked. */
async function seesAllRows(sql: Client, tables: readonly Table[]): Promise<readonly CheckResult[]> {
  const rows = await rowsOf(sql, 'select oid, current_user from unnest($1::oid[]) oid where row_security_active(oid)', [
    tables.map(({ oid }) => oid),
  ]);
  if (rows.length === 0) return [];
  const names = tables.filter(({ oid }) => rows.some(([one]) => Number(one) === oid)).map(({ table }) => table);
  const what = `row security hides rows of ${names.join(', ')} from the role: they are not read, and the tables are parked`;
  return [bad('row security', what, `alter role ${quoted(rows[0]![1]!)} bypassrls`)];
}

async function mayReplicate(sql: Client): Promise<CheckResult> {
  const [row] = await rowsOf(
    sql,
    'select rolreplication or rolsuper, rolname from pg_roles where rolname = current_user',
  );
  if (row?.[0] === 't') return ok('replication', 'the role may replicate');
  return bad('replication', 'the role may not replicate', `alter role ${quoted(row?.[1] ?? '')} replication`);
}

function identities(tables: readonly Table[]): CheckResult {
  const unfit = tables.filter((table) => table.unfit !== null);
  if (unfit.length === 0) return ok('replica identity', 'every table has one');
  const each = unfit.map((table) => `${table.table}: ${table.unfit}`);
  return bad(
    'replica identity',
    each.join('; '),
    'run the statement that is named, or leave the table out of `tables`: else it is parked',
  );
}

async function publication(
  sql: Client,
  config: SourceSettings,
  found: Published | null,
  name: string,
  tables: readonly Table[],
): Promise<CheckResult> {
  const fit = tables.filter(({ unfit }) => unfit === null);
  if (found?.whole === false) {
    return bad('publication', 'it leaves out some kinds of changes', publishAll(name));
  }
  if (found?.viaRoot === false && fit.some(({ partitioned }) => partitioned)) {
    return bad(
      'publication',
      'it gives the changes of partitioned tables under the names of their partitions',
      publishViaRoot(name),
    );
  }
  const missing = found === null ? fit : fit.filter(({ table }) => !found.tables.has(table));
  if (found !== null && missing.length === 0) return ok('publication', 'it is there, and has all tables');
  const list = missing.map(sqlName).join(', ');
  const make =
    found === null
      ? `create publication ${quoted(name)} for table ${list} with (publish_via_partition_root = true)`
      : `alter publication ${quoted(name)} add table ${list}`;
  const what = found === null ? 'it is not there' : `it has no table ${missing.map(({ table }) => table).join(', ')}`;
  if (!config.create) return bad('publication', what, make);
  const [rights] = await rowsOf(
    sql,
    `select (select rolsuper from pg_roles where rolname = current_user)
       or has_database_privilege(current_database(), 'create')
       and not exists (select from pg_class where oid = any($1) and not pg_has_role(relowner, 'usage'))`,
    [missing.map(({ oid }) => oid)],
  );
  if (rights?.[0] === 't') return ok('publication', `${what}; the source makes it so`);
  return bad(
    'publication',
    `${what}, and the role may not make it so: it must own the tables and may create in the database`,
    make,
  );
}

async function slot(sql: Client, config: SourceSettings, { database }: SqlFacts, name: string): Promise<CheckResult> {
  const found = await readSlot(sql, name);
  if (found !== null) {
    const fault = slotFault(found, database, null);
    if (fault !== null) return failed('slot', fault);
    return ok(
      'slot',
      `it is there${found.reader === null ? '' : ', and is being read'}, and holds ${found.held} bytes of log`,
    );
  }
  const make = `select pg_create_logical_replication_slot('${name}', 'pgoutput')`;
  if (!config.create) return bad('slot', 'it is not there', make);
  const [room] = await rowsOf(
    sql,
    `select current_setting('max_replication_slots')::int - (select count(*) from pg_replication_slots)`,
  );
  if (Number(room?.[0]) > 0) return ok('slot', 'it is not there; the source makes it');
  const fix = "drop one that nobody reads, or `alter system set max_replication_slots = '…'` and restart the server";
  return bad('slot', 'it is not there, and the server has no room for another', fix);
}

const ok = (name: string, message: string): CheckResult => ({ ok: true, name, message });
const bad = (name: string, message: string, fix: string): CheckResult => ({ ok: false, name, message, fix });

function failed(name: string, thrown: unknown): CheckResult {
  const { message, fix } = sourceFault(thrown);
  return { ok: false, name, message, ...(fix === undefined ? {} : { fix }) };
}
