// The sink on real servers: which values a column takes, and what becomes of a row that does not fit among those that do.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PostgresServer, postgresVersions, startPostgres } from '../../test/services/postgres.ts';
import { batch, never, sinkBench, statuses } from './sink-fixture.ts';

describe.each(postgresVersions())('the sink on PostgreSQL %i', (version) => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres(version);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  describe('a row that does not fit', () => {
    test('is rejected alone, holds what comes after it of its key, and names column or constraint but no value', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query(`create table o (id int primary key, n int not null check (n > 0), u int unique)`);
      const sink = bench.sink();
      const results = await sink.write(
        batch([
          { after: { id: 1, n: 1, u: 1 } },
          { after: { id: 2, n: -77, u: 2 } },
          { after: { id: 3, n: 3, u: 1 } },
          { op: 'u', after: { id: 2, n: 5, u: 5 } },
          { after: { id: 4, n: null } },
          { after: { id: 5, n: 'seventy-seven', u: 6 } },
          { after: { id: 6, n: 6, u: 7 } },
        ]),
        never,
      );
      expect(statuses(results)).toBe(
        'ok reject:E_SINK_REJECT reject:E_SINK_REJECT held reject:E_SINK_REJECT reject:E_SINK_REJECT ok',
      );
      const told = JSON.stringify(results);
      for (const name of ['o_n_check', 'o_u_key', 'column \\"n\\"']) expect(told).toContain(name);
      for (const value of ['77', 'seventy']) expect(told).not.toContain(value);
      expect(await bench.rows('select * from o order by id')).toEqual(['1,1,1', '6,6,7']);
    });

    test('costs no time however many zeros it has', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query('create table o (id int primary key, v numeric(5,2), t timestamptz)');
      const zeros = '0'.repeat(1 << 20);
      const began = performance.now();
      expect(
        await bench.write([
          { after: { id: 1, v: `1.${zeros}1` } },
          { after: { id: 2, v: `1.${zeros}x` } },
          { after: { id: 3, t: `2024-01-01T00:00:00.${zeros}1Z` } },
          { after: { id: 4, v: `1.5${zeros.slice(0, 100)}` } },
          { after: { id: 5, v: '12e-3' } },
        ]),
      ).toBe('reject:E_SINK_REJECT reject:E_SINK_REJECT reject:E_SINK_REJECT ok reject:E_SINK_REJECT');
      expect(performance.now() - began).toBeLessThan(5_000);
    });

    test.each([
      ['numeric(5,2)', '1.239'],
      ['varchar(3)', 'abc  '],
      ['date', '2024-01-02T03:04:05'],
      ['time', '03:04:05+02'],
      ['timestamp', '2024-01-02T03:04:05+02'],
      ['timestamp(3)', '2024-01-02T03:04:05.123456'],
      ['timestamptz', '2024-01-02T03:04:05.1234567Z'],
      ['real', 0.123456789],
      ['bytea', 'no base64'],
      ['char(3)', 'abcd'],
      ['bit(4)', '10101'],
      ['text', '\ud800'],
    ])('because %s would change it is rejected: %j', async (type, value) => {
      await using bench = await sinkBench(server);
      await bench.db.query(`create table o (id int primary key, v ${type})`);
      expect(await bench.write([{ after: { id: 1, v: value } }, { after: { id: 2, v: null } }])).toBe(
        'reject:E_SINK_REJECT ok',
      );
    });

    test.each([
      ['numeric(5,2)', '1.2300', '1.23'],
      ['real', 0.1, '0.1'],
      ['timestamp(3)', '2024-01-02T03:04:05.120000', '2024-01-02 03:04:05.12'],
      ['timestamptz', '0044-03-15T12:00:00Z BC', '0044-03-15 12:00:00+00 BC'],
      ['timestamp', 'infinity', 'infinity'],
      ['date', '-infinity', '-infinity'],
      ['bytea', '/wA=', '\\xff00'],
      ['boolean', true, 'true'],
      ['int', true, '1'],
      ['text', { a: [1] }, '{"a":[1]}'],
      ['jsonb', 'text', '"text"'],
      ['json', '{"b" : 1e400}', '{"b" : 1e400}'],
      [
        'int[]',
        [
          [1, null],
          [3, 4],
        ],
        '{{1,NULL},{3,4}}',
      ],
      ['text[]', ['a,"b"', '\\', 'NULL', null, ''], '{"a,\\"b\\"","\\\\","NULL",NULL,""}'],
      ['jsonb[]', [[1], { a: 'b' }, 'c'], '{[1],"{\\"a\\": \\"b\\"}","\\"c\\""}'],
      ['int4range', '[1,5)', '[1,5)'],
      ['interval', 'P1Y2M3DT4H5M6.7S', '1 year 2 mons 3 days 04:05:06.7'],
      ['double precision', 5e-324, '5e-324'],
      ['numeric', 'NaN', 'NaN'],
      ['char(5)', 'ab', 'ab'],
      ['bit(4)', '1010', '1010'],
      ['char(3)[]', ['abc'], '{abc}'],
    ])('%s takes %j', async (type, value, shown) => {
      await using bench = await sinkBench(server);
      await bench.db.query(`create table o (id int primary key, v ${type})`);
      expect(await bench.write([{ after: { id: 1, v: value as never } }])).toBe('ok');
      expect(await bench.rows('select v::text from o')).toEqual([shown]);
    });

    test('is not one whose bytes are many', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query('create table o (id int primary key, v bytea)');
      const v = Buffer.alloc(6 << 20, 0xfb).toString('base64');
      expect(await bench.write([{ after: { id: 1, v } }, { after: { id: 2, v: `${v}!===` } }])).toBe(
        'ok reject:E_SINK_REJECT',
      );
      expect(await bench.rows("select length(v), md5(v) = md5(decode(repeat('fb', 6 << 20), 'hex')) from o")).toEqual([
        `${6 << 20},t`,
      ]);
    });

    test('is none of the numbers that the server itself writes for singles', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query('create table o (id int primary key, v real)');
      // around each power of two, whole numbers and eighths: a short decimal may lie halfway between two singles, or a single between two decimals
      const written = await bench.rows(`select v from (
          select (2::float8 ^ e * (1 + n * 2::float8 ^ -23))::real v from generate_series(-126, 127) e, generate_series(0, 3) n
          union all select (2::float8 ^ (e + 23) + n * 2::float8 ^ e)::real from generate_series(1, 8) e, generate_series(0, 400) n
          union all select (40000 + n / 8.0)::real from generate_series(1, 400) n
          union all select (n * 2::float8 ^ -149)::real from generate_series(1, 200) n) s`);
      const rows = written.map((text, id) => ({ after: { id, v: Number(text) } }));
      expect(new Set((await bench.write(rows)).split(' '))).toEqual(new Set(['ok']));
      expect(await bench.rows('select v from o order by id')).toEqual(written);
    });

    test.each([
      ['regclass', 'shop.orders', 'pg_class'],
      ['regtype', 'no such type', 'integer'],
      ['regrole', 'nobody', 'postgres'],
      ['regproc', 'shop.f', 'now'],
      ['regprocedure', 'shop.f(text)', 'sum(integer)'],
      ['regnamespace', 'shop', 'pg_catalog'],
      ['regclass[]', ['pg_class', 'orders'], ['pg_class']],
    ])('is one whose %s names what is not there, and its text is not told', async (type, missing, there) => {
      await using bench = await sinkBench(server);
      await bench.db.query(`create table o (id int primary key, v ${type})`);
      const sink = bench.sink();
      const some = Array.from(
        { length: 250 },
        (_, id) => ({ op: 'r', after: { id, v: id === 7 ? missing : there } }) as const,
      );
      for (const events of [some, some.map((one) => ({ ...one, op: 'c' }) as const)]) {
        const results = await sink.write(batch(events), never);
        expect(results.flatMap(({ status }, i) => (status === 'ok' ? [] : [`${i} ${status}`]))).toEqual(['7 reject']);
        expect(JSON.stringify(results[7])).toContain('column \\"v\\"');
        expect(JSON.stringify(results[7])).not.toMatch(/shop|orders|no such type|nobody/);
      }
      expect(await bench.rows('select count(*) from o')).toEqual(['249']);
    });

    test('takes no others with it when a trigger refuses it', async () => {
      await using bench = await sinkBench(server);
      await bench.db.query(`create table o (id int primary key);
        create function no() returns trigger language plpgsql as $$ begin if new.id = 2 then raise 'not two'; end if; return new; end $$;
        create trigger no before insert on o for each row execute function no()`);
      expect(await bench.write([1, 2, 3].map((id) => ({ after: { id } })))).toBe('ok reject:E_SINK_REJECT ok');
    });
  });
});
