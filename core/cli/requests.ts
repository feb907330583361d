// How verbs have something done to a stream: a running process is left a request and takes it between batches; with none
// running, the verb takes the lock itself.

import { type ErrorData, isSluiceError, sluiceError } from '../errors.ts';
import type { NewRequest, StateStore } from '../state/store.ts';
import type { Json } from '../values.ts';

const POLL_MS = 100;

/**
 * The result is null when the request was done by a process that ended before it could say what it gave.
 * Tries `alone` (which takes the lock); if a process runs the stream, leaves the request and waits for its result. */
export async function byRequestOr<T>(
  store: StateStore,
  request: NewRequest,
  alone: () => Promise<T>,
): Promise<T | null> {
  for (;;) {
    try {
      return await alone();
    } catch (thrown) {
      if (!isSluiceError(thrown) || thrown.code !== 'E_STATE_LOCKED') throw thrown;
    }
    const number = await store.addRequest(request);
    const result = await resultOf(store, request.stream, number);
    if (result !== undefined) return result as T | null;
  }
}

/**
 * Leaves what only a running source can do, and waits until it has taken it. With no process running it waits in the state store
 * for the next run.
 */
export async function leaveRequest(store: StateStore, request: NewRequest): Promise<'done' | 'left'> {
  const number = await store.addRequest(request);
  for (;;) {
    const found = await store.getRequest(number);
    if (found?.status === 'done') return 'done';
    if (found?.status === 'failed') throw errorOf(found.result);
    if (!(await store.isLocked(request.stream))) {
      const checkpoint = await store.loadCheckpoint(request.stream);
      return checkpoint !== null && checkpoint.request >= number ? 'done' : 'left';
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function errorOf(result: Json): Error {
  const error = result as unknown as ErrorData;
  return sluiceError(error.code, { message: error.message, ...(error.fix === undefined ? {} : { fix: error.fix }) });
}

/** The result of a request, or undefined when the process that should have done it is gone (the request is withdrawn). */
async function resultOf(store: StateStore, stream: string, number: number): Promise<Json | undefined> {
  for (;;) {
    const request = await store.getRequest(number);
    if (request?.status === 'done') return request.result;
    if (request?.status === 'failed') throw errorOf(request.result);
    if (!(await store.isLocked(stream))) {
      const now = await store.getRequest(number);
      if (now?.status === 'done') return now.result;
      const checkpoint = await store.loadCheckpoint(stream);
      if (checkpoint !== null && checkpoint.request >= number) return null; // done, and ended before it could say so
      await store.updateRequest(number, 'failed', {
        code: 'E_REQUEST_FAILED',
        message: 'the process that ran the stream ended',
      });
      return undefined;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
