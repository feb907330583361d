// The start of a reading: what the server is, which tables are read, publication and slot, and where reading begins.
// Guarantee: nothing is read from a server, a slot or a publication that does not continue the saved position.

import type { Client } from 'pg';
import { type Context, sluiceError } from 'sluice/sdk';
import type { SourceSettings } from './config.ts';
import { type Address, connect, rowsOf } from './connection.ts';
import { readLayout, readRelation } from './layout.ts';
import { lsnOf, lsnText } from './lsn.ts';
import { followPartitions, readPartitions } from './partitions.ts';
import { type PostgresPosition, wrongPlace } from './position.ts';
import { addTodo, type Progress, park, progressFrom } from './progress.ts';
import { dropOthers, ensurePublication, type Published, readPublication } from './publication.ts';
import { type ServerFacts, serverFacts, serverFault } from './server.ts';
import { createSlot, readSlot, rowsOfCommand, slotFault } from './slot.ts';
import { slotActive, slotMissing, whyLost } from './source-faults.ts';
import { ABSENT, leftOut, missingOf, noSuchTable, readTables, type Table } from './tables.ts';
import { sees, visibilityOf } from './visibility.ts';

export interface Names {
  readonly slot: string;
  readonly publication: string;
}

export interface Started {
  readonly facts: ServerFacts;
  readonly progress: Progress;
  /** All tables that the settings name, by `schema.table`. */
  readonly tables: Map<string, Table>;
  published: Published | null;
  readonly slot: string;
  /** The snapshot that came with a new slot, as long as `replication` is asked nothing else. */
  readonly snapshot: string | null;
  /** Ids of transactions that must be over before a chunk is read (snapshot.ts). */
  readonly suspects: Set<bigint>;
  /** Near this are the ids of transactions that come. */
  readonly xid: bigint;
}

/** By default slot and publication are named by the stream. */
export function namesOf(config: SourceSettings, stream: string): Names {
  const plain = stream.toLowerCase().replace(/[^a-z0-9_]/g, '_');
  const name = `sluice_${plain}`.slice(0, 63);
  return { slot: config.slot ?? name, publication: config.publication ?? name };
}

export function connectSql(address: Address, stream: string): Promise<Client> {
  const settings = {
    lock_timeout: '2s', // a lock of somebody else (a table that is being altered) must not hold up the stream
    statement_timeout: '0',
    idle_in_transaction_session_timeout: '0',
    // A policy would leave out rows without a word, and sinks would then delete them: the server refuses the table instead.
    row_security: 'off',
  };
  return connect(address, { name: `sluice ${stream}`, settings });
}

export function connectReplication(address: Address, stream: string): Promise<Client> {
  return connect(address, { name: `sluice ${stream}`, replication: true });
}

