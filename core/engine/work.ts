// One item of the source on its way through a stream: what was read, what the transforms made of it, and the fates that
// were decided before the sinks. Indices: "source index" counts the item's source events, "output" the transforms' results.

import type { EventBatch } from '../event.ts';
import type { SourceNews } from '../plugin.ts';
import type { Json } from '../values.ts';
import type { Letter } from './letters.ts';

/** What was decided about an event that failed. Worst of several: dead_lettered, then skipped. */
export type BadFate = 'skipped' | 'dead_lettered';

/** An event that failed before the sinks. */
export interface Failure {
  readonly source: number;
  readonly fate: BadFate;
  /** null for a skipped one. */
  readonly letter: Letter | null;
}

export interface Transformed {
  /** The batch as it was read. */
  readonly input: EventBatch;
  readonly out: EventBatch;
  /** Output j descends from source event origin[j]; null: output j is source event j. */
  readonly origin: Uint32Array | null;
  readonly failures: readonly Failure[];
}

export interface Work {
  readonly input: EventBatch;
  /** Where to resume after it; undefined for a part of an unfinished transaction. */
  readonly position: Json | undefined;
  /** What the item said besides its events. */
  readonly news: SourceNews;
  /** What it takes in memory: the input, and what the transforms made of it as soon as that is known. */
  bytes: number;
  readonly transformed: Promise<Transformed>;
  /** True once `transformed` has settled, so that the writer can join what is ready without waiting. */
  ready: boolean;
}

/** Works that are written together, with the indices of the joined batches. */
export interface Group {
  readonly works: readonly Transformed[];
  readonly out: EventBatch;
  /** How many source events. */
  readonly count: number;
  /** Output j of the joined batch descends from this source event of the joined input. */
  originOf(j: number): number;
  /** Envelope of the source event that output j descends from. */
  sourceOf(j: number): { readonly batch: EventBatch; readonly index: number };
  readonly hasFanOut: boolean;
}
