// The tests of a transformation for the page: listed, run and written by the code of `sluice test`, in the same file.

import { relative } from 'node:path';
import { envelopeText } from 'sluice/sdk';
import {
  type EventBatch,
  type Finding,
  type Languages,
  type Log,
  newTestFileOf,
  openTriedChain,
  type Registry,
  readTestFile,
  runTestFile,
  surroundings,
  type Target,
  type TransformRule,
  targetOf,
  testEntry,
  testFilesOf,
  withTest,
} from '../../core/workbench.ts';
import type { PlaygroundFinding, PlaygroundTestResult, Response } from './api.ts';
import { replaceTexts, textOf } from './files.ts';
import { shownPath } from './paths.ts';
import type { Workbook } from './workbook.ts';

export interface TestParts {
  readonly workbook: Workbook;
  readonly languages: Languages;
  readonly registry: Registry;
  readonly shown: Shown;
}

/** A finding as it may be shown. */
type Shown = (finding: Finding) => PlaygroundFinding;

export interface RunningParts extends TestParts {
  /** Takes secrets out of what the tests show. */
  readonly mask: Log['mask'];
  /** Ends them between two. */
  readonly signal: AbortSignal;
}

export interface SavingParts extends TestParts {
  /** Runs what reads and then writes files, one at a time. */
  writing<T>(write: () => Promise<T>): Promise<T>;
}

const quiet = (): void => undefined;
const silent = { debug: quiet, info: quiet, warn: quiet, error: quiet };

export async function testsOf(rule: TransformRule, shown: Shown): Promise<Response<'tests'>> {
  const path = fileOf(rule);
  if (testFilesOf(rule).length === 0) return { file: shownPath(path), exists: false, tests: [], findings: [] };
  const { tests, findings } = await readTestFile(path);
  return {
    file: shownPath(path),
    exists: true,
    tests: (tests?.tests ?? []).map(({ name }, i) => ({ name, line: tests!.lineOf(`/tests/${i}/name`) })),
    findings: findings.map(shown),
  };
}

/** `draft`: in place of the transformation of the file. `name`: only this one. */
export async function runTests(
  rule: TransformRule,
  draft: TransformRule | null,
  name: string | undefined,
  parts: RunningParts,
): Promise<Response<'runTests'>> {
  const { workbook, languages, registry, shown, mask, signal } = parts;
  const none = (findings: readonly Finding[]): Response<'runTests'> => ({
    results: [],
    findings: findings.map(shown),
    passed: 0,
    failed: 0,
  });
  if (testFilesOf(rule).length === 0) return none([]);
  const { tests, findings } = await readTestFile(fileOf(rule));
  if (tests === null) return none(findings);
  const around = surroundings(languages, () => (type, kind) => registry.resolve(type, kind));
  const given = { manifest: workbook.book.file, transformation: rule.id };
  const found = await targetOf(tests, around, given);
  const wrong = found.findings.filter((one) => one.severity === 'error');
  if (found.target === null || wrong.length > 0) return none(wrong);
  const target = draft === null ? found.target : withDraft(found.target, draft);
  const ran = await runTestFile(tests, target, {
    languages,
    update: false,
    signal,
    chosen: (one) => name === undefined || one === name,
  });
  const results = ran.results.map(
    ({ outcome, ms, ...test }): PlaygroundTestResult => ({
      ...test,
      ms,
      outputs: (outcome?.events ?? []).map((event) => JSON.stringify(event)),
      errors: outcome?.errors ?? [],
    }),
  );
  const passed = results.filter((one) => one.passed).length;
  const masked = mask.value(results) as typeof results;
  return { results: masked, findings: ran.findings.map(shown), passed, failed: results.length - passed };
}

function withDraft(target: Target, draft: TransformRule): Target {
  const put = (rules: readonly TransformRule[]) => rules.map((rule) => (rule.id === draft.id ? draft : rule));
  const { stream } = target;
  return { ...target, rules: put(target.rules), stream: { ...stream, transformations: put(stream.transformations) } };
}

/**
 * Writes a test that expects what `draft` makes of the event now. `rule` says where.
 * @throws SluiceError E_TEST_INVALID, E_TEST_SYNTAX, or what keeps the code from running
 */
export async function saveTest(
  rule: TransformRule,
  draft: TransformRule,
  name: string,
  event: EventBatch,
  { workbook, languages, writing }: SavingParts,
): Promise<{ readonly file: string; readonly line: number }> {
  const stream = workbook.book.manifest.streams.find((one) => one.transformations.some(({ id }) => id === rule.id));
  const around = stream ?? workbook.book.manifest.streams[0]!;
  await using tried = await openTriedChain([draft], around, { languages, log: silent });
  const [became] = await tried.each(event);
  const { outputs, error } = became!;
  const entry = testEntry(
    name,
    envelopeText(event, 0),
    outputs.map((one) => JSON.stringify(one)),
    error,
  );
  const manifest = relative(rule.dir, workbook.book.file).replaceAll('\\', '/');
  const target = { manifest: manifest.startsWith('.') ? manifest : `./${manifest}`, transformation: rule.id };
  return await writing(async () => {
    const path = fileOf(rule);
    const before = testFilesOf(rule).length === 0 ? null : await textOf(path);
    const { text, line } = withTest(before, target, entry);
    await replaceTexts([{ path, before, after: text }]);
    return { file: shownPath(path), line };
  });
}

function fileOf(rule: TransformRule): string {
  return testFilesOf(rule)[0] ?? newTestFileOf(rule);
}