export async function start(
  sql: Client,
  replication: Client,
  config: SourceSettings,
  context: Pick<Context, 'stream' | 'tap' | 'log'>,
  saved: PostgresPosition | null,
): Promise<Started> {
  const facts = await serverFacts(sql, replication);
  const streams = config.snapshot !== 'only';
  const fault = serverFault(facts, streams);
  if (fault !== null) throw fault;
  if (saved !== null) await checkPlace(replication, facts, saved);
  const names = namesOf(config, context.stream);
  const wanted = config.tables ?? null;
  const found = await readTables(sql, wanted, { missing: 'leave', unlogged: true });
  const silent = leftOut(wanted, found);
  if (silent.length > 0) {
    const names = silent.map(({ table }) => table);
    context.log.warn(
      { tables: names },
      `unlogged tables are not read: ${names.join(', ')} (their changes are in no log)`,
    );
  }
  const all = found.filter((table) => !silent.includes(table));
  const missing = missingOf(wanted, all);
  if (missing.length > 0 && all.length === 0) throw noSuchTable(missing);
  const fit = all.filter(({ unfit }) => unfit === null);
  const partitions = await readPartitions(sql, all); // before the slot: what is attached after this is seen later
  const unpublished = saved === null || !streams || context.tap ? [] : await unpublishedOf(sql, fit, names, facts);
  const published = streams ? await publish(sql, fit, config, context, names, facts, saved) : null;
  const isOurs = config.create && config.publication === undefined && !context.tap;
  if (published !== null && isOurs && wanted !== null) {
    await dropOthers(sql, published, new Set(all.map(({ table }) => table)), names.publication, context.log);
  }
  const follows = streams && published !== null;
  const slot = follows ? await openSlot(sql, replication, config, context, names, facts, saved) : null;
  const here = { ...facts, publication: published?.oid ?? 0 };
  const progress = saved === null ? progressAt(slot?.start ?? facts.written, here) : progressFrom(saved, here);

  for (const { table, unfit } of all) if (unfit !== null) park(progress, table, unfit);
  const absent = missing.filter((name) => !name.endsWith('.*'));
  for (const table of absent) park(progress, table, ABSENT);
  progress.parked = progress.parked.filter(({ table, reason }) => reason !== ABSENT || absent.includes(table));
  const current = saved === null && slot?.made === true;
  const anew = unpublished.filter((table) => saved?.tables[table] !== undefined);
  if (anew.length > 0) {
    const then = config.snapshot === 'never' ? 'what was done to them meanwhile does not come' : 'they are read whole';
    context.log.warn({ tables: anew }, `the publication did not have ${anew.join(', ')} any more: ${then}`);
  }
  await meetTables(sql, progress, { all, absent, anew: new Set(anew), current }, published, config, facts);
  if (!context.tap) await followPartitions({ sql, progress, config, log: context.log }, all, partitions);
  // after the publication: changes that transactions of before made to a table that was just published do not come
  const [[snapshot] = []] = await rowsOf(sql, 'select pg_current_snapshot()');
  const visible = visibilityOf(snapshot!);
  return {
    facts,
    progress,
    tables: new Map(all.map((table) => [table.table, table])),
    published,
    slot: slot?.name ?? names.slot,
    snapshot: slot?.snapshot ?? null,
    // What was streamed before a restart may not be visible yet.
    suspects: new Set([...visible.running].filter((xid) => !sees(visible, xid))),
    xid: visible.xmax,
  };
}

/** What is not in the publication (any more) although reading goes on: what was done to it meanwhile does not come. */
async function unpublishedOf(
  sql: Client,
  tables: readonly Table[],
  { publication: name }: Names,
  { version }: ServerFacts,
): Promise<readonly string[]> {
  const published = await readPublication(sql, { name, version });
  return tables.map(({ table }) => table).filter((table) => published?.tables.has(table) !== true);
}

async function publish(
  sql: Client,
  tables: readonly Table[],
  config: SourceSettings,
  context: Pick<Context, 'tap'>,
  { publication, slot }: Names,
  { version }: ServerFacts,
  saved: PostgresPosition | null,
): Promise<Published | null> {
  if (context.tap) return readPublication(sql, { name: publication, version });
  const known = saved?.publication ?? null;
  return ensurePublication(sql, tables, { name: publication, slot, create: config.create, known, version });
}

interface OpenSlot {
  readonly name: string;
  readonly start: bigint;
  readonly snapshot: string | null;
  /** It was made just now. */
  readonly made: boolean;
}

async function openSlot(
  sql: Client,
  replication: Client,
  config: SourceSettings,
  context: Pick<Context, 'tap' | 'log'>,
  { slot: name }: Names,
  { database }: ServerFacts,
  saved: PostgresPosition | null,
): Promise<OpenSlot> {
  if (context.tap) {
    const own = `sluice_tap_${process.pid}_${Date.now().toString(36)}`;
    const { start } = await createSlot(sql, replication, own, context.log, { temporary: true, snapshot: false });
    return { name: own, start, snapshot: null, made: true };
  }
  let slot = await readSlot(sql, name);
  if (slot?.lost === true && saved === null && config.create) {
    // Nobody can read from it any more, and reading begins anew.
    await sql.query('select pg_drop_replication_slot($1)', [name]);
    context.log.warn({ slot: name }, `the replication slot was lost (${whyLost(slot.lostBecause)}); it is made anew`);
    slot = null;
  }
  if (slot !== null) {
    const fault = slotFault(slot, database, saved === null ? null : lsnOf(saved.lsn));
    if (fault !== null) throw fault;
    await slotFree(sql, name);
    return { name, start: slot.confirmed, snapshot: null, made: false };
  }
  if (saved !== null) throw slotMissing();
  if (!config.create) {
    throw sluiceError('E_SOURCE_SETTINGS', {
      message: 'there is no such replication slot',
      fix: `run \`select pg_create_logical_replication_slot('${name}', 'pgoutput')\` at the source, or set \`create: true\``,
      permanent: true,
    });
  }
  const made = await createSlot(sql, replication, name, context.log, {
    temporary: false,
    snapshot: config.snapshot === 'initial',
  });
  context.log.info({ slot: name, lsn: lsnText(made.start) }, 'made a replication slot');
  return { name, ...made, made: true };
}

