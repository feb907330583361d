// The sandbox's door: programs go in as text, slices of events go in as text, and one answer per event comes out as text.
// The process that calls this never loads isolated-vm: programs run in child processes (pool.ts, child.ts).
// Guarantee: every event of a slice gets exactly one answer, whatever the code does to its isolate or its process.

import { assuredSandbox } from './assure.ts';
import type { Parked } from './breaker.ts';
import type { LossReason, ProgramLimits } from './protocol.ts';

export { proveSandbox } from './assure.ts';
export type { Parked } from './breaker.ts';
export { headStart } from './children.ts';
export type { GuestHost, GuestProgram, GuestRun, RefusalDetails } from './guest/harness.ts';
export { type Proof, readProof } from './proof.ts';
export type { ProgramLimits } from './protocol.ts';

/** What runs: a script that evaluates to a GuestProgram, and the text that it is given. */
export interface Program {
  readonly guest: string;
  readonly text: string;
  /** What it is called in the log. */
  readonly label?: string;
  readonly limits: ProgramLimits;
  /** Heads (id, time, envelope) are sent always, or only once the code has asked for them. */
  readonly heads: 'always' | 'on_demand';
}

/** The events of one call, as texts; asked for only what is sent. */
export interface Slice {
  readonly length: number;
  /** The text that the function works on. */
  main(i: number): string | null;
  second(i: number): string | null;
  /**
   * The texts of main() of [from, to) as lines of bytes, in pieces that follow each other, for a slice that has them: they are then
   * sent as they are, and outputs come back as lines.
   */
  lines?(from: number, to: number): readonly Buffer[];
  /** Whether second() is sent even when heads are not. */
  readonly seconds: boolean;
  head(i: number): string;
  id(i: number): string;
  time(i: number): number;
}

export type RefusalReason = 'runtime' | 'output' | 'fan_out' | 'depth' | 'parked' | LossReason | (string & {});

export interface Refused {
  readonly why: RefusalReason;
  readonly message: string;
  /** The number of the module (as the compiled text numbers them), line and column. */
  readonly place: readonly [number, number, number] | null;
  /** The code that the error has in the program's own language. */
  readonly code?: string;
}

/** One output as the bytes of its text, UTF-8: a line of a buffer that holds others too, with a line feed after it. */
export interface AnswerLine {
  readonly buffer: Buffer;
  readonly start: number;
  readonly end: number;
  /** Nothing but ASCII is in the buffer. */
  readonly ascii: boolean;
}

/** null: filtered; a text or a line: one output; texts: a fan-out. */
export type Answer = string | AnswerLine | null | readonly string[] | Refused;

export interface LogLine {
  readonly index: number;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly place: readonly [number, number, number] | null;
  readonly text: string;
}

export interface Answers {
  readonly answers: readonly Answer[];
  readonly logs: readonly LogLine[];
  /** Log lines beyond limits.logs, which are gone. */
  readonly dropped: number;
  /** Events that left their program's fast way. */
  readonly deopts: number;
  /** By event, where it was measured; an event that ended its isolate has none. */
  readonly costs?: ReadonlyMap<number, Cost>;
}

/** What one event took in the isolate. */
export interface Cost {
  /** Of the clock. */
  readonly ms: number;
  /** That the heap grew by; less than 0 where garbage was collected meanwhile. */
  readonly bytes: number;
}

export interface RunOptions {
  /** In an isolate that no event has touched. */
  readonly fresh?: boolean;
  /** One event per call, with what each cost. */
  readonly measured?: boolean;
  readonly signal?: AbortSignal;
}

export interface Loaded extends AsyncDisposable {
  /** Set when too many of its isolates died (limits.deaths): every event is then refused with `parked`, and none is run. */
  readonly parked: Parked | null;
  /** Parks it as it was parked before a restart. */
  park(parked: Parked): void;
  /** Ends the parking. */
  resume(): void;
  /** @throws whatever `signal` was aborted with */
  run(slice: Slice, options?: RunOptions): Promise<Answers>;
}

export interface Sandbox extends AsyncDisposable {
  /** How many slices can run at one time. */
  readonly children: number;
  /** The process ids of the children that are at work now. */
  processes(): readonly number[];
  /** Starts the first child while there is other work to do, and has it make an isolate with these limits. */
  warm(limits?: ProgramLimits): void;
  /** @throws LoadFailure */
  load(program: Program): Promise<Loaded>;
}

export interface SandboxOptions {
  /** How many child processes; by default as many as there are cores. */
  readonly children?: number;
  /**
   * After a load each child makes an isolate for the next program of the same guest and limits, while it has nothing to do: for
   * code that is loaded anew while somebody writes it.
   */
  readonly ahead?: boolean;
  /**
   * The file where the proof that the sandbox holds here is remembered (proof.ts); asked for when a child is ready. Without one,
   * nothing is proved.
   */
  readonly proof?: () => string | undefined;
  readonly log?: {
    warn(fields: object, message: string): void;
  };
}

/** The program threw, was too slow or took too much while it was loaded. */
export class LoadFailure extends Error {
  readonly refused: Refused;
  constructor(refused: Refused) {
    super(refused.message);
    this.refused = refused;
  }
}

export function isLine(answer: Answer): answer is AnswerLine {
  return typeof answer === 'object' && answer !== null && 'buffer' in answer;
}

export function isRefused(answer: Answer): answer is Refused {
  return typeof answer === 'object' && answer !== null && 'why' in answer;
}

export function createSandbox(options: SandboxOptions = {}): Sandbox {
  return assuredSandbox(options);
}
