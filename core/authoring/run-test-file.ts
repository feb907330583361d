// Runs the tests of one file, in the order of the file. A test that has nothing to do with policies goes through the
// transformations alone; one with `inject`, or that expects counts, goes through a whole stream.
// Guarantee: a test that cannot be run fails; none is left out in silence.

import { type ErrorData, toSluiceError } from '../errors.ts';
import type { ChangeEvent } from '../event.ts';
import type { Languages } from '../languages.ts';
import type { Finding } from '../manifest/finding.ts';
import { differences, type Outcome } from './expect.ts';
import { givenEventsOf } from './given-events.ts';
import { snapshotsOf } from './snapshots.ts';
import type { Target } from './target.ts';
import type { TestFile, WrittenTest } from './tests-file.ts';
import { openTriedChain, type TriedChain, tryEvents } from './try-chain.ts';
import { tryStream } from './try-stream.ts';

export interface TestResult {
  readonly name: string;
  /** Where it begins in its file. */
  readonly line: number;
  readonly passed: boolean;
  /** Sentences, one for each difference. */
  readonly differences: readonly string[];
  /** What the transform logged. */
  readonly logs: readonly string[];
  readonly outcome: Outcome | null;
  readonly ms: number;
}

export interface FileResult {
  readonly file: string;
  readonly findings: readonly Finding[];
  readonly results: readonly TestResult[];
  /** Tests that were left out by their names. */
  readonly leftOut: number;
  /** Snapshots that belong to no test any more. */
  readonly obsolete: readonly string[];
  /** The events of each test that ran, for coverage. */
  readonly events: readonly (readonly ChangeEvent[])[];
}

export interface RunOptions {
  readonly languages: Languages;
  readonly update: boolean;
  readonly chosen: (name: string) => boolean;
  /** Looked at before each test. */
  readonly signal?: AbortSignal;
}

export async function runTestFile(file: TestFile, target: Target, options: RunOptions): Promise<FileResult> {
  const prepared: { readonly test: WrittenTest; readonly pointer: string; readonly events: readonly ChangeEvent[] }[] =
    [];
  const findings: Finding[] = [];
  for (const [i, test] of file.tests.entries()) {
    const pointer = `/tests/${i}`;
    const given = await givenEventsOf(test, pointer, file);
    findings.push(...given.findings, ...injectionFindings(test, pointer, file, target, given.events.length));
    if (options.chosen(test.name)) prepared.push({ test, pointer, events: given.events });
  }
  const leftOut = file.tests.length - prepared.length;
  const none = { file: file.file, results: [], leftOut, obsolete: [], events: [] };
  if (findings.length > 0) return { ...none, findings };

  const logs: string[] = [];
  const keep = (level: string) => (fields: object, message: string) => {
    const { at } = fields as { at?: ErrorData['at'] };
    logs.push(`${level} ${at?.line === undefined ? '' : `${at.line}:${at.column ?? 1} `}${message}`);
  };
  const log = { debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') };
  const snapshots = snapshotsOf(file.path, options.update);
  const parts = { languages: options.languages, log };
  const stream = { ...target.stream, transformations: target.rules };
  // A state that is kept must not pass from one test to the next.
  const apart = target.rules.some((rule) => rule.state === 'keep');
  const results: TestResult[] = [];
  let shared: TriedChain | null = null;
  try {
    for (const { test, pointer, events } of prepared) {
      options.signal?.throwIfAborted();
      const from = performance.now();
      logs.length = 0;
      let outcome: Outcome | null = null;
      let found: readonly string[];
      try {
        if (isOfStream(test)) outcome = await tryStream(events, test.inject ?? [], stream, parts);
        else {
          await using own: TriedChain | null = apart ? await openTriedChain(target.rules, stream, parts) : null;
          if (own === null) shared ??= await openTriedChain(target.rules, stream, parts);
          outcome = await tryEvents(own ?? shared!, events);
        }
        found = test.expect === 'snapshot' ? snapshots.compare(test.name, outcome) : differences(test.expect, outcome);
      } catch (thrown) {
        const { code, message, at, fix } = toSluiceError(thrown).toJSON();
        const place = at?.line === undefined ? '' : ` (${at.file ?? ''}:${at.line}:${at.column ?? 1})`;
        found = [`it could not be run: ${code} ${message}${place}`, ...(fix === undefined ? [] : [`→ ${fix}`])];
      }
      results.push({
        name: test.name,
        line: file.lineOf(`${pointer}/name`),
        passed: found.length === 0,
        differences: found,
        logs: [...logs],
        outcome,
        ms: performance.now() - from,
      });
    }
  } finally {
    await shared?.[Symbol.asyncDispose]();
  }
  const names = file.tests.filter((test) => test.expect === 'snapshot').map((test) => test.name);
  if (options.update) snapshots.save(names);
  return {
    file: file.file,
    findings: [],
    results,
    leftOut,
    obsolete: snapshots.obsolete(names),
    events: prepared.map(({ events }) => events),
  };
}

function isOfStream({ inject, expect }: WrittenTest): boolean {
  if (inject !== undefined) return true;
  if (typeof expect === 'string') return false;
  const { delivered, skipped, dead_letter, pending, state } = expect;
  return [delivered, skipped, dead_letter, pending, state].some((each) => each !== undefined);
}

function injectionFindings(
  test: WrittenTest,
  pointer: string,
  file: TestFile,
  { stream, rules }: Target,
  events: number,
): Finding[] {
  return (test.inject ?? []).flatMap((one, i) => {
    const at = `${pointer}/inject/${i}`;
    const found: Finding[] = [];
    const ids = stream.sinks.map((sink) => sink.id);
    if (one.sink !== undefined && !ids.includes(one.sink)) {
      found.push(
        file.finding(
          'E_TEST_INVALID',
          `${at}/sink`,
          'the stream has no sink of this id',
          `its sinks: ${ids.join(', ')}`,
        ),
      );
    }
    if (one.transform !== undefined) {
      const rule = one.id === undefined ? rules[0] : rules.find((each) => each.id === one.id);
      const known = rules.map((each) => each.id).join(', ');
      if (rule === undefined)
        found.push(
          file.finding('E_TEST_INVALID', `${at}/id`, 'this transformation is not tested here', `one of: ${known}`),
        );
      else if (rule.plugin !== undefined)
        found.push(
          file.finding(
            'E_TEST_INVALID',
            `${at}/transform`,
            "a plugin's transform runs outside of the sandbox",
            'inject at a sink',
          ),
        );
    }
    const far = one.at?.find((n) => n > events);
    if (far !== undefined)
      found.push(file.finding('E_TEST_INVALID', `${at}/at`, `the test has no event ${far}`, `it has ${events}`));
    return found;
  });
}
