// The answer of a request, for the verb that waits for it.

import { toSluiceError } from '../errors.ts';
import type { StateStore } from '../state/store.ts';
import type { Json } from '../values.ts';
import { SessionLost } from './ends.ts';

/** Only after the checkpoint that holds its number. @throws SessionLost: the next session answers it */
export async function answerRequest(
  store: StateStore,
  number: number,
  status: 'done' | 'failed',
  result: Json,
): Promise<void> {
  await store.updateRequest(number, status, result).catch((thrown: unknown) => {
    throw new SessionLost(toSluiceError(thrown, 'E_STATE_WRITE'));
  });
}
