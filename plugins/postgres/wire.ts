// The frames of a replication connection: PostgreSQL's messages, and within CopyData the messages of streaming replication.
// https://www.postgresql.org/docs/current/protocol-replication.html. Pure.

export const FRAME = {
  copyData: 0x64,
  error: 0x45,
  copyBoth: 0x57,
  copyDone: 0x63,
  complete: 0x43,
  ready: 0x5a,
  notice: 0x4e,
} as const;
export const WAL = 0x77;
export const KEEPALIVE = 0x6b;

/** Bytes before the pgoutput message within an XLogData message: its kind, two LSNs and a time. */
export const WAL_HEADER = 25;
const EPOCH_MS = 946_684_800_000n;

/** A statement in the simple protocol. */
export function queryFrame(sql: string): Buffer {
  const text = Buffer.from(`${sql}\0`);
  const frame = Buffer.allocUnsafe(5 + text.length);
  frame[0] = 0x51;
  frame.writeUInt32BE(4 + text.length, 1);
  text.copy(frame, 5);
  return frame;
}

/** "Everything up to `lsn` is durable here." `ask`: the server is to answer with a keepalive at once. */
export function statusFrame(lsn: bigint, now: number, ask: boolean): Buffer {
  const frame = Buffer.allocUnsafe(5 + 34);
  frame[0] = FRAME.copyData;
  frame.writeUInt32BE(4 + 34, 1);
  frame[5] = 0x72;
  for (const at of [6, 14, 22]) frame.writeBigUInt64BE(lsn, at); // written, flushed, applied
  frame.writeBigInt64BE((BigInt(now) - EPOCH_MS) * 1000n, 30);
  frame[38] = ask ? 1 : 0;
  return frame;
}

/** An ErrorResponse or a NoticeResponse, in the driver's own shape. */
export function readError(bytes: Buffer, at: number, end: number): Error & { readonly code: string } {
  const fields = new Map<string, string>();
  for (let next = at; next < end && bytes[next] !== 0; ) {
    const stop = bytes.indexOf(0, next + 1);
    fields.set(String.fromCharCode(bytes[next]!), bytes.toString('utf8', next + 1, stop));
    next = stop + 1;
  }
  return Object.assign(new Error(fields.get('M') ?? 'the server reported an error'), { code: fields.get('C') ?? '' });
}
