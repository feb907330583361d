// Decodes the messages of `pgoutput`, protocol version 1, without streaming of unfinished transactions (the server spills them).
// https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
// A row stays where it lies: a change says where its tuples begin, and their columns become texts when somebody asks for them.
// Guarantee: a message that is cut, or of a kind that was not asked for, is a RangeError, never a wrong value.

/** Where the tuples of a change lie. One object, used again for each message: nothing is made for a row here. */
export interface Change {
  relation: number;
  /** `K`: only the key, `O`: the whole old row; null: the server sent no old tuple. */
  oldKind: 'K' | 'O' | null;
  /** Where the old tuple begins; -1: there is none. */
  oldAt: number;
  newAt: number;
}

export interface Begin {
  /** Where the commit record begins: what orders transactions. */
  readonly lsn: bigint;
  /** When it was committed, milliseconds since 1970 UTC. */
  readonly ts: number;
  readonly xid: number;
}

export interface Commit {
  readonly lsn: bigint;
  /** Where the commit record ends: what is acked, and where reading resumes. */
  readonly end: bigint;
}

export interface RelationColumn {
  readonly name: string;
  /** The type's oid and modifier. */
  readonly type: number;
  readonly modifier: number;
  /** Part of the replica identity; of a table with REPLICA IDENTITY FULL every column is. */
  readonly identity: boolean;
}

export interface Relation {
  readonly id: number;
  readonly schema: string;
  readonly name: string;
  /** `d` default, `n` nothing, `f` full, `i` index. */
  readonly identity: string;
  readonly columns: readonly RelationColumn[];
}

export interface LogicalMessage {
  readonly transactional: boolean;
  readonly lsn: bigint;
  readonly prefix: string;
  readonly content: Buffer;
}

/** The bytes that say what a message is. */
export const KIND = {
  begin: 0x42,
  commit: 0x43,
  origin: 0x4f,
  relation: 0x52,
  type: 0x59,
  insert: 0x49,
  update: 0x55,
  delete: 0x44,
  truncate: 0x54,
  message: 0x4d,
} as const;

/** What Node's buffers have and its types leave out: toString(…) without its checks, which cost a third of a short text. */
type SliceableBuffer = Buffer & {
  utf8Slice(from: number, to: number): string;
  latin1Slice(from: number, to: number): string;
};

/** A tuple up to here is decoded at once, and its cells are cut out of that where they are short and ASCII. */
const LARGE_TUPLE = 4096;
const SHORT_CELL = 64;

const [K, O, N] = [0x4b, 0x4f, 0x4e];
const [NULL, UNCHANGED, TEXT] = [0x6e, 0x75, 0x74];
/** PostgreSQL counts from 2000-01-01, in microseconds. */
const EPOCH_MS = 946_684_800_000;

/** The time of the protocol as milliseconds since 1970 UTC, cut. */
export function timeAt(bytes: Buffer, at: number): number {
  const micros = bytes.readBigInt64BE(at);
  return Number((micros - (((micros % 1000n) + 1000n) % 1000n)) / 1000n) + EPOCH_MS;
}

export function readBegin(bytes: Buffer, at: number): Begin {
  return { lsn: bytes.readBigUInt64BE(at + 1), ts: timeAt(bytes, at + 9), xid: bytes.readUInt32BE(at + 17) };
}

export function readCommit(bytes: Buffer, at: number): Commit {
  return { lsn: bytes.readBigUInt64BE(at + 2), end: bytes.readBigUInt64BE(at + 10) };
}

/** An insert, an update or a delete. `end`: where the message ends. */
export function readChange(bytes: Buffer, at: number, end: number, out: Change): void {
  const kind = bytes[at];
  out.relation = bytes.readUInt32BE(at + 1);
  out.oldKind = null;
  out.oldAt = -1;
  out.newAt = -1;
  let next = at + 5;
  const mark = bytes[next];
  if (mark === K || mark === O) {
    out.oldKind = mark === K ? 'K' : 'O';
    out.oldAt = next + 1;
    next = tupleEnd(bytes, next + 1);
  }
  if (kind !== KIND.delete) {
    if (bytes[next] !== N) throw new RangeError('a change without its new tuple');
    out.newAt = next + 1;
    next = tupleEnd(bytes, next + 1);
  } else if (out.oldAt < 0) {
    throw new RangeError('a delete without its old tuple');
  }
  if (next !== end) throw new RangeError('a change is longer or shorter than its message');
}

