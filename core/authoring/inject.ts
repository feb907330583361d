// Faults, put into a stream that is otherwise the real one: the policy of a transformation or sink is what is tested, so the
// engine, the sandbox and the ledger are those of production. A transform that should loop does loop, in the sandbox, and is
// stopped by the limit that the manifest sets.

import { pick } from '../batch-parts.ts';
import { sluiceError } from '../errors.ts';
import type { EventBatch } from '../event.ts';
import { holdTracker } from '../key-order.ts';
import type { Languages, LoadedTransform } from '../languages.ts';
import type { TransformRule } from '../manifest/model.ts';
import type { Sink, Transform, TransformResult, WriteResult } from '../plugin.ts';
import type { WrittenInjection } from './tests-file.ts';

export type TransformFault = Extract<WrittenInjection, { readonly transform: string }>;
export type SinkFault = Extract<WrittenInjection, { readonly sink: string }>;

/** What runs in place of the transform. */
const CODE: Readonly<Record<TransformFault['transform'], string>> = {
  throws: 'export default () => { throw new Error("injected by the test"); };',
  loops: 'export default () => { for (;;); };',
  memory: 'export default () => { const all = []; for (;;) all.push(new Array(1e6).fill(all.length)); };',
};

/** Counts how often a fault has met an event, and says whether it does once more. */
export interface Aim {
  /** The index of a test's event from the id of what came of it; -1: of none. */
  indexOf(id: string): number;
}

function meets(fault: WrittenInjection, id: string, aim: Aim, seen: Map<string, number>): boolean {
  const index = aim.indexOf(id);
  if (fault.at !== undefined && !fault.at.includes(index + 1)) return false;
  const times = seen.get(id) ?? 0;
  if (times >= (fault.times ?? Number.POSITIVE_INFINITY)) return false;
  seen.set(id, times + 1);
  return true;
}

/** The languages, with faulty code in place of a rule's for the events that a fault is aimed at. */
export function withFaults(
  languages: Languages,
  faults: ReadonlyMap<string, readonly TransformFault[]>,
  aim: Aim,
): Languages {
  return {
    ...languages,
    async create(rule, context): Promise<LoadedTransform> {
      const real = await languages.create(rule, context);
      const own = faults.get(rule.id) ?? [];
      const faulty: { fault: TransformFault; transform: LoadedTransform; seen: Map<string, number> }[] = [];
      for (const fault of own)
        faulty.push({ fault, transform: await languages.create(faultyRule(rule, fault), context), seen: new Map() });
      if (faulty.length === 0) return real;
      return {
        ...real,
        async apply(batch, signal, options) {
          const groups = new Map<Transform, number[]>();
          for (let i = 0; i < batch.length; i++) {
            const hit = faulty.find(({ fault, seen }) => meets(fault, batch.id(i), aim, seen));
            const transform = hit?.transform ?? real;
            groups.set(transform, [...(groups.get(transform) ?? []), i]);
          }
          const results: { indices: readonly number[]; result: TransformResult }[] = [];
          for (const [transform, indices] of groups)
            results.push({ indices, result: await transform.apply(pick(batch, indices), signal, options) });
          return merged(batch, results);
        },
        async [Symbol.asyncDispose]() {
          for (const { transform } of faulty) await transform[Symbol.asyncDispose]();
          await real[Symbol.asyncDispose]();
        },
      };
    },
  };
}

function faultyRule(rule: TransformRule, fault: TransformFault): TransformRule {
  return {
    ...rule,
    type: 'javascript',
    state: 'reset',
    source: CODE[fault.transform],
    file: '(inject)',
    offset: { line: 1, column: 1 },
    // a memory limit must be met before the time limit, or the wrong one would be tested
    limits: fault.transform === 'memory' ? { ...rule.limits, timeout: 60_000 } : rule.limits,
  };
}

// Faulty code has no outputs, so the real transform's are all there are; only their indices have to be put right.
function merged(
  batch: EventBatch,
  results: readonly { readonly indices: readonly number[]; readonly result: TransformResult }[],
): TransformResult {
  const withOutputs = results.find(({ result }) => result.out.length > 0);
  return {
    out: withOutputs?.result.out ?? pick(batch, []),
    from: withOutputs?.result.from.map((i) => withOutputs.indices[i]!) ?? new Uint32Array(),
    filtered: Uint32Array.from(
      results.flatMap(({ indices, result }) => Array.from(result.filtered, (i) => indices[i]!)),
    ).sort(),
    failed: results
      .flatMap(({ indices, result }) => result.failed.map(({ index, error }) => ({ index: indices[index]!, error })))
      .sort((a, b) => a.index - b.index),
  };
}

/** What a sink under test took, and how it stands. */
export interface SinkRecord {
  readonly taken: { readonly batch: EventBatch; readonly index: number }[];
  /** Writes in a row that brought nothing forward. */
  stuck: number;
}

/** The write of a sink that does what its faults say, and else takes everything. */
export function faultyWrite(
  faults: readonly SinkFault[],
  aim: Aim,
  record: SinkRecord,
  onStuck: () => void,
): Sink['write'] {
  const aways = faults.filter((fault) => fault.does === 'away').map((fault) => ({ fault, left: fault.times }));
  const answers = faults
    .filter((fault) => fault.does !== 'away')
    .map((fault) => ({ fault, seen: new Map<string, number>() }));
  return async (batch) => {
    for (const away of aways) {
      if (away.left === 0 || !touches(away.fault, batch, aim)) continue;
      if (away.left !== undefined) away.left--;
      record.stuck++;
      onStuck();
      throw sluiceError('E_SINK_CONNECT', { message: 'the sink is away: injected by the test' });
    }
    const hold = holdTracker(batch, undefined);
    let moved = false;
    const results = Array.from({ length: batch.length }, (_, i): WriteResult => {
      if (hold.isHeld(i)) {
        hold.hold(i);
        return { status: 'held' };
      }
      const hit = answers.find(({ fault, seen }) => meets(fault, batch.id(i), aim, seen));
      if (hit === undefined) {
        record.taken.push({ batch, index: i });
        moved = true;
        return { status: 'ok' };
      }
      hold.hold(i);
      if (hit.fault.does === 'rejects') {
        moved = true;
        return { status: 'reject', error: sluiceError('E_SINK_REJECT', { message: 'rejected: injected by the test' }) };
      }
      const error = sluiceError('E_SINK_WRITE', { message: 'the endpoint answered 429: injected by the test' });
      return { status: 'retry', error };
    });
    record.stuck = moved ? 0 : record.stuck + 1;
    if (!moved) onStuck();
    return results;
  };
}

function touches(fault: SinkFault, batch: EventBatch, aim: Aim): boolean {
  if (fault.at === undefined) return true;
  for (let i = 0; i < batch.length; i++) if (fault.at.includes(aim.indexOf(batch.id(i)) + 1)) return true;
  return false;
}
