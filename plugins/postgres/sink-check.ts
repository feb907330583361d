// `sluice check` of the sink: can it connect, may it write, do its tables fit. Each finding with the statement that mends it.
// Reads only.

import { type CheckResult, type Context, toSluiceError } from 'sluice/sdk';
import { addressOf } from './address.ts';
import type { SinkSettings } from './config.ts';
import { quoted } from './connection.ts';
import { sinkFault } from './sink-faults.ts';
import { namesOf } from './sink-names.ts';
import { openSession, type Session } from './sink-session.ts';
import { readTarget } from './sink-target.ts';

export async function checkSink(config: SinkSettings, context: Context): Promise<readonly CheckResult[]> {
  let session: Session;
  try {
    session = await openSession(addressOf(config, context.auth), 'sluice check', config.statement_timeout);
  } catch (thrown) {
    const { message, fix } = sinkFault(thrown);
    return [{ ok: false, name: 'connect', message, ...(fix === undefined ? {} : { fix }) }];
  }
  try {
    const found = [await server(session), await schemaRight(session, config), await homeRight(session, config)];
    for (const name of tablesOf(config)) found.push(...(await table(session, config, name)));
    return found;
  } catch (thrown) {
    const { message, fix } = toSluiceError(sinkFault(thrown));
    return [{ ok: false, name: 'read', message, ...(fix === undefined ? {} : { fix }) }];
  } finally {
    await session.close();
  }
}

const good = (name: string, message: string): CheckResult => ({ ok: true, name, message });
const bad = (name: string, message: string, fix: string): CheckResult => ({ ok: false, name, message, fix });

async function server(session: Session): Promise<CheckResult> {
  const { rows } = await session.query(
    `select current_setting('server_version'), pg_is_in_recovery(), s.setting, s.source, quote_ident(current_user), quote_ident(current_database())
     from pg_settings s where s.name = 'default_transaction_read_only'`,
  );
  const [version, standby, readOnly, from, role, database] = rows[0]!;
  if (standby === 't') {
    return bad('connect', 'the server takes no writes: it is a standby', 'give the address of the primary server');
  }
  if (readOnly !== 'on') return good('connect', `PostgreSQL ${version} answers and takes writes`);
  const of = from === 'database' ? `database ${database}` : `role ${role}`;
  return from === 'user' || from === 'database user' || from === 'database'
    ? bad(
        'connect',
        `what is written is refused: ${of} has default_transaction_read_only = on`,
        `alter ${of} ${from === 'database user' ? `in database ${database} ` : ''}set default_transaction_read_only = off`,
      )
    : bad(
        'connect',
        'the server takes no writes: its default_transaction_read_only is on',
        'alter system set default_transaction_read_only = off, and reload; some hosts set it when the disk is nearly full',
      );
}

async function schemaRight(session: Session, { schema, auto_create }: SinkSettings): Promise<CheckResult> {
  const { rows } = await session.query(
    `select to_regnamespace($1) is not null,
       coalesce(has_schema_privilege(to_regnamespace($1), 'usage'), false),
       coalesce(has_schema_privilege(to_regnamespace($1), 'create'), false), quote_ident(current_user)`,
    [quoted(schema)],
  );
  const [there, usage, create, role] = rows[0]!;
  const name = quoted(schema);
  if (there !== 't') {
    return bad('schema', `there is no schema ${name}`, `create schema ${name} authorization ${role}`);
  }
  if (usage !== 't')
    return bad('schema', `the role may not use the schema ${name}`, `grant usage on schema ${name} to ${role}`);
  if (auto_create && create !== 't') {
    return bad(
      'schema',
      `the role may not make tables in the schema ${name}`,
      `grant create on schema ${name} to ${role}, or set \`auto_create: false\``,
    );
  }
  return good('schema', `the role may ${auto_create ? 'make' : 'use'} tables in the schema ${name}`);
}

async function homeRight(session: Session, { state_schema }: SinkSettings): Promise<CheckResult> {
  const name = quoted(state_schema);
  const { rows } = await session.query(
    `select case when to_regnamespace($1) is null then has_database_privilege(current_database(), 'create')
       else has_schema_privilege(to_regnamespace($1), 'create') end, quote_ident(current_user)`,
    [name],
  );
  const [may, role] = rows[0]!;
  return may === 't'
    ? good('checkpoint', `the checkpoint can be kept in the schema ${name}`)
    : bad(
        'checkpoint',
        `the role may not make the table of the checkpoint in the schema ${name}`,
        `create schema ${name} authorization ${role}, or set \`state_schema\` to a schema of the role's own`,
      );
}

async function table(session: Session, config: SinkSettings, name: string): Promise<readonly CheckResult[]> {
  const sql = namesOf(config)(name);
  const target = await readTarget(session, name, sql);
  if (target === null) {
    if (config.auto_create) return [good('table', `table ${sql} is not there and will be made`)];
    return [bad('table', `there is no table ${sql}`, 'make it, or set `auto_create: true`')];
  }
  const { rows } = await session.query(
    `select string_agg(p.name, ', '), quote_ident(current_user) from unnest(array['select', 'insert', 'update', 'delete']) as p(name)
     where not has_table_privilege($1::text::oid, p.name)`,
    [target.oid],
  );
  const [missing, role] = rows[0]!;
  if (missing != null) {
    return [bad('table', `the role may not ${missing} on table ${sql}`, `grant ${missing} on ${sql} to ${role}`)];
  }
  const key = Array.isArray(config.key) ? config.key : Object.keys(config.key ?? {});
  const absent = key.filter((column) => !target.columns.has(column));
  if (absent.length > 0) {
    const fix = 'add it, or correct `key`';
    return [bad('table', `table ${sql} has no column ${absent.map(quoted).join(', ')}, which \`key\` names`, fix)];
  }
  if (key.length > 0 && !target.isUnique(key)) {
    const columns = key.map(quoted).join(', ');
    return [
      bad(
        'table',
        `table ${sql} has no primary key or unique index on (${columns})`,
        `alter table ${sql} add unique (${columns})`,
      ),
    ];
  }
  return [good('table', `table ${sql} can be written`)];
}

/** The tables that the settings name; those of the source's own names are not known here. */
function tablesOf({ table }: SinkSettings): readonly string[] {
  return typeof table === 'string' ? [table] : [...new Set(Object.values(table ?? {}))];
}
