// What is parked stays parked over a restart: it is saved with the checkpoint, and ends by `sluice resume` only.
// A transformation whose isolates died too often: its events fail with E_TRANSFORM_PARKED, without being run, and go by its
// policy. A table: its changes do not enter; the source holds it in its position, and what is saved beside is for showing.

import type { Checkpoint, Parked } from '../checkpoint.ts';
import { sluiceError } from '../errors.ts';
import type { Chain } from './chain.ts';

/** Parks again what a checkpoint says is parked. */
export function parkAgain(chain: Chain, { parked }: Checkpoint): void {
  for (const { kind, id, reason, since } of parked) {
    if (kind !== 'transform') continue;
    chain.steps.find((step) => step.id === id)?.loaded?.park({ reason, since });
  }
}

/** What is parked now. What the checkpoint says of a transformation that is not in the chain stays said. */
export function parkedNow(chain: Chain, before: readonly Parked[]): readonly Parked[] {
  const gone = before.filter(({ kind, id }) => kind !== 'transform' || !chain.steps.some((step) => step.id === id));
  const steps = chain.steps.flatMap(({ id, loaded }): Parked[] =>
    loaded?.parked == null ? [] : [{ kind: 'transform', id, ...loaded.parked }],
  );
  return [...gone, ...steps];
}

/** What a `resume` is of. `id` absent: all of that kind. */
export interface ResumeBody {
  readonly kind: Parked['kind'];
  readonly id?: string;
}

/**
 * What of `parked` a resume ends, and what stays.
 * @throws SluiceError E_NOT_PARKED
 */
export function ended(parked: readonly Parked[], { kind, id }: ResumeBody): { ends: Parked[]; stays: Parked[] } {
  const isNamed = (one: Parked): boolean => one.kind === kind && (id === undefined || one.id === id);
  const ends = parked.filter(isNamed);
  if (ends.length === 0 && id !== undefined) {
    const all = parked.map((one) => `${one.kind} ${one.id}`).join(', ');
    throw sluiceError('E_NOT_PARKED', {
      message: `${kind} ${id} is not parked`,
      fix: all === '' ? 'nothing is parked in this stream: leave it as it is' : `parked is: ${all}`,
    });
  }
  return { ends, stays: parked.filter((one) => !isNamed(one)) };
}
