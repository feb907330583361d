// The stream of a replication slot over a connection that the driver has made: from START_REPLICATION on the socket is ours.
// The bytes wait here undecoded until somebody takes them, in bounded room: beyond it the socket is paused, and the server waits.
// Guarantees: status goes out on a timer whatever happens to the bytes, so the server does not take us for dead; only what
// confirm() was told is ever acked (invariant 1); an error of the server is given after everything that came before it.

import type { Socket } from 'node:net';
import type { Client } from 'pg';
import { destroy } from './connection.ts';
import { FRAME, KEEPALIVE, queryFrame, readError, statusFrame, WAL, WAL_HEADER } from './wire.ts';

/** What may wait here undecoded. */
const ROOM_BYTES = 1024 * 1024;

/** One message of pgoutput, or a keepalive. One object, used again for each. */
export interface WalMessage {
  /** null: a keepalive. */
  bytes: Buffer | null;
  /** The pgoutput message lies in bytes [at, end). */
  at: number;
  end: number;
  /** Where the change stands; for a keepalive, up to where the server has read. */
  lsn: bigint;
  /** Of a keepalive: the server waits for an answer, as when it is being shut down. */
  urgent: boolean;
}

export interface ReplicationStream extends Disposable {
  /** The next message, or null when none is there. @throws what ended the stream, once everything before it was taken */
  next(): WalMessage | null;
  /** Resolves when there may be something to take, when the stream ended, or after `ms`. */
  wait(ms: number): Promise<void>;
  /** Ends the present or the next wait. */
  wake(): void;
  /** Says that everything up to `lsn` is durable. */
  confirm(lsn: bigint): void;
  /** Asks the server how far it has read: it answers with a keepalive. */
  ask(): void;
  /** Sends the last status again, so that the server sees us alive. */
  beat(): void;
}

export interface ReplicationRequest {
  readonly slot: string;
  readonly publication: string;
  readonly start: string;
  readonly confirmed: bigint;
  readonly messages: boolean;
  /** How often to send a status, in ms. */
  readonly beat: number;
}

/** Takes the connection over. It is of no other use after this. */
export function startReplication(client: Client, request: ReplicationRequest): ReplicationStream {
  const socket = (client as unknown as { connection: { stream: Socket } }).connection.stream;
  const waiting: Buffer[] = [];
  let waitingBytes = 0;
  let bytes: Buffer = Buffer.alloc(0);
  let at = 0;
  let paused = false;
  let ended: Error | null = null;
  let failure: Error | null = null;
  let wakeUp: (() => void) | null = null;
  let woken = false;
  let confirmed = request.confirmed;
  const message: WalMessage = { bytes: null, at: 0, end: 0, lsn: 0n, urgent: false };

  const wake = (): void => {
    woken = true;
    wakeUp?.();
  };
  const onData = (chunk: Buffer): void => {
    waiting.push(chunk);
    waitingBytes += chunk.length;
    if (waitingBytes > ROOM_BYTES && !paused) {
      paused = true;
      socket.pause();
    }
    wake();
  };
  const end = (error: Error): void => {
    ended ??= error;
    wake();
  };
  const onError = (error: Error): void => end(error);
  const onClose = (): void => end(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' }));
  socket.removeAllListeners('data'); // the driver's parser
  socket.on('data', onData);
  socket.on('error', onError);
  socket.on('close', onClose);

  const send = (ask: boolean): void => {
    if (socket.writable) socket.write(statusFrame(confirmed, Date.now(), ask));
  };
  const timer = setInterval(() => send(false), request.beat);
  const { slot, publication, start, messages } = request;
  const options = [
    `proto_version '1'`,
    `publication_names '"${publication.replaceAll('"', '""').replaceAll("'", "''")}"'`,
    ...(messages ? [`messages 'true'`] : []),
  ];
  socket.write(queryFrame(`START_REPLICATION SLOT "${slot}" LOGICAL ${start} (${options.join(', ')})`));

  /**
   * Goes on to what waits; false when nothing new is there. Only the one frame that is cut is put together, `size` bytes of it are
   * needed; all other bytes stay where the socket put them.
   */
  const refill = (size: number): boolean => {
    if (waiting.length === 0) return false;
    const rest = bytes.subarray(at);
    if (rest.length === 0) {
      bytes = waiting.shift()!;
      waitingBytes -= bytes.length;
    } else {
      const parts = [rest];
      for (let missing = size - rest.length; missing > 0 && waiting.length > 0; ) {
        const chunk = waiting[0]!;
        const part = chunk.subarray(0, missing);
        parts.push(part);
        missing -= part.length;
        waitingBytes -= part.length;
        if (part.length === chunk.length) waiting.shift();
        else waiting[0] = chunk.subarray(part.length);
      }
      bytes = Buffer.concat(parts);
    }
    at = 0;
    if (paused && waitingBytes < ROOM_BYTES / 2) {
      paused = false;
      socket.resume();
    }
    return true;
  };

  return {
    next() {
      for (;;) {
        const left = bytes.length - at;
        const size = left < 5 ? 5 : 1 + bytes.readUInt32BE(at + 1);
        if (left < size) {
          if (refill(size)) continue;
          if (failure !== null) throw failure;
          if (ended !== null) throw ended;
          return null;
        }
        const kind = bytes[at];
        const from = at + 5;
        at += size;
        if (kind === FRAME.copyData) {
          if (bytes[from] === WAL) {
            message.bytes = bytes;
            message.at = from + WAL_HEADER;
            message.end = at;
            message.lsn = 0n; // read from the bytes where it is needed
            message.urgent = false;
            return message;
          }
          if (bytes[from] === KEEPALIVE) {
            message.bytes = null;
            message.lsn = bytes.readBigUInt64BE(from + 1);
            message.urgent = bytes[from + 17] === 1;
            if (message.urgent) send(false);
            return message;
          }
        } else if (kind === FRAME.error) {
          failure = readError(bytes, from, at);
        } else if (kind === FRAME.notice) {
          // From 18 on a publication that is gone is a warning, and its changes are left out: nothing after it counts.
          const notice = readError(bytes, from, at);
          if (notice.code === '55000' && /publication/.test(notice.message)) {
            failure = ended = notice;
            at = bytes.length;
            waiting.length = waitingBytes = 0;
            throw notice;
          }
        } else if (kind === FRAME.copyDone || kind === FRAME.complete) {
          failure ??= Object.assign(new Error('the server ended the stream'), { code: '57P01' });
        }
      }
    },
    async wait(ms) {
      if (!woken && waiting.length === 0 && ended === null) {
        await new Promise<void>((resolve) => {
          const late = setTimeout(resolve, ms);
          wakeUp = () => {
            clearTimeout(late);
            resolve();
          };
        });
        wakeUp = null;
      }
      woken = false;
    },
    wake,
    confirm(lsn) {
      if (lsn <= confirmed) return;
      confirmed = lsn;
      send(false);
    },
    ask: () => send(true),
    beat: () => send(false),
    [Symbol.dispose]() {
      clearInterval(timer);
      socket.off('data', onData);
      socket.on('error', () => undefined);
      destroy(client);
      wake();
    },
  };
}
