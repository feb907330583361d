// What the tests of single cases share: a run of some steps, and the error of one.

import { Kazaam, KazaamError, type KazaamOptions, type Step } from '../src/index.ts';

export const transform = (steps: readonly Step[], document: string, options?: KazaamOptions): string =>
  new Kazaam(steps, options).transform(document);

export const shift = (spec: Record<string, unknown>, more: Partial<Step> = {}): Step => ({
  operation: 'shift',
  spec,
  ...more,
});

export function errorOf(run: () => unknown): KazaamError {
  try {
    run();
  } catch (error) {
    if (error instanceof KazaamError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
