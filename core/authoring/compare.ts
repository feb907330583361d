// Old code and new code on the same events: what changes (`sluice test --against`). Both run in the sandbox of production, and
// an event always gives the same bytes, so every difference is one of the code.

import { batchOfEnvelope } from '../batch.ts';
import { join } from '../batch-parts.ts';
import { splitEnvelope } from '../envelope.ts';
import type { ErrorData } from '../errors.ts';
import type { Column, EventBatch } from '../event.ts';
import { canonical, isRow, type Json } from '../values.ts';
import type { Became, TriedChain } from './try-chain.ts';

/** An event to compare on: its envelope's text, and what was known with it. */
export interface Sample {
  readonly id: string;
  readonly event: string;
  readonly columns: readonly Column[];
  readonly typed: boolean;
}

export type Change = 'same' | 'changed' | 'fails_now' | 'mended' | 'fails_otherwise' | 'filtered_now' | 'passes_now';

export interface Compared {
  readonly id: string;
  readonly change: Change;
  readonly before: Became;
  readonly after: Became;
}

export interface Comparison {
  readonly events: number;
  readonly counts: Readonly<Record<Change, number>>;
  /** Paths of values that differ, by how many events they differ in; most first. */
  readonly fields: readonly { readonly path: string; readonly events: number }[];
  /** Those that are not the same, in the order of the events. */
  readonly changed: readonly Compared[];
  /** Events that could not be read any more. */
  readonly unreadable: number;
}

/** Events in one call of the sandbox. */
const SLICE = 500;

export async function compare(samples: readonly Sample[], before: TriedChain, after: TriedChain): Promise<Comparison> {
  const counts = { same: 0, changed: 0, fails_now: 0, mended: 0, fails_otherwise: 0, filtered_now: 0, passes_now: 0 };
  const fields = new Map<string, number>();
  const changed: Compared[] = [];
  const readable = samples.flatMap((sample) => batchFrom(sample) ?? []);
  for (let from = 0; from < readable.length; from += SLICE) {
    const batch = join(readable.slice(from, from + SLICE));
    const [old, now] = await Promise.all([before.each(batch), after.each(batch)]);
    for (let i = 0; i < batch.length; i++) {
      const change = changeOf(old[i]!, now[i]!);
      counts[change]++;
      if (change === 'same') continue;
      changed.push({ id: batch.id(i), change, before: old[i]!, after: now[i]! });
      if (change !== 'changed') continue;
      for (const path of new Set(differing(old[i]!.outputs as Json, now[i]!.outputs as Json, '')))
        fields.set(path, (fields.get(path) ?? 0) + 1);
    }
  }
  const byCount = [...fields].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  return {
    events: readable.length,
    counts,
    fields: byCount.map(([path, events]) => ({ path, events })),
    changed,
    unreadable: samples.length - readable.length,
  };
}

function batchFrom({ id, event, columns, typed }: Sample): EventBatch | null {
  try {
    return batchOfEnvelope(splitEnvelope(event), { id, typed, columns });
  } catch {
    return null; // an event that its source could not read is kept as it came
  }
}

function changeOf(old: Became, now: Became): Change {
  if (old.error !== null && now.error !== null) return sameError(old.error, now.error) ? 'same' : 'fails_otherwise';
  if (now.error !== null) return 'fails_now';
  if (old.error !== null) return 'mended';
  if (canonical(old.outputs as Json) === canonical(now.outputs as Json)) return 'same';
  if (now.outputs.length === 0) return 'filtered_now';
  return old.outputs.length === 0 ? 'passes_now' : 'changed';
}

// Where it failed may have moved with the lines above it.
function sameError(a: ErrorData, b: ErrorData): boolean {
  return a.code === b.code && a.message === b.message;
}

/** Paths of what differs: `after.items[].price`; a list of another length differs as a whole. */
function differing(a: Json | undefined, b: Json | undefined, path: string): string[] {
  if (a !== undefined && b !== undefined) {
    if (isRow(a) && isRow(b)) {
      const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
      return [...keys].flatMap((key) => differing(a[key], b[key], path === '' ? key : `${path}.${key}`));
    }
    if (Array.isArray(a) && Array.isArray(b) && a.length === b.length)
      return a.flatMap((one: Json, i) => differing(one, b[i] as Json, path === '' ? '' : `${path}[]`));
    if (canonical(a) === canonical(b)) return [];
  }
  return [path === '' ? '(number of outputs)' : path];
}
