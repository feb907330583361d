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
  /** null: that of the load before. A language's is large, and the same for all of its programs. */
  readonly guest: string | null;
  readonly text: string;
  readonly limits: ProgramLimits;
  readonly wear: Wear;
  /** Another one of this guest and these limits will likely come: an isolate is made for it while there is nothing to do. */
  readonly ahead: boolean;
}

/** When an isolate is made anew before its next slice: what it holds on to, and how its heap has fallen apart, goes with it. */
export interface Wear {
  /** Slices that it ran. */
  readonly slices: number;
  /** ms. */
  readonly age: number;
  /** The part of its memory limit that is taken when nothing runs. */
  readonly heap: number;
}

/** What Node lets a child do, asked before any other code runs in it. */
export interface ChildRights {
  readonly read: boolean;
  readonly write: boolean;
  readonly child: boolean;
  readonly worker: boolean;
  readonly net: boolean;
}

export interface RunMessage {
  readonly t: 'run';
  readonly r: number;
  readonly p: number;
  readonly slot: number;
  readonly bytes: number;
  /** The slice came in `text` frames before this one, and its answers go back so. */
  readonly inline: boolean;
  readonly n: number;
  /** Start from an isolate that no event has touched. */
  readonly fresh: boolean;
  /** One event per call: what goes wrong is then exactly this event's. */
  readonly single: boolean;
  /** One event per call, and what each cost is said with its answer. */
  readonly measured: boolean;
}

export type ToChild =
  | LoadMessage
  | RunMessage
  /** A program of this guest (null: of any) and these limits will likely be loaded: an isolate is made for it. */
  | { readonly t: 'ahead'; readonly guest: string | null; readonly limits: ProgramLimits }
  /** A piece of the slice of the next run. */
  | { readonly t: 'text'; readonly text: string }
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

/** What ended a child. `killed`: by a SIGKILL that is not ours, as an operator or the system gives when memory runs out. */
export type EndReason = LossReason | 'killed';

export type FromChild =
  | { readonly t: 'ready'; readonly rights: ChildRights }
  /** A piece of the answers of the next part. */
  | { readonly t: 'text'; readonly text: string }
  | { readonly t: 'loaded'; readonly p: number; readonly error: string }
  /** Answers of the events [from, from + count), at `offset` in the slot. */
  | {
      readonly t: 'part';
      readonly r: number;
      readonly from: number;
      readonly count: number;
      readonly offset: number;
      readonly bytes: number;
      readonly inline: boolean;
      /** Of a measured run: ms, and bytes that its heap grew by. */
      readonly cost?: readonly [number, number];
      /** It is the last one: what `done` says, for which there is then no frame of its own. */
      readonly made?: number;
    }
  /** `made`: isolates that this process has made until now. */
  | { readonly t: 'done'; readonly r: number; readonly made: number }
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
