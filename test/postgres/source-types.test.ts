// Every type of PostgreSQL through the source: rows and changes give the same value, of the kind that its column says, and the server
// takes each back as what it was.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PostgresDatabase, type PostgresServer, postgresVersions, startPostgres } from '../services/postgres.ts';
import { count, readUntil, settled, sourceBench, startReading } from './source-bench.ts';

/** A type, SQL of a value, and the JSON that it becomes. */
const cases: readonly [type: string, sql: string, json: unknown][] = [
  ['boolean', 'true', true],
  ['smallint', '-32768', -32768],
  ['integer', '2147483647', 2147483647],
  ['bigint', '9223372036854775807', '9223372036854775807'],
  ['oid', '4294967295', 4294967295],
  ['real', '0.1', 0.1],
  ['real', '1e-45', 1e-45],
  ['double precision', '0.1::float8 + 0.2', 0.30000000000000004],
  ['double precision', '1.7976931348623157e308', 1.7976931348623157e308],
  ['double precision', `'NaN'`, 'NaN'],
  ['double precision', `'-Infinity'`, '-Infinity'],
  ['numeric', '123456789012345678901234567890.0000000001', '123456789012345678901234567890.0000000001'],
  ['numeric(10,2)', '1.5', '1.50'],
  ['numeric', `'NaN'`, 'NaN'],
  ['numeric', `'-Infinity'`, '-Infinity'],
  ['money', `'12345.67'`, '$12,345.67'],
  ['text', `'ü😀 "quoted" \\ and ' || chr(9) || chr(10)`, 'ü😀 "quoted" \\ and \t\n'],
  ['text', `''`, ''],
  ['varchar(20)', `'x'`, 'x'],
  ['char(4)', `'x'`, 'x   '],
  ['"char"', `'x'`, 'x'],
  ['name', `'x'`, 'x'],
  ['bytea', `'\\x00ff10'`, 'AP8Q'],
  ['bytea', `''`, ''],
  ['date', `'2024-02-29'`, '2024-02-29'],
  ['date', `'0044-03-15 BC'`, '0044-03-15 BC'],
  ['date', `'infinity'`, 'infinity'],
  ['time', `'12:34:56.123456'`, '12:34:56.123456'],
  ['timetz', `'12:34:56.5+02'`, '12:34:56.5+02'],
  ['timestamp', `'2024-02-29 12:34:56.123456'`, '2024-02-29T12:34:56.123456'],
  ['timestamp(0)', `'2024-02-29 12:34:56'`, '2024-02-29T12:34:56'],
  ['timestamp', `'-infinity'`, '-infinity'],
  ['timestamp', `'0001-01-01 00:00:00 BC'`, '0001-01-01T00:00:00 BC'],
  ['timestamptz', `'2024-02-29 12:34:56.123456+02'`, '2024-02-29T10:34:56.123456Z'],
  ['timestamptz', `'0044-03-15 12:00:00+00 BC'`, '0044-03-15T12:00:00Z BC'],
  ['timestamptz', `'294276-12-31 23:59:59.999999+00'`, '294276-12-31T23:59:59.999999Z'],
  ['timestamptz', `'infinity'`, 'infinity'],
  ['interval', `'1 year 2 mons -3 days 04:05:06.789'`, 'P1Y2M-3DT4H5M6.789S'],
  ['uuid', `'A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11'`, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  ['json', `'{"b": 1,  "a": 12345678901234567890, "b": 2}'`, '{"b": 1,  "a": 12345678901234567890, "b": 2}'],
  ['jsonb', `'{"b": [1, 2.50, null, "x\\"y"], "a": {}}'`, { a: {}, b: [1, 2.5, null, 'x"y'] }],
  ['jsonb', `'null'`, null],
  ['jsonb', `'"text"'`, 'text'],
  ['xml', `'<a b="c">d</a>'`, '<a b="c">d</a>'],
  ['bit(3)', `B'101'`, '101'],
  ['varbit', `B'10101'`, '10101'],
  ['inet', `'192.168.0.1/24'`, '192.168.0.1/24'],
  ['cidr', `'2001:db8::/32'`, '2001:db8::/32'],
  ['macaddr', `'08:00:2b:01:02:03'`, '08:00:2b:01:02:03'],
  ['macaddr8', `'08:00:2b:01:02:03:04:05'`, '08:00:2b:01:02:03:04:05'],
  ['point', `'(1.5,2)'`, '(1.5,2)'],
  ['line', `'{1,2,3}'`, '{1,2,3}'],
  ['box', `'(2,2),(1,1)'`, '(2,2),(1,1)'],
  ['path', `'((0,0),(1,1))'`, '((0,0),(1,1))'],
  ['polygon', `'((0,0),(1,1),(1,0))'`, '((0,0),(1,1),(1,0))'],
  ['circle', `'<(1,2),3>'`, '<(1,2),3>'],
  ['tsvector', `'a fat cat'`, `'a' 'cat' 'fat'`],
  ['tsquery', `'fat & (rat | cat)'`, `'fat' & ( 'rat' | 'cat' )`],
  ['int4range', `'[1,5)'`, '[1,5)'],
  ['numrange', `'empty'`, 'empty'],
  ['tstzrange', `'[2024-01-01 00:00+00,)'`, '["2024-01-01 00:00:00+00",)'],
  ['int8multirange', `'{[1,3),[5,9)}'`, '{[1,3),[5,9)}'],
  ['pg_lsn', `'16/B374D848'`, '16/B374D848'],
  ['int2vector', `'1 2 3'`, '1 2 3'],
  ['integer[]', `'{1,NULL,3}'`, [1, null, 3]],
  [
    'integer[]',
    `'{{1,2},{3,4}}'`,
    [
      [1, 2],
      [3, 4],
    ],
  ],
  ['integer[]', `'{}'`, []],
  ['integer[]', `'[0:1]={7,8}'`, '[0:1]={7,8}'],
  ['bigint[]', `'{9223372036854775807}'`, ['9223372036854775807']],
  ['numeric(5,1)[]', `'{1.5,NaN}'`, ['1.5', 'NaN']],
  ['double precision[]', `'{1.5,NaN}'`, [1.5, 'NaN']],
  ['text[]', `array['a,b', '"', null, 'NULL', '', '{', 'ü']`, ['a,b', '"', null, 'NULL', '', '{', 'ü']],
  ['boolean[]', `'{t,f}'`, [true, false]],
  ['bytea[]', `array['\\x00ff'::bytea]`, ['AP8=']],
  ['timestamptz[]', `array['2024-02-29 12:00:00+00'::timestamptz]`, ['2024-02-29T12:00:00Z']],
  ['jsonb[]', `array['{"a": 1}'::jsonb]`, [{ a: 1 }]],
  ['box[]', `array['(2,2),(1,1)'::box, '(4,4),(3,3)']`, ['(2,2),(1,1)', '(4,4),(3,3)']],
  ['mood', `'ok'`, 'ok'],
  ['mood[]', `'{ok,"so so"}'`, ['ok', 'so so']],
  ['positive', '5', 5],
  ['big_positive', '9223372036854775807', '9223372036854775807'],
  ['positives', `'{1,2}'`, [1, 2]],
  ['pair', `row(1, 'a,b')`, '(1,"a,b")'],
  ['pair[]', `array[row(1, 'a')::pair]`, ['(1,a)']],
  ['floatrange', `'[1.5,2.5]'`, '[1.5,2.5]'],
];

const KINDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  boolean: (value) => typeof value === 'boolean',
  smallint: Number.isInteger,
  integer: Number.isInteger,
};

