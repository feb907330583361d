// The same tests on another version of a language's engine (`sluice test --engine jsonata@2.1.0`), and what it changes.

import type { TransformRule } from '../manifest/model.ts';
import type { FileResult } from './run-test-file.ts';
import type { Target } from './target.ts';

/** The target with `engine` in each transformation of its language; null where it has none. */
export function onEngine(target: Target, engine: string): Target | null {
  const language = engine.split('@')[0]!;
  if (!target.rules.some((rule) => rule.type === language)) return null;
  const moved = (rule: TransformRule): TransformRule =>
    rule.type === language ? { ...rule, config: { ...(rule.config as object | undefined), engine } } : rule;
  const { stream } = target;
  return {
    ...target,
    rules: target.rules.map(moved),
    stream: { ...stream, transformations: stream.transformations.map(moved) },
  };
}

/** A test that gives something else on the other engine. */
export interface EngineDifference {
  readonly test: string;
  readonly line: number;
  /** JSON text of what came out; null: the test could not be run as things are now. */
  readonly before: string | null;
  readonly after: string;
}

/** A test that could not be run on the other engine has failed, and is none of these. */
export function engineDifferences(before: FileResult, after: FileResult): EngineDifference[] {
  return after.results.flatMap((test) => {
    const same = before.results.find((one) => one.name === test.name && one.line === test.line);
    if (test.outcome === null) return [];
    const then = same?.outcome == null ? null : JSON.stringify(same.outcome);
    const now = JSON.stringify(test.outcome);
    return then === now ? [] : [{ test: test.name, line: test.line, before: then, after: now }];
  });
}
