// Two outputs of one event with one key and one op would overwrite each other at a keyed sink: both are rejected there
// (DELIVERY.md, section 4).

import { isSluiceError, type SluiceError, sluiceError } from '../errors.ts';
import { sinkKey } from '../sink-key.ts';
import { canonical } from '../values.ts';
import type { Slot } from './slot.ts';
import type { Group } from './work.ts';

/** By index, the outputs that a sink is not asked about. */
export function duplicateOutputs(slot: Slot, group: Group): Map<number, SluiceError> {
  const rejected = new Map<number, SluiceError>();
  if (!slot.sink.keyed || !group.hasFanOut) return rejected;
  let from = 0;
  for (let j = 1; j <= group.out.length; j++) {
    if (j < group.out.length && group.originOf(j) === group.originOf(from)) continue;
    if (j - from > 1) markDuplicates(slot, group, from, j, rejected);
    from = j;
  }
  return rejected;
}

function markDuplicates(slot: Slot, group: Group, from: number, to: number, rejected: Map<number, SluiceError>): void {
  const seen = new Map<string, number>();
  for (let j = from; j < to; j++) {
    const key = sinkKey(group.out, j, slot.sink.key);
    if (key === null || isSluiceError(key)) continue;
    const name = `${group.out.op(j)} ${group.out.table(j)} ${canonical(key.key)}`;
    const other = seen.get(name);
    seen.set(name, j);
    if (other === undefined) continue;
    const error = sluiceError('E_SINK_DUPLICATE', {
      message: `two outputs of event ${group.sourceOf(j).batch.id(group.sourceOf(j).index)} have the same key at sink ${slot.id}`,
      fix: 'give each output of the fan-out its own key, and the sink a `key` that holds it',
    });
    rejected.set(other, error);
    rejected.set(j, error);
  }
}
