// What a snapshot's range says is gone: the keys that lie in it and are not among those that it keeps (DELIVERY.md, section 6).

import type { EventBatch, SnapshotRange } from '../event.ts';
import { canonical, type Json } from '../values.ts';

/** Whether a key, as canonical text, lies in the range and is gone. Null where the table's key is not known. */
export function goneKeys(range: SnapshotRange, batch: EventBatch): ((key: string) => boolean) | null {
  const columns = batch
    .columns(range.table)
    .filter(({ key }) => key !== undefined)
    .sort((a, b) => a.key! - b.key!);
  if (columns.length === 0) return null;
  const names = columns.map(({ name }) => name);
  const compare = columns.map(({ type }) => (type === 'int' || type === 'bigint' ? byNumber : byBytes));
  const order = (a: readonly Json[], b: readonly Json[]): number => {
    for (let i = 0; i < names.length; i++) {
      const one = compare[i]!(a[i]!, b[i]!);
      if (one !== 0) return one;
    }
    return 0;
  };
  const kept = new Set(range.keep.map((key) => canonical(Object.fromEntries(names.map((name, i) => [name, key[i]!])))));
  return (text) => {
    if (kept.has(text)) return false;
    const row = JSON.parse(text) as Record<string, Json>;
    if (Object.keys(row).length !== names.length || !names.every((name) => Object.hasOwn(row, name))) return false;
    const key = names.map((name) => row[name]!);
    return (range.from === null || order(key, range.from) > 0) && (range.to === null || order(key, range.to) <= 0);
  };
}

function byNumber(a: Json, b: Json): number {
  const [x, y] = [BigInt(a as string | number), BigInt(b as string | number)];
  return x < y ? -1 : x > y ? 1 : 0;
}

function byBytes(a: Json, b: Json): number {
  return Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)));
}