interface Met {
  readonly all: readonly Table[];
  /** Named, and not there. */
  readonly absent: readonly string[];
  /** To be read whole although they are known. */
  readonly anew: ReadonlySet<string>;
  /** The log to be read begins now, so the columns are those that the catalog has; else the first change will tell. */
  readonly current: boolean;
}

/** Tables that are new are read whole; those that are named no more are forgotten. */
async function meetTables(
  sql: Client,
  progress: Progress,
  { all, absent, anew, current }: Met,
  published: Published | null,
  config: SourceSettings,
  facts: ServerFacts,
): Promise<void> {
  const parked = new Set(progress.parked.map(({ table }) => table));
  const known = new Set(all.map(({ table }) => table));
  const fresh: string[] = [];
  const tables: Record<string, string> = {};
  for (const { table, oid } of all) {
    if (parked.has(table)) continue;
    const before = progress.tables[table];
    if (before?.startsWith(`${oid}:`) && !anew.has(table)) {
      tables[table] = before;
      continue;
    }
    fresh.push(table);
    tables[table] = `${oid}:`;
    if (!current) continue;
    const relation = await readRelation(sql, oid, published?.tables.get(table)?.columns ?? null, facts.version);
    if (relation !== null) tables[table] = (await readLayout(sql, relation, config.jsonb)).fingerprint;
  }
  progress.tables = tables;
  progress.partitions = Object.fromEntries(
    Object.entries(progress.partitions).filter(([table]) => known.has(table) && !fresh.includes(table)),
  );
  progress.todo = progress.todo.filter(({ table }) => known.has(table));
  progress.parked = progress.parked.filter(({ table }) => known.has(table) || absent.includes(table));
  if (config.snapshot !== 'never') addTodo(progress, fresh);
}

/** A reader that has just gone, and whose end the server has not seen yet, is waited for. */
export async function slotFree(sql: Client, name: string): Promise<void> {
  for (const end = performance.now() + FREE_MS; ; ) {
    const slot = await readSlot(sql, name);
    if (slot === null) throw slotMissing();
    if (slot.reader === null) return;
    if (performance.now() > end) throw slotActive();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const FREE_MS = 3_000;

function progressAt(lsn: bigint, here: Pick<Progress, 'server' | 'database' | 'timeline' | 'publication'>): Progress {
  const { server, database, timeline, publication } = here;
  return {
    server,
    database,
    timeline,
    publication,
    origin: lsnText(lsn),
    lsn,
    within: null,
    tables: {},
    partitions: {},
    snapshots: 0,
    todo: [],
    since: Date.now(),
    parked: [],
  };
}

/** @throws SluiceError E_SOURCE_POSITION, E_SOURCE_FAILOVER */
async function checkPlace(replication: Client, facts: ServerFacts, saved: PostgresPosition): Promise<void> {
  if (saved.server !== facts.server) throw wrongPlace('it is of another server');
  if (saved.database !== facts.database) throw wrongPlace('it is of another database');
  const lsn = lsnOf(saved.lsn);
  let end = facts.written;
  if (saved.timeline !== facts.timeline) {
    const [row] = await rowsOfCommand(replication, `TIMELINE_HISTORY ${facts.timeline}`);
    end = leftAt(String(row?.['content'] ?? ''), saved.timeline) ?? -1n;
  }
  if (lsn <= end) return;
  throw sluiceError('E_SOURCE_FAILOVER', {
    message:
      'the server has less log than was read from it: a standby took over that had not got everything, or it was restored from a backup',
    fix: 'run `sluice checkpoint clear` for this stream: it reads all rows again, and removes at the sinks what is gone',
    permanent: true,
  });
}

/** Where the server's history left a timeline: `1\t0/3000158\tno recovery target specified`. */
export function leftAt(history: string, timeline: number): bigint | null {
  for (const line of history.split('\n')) {
    const [id, lsn] = line.trim().split(/\s+/);
    if (id === String(timeline) && lsn !== undefined) return lsnOf(lsn);
  }
  return null;
}
