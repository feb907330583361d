// Invariant 6 on a real server: every type of PostgreSQL goes to PostgreSQL and to SQLite, as rows of a snapshot and as changes, without
// a transform, through one that returns its row, and through one that renames a column. What arrives in PostgreSQL is what was there.

import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Ledger } from '../../core/checkpoint.ts';
import { newBench } from '../crash/bench.ts';
import { type PostgresDatabase, type PostgresServer, startPostgres } from '../services/postgres.ts';

/** Type, and values of it as SQL. */
const TYPES: readonly (readonly [type: string, ...values: string[]])[] = [
  ['boolean', 'true', 'false'],
  ['smallint', '-32768', '32767'],
  ['integer', '-2147483648', '2147483647'],
  ['bigint', '-9223372036854775808', '9223372036854775807', '9007199254740993'],
  ['oid', '4294967295'],
  ['numeric', `'NaN'`, '0.10', '-12345678901234567890.123456789012345678901234567890', `'Infinity'`],
  ['numeric(12,4)', '99999999.1230'],
  ['real', '0.1', `'NaN'`, `'-Infinity'`, '1.17549435e-38'],
  ['double precision', '0.1', '5e-324', `'-0'`, '1.7976931348623157e308', `'Infinity'`],
  ['money', '1234.50'],
  ['text', `''`, `'NULL'`, `'\\N {"a"} "q" \\\\ , é 𝒳 日本'`, `E'tab\\tline\\nend\\r'`],
  ['varchar(10)', `'0123456789'`],
  ['char(5)', `'ab'`],
  ['"char"', `'x'`],
  ['name', `'a name'`],
  ['bytea', `'\\x'`, `'\\x00ff5c27'`],
  ['date', `'2024-02-29'`, `'infinity'`, `'0044-03-15 BC'`, `'12345-01-01'`],
  ['time', `'12:34:56.789012'`, `'24:00'`],
  ['timetz', `'12:34:56.7+05:30'`],
  ['timestamp', `'2024-02-29 12:34:56.789012'`, `'-infinity'`, `'0001-01-01 00:00 BC'`],
  ['timestamp(3)', `'2024-02-29 12:34:56.789'`],
  ['timestamptz', `'2024-02-29 12:34:56.789012+05:30'`, `'infinity'`, `'4713-11-24 00:00+00 BC'`],
  ['interval', `'1 year 2 mons -3 days 04:05:06.789'`, `'-00:00:00.000001'`],
  ['json', `'{"b" : 1e400,  "a":[1.10]}'`, `'null'`],
  ['jsonb', `'{"a": [1, null, {"b": "x"}], "c": 1.5}'`, `'"text"'`, `'5'`, `'true'`],
  ['uuid', `'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`],
  ['inet', `'192.168.0.1/24'`, `'::1'`],
  ['cidr', `'10.0.0.0/8'`],
  ['macaddr', `'08:00:2b:01:02:03'`],
  ['bit(4)', `B'1010'`],
  ['bit varying', `B'10101'`, `B''`],
  ['xml', `'<a b="c">d</a>'`],
  ['tsvector', `'a fat cat'::tsvector`],
  ['tsquery', `'fat & cat'::tsquery`],
  ['point', `'(1.5,-2)'`],
  ['lseg', `'[(1,2),(3,4)]'`],
  ['box', `'(3,4),(1,2)'`],
  ['path', `'((1,2),(3,4))'`, `'[(1,2)]'`],
  ['polygon', `'((0,0),(1,1),(1,0))'`],
  ['circle', `'<(1,2),3>'`],
  ['line', `'{1,2,3}'`],
  ['int4range', `'[1,5)'`, `'empty'`, `'(,)'`],
  ['tstzrange', `'["2024-01-01 00:00+00",)'`],
  ['nummultirange', `'{[1,2),[3.5,4)}'`],
  ['pg_lsn', `'16/B374D848'`],
  ['integer[]', `'{}'`, `'{1,NULL,3}'`, `'{{1,2},{3,4}}'`],
  ['text[]', `ARRAY['a,"b"', '\\', 'NULL', NULL, '', '{}']`],
  ['numeric(6,2)[]', `'{1.50,NaN}'`],
  ['timestamptz[]', `ARRAY['2024-02-29 12:00+00'::timestamptz, 'infinity']`],
  ['bytea[]', `ARRAY['\\x00ff'::bytea]`],
  ['jsonb[]', `ARRAY['{"a": "b,}"}'::jsonb, '[1]', '"x"']`],
  ['boolean[]', `'{t,f}'`],
  ['mood', `'so so'`],
  ['mood[]', `'{happy,"so so"}'`],
  ['cents', '5'],
  ['pair', `'(1,"a ""quoted"" , text")'`],
  ['pair[]', `ARRAY['(1,x)'::pair]`],
];

