// Deferred constraints are looked at when a transaction commits, and what fails then says nothing of the event. So the batch is written
// again, in parts, until the fewest events are found without which it is kept: those are rejected, the others are in.
// Only for a batch that is a transaction by itself: of a part of a larger one nobody knows what the other parts bring.

import type { SluiceError, WriteResult } from 'sluice/sdk';
import { faultOf, refused } from './sink-faults.ts';
import type { Session } from './sink-session.ts';

export type Refused = ReadonlyMap<number, SluiceError>;

export interface KeptWrite {
  readonly session: Session;
  /** Of the batch. */
  readonly length: number;
  tableOf(i: number): string;
  /** Writes the batch without the events that are refused. */
  write(refused: Refused): Promise<readonly WriteResult[]>;
}

/** True when a commit failed of a constraint, and not of the server or the way to it. */
export function failsConstraint(thrown: unknown): boolean {
  return faultOf(thrown) === 'row';
}

/**
 * Within the caller's transaction, of which it must be the only write. Writes the batch as often as it takes: about once for each
 * event that is at fault, times the logarithm of their number.
 */
export async function writeKept(run: KeptWrite): Promise<readonly WriteResult[]> {
  const bad = new Map<number, SluiceError>();
  /** Finds those of `some` that are at fault. Without `some` and `out` the batch is kept. */
  const find = async (some: readonly number[], out: readonly number[]): Promise<void> => {
    const tried = await attempt(run, bad, out);
    if ('results' in tried) return;
    if (some.length === 1) {
      bad.set(some[0]!, refused(run.tableOf(some[0]!), tried.thrown));
      return;
    }
    const [one, other] = [some.slice(0, some.length >> 1), some.slice(some.length >> 1)];
    await find(one, [...out, ...other]);
    await find(other, out);
  };
  const all = Array.from({ length: run.length }, (_, i) => i);
  for (;;) {
    const tried = await attempt(run, bad, []);
    if ('results' in tried) return tried.results;
    if (bad.size > 0) throw tried.thrown; // it is not the events'
    await find(all, []);
  }
}

/** Of an event that is only tried without. */
const LEFT_OUT = refused('', new Error('left out'));

/** Leaves what it wrote where it is kept, and nothing where it is not. */
async function attempt(
  { session, write }: KeptWrite,
  bad: Refused,
  out: readonly number[],
): Promise<{ readonly results: readonly WriteResult[] } | { readonly thrown: unknown }> {
  await session.exec('savepoint whole');
  const results = await write(new Map([...bad, ...out.map((i) => [i, LEFT_OUT] as const)]));
  await session.exec('savepoint kept');
  try {
    await session.exec('set constraints all immediate');
  } catch (thrown) {
    if (session.broken || !failsConstraint(thrown)) throw thrown;
    await session.exec('rollback to whole; release whole');
    return { thrown };
  }
  // the constraints wait for the commit again, where the caller may still write
  await session.exec('rollback to kept; release kept; release whole');
  return { results };
}
