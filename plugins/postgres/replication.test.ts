// The frames of the stream, however the network cuts them: every message comes out once, whole and in order, errors after all that
// came before them, and what is acked is what was confirmed.

import { Duplex } from 'node:stream';
import fc from 'fast-check';
import type { Client } from 'pg';
import { expect, test } from 'vitest';
import { type ReplicationStream, startReplication } from './replication.ts';
import { WAL_HEADER } from './wire.ts';

function frame(kind: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(kind, 'latin1');
  head.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
}

const wal = (body: Buffer): Buffer => frame('d', Buffer.concat([Buffer.from('w'), Buffer.alloc(WAL_HEADER - 1), body]));

function keepalive(lsn: bigint): Buffer {
  const body = Buffer.alloc(18);
  body.write('k', 'latin1');
  body.writeBigUInt64BE(lsn, 1);
  return frame('d', body);
}

const error = frame('E', Buffer.from('SERROR\0C42704\0Mgone\0\0'));

/** The stream over a socket of which the test is the other end. */
function open(): { stream: ReplicationStream; socket: Duplex; written: Buffer[] } {
  const written: Buffer[] = [];
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _, done) {
      written.push(chunk);
      done();
    },
  });
  const request = { slot: 's', publication: 'p', start: '0/0', confirmed: 0n, messages: false, beat: 1e6 };
  const stream = startReplication({ connection: { stream: socket } } as unknown as Client, request);
  return { stream, socket, written };
}

function takeAll(stream: ReplicationStream, out: (string | bigint)[]): void {
  for (let message = stream.next(); message !== null; message = stream.next()) {
    const { bytes, at, end, lsn } = message;
    out.push(bytes === null ? lsn : bytes.toString('hex', at, end));
  }
}

const message = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.bigInt({ min: 1n, max: 2n ** 60n }),
);

test('messages come out as they went in, wherever the bytes are cut and whenever they are taken', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { maxLength: 12 }),
      fc.array(fc.nat({ max: 400 }), { maxLength: 30 }),
      fc.boolean(),
      async (messages, cuts, fails) => {
        const { stream, socket } = open();
        const bytes = Buffer.concat([
          ...messages.map((one) => (typeof one === 'bigint' ? keepalive(one) : wal(one))),
          ...(fails ? [error] : []),
        ]);
        const got: (string | bigint)[] = [];
        let failed: unknown = null;
        let from = 0;
        const take = (): void => {
          try {
            takeAll(stream, got);
          } catch (thrown) {
            failed = thrown;
          }
        };
        for (const cut of [...cuts, bytes.length]) {
          const part = bytes.subarray(from, Math.min(bytes.length, from + cut));
          from += part.length;
          if (part.length > 0) socket.push(part);
          await new Promise((resolve) => setImmediate(resolve));
          if (cut % 3 !== 0) take();
        }
        take();
        stream[Symbol.dispose]();
        expect(got).toEqual(messages.map((one) => (typeof one === 'bigint' ? one : one.toString('hex'))));
        expect((failed as { code?: string } | null)?.code).toBe(fails ? '42704' : undefined);
      },
    ),
    { numRuns: 200 },
  );
});

test('more than its room is left to the network, and is taken later', async () => {
  const { stream, socket } = open();
  const body = Buffer.alloc(100_000, 7);
  for (let n = 0; n < 40; n++) socket.push(wal(body));
  await new Promise((resolve) => setImmediate(resolve));
  expect(socket.isPaused()).toBe(true);
  let count = 0;
  while (count < 40) {
    if (stream.next() === null) await stream.wait(1_000);
    else count++;
  }
  expect(stream.next()).toBeNull();
  expect(socket.isPaused()).toBe(false);
  stream[Symbol.dispose]();
});

test('a status says what was confirmed and never less', () => {
  const { stream, written } = open();
  stream.confirm(20n);
  stream.confirm(10n);
  stream.ask();
  stream[Symbol.dispose]();
  const [start, ...statuses] = written;
  expect(start!.toString('utf8', 5)).toBe(
    `START_REPLICATION SLOT "s" LOGICAL 0/0 (proto_version '1', publication_names '"p"')\0`,
  );
  expect(statuses.map((status) => [status.readBigUInt64BE(14), status[38]])).toEqual([
    [20n, 0],
    [20n, 1],
  ]);
});