describe.each(postgresVersions())('PostgreSQL %i', (version) => {
  let server: PostgresServer;
  let db: PostgresDatabase;
  beforeAll(async () => {
    server = await startPostgres(version);
    db = await server.database();
    await db.query(`create type mood as enum ('ok', 'so so'); create domain positive as int check (value > 0);
      create domain big_positive as bigint; create domain positives as int[]; create type pair as (a int, b text);
      create type floatrange as range (subtype = float8)`);
    // what a role or a database sets must not change the form of values
    await db.query(`do $$ begin
      execute format('alter database %I set datestyle = ''German''', current_database());
      execute format('alter database %I set timezone = ''America/New_York''', current_database());
      execute format('alter database %I set intervalstyle = ''sql_standard''', current_database());
      execute format('alter database %I set bytea_output = ''escape''', current_database());
      execute format('alter database %I set extra_float_digits = -10', current_database());
    end $$`);
    const columns = cases.map(([type], n) => `c${n} ${type}`).join(', ');
    await db.query(`create table types (id int primary key, ${columns})`);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test('every value keeps its meaning, in rows and in changes, and comes back equal', async () => {
    const values = cases.map(([type, sql]) => `(${sql})::${type}`).join(', ');
    await db.query(`insert into types select 1, ${values}; insert into types (id) values (2)`);
    const at = sourceBench(db);
    await using reading = startReading(at.source());
    await reading.until(settled);
    await db.query('update types set id = 3 where id = 1; update types set id = 4 where id = 2');
    const { batches } = await reading.until(count(4));
    const events = batches.flatMap((batch) => batch.events());
    const expected = Object.fromEntries(cases.map(([, , json], n) => [`c${n}`, json]));
    const nulls = Object.fromEntries(cases.map((_, n) => [`c${n}`, null]));
    expect(events.map(({ op }) => op)).toEqual(['r', 'r', 'u', 'u']);
    expect(events[0]!.after).toEqual({ id: 1, ...expected });
    expect(events[1]!.after).toEqual({ id: 2, ...nulls });
    expect(events[2]!.after).toEqual({ id: 3, ...expected });
    expect(events[3]!.after).toEqual({ id: 4, ...nulls });
    // the cells that a sink may bind say the same
    const columns = batches[0]!.columns('public.types');
    const cells = batches[0]!.cells!(0)!;
    for (const [n, [type, sql]] of cases.entries()) {
      const column = columns[n + 1]!;
      const value = events[0]!.after![`c${n}`];
      if (typeof value === 'string' && column.type !== 'jsonb') expect(cells[n + 1]).toBe(value);
      const isKind = KINDS[type];
      if (isKind !== undefined) expect(isKind(value)).toBe(true);
      // what is text in the event is text that the server takes back
      if (typeof value !== 'string' || column.type === 'bytes' || type === 'jsonb') continue;
      const [row] = await db.query(
        `select ($1::text)::${type}::text = ((${sql})::${type})::text as same, set_config('lc_monetary', 'C', true)`,
        [value],
      );
      expect(`${type} ${value}: ${row!['same']}`).toBe(`${type} ${value}: t`);
    }
  });

  test('a number within jsonb that no double can hold fails its event, and only that, unless jsonb is text', async () => {
    await db.query(`create table j (id int primary key, v jsonb); insert into j values (1, '[1e400]'), (2, '[12345678901234567891]'),
      (3, '[1.5, 100]')`);
    const at = sourceBench(db);
    const only = { tables: ['j'], snapshot: 'only' };
    const nested = await readUntil(at.source(only), null, () => false);
    expect(nested.lines).toEqual([
      '! public.j E_EVENT_VALUE',
      '! public.j E_EVENT_VALUE',
      'r public.j {"id":3} {"id":3,"v":[1.5, 100]}',
    ]);
    expect(nested.batches[0]!.unreadable!.get(1)!.raw).toContain('12345678901234567891');
    const text = await readUntil(at.source({ ...only, jsonb: 'text' }), null, () => false);
    expect(text.lines[1]).toBe('r public.j {"id":2} {"id":2,"v":"[12345678901234567891]"}');
  });
});
