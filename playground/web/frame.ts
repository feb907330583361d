// What every pane gets: the state to show, and the two ways to act on it.

import type { ActionName } from './keys.ts';
import type { Action } from './reduce.ts';
import type { State } from './state.ts';
import type { Work } from './work.ts';

export interface Frame {
  readonly state: State;
  /** The state of this instant: what is drawn may be a few keystrokes behind it. */
  readonly now: () => State;
  readonly send: (action: Action) => void;
  readonly work: Work;
  /** Of the page's policy, for the editors' styles. */
  readonly nonce: string;
  readonly mac: boolean;
  /** Carries out a command of keys.ts. */
  readonly act: (action: ActionName) => void;
}
