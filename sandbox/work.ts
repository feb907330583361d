// What goes through the pool: programs, the slices that somebody waits for, and the runs of their events on the way to a child.

import { type Collector, refused } from './answers.ts';
import type { Range } from './blame.ts';
import type { Breaker } from './breaker.ts';
import type { Answers, Program, Refused, Slice } from './index.ts';

/** A program that is loaded. */
export interface Entry {
  readonly number: number;
  readonly program: Program;
  /** It has asked for the heads of events. */
  heads: boolean;
  /** A call for each event. */
  apart: boolean;
  readonly jobs: Set<Job>;
  readonly breaker: Breaker;
}

/** A program that somebody waits for to be loaded. */
export interface Loading {
  readonly entry: Entry;
  /** The last run that was sent to anybody before it: the runs before it in its child are those up to this one. */
  after: number;
  /** How often it failed, or its child ended, while it was itself being loaded. */
  failures: number;
  /** Told '' or the refusal as JSON. */
  tell(refusal: string): void;
}

/** A slice, until all of its events are answered. */
export interface Job {
  readonly program: Entry;
  readonly slice: Slice;
  readonly collector: Collector;
  left: number;
  readonly fresh: boolean;
  readonly measured: boolean;
  resolve(answers: Answers): void;
  reject(error: unknown): void;
  over: boolean;
}

/** A run of a job's events on its way to a child. */
export interface Work extends Range {
  readonly job: Job;
  /** How often its child was killed by somebody else while it ran alone. */
  readonly killed?: number;
}

/** A run that a child has. */
export interface Sent {
  readonly run: number;
  readonly work: Work;
  readonly slot: number;
  readonly base: number;
  /** What it has of what a program may ask for. */
  readonly heads: boolean;
  readonly apart: boolean;
  /** Nothing ran in its process before. */
  readonly first: boolean;
}

export function parkedAnswer({ breaker }: Entry): Refused {
  return refused({ why: 'parked', message: `the transform is parked: ${breaker.parked!.reason}` });
}

/** For the log: which program it is about. */
export function labelOf({ program }: Entry): { readonly program?: string } {
  return program.label === undefined ? {} : { program: program.label };
}
