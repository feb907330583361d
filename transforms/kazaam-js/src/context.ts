// What an operation is given beside its step: the clock, the dice, the time zone, and which extensions are on.

import type { StepSpec } from './spec.ts';
import type { Zone } from './time/zone.ts';

/** What the original does not have. Each is off unless it is named. */
export const EXTENSIONS = [
  'conditional-paths',
  'steps',
  'merge',
  'negative-index',
  'root-wildcard',
  'wildcard-pairs',
  'delete-wildcard',
  'over-path',
  'compare-values',
  'unix-numbers',
  'numeric-unix',
  'unescape-times',
  'substr-to-end',
  'escaped-pipe',
  'steps-from-source',
] as const;

export type Extension = (typeof EXTENSIONS)[number];

export interface Context {
  /** RFC 3339, with up to nine digits of a second. */
  now(): string;
  /** From 0 to less than 1. */
  random(): number;
  readonly zone: Zone;
  /** Errors that Go passes over are thrown. */
  readonly strict: boolean;
  readonly lanes: boolean;
  has(extension: Extension): boolean;
}

/** One step, compiled: from the text of a document to the text of the next one. */
export type Operation = (text: string) => string;

export type OperationFactory = (step: StepSpec, context: Context) => Operation;
