// What comes between the source and its server, each on a real one: it goes on by itself, nothing is missing afterwards, and neither side
// holds up the other.

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../cli.ts';
import { type PostgresDatabase, type PostgresServer, postgresVersions, startPostgres } from '../services/postgres.ts';
import {
  count,
  failure,
  type Read,
  readUntil,
  type SourceBench,
  settled,
  sourceBench,
  startReading,
} from './source-bench.ts';

describe.each(postgresVersions())('PostgreSQL %i', (version) => {
  let server: PostgresServer;
  let db: PostgresDatabase;
  let at: SourceBench;
  let slot: string;
  beforeAll(async () => {
    server = await startPostgres(version);
  });
  afterAll(() => server[Symbol.asyncDispose]());
  beforeEach(async () => {
    db = await server.database();
    at = sourceBench(db);
    slot = at.slot;
    await db.query('create table o (id int primary key, n text); insert into o values (1)');
  });

  const first = (): Promise<Read> => readUntil(at.source(), null, settled);

  test('a server that goes away is waited for, and afterwards nothing is missing', async () => {
    const { position } = await first();
    await using reading = startReading(at.source(), position);
    const lost = failure(reading.until(count(1)));
    await slotIsRead();
    await server.stop('immediate');
    expect(await lost).toMatchObject({ code: 'E_SOURCE_CONNECT', permanent: false });
    const away = await failure(readUntil(at.source(), position, count(1)));
    expect(away).toMatchObject({ code: 'E_SOURCE_CONNECT', permanent: false });
    await server.start();
    await db.query('insert into o values (2)');
    expect((await readUntil(at.source(), position, count(1))).lines).toEqual(['c public.o {"id":2} {"id":2,"n":null}']);

    async function slotIsRead(): Promise<void> {
      await until('it reads', async () => {
        const [row] = await db.query(`select active from pg_replication_slots where slot_name = '${slot}'`);
        return row!['active'] === 't';
      });
    }
  });

  test('an idle stream does not hold up the end of the server', async () => {
    await db.query('create table other (t text)');
    await using reading = startReading(at.source({ tables: ['o'] }));
    await reading.until(settled);
    await db.query(`insert into other select repeat('x', 100) from generate_series(1, 1000)`);
    const lost = failure(reading.until(count(2)));
    const began = performance.now();
    await server.stop('fast');
    expect(performance.now() - began).toBeLessThan(8_000); // the heartbeat is every 10 s
    await lost;
    await server.start();
  });

  test('a reader that nobody takes from does not hold up the end of the server', async () => {
    await using reading = startReading(at.source(), null, { ack: false });
    await reading.until(settled);
    await db.query('insert into o values (2)');
    await reading.until(count(2)); // and then neither takes nor acks
    const began = performance.now();
    await server.stop('fast');
    expect(performance.now() - began).toBeLessThan(20_000);
    await server.start();
  }, 90_000);

  test('a reader that was blocked for long takes the stream up again where it was', async () => {
    await db.query('truncate o');
    const batch = { maxEvents: 10, maxBytes: 1 << 20, maxWait: 0, respectSourceTx: true };
    const source = at.source({}, { batch });
    await using reading = startReading(source, null, { ack: false });
    await reading.until(settled);
    await db.query('insert into o select generate_series(1, 25)');
    await db.query('insert into o values (26)');
    await reading.until(({ lines }) => lines.length >= 10);
    await until('the stream is let go', () => at.logged.some((line) => line.includes('let go')));
    await at.slotIsFree();
    const { lines } = await reading.until(count(26));
    expect(lines.map((line) => JSON.parse(line.split(' ')[2]!).id)).toEqual(
      Array.from({ length: 26 }, (_, i) => i + 1),
    );
  }, 90_000);

  test('a request whose answer was lost with the stream, behind rows that nobody took, is done again', async () => {
    const batch = { maxEvents: 10, maxBytes: 1 << 20, maxWait: 0, respectSourceTx: false };
    const source = at.source({}, { batch });
    await using reading = startReading(source, null, { ack: false });
    await reading.until(settled);
    await db.query('insert into o select generate_series(11, 35)');
    await reading.until(count(11)); // the first ten, of a transaction that is not over
    await source.control!({ number: 1, type: 'snapshot', table: 'o', where: 'id = 1' });
    await reading.until(count(26)); // the last five; the answer stands behind them
    await until('the stream is let go', () => at.logged.some((line) => line.includes('let go')));
    await at.slotIsFree();
    const { lines } = await reading.until((read) => settled(read) && read.items.some(({ taken }) => taken === 1));
    expect(lines.slice(26)).toEqual(['r public.o {"id":1} {"id":1,"n":null}']);
  }, 90_000);

  test('a network that stalls is noticed, and nothing is missing afterwards', async () => {
    const { position } = await first();
    const proxy = await stallingProxy(server.port);
    const url = db.url.replace(`:${server.port}/`, `:${proxy.port}/`);
    await using reading = startReading(at.source({ connection_string: url }), position);
    await db.query('insert into o values (2)');
    await reading.until(count(1));
    proxy.stall();
    const lost = failure(reading.until(count(2)));
    await db.query('insert into o values (3)');
    proxy.cut();
    expect(await lost).toMatchObject({ code: 'E_SOURCE_CONNECT', permanent: false });
    const next = await readUntil(at.source(), reading.read.position, count(1));
    expect(next.lines).toEqual(['c public.o {"id":3} {"id":3,"n":null}']);
  });

  test('reading ends at once when it is told to while a server does not answer', async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    const arrived = new Promise<Socket>((resolve) => silent.once('connection', resolve));
    const stop = new AbortController();
    const source = at.source({ connection_string: `postgres://postgres@127.0.0.1:${port}/x` });
    const reading = source.read(null, stop.signal)[Symbol.asyncIterator]().next();
    const socket = await arrived;
    const began = performance.now();
    stop.abort();
    expect(await reading).toMatchObject({ done: true });
    expect(performance.now() - began).toBeLessThan(2_000);
    socket.destroy();
    silent.close();
  });

  test('a wrong password is waited for, and stands nowhere', async () => {
    await db.query(`create role ${slot}_r login replication password 'right'`);
    const url = new URL(db.url);
    const source = at.source({ connection_string: `postgres://${slot}_r:wrong-horse@${url.host}/${db.name}` });
    const error = await failure(readUntil(source, null, settled));
    expect(error).toMatchObject({ code: 'E_SOURCE_CONNECT', permanent: false });
    const none = at.source({ connection_string: `postgres://${slot}_r@${url.host}/${db.name}` });
    expect(await failure(readUntil(none, null, settled))).toMatchObject({ code: 'E_SOURCE_CONNECT' });
    const tls = at.source({ connection_string: db.url, tls: 'verify-full' });
    expect((await failure(readUntil(tls, null, settled))).message).toMatch(/cannot be encrypted as asked for/);
    expect(JSON.stringify(error) + String(error.cause)).not.toContain('wrong-horse');
    await db.query(`alter role ${slot}_r password 'wrong-horse'`);
    await db.query(`alter table o owner to ${slot}_r; grant create on database ${db.name} to ${slot}_r`);
    expect((await readUntil(source, null, settled)).lines.length).toBe(1);
  });
});

/** Passes bytes on until it is told to stall; then it keeps them. */
async function stallingProxy(to: number) {
  const sockets = new Set<Socket>();
  let stalled = false;
  const server = createServer((near) => {
    const far = connect(to, '127.0.0.1');
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes) => {
        if (!stalled) into.write(bytes);
      });
      from.on('error', () => undefined);
      from.on('close', () => into.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stall() {
      stalled = true;
    },
    cut() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
