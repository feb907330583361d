// What core knows of user code: a rule goes in, a transform comes out. The languages themselves and the sandbox are in
// transforms/, which core never imports: whoever embeds the engine passes them in.

import type { SluiceError } from './errors.ts';
import type { EventBatch } from './event.ts';
import type { TransformLimits, TransformRule } from './manifest/model.ts';
import type { Instrumented, Lane, Logger, Transform, TransformResult } from './plugin.ts';

/** What a transform is, for dead letters and captures: the same hash means the same results. */
export interface TransformIdentity {
  readonly language: string;
  readonly version: string;
  /** SHA-256 over language, version, options and all of the code, helper modules with it. */
  readonly hash: string;
}

/** Which way a transform runs, where its language has several, and how often events had to leave it. */
export interface LaneReport extends Lane {
  /** Events that went in. */
  readonly events: number;
  /** Of these, the ones that a slower way answered. */
  readonly deopts: number;
}

/** What one event took in the sandbox. */
export interface Cost {
  /** Of the clock. */
  readonly ms: number;
  /** That the heap grew by; less than 0 where garbage was collected meanwhile. */
  readonly bytes: number;
}

export interface ApplyOptions {
  readonly fresh?: boolean;
  /** Told of each event that answered, by its index: each is then run by itself, which takes longer. */
  readonly onCost?: (index: number, cost: Cost) => void;
}

export interface LoadedTransform extends Transform {
  readonly identity: TransformIdentity;
  apply(batch: EventBatch, signal: AbortSignal, options?: ApplyOptions): Promise<TransformResult>;
  /** As it is now. null: the language has one way only. */
  lane(): LaneReport | null;
  /** Set when too many of its isolates died (limits.deaths). apply() then refuses every event with E_TRANSFORM_PARKED, and runs none. */
  readonly parked: { readonly reason: string; readonly since: string } | null;
  /** Parks it as it was parked before a restart. */
  park(parked: { readonly reason: string; readonly since: string }): void;
  /** Ends the parking. */
  resume(): void;
}

/** What one value became: its results as JSON texts, none for a filtered one. */
export type FilterAnswer = { readonly outputs: readonly string[] } | { readonly error: SluiceError };

/** A transform over any JSON values, with no stream around it (`sluice apply`). */
export interface LoadedFilter extends AsyncDisposable {
  readonly identity: TransformIdentity;
  /** Texts as they came, with their ids. One answer for each, in order. */
  apply(
    values: readonly { readonly id: string; readonly text: string }[],
    signal: AbortSignal,
  ): Promise<readonly FilterAnswer[]>;
}

export interface Languages extends AsyncDisposable {
  readonly names: readonly string[];
  /** Transforms will be created, likely with these limits: what takes long to start may start now. */
  warm(limits: TransformLimits): void;
  /** Compiles without running anything: every finding with line and column in the author's file. */
  check(rule: TransformRule): Promise<readonly SluiceError[]>;
  /** @throws SluiceError E_TRANSFORM_SYNTAX or E_TRANSFORM_LOAD */
  create(
    rule: TransformRule,
    context: {
      readonly stream: string;
      readonly log: Logger;
      /** What comes after it takes texts, or looks at their numbers itself. */
      readonly textAfter?: boolean;
    },
  ): Promise<LoadedTransform>;
  /** A rule whose code says which of its points ran, or null where the language cannot. @throws as create does */
  instrument(
    rule: TransformRule,
  ): Promise<{ readonly rule: TransformRule; readonly instrumented: Instrumented } | null>;
  /** The same code as a filter. @throws as create does */
  createFilter(rule: TransformRule, context: { readonly log: Logger }): Promise<LoadedFilter>;
}