const OWN = `create type mood as enum ('happy', 'so so'); create domain cents as numeric(8,2) check (value > 0); create type pair as (n int, t text);`;
const name = (i: number): string => `c${i}`;
const TABLE = `create table types (id int primary key, ${TYPES.map(([type], i) => `${name(i)} ${type}`).join(', ')})`;
const MOST = Math.max(...TYPES.map((row) => row.length - 1));

/** Row n has of each type its n-th value, then null. */
const insert = (id: number, n: number): string =>
  `insert into types values (${id}, ${TYPES.map(([type, ...values]) => (values[n] === undefined ? 'null' : `(${values[n]})::${type}`)).join(', ')});`;

vi.setConfig({ testTimeout: 150_000 });

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres(18);
});
afterAll(() => server[Symbol.asyncDispose]());

/** JSON.stringify of a guest's row writes minus zero as 0: the one value that no JavaScript transform can return. */
const withoutMinusZero = (row: Record<string, string | null>): Record<string, string | null> =>
  Object.fromEntries(Object.entries(row).map(([column, text]) => [column, text === '-0' ? '0' : text]));

async function contents(
  db: PostgresDatabase,
  columns: (i: number) => string,
): Promise<readonly Record<string, string | null>[]> {
  const list = TYPES.map((_, i) => `${columns(i)}::text as "${name(i)}"`).join(', ');
  return db.query(`select id, ${list} from types order by id`);
}

test.each([
  ['without a transform, into tables that are made', '', null, (i: number) => name(i), ''],
  ['without a transform, into tables as they are at the source', '', null, (i: number) => name(i), OWN + TABLE],
  [
    'through a transform that returns its row',
    'export default (row) => row;',
    'same',
    (i: number) => name(i),
    OWN + TABLE,
  ],
  [
    'through a transform that renames a column',
    `export default ({ ${name(0)}, ...row }) => ({ ...row, renamed: ${name(0)} });`,
    'rename',
    (i: number) => (i === 0 ? 'renamed' : name(i)),
    '',
  ],
] as const)('every type comes back equal, %s', async (_, code, transform, columns, create) => {
  const [source, target] = [await server.database(), await server.database()];
  await source.query(OWN + TABLE);
  if (create !== '') await target.query(create);
  for (let n = 0; n < MOST + 1; n++) await source.query(insert(n, n));
  const list = transform === null ? '' : `\n    transformations: [${transform}]`;
  using bench = newBench({
    'sluice.yaml': `version: 1
${transform === null ? '' : `transformations:\n  - { id: ${transform}, type: javascript, file: ./transform.js }\n`}streams:
  - id: types
    source: { type: postgres, connection_string: "${source.url}", tables: [types], slot: ${source.name} }${list}
    sinks:
      - { id: copy, type: postgres, connection_string: "${target.url}" }
      - { id: lite, type: sqlite, path: ./target.db }
    checkpoint: copy
`,
    'transform.js': code,
  });
  const run = async (): Promise<void> => {
    const end = await bench.run('run', '--until-idle', '1s', '--json');
    expect(end.code, end.stderr).toBe(0);
    const account = JSON.parse(end.stdout.slice(end.stdout.indexOf('{\n'))) as { streams: { ledger: Ledger }[] };
    if (account.streams[0]!.ledger.dead_lettered > 0) {
      expect((await bench.letters()).map(({ place, error }) => `${place.id}: ${error.message}`)).toEqual([]);
    }
    const wanted = await contents(source, name);
    expect(await contents(target, columns)).toEqual(transform === null ? wanted : wanted.map(withoutMinusZero));
    using lite = new DatabaseSync(bench.path('target.db'), { readOnly: true });
    const [count] = lite.prepare('SELECT count(*) AS n FROM types').all();
    expect(Number(count!['n'])).toBe((await source.query('select id from types')).length);
  };
  await run(); // as rows
  // as changes: inserted, and updated into the values of another row
  const sets = TYPES.map((__, i) => `${name(i)} = o.${name(i)}`).join(', ');
  for (let n = 0; n < MOST; n++) await source.query(insert(100 + n, n));
  await source.query(`update types t set ${sets} from types o where t.id < 100 and o.id = 100 + (t.id + 1) % ${MOST}`);
  await run();
  await source.query('update types set id = id + 1000; delete from types where id = 1001');
  await run();
});