function tupleEnd(bytes: Buffer, at: number): number {
  const count = bytes.readUInt16BE(at);
  let next = at + 2;
  for (let i = 0; i < count; i++) {
    const kind = bytes[next];
    if (kind === TEXT) {
      // by hand: a method call for each cell would be a third of the reading's time
      next += 5 + ((bytes[next + 1]! << 24) | (bytes[next + 2]! << 16) | (bytes[next + 3]! << 8) | bytes[next + 4]!);
    } else if (kind === NULL || kind === UNCHANGED) {
      next++;
    } else {
      throw new RangeError('a cell of a kind that was not asked for');
    }
  }
  return next;
}

/**
 * The columns of a tuple as texts: null is null, undefined is unchanged (a value that is stored apart and was not sent).
 * @throws RangeError when the tuple has another number of columns
 */
export function readTuple(bytes: Buffer, at: number, count: number): (string | null | undefined)[] {
  if (bytes.readUInt16BE(at) !== count) throw new RangeError('a tuple with another number of columns than its table');
  const cells: (string | null | undefined)[] = new Array(count);
  const end = tupleEnd(bytes, at);
  // To decode is a call out of JavaScript: one for the row costs less than one for each cell. One byte is one character here.
  const all = end - at <= LARGE_TUPLE ? (bytes as SliceableBuffer).latin1Slice(at, end) : null;
  let next = at + 2;
  for (let i = 0; i < count; i++) {
    const kind = bytes[next];
    if (kind === TEXT) {
      const length = (bytes[next + 1]! << 24) | (bytes[next + 2]! << 16) | (bytes[next + 3]! << 8) | bytes[next + 4]!;
      const from = next + 5;
      next = from + length;
      cells[i] =
        all !== null && length < SHORT_CELL && isAscii(bytes, from, next)
          ? all.slice(from - at, next - at)
          : (bytes as SliceableBuffer).utf8Slice(from, next);
    } else {
      cells[i] = kind === NULL ? null : undefined;
      next++;
    }
  }
  return cells;
}

function isAscii(bytes: Buffer, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i]! > 127) return false;
  return true;
}

/** Column k of such a tuple. */
export function readCell(bytes: Buffer, at: number, k: number): string | null | undefined {
  let next = at + 2;
  for (let i = 0; i < k; i++) next += bytes[next] === TEXT ? 5 + bytes.readUInt32BE(next + 1) : 1;
  if (bytes[next] !== TEXT) return bytes[next] === NULL ? null : undefined;
  return (bytes as SliceableBuffer).utf8Slice(next + 5, next + 5 + bytes.readUInt32BE(next + 1));
}

/** True when a cell of the tuple is unchanged. */
export function hasUnchanged(bytes: Buffer, at: number): boolean {
  const count = bytes.readUInt16BE(at);
  let next = at + 2;
  for (let i = 0; i < count; i++) {
    if (bytes[next] === UNCHANGED) return true;
    next += bytes[next] === TEXT ? 5 + bytes.readUInt32BE(next + 1) : 1;
  }
  return false;
}

export function readRelation(bytes: Buffer, at: number): Relation {
  const id = bytes.readUInt32BE(at + 1);
  const schema = readText(bytes, at + 5);
  const name = readText(bytes, schema.next);
  const identity = String.fromCharCode(bytes[name.next]!);
  const count = bytes.readUInt16BE(name.next + 1);
  const columns: RelationColumn[] = [];
  let next = name.next + 3;
  for (let i = 0; i < count; i++) {
    const column = readText(bytes, next + 1);
    columns.push({
      name: column.text,
      type: bytes.readUInt32BE(column.next),
      modifier: bytes.readInt32BE(column.next + 4),
      identity: (bytes[next]! & 1) === 1,
    });
    next = column.next + 8;
  }
  // an empty name stands for pg_catalog
  return { id, schema: schema.text || 'pg_catalog', name: name.text, identity, columns };
}

/** The relations that one TRUNCATE emptied. */
export function readTruncate(bytes: Buffer, at: number): number[] {
  const count = bytes.readUInt32BE(at + 1);
  return Array.from({ length: count }, (_, i) => bytes.readUInt32BE(at + 6 + 4 * i));
}

export function readMessage(bytes: Buffer, at: number): LogicalMessage {
  const prefix = readText(bytes, at + 10);
  const length = bytes.readUInt32BE(prefix.next);
  return {
    transactional: (bytes[at + 1]! & 1) === 1,
    lsn: bytes.readBigUInt64BE(at + 2),
    prefix: prefix.text,
    content: bytes.subarray(prefix.next + 4, prefix.next + 4 + length),
  };
}

function readText(bytes: Buffer, at: number): { readonly text: string; readonly next: number } {
  const end = bytes.indexOf(0, at);
  if (end < 0) throw new RangeError('a text without its end');
  return { text: bytes.toString('utf8', at, end), next: end + 1 };
}
