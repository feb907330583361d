// The dead letter of an output that a sink rejected, or missed while it was away.

import { type SluiceError, sluiceError } from '../errors.ts';
import { type Letter, type LetterParts, letterOf, sinkKeysOf } from './letters.ts';
import type { Slot } from './slot.ts';
import type { Group } from './work.ts';

export function sinkLetter(
  { stream, lastTransform }: { readonly stream: string; readonly lastTransform: LetterParts['transform'] | null },
  slot: Slot,
  group: Group,
  j: number,
  error: SluiceError,
  attempts: number,
): Letter {
  const source = group.sourceOf(j);
  const isSource = group.out === source.batch && j === source.index;
  return letterOf({
    stream,
    place: { kind: 'sink', id: slot.id },
    error,
    attempts,
    source,
    ...(isSource ? {} : { input: { batch: group.out, index: j } }),
    ...(lastTransform === null || lastTransform === undefined ? {} : { transform: lastTransform }),
    keys: sinkKeysOf(group.out, j, slot.sink.key),
  });
}

export function absentError(slot: Slot, error: SluiceError | null): SluiceError {
  return sluiceError('E_SINK_ABSENT', {
    message: `sink ${slot.id} was away: ${error?.message ?? 'no answer'}`,
    ...(error === null ? {} : { cause: error }),
    fix: 'replay it when the sink is back',
  });
}
