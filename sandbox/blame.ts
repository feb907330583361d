// How the events are run again that a dead isolate or process has left unanswered, so that in the end exactly the event at
// fault fails, and only after it has failed alone in a fresh isolate.

/** A run of the events [from, to) of a slice. */
export interface Range {
  from: number;
  readonly to: number;
  /** One event per call, in one isolate: the next death says which event it was. */
  readonly single: boolean;
  /** The only event, in a fresh isolate: what goes wrong now is its own. */
  readonly alone: boolean;
}

/**
 * `known`: the event that was running, or null when nobody knows (a death in what events left running behind them). Where each event
 * had a call of its own it is the first that has no answer.
 */
export function afterLoss({ from, to, single }: Range, known: number | null): Range[] {
  const at = known ?? (single ? from : null);
  const again: Range[] = [];
  const add = (first: number, last: number, one: boolean): void => {
    if (first < last) again.push({ from: first, to: last, single: one, alone: false });
  };
  if (at !== null && at >= from && at < to) {
    add(from, at, single);
    again.push({ from: at, to: at + 1, single: false, alone: true });
    add(at + 1, to, single);
  } else if (to - from === 1) {
    again.push({ from, to, single: false, alone: true });
  } else {
    add(from, to, true);
  }
  return again;
}
