// Places in the write-ahead log: 64-bit numbers that PostgreSQL writes as `16/B374D848`.

/** @throws RangeError for what is no LSN */
export function lsnOf(text: string): bigint {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text);
  if (match === null) throw new RangeError(`no LSN: ${text}`);
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
}

export function lsnText(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffff_ffffn).toString(16).toUpperCase()}`;
}

const PAGE = 8192n;

/**
 * How far the server's reading comes before anything is written after `insert`. The insert position skips the header of a page
 * that was just begun (24 bytes, 40 for the first of a segment); the reading stands before the header until a record follows.
 */
export function reachable(insert: bigint): bigint {
  const within = insert % PAGE;
  return within === 24n || within === 40n ? insert - within : insert;
}
