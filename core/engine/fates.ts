// The fate of each source event of a group, and the sums for the ledger (invariant 4).
// An event is dead_lettered if any of its outputs was at a needed sink (or a transform failed on it), else skipped,
// else delivered, else filtered. With a quorum of n, a sink's word is its worst output, and the event's fate is its n-th
// best sink, or the home's if that is worse (DELIVERY.md, section 3).

import { emptyLedger, type Ledger } from '../checkpoint.ts';
import type { CommitPolicy } from './commit-policy.ts';
import type { Exception } from './settle.ts';
import type { BadFate, Group } from './work.ts';

/** What one sink made of a group's outputs. */
export interface SinkOutcome {
  readonly needed: boolean;
  readonly isHome: boolean;
  readonly exceptions: ReadonlyMap<number, Exception>;
  /** Outputs that were not settled in time (a sink that is not needed). */
  readonly missed: readonly number[];
}

const RANK: Readonly<Record<BadFate, number>> = { skipped: 1, dead_lettered: 2 };

export function ledgerOf(group: Group, outcomes: readonly SinkOutcome[], policy: CommitPolicy): Ledger {
  const worst = new Map<number, number>();
  const mark = (event: number, rank: number): void => {
    if (rank > (worst.get(event) ?? 0)) worst.set(event, rank);
  };

  let start = 0;
  let withOutputs = 0;
  const badWithout = new Set<number>();
  for (const work of group.works) {
    withOutputs += work.origin === null ? work.out.length : distinct(work.origin);
    for (const failure of work.failures) {
      mark(start + failure.source, RANK[failure.fate]);
      if (!hasOutput(work.origin, work.out.length, failure.source)) badWithout.add(start + failure.source);
    }
    start += work.input.length;
  }

  if (typeof policy === 'object') quorum(group, outcomes, policy.quorum, mark);
  else {
    for (const outcome of outcomes) {
      if (!outcome.needed) continue;
      for (const [j, exception] of outcome.exceptions) mark(group.originOf(j), RANK[exception.fate]);
    }
  }

  let skipped = 0;
  let deadLettered = 0;
  for (const rank of worst.values()) {
    if (rank === RANK.skipped) skipped++;
    else deadLettered++;
  }
  const bad = worst.size;
  return {
    in: group.count,
    delivered: withOutputs - (bad - badWithout.size),
    filtered: group.count - withOutputs - badWithout.size,
    skipped,
    dead_lettered: deadLettered,
  };
}

export function addLedger(a: Ledger, b: Ledger): Ledger {
  return {
    in: a.in + b.in,
    delivered: a.delivered + b.delivered,
    filtered: a.filtered + b.filtered,
    skipped: a.skipped + b.skipped,
    dead_lettered: a.dead_lettered + b.dead_lettered,
  };
}

export const noEvents: Ledger = emptyLedger;

function quorum(
  group: Group,
  outcomes: readonly SinkOutcome[],
  n: number,
  mark: (event: number, rank: number) => void,
): void {
  const perSink = outcomes.map((outcome) => {
    const ranks = new Map<number, number>();
    const put = (j: number, rank: number): void => {
      const event = group.originOf(j);
      ranks.set(event, Math.max(rank, ranks.get(event) ?? 0));
    };
    for (const [j, exception] of outcome.exceptions) put(j, RANK[exception.fate]);
    for (const j of outcome.missed) put(j, RANK.dead_lettered);
    return { ranks, isHome: outcome.isHome };
  });
  const touched = new Set(perSink.flatMap((sink) => [...sink.ranks.keys()]));
  for (const event of touched) {
    const ranks = perSink.map((sink) => sink.ranks.get(event) ?? 0).sort((a, b) => a - b);
    const home = perSink.find((sink) => sink.isHome)?.ranks.get(event) ?? 0;
    mark(event, Math.max(ranks[n - 1] ?? 0, home));
  }
}

function distinct(origin: Uint32Array): number {
  let count = 0;
  for (let j = 0; j < origin.length; j++) if (j === 0 || origin[j] !== origin[j - 1]) count++;
  return count;
}

// origin is ascending
function hasOutput(origin: Uint32Array | null, length: number, source: number): boolean {
  if (origin === null) return source < length;
  let low = 0;
  let high = origin.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const value = origin[middle]!;
    if (value === source) return true;
    if (value < source) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}
