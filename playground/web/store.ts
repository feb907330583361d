// The state in one place: actions go through the reducer, and whoever subscribed is told. Telling is put together until the
// end of the task, so that several actions in a row are painted once.

import { type Action, reduce } from './reduce.ts';
import { initial, type State } from './state.ts';

export interface Store {
  get(): State;
  send(action: Action): void;
  subscribe(listener: (state: State, before: State) => void): () => void;
}

export function createStore(): Store {
  let state = initial;
  let told = initial;
  let planned = false;
  const listeners = new Set<(state: State, before: State) => void>();
  return {
    get: () => state,
    send(action) {
      state = reduce(state, action);
      if (planned) return;
      planned = true;
      queueMicrotask(() => {
        planned = false;
        const before = told;
        told = state;
        if (before !== state) for (const listener of listeners) listener(state, before);
      });
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
