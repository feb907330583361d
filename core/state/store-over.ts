// The store's interface over tables that are called by name: in the worker of sqlite.ts, or in place for memory.ts.
// Guarantee: what goes in is copied before the call returns, so a caller may change its objects at once.

import type { StateStore } from './store.ts';
import type { Tables } from './tables.ts';
import { toWire, type WireWrite } from './wire.ts';

export type TableName = Exclude<keyof Tables<WireWrite>, 'close'>;

/** Calls one of the tables' functions. */
export type Call = <N extends TableName>(
  name: N,
  ...args: Parameters<Tables<WireWrite>[N]>
) => Promise<ReturnType<Tables<WireWrite>[N]>>;

export function storeOver(
  call: Call,
  rest: Pick<StateStore, 'lock' | 'isLocked' | 'redactionKey' | typeof Symbol.asyncDispose>,
): StateStore {
  return {
    loadCheckpoint: (stream) => call('loadCheckpoint', stream),
    history: (stream, limit) => call('history', stream, limit),
    write: async (change) => call('write', toWire(change)),
    clearCheckpoint: (stream) => call('clearCheckpoint', stream),
    listDeadLetters: (filter) => call('listDeadLetters', filter),
    countDeadLetters: (filter) => call('countDeadLetters', filter),
    reviveLetters: (stream, covered) => call('reviveLetters', stream, covered),
    restartOrder: (stream) => call('restartOrder', stream),
    inOrder: (stream, ids) => call('inOrder', stream, ids),
    pendingLetters: (stream) => call('pendingLetters', stream),
    deadLetterBytes: (stream, place) => call('deadLetterBytes', stream, place),
    addRequest: (request) => call('addRequest', request),
    numberAbove: (stream, covered) => call('numberAbove', stream, covered),
    nextRequest: (stream, after) => call('nextRequest', stream, after),
    getRequest: (number) => call('getRequest', number),
    updateRequest: (number, status, result) => call('updateRequest', number, status, result),
    saveStatus: (status) => call('saveStatus', status),
    statuses: () => call('statuses'),
    addCaptures: (captures, keep) => call('addCaptures', captures, keep),
    captures: (stream, limit) => call('captures', stream, limit),
    ...rest,
  };
}
