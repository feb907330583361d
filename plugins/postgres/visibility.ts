// What a snapshot of PostgreSQL sees. A committed transaction may be in the log, and streamed, before others see it (while it waits for
// a synchronous standby, and for an instant always), so the place in the log says nothing about it: the transaction ids do.

/** `pg_current_snapshot()`: transactions below xmin are over, from xmax on none is, between them all but `running`. */
export interface Visibility {
  readonly xmin: bigint;
  readonly xmax: bigint;
  readonly running: ReadonlySet<bigint>;
}

/** @throws RangeError for what is no snapshot */
export function visibilityOf(text: string): Visibility {
  const match = /^(\d+):(\d+):([\d,]*)$/.exec(text);
  if (match === null) throw new RangeError('no snapshot of PostgreSQL');
  const running = match[3] === '' ? [] : match[3]!.split(',').map(BigInt);
  return { xmin: BigInt(match[1]!), xmax: BigInt(match[2]!), running: new Set(running) };
}

/** True when the transaction is over for this snapshot: what it committed is seen. */
export function sees({ xmin, xmax, running }: Visibility, xid: bigint): boolean {
  return xid < xmin || (xid < xmax && !running.has(xid));
}

/** The stream gives the low 32 bits of a transaction's id: the full one is the nearest to `near`. */
export function fullXid(xid: number, near: bigint): bigint {
  const low = BigInt.asIntN(32, BigInt(xid) - near);
  return near + low;
}
