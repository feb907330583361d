// What the pipeline process and a sandbox child say to each other: one JSON object a line over stdin and stdout, and the
// texts of slices and answers in slot files (slots.ts). Types, the reading of lines, and nothing else.

import type { HarnessLimits } from './guest/harness.ts';

export interface ProgramLimits extends HarnessLimits {
  /** Bytes of the isolate's heap. */
  readonly memory: number;
  /** How long the program may take to load, in ms. */
  readonly load: number;
  /** How many of its isolates may die in a minute before it is parked. */
  readonly deaths: number;
}

export interface LoadMessage {
  readonly t: 'load';
  readonly p: number;
  readonly guest: string;
  readonly text: string;
  readonly limits: ProgramLimits;
}

export interface RunMessage {
  readonly t: 'run';
  readonly r: number;
  readonly p: number;
  readonly slot: number;
  readonly bytes: number;
  readonly n: number;
  /** Start from an isolate that no event has touched. */
  readonly fresh: boolean;
  /** One event per call: what goes wrong is then exactly this event's. */
  readonly single: boolean;
}

export type ToChild =
  | LoadMessage
  | RunMessage
  | { readonly t: 'drop'; readonly p: number }
  /** Nobody waits for this run any more: it ends after the call that is running. */
  | { readonly t: 'stop'; readonly r: number };

/** What a program needs, as its code was seen to ask for it: once found, it has it for good. */
export interface Needs {
  /** The events' heads. */
  readonly heads: boolean;
  /** A call for each event: what a microtask asks for is then the event's own for sure. */
  readonly apart: boolean;
}

/** Why a run ended before its end. `at`: the event that was running, or -1 when that is not known. */
export type LossReason = 'timeout' | 'memory' | 'crash';

export type FromChild =
  | { readonly t: 'ready' }
  | { readonly t: 'loaded'; readonly p: number; readonly error: string }
  /** Answers of the events [from, from + count), at `offset` in the slot. */
  | {
      readonly t: 'part';
      readonly r: number;
      readonly from: number;
      readonly count: number;
      readonly offset: number;
      readonly bytes: number;
    }
  | { readonly t: 'done'; readonly r: number }
  /** What was not answered is void, and has to come again with what it needs. */
  | { readonly t: 'again'; readonly r: number; readonly needs: Needs }
  | { readonly t: 'lost'; readonly r: number; readonly at: number; readonly why: LossReason }
  /** The isolate does not come back: only SIGKILL ends it. */
  | { readonly t: 'hung'; readonly at: number; readonly why: LossReason; readonly needs: Needs | null };

// A child is not trusted: a line without end must not fill the parent's memory.
const LONGEST_LINE = 4 << 20;

/** Cuts a stream of chunks into lines. The function given back takes a chunk; `tooLong` is called at most once. */
export function lineReader(
  onLine: (line: string) => void,
  tooLong: () => void,
  longest = LONGEST_LINE,
): (chunk: string) => void {
  let rest = '';
  let dead = false;
  return (chunk) => {
    if (dead) return;
    let from = 0;
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', from)) {
      const line = rest === '' ? chunk.slice(from, end) : rest + chunk.slice(from, end);
      rest = '';
      from = end + 1;
      onLine(line);
    }
    rest += chunk.slice(from);
    if (rest.length > longest) {
      dead = true;
      tooLong();
    }
  };
}
