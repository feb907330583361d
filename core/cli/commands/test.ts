// `sluice test`: the tests beside transforms, in the sandbox of production and with no network. Exit codes: 0 all passed, 1 a
// test failed, 2 a test file or what it tests is wrong, or there is nothing to test.

import { writeFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { createLanguages } from '../../../transforms/index.ts';
import { coverageOf, type FileCoverage, rangesText } from '../../authoring/coverage.ts';
import { type EngineDifference, engineDifferences, onEngine } from '../../authoring/engine.ts';
import { findTests } from '../../authoring/find-tests.ts';
import { junitXml } from '../../authoring/junit.ts';
import { type FileResult, runTestFile } from '../../authoring/run-test-file.ts';
import { type Surroundings, surroundings, type Target, targetOf } from '../../authoring/target.ts';
import { readTestFile } from '../../authoring/tests-file.ts';
import { sluiceError } from '../../errors.ts';
import { renderFindings } from '../../manifest/frame.ts';
import type { Finding } from '../../manifest/load.ts';
import type { ResolvePlugin } from '../../manifest/work.ts';
import { createLog } from '../../observe/log.ts';
import { createRegistry } from '../../registry/resolve.ts';
import { type Command, flag, type Invocation, isSet } from '../command.ts';
import { jsonDiff } from '../diff.ts';
import { hasErrors, printData, printError, printJson, say } from '../output.ts';
import { onSignals } from '../signals.ts';
import { nextChange } from '../watch.ts';

export const command: Command = {
  name: 'test',
  summary: 'Runs the tests of transforms (*.tests.yaml) in the sandbox, offline.',
  usage: 'test [test file | manifest | folder …] [-t name] | test [manifest] --against captures',
  examples: ['test examples/file-to-file', 'test examples/file-to-file/real-orders.tests.yaml --coverage'],
  options: {
    name: { type: 'string', short: 't', help: 'only tests whose name holds this text' },
    update: { type: 'boolean', short: 'u', help: 'store what comes out as the snapshots' },
    against: { type: 'string', help: 'compare old and new code on captures, dead-letters, or a file of events' },
    old: { type: 'string', help: 'with --against: the old code or manifest; by default that of the last commit' },
    stream: { type: 'string', help: 'with --against: which stream of the manifest' },
    engine: { type: 'string', help: 'run them on this version too, e.g. jsonata@2.1.0, and say what differs' },
    coverage: { type: 'boolean', help: 'say which lines of the transforms ran' },
    watch: { type: 'boolean', short: 'w', help: 'run again whenever a file changes' },
    junit: { type: 'string', help: 'write the results to this file, as JUnit XML' },
  },
  async run(invocation) {
    const log = createLog({ level: 'error', format: 'text', color: invocation.color });
    await using languages = createLanguages({ log });
    if (flag(invocation, 'against') !== undefined) {
      const { against } = await import('../against.ts');
      return await against(invocation, surroundings(languages, resolverFor), log);
    }
    for (const name of ['old', 'stream']) {
      if (flag(invocation, name) === undefined) continue;
      throw sluiceError('E_USAGE', {
        message: `--${name} is for --against`,
        fix: 'leave it out, or write --against captures',
      });
    }
    if (isSet(invocation, 'watch')) return await watched(invocation, languages);
    return (await once(invocation, languages)).code;
  },
};

function resolverFor(dir: string): ResolvePlugin {
  const registry = createRegistry({ manifestDir: dir });
  return (name, kind) => registry.resolve(name, kind);
}

/** Runs again after each change, until a signal comes. */
async function watched(invocation: Invocation, languages: Surroundings['languages']): Promise<number> {
  const end = new AbortController();
  const signals = onSignals(() => end.abort(), 'ending');
  try {
    while (!end.signal.aborted) {
      const since = Date.now();
      let folders: readonly string[] = invocation.positionals.length === 0 ? ['.'] : [];
      try {
        folders = [...folders, ...(await once(invocation, languages)).folders];
      } catch (thrown) {
        await printError(thrown, invocation); // nothing to test yet is no end here
        folders = [...folders, ...invocation.positionals];
      }
      const own = basename(flag(invocation, 'junit') ?? '');
      await nextChange(folders, {
        signal: end.signal,
        since,
        ignore: (name) => name.endsWith('.snap.json') || name === own, // what a run writes itself
        looking: () => say('waiting for a change; Ctrl+C ends'),
      });
    }
  } finally {
    signals.end();
  }
  return signals.code;
}

interface Once {
  readonly code: number;
  /** Where what was tested stands. */
  readonly folders: readonly string[];
}

async function once(invocation: Invocation, languages: Surroundings['languages']): Promise<Once> {
  const around = surroundings(languages, resolverFor);
  const ran = await runAll(invocation, around);
  const files = ran.map(({ result }) => result);
  const engine = flag(invocation, 'engine');
  const tried = ran.filter((one) => one.target !== null);
  if (engine !== undefined && tried.length > 0 && tried.every((one) => one.differing === null)) {
    throw sluiceError('E_USAGE', {
      message: `none of what is tested here is written in ${engine.split('@')[0]}`,
      fix: 'write --engine jsonata@<version>, and test a transform in JSONata',
    });
  }
  const differing = ran.flatMap((one) => (one.differing ?? []).map((found) => ({ file: one.file, ...found })));
  const coverage = isSet(invocation, 'coverage') ? await allCoverage(ran, languages) : [];
  const tests = files.flatMap((file) => file.results);
  const findings = files.flatMap((file) => file.findings).filter((finding) => finding.severity === 'error');
  const failed = tests.filter((test) => !test.passed).length;
  const passed = tests.length - failed;
  const junit = flag(invocation, 'junit');
  if (junit !== undefined) await writeFile(junit, junitXml(files));
  if (invocation.json)
    await printJson({
      passed,
      failed,
      invalid: findings.length,
      files: files.map(fileJson),
      ...(isSet(invocation, 'coverage') ? { coverage } : {}),
      ...(engine === undefined ? {} : { engine, differing }),
    });
  else {
    for (const file of files) if (file.results.length > 0) await printData(fileText(file, invocation));
    const parts = [`${passed} passed`, ...(failed > 0 ? [`${failed} failed`] : [])];
    if (findings.length > 0) parts.push(`${findings.length} of what was written cannot be run`);
    await printData(`\n${parts.join(', ')}`);
    for (const one of coverage) await printData(coverageText(one));
    if (engine !== undefined) await printData(engineText(engine, differing));
  }
  const folders = ran.flatMap(({ file, target }) => [
    dirname(resolve(file)),
    ...(target?.rules ?? []).map((rule) => rule.dir),
  ]);
  if (findings.length > 0) return { code: 2, folders };
  if (tests.length === 0) {
    const name = flag(invocation, 'name');
    throw sluiceError('E_USAGE', {
      message: name === undefined ? 'there are no tests here' : `no test has "${name}" in its name`,
      fix: 'write tests in <transform>.tests.yaml, beside the transform',
    });
  }
  return { code: failed === 0 ? 0 : 1, folders };
}

interface Ran {
  readonly file: string;
  readonly target: Target | null;
  /** With --engine: on that. */
  readonly result: FileResult;
  /** What --engine changes; null where it has no part. */
  readonly differing: readonly EngineDifference[] | null;
}

async function allCoverage(
  ran: readonly Ran[],
  languages: Surroundings['languages'],
): Promise<(FileCoverage | string)[]> {
  const found: (FileCoverage | string)[] = [];
  for (const { target, result } of ran) {
    // what does not compile has failed its tests already
    if (target !== null && result.events.length > 0 && result.results.some((test) => test.outcome !== null))
      found.push(...(await coverageOf(target, result.events, languages)));
  }
  return found;
}

async function runAll(invocation: Invocation, around: Surroundings): Promise<readonly Ran[]> {
  const part = flag(invocation, 'name')?.toLowerCase();
  const chosen = (name: string): boolean => part === undefined || name.toLowerCase().includes(part);
  const options = { languages: around.languages, update: isSet(invocation, 'update'), chosen };
  const { files, failed } = await findTests(invocation.positionals, (path) => around.load(path));
  const results: Ran[] = [];
  const tell = (findings: readonly Finding[], sources: ReadonlyMap<string, string>): void => {
    const shown = invocation.quiet ? findings.filter((finding) => finding.severity === 'error') : findings;
    if (!invocation.json && shown.length > 0)
      say(renderFindings(shown, { sources, colour: invocation.color, again: 'test' }));
  };
  const nothing = (file: string, findings: readonly Finding[]): Ran => ({
    file,
    target: null,
    result: { file, findings, results: [], leftOut: 0, obsolete: [], events: [] },
    differing: null,
  });
  for (const loaded of failed) {
    tell(loaded.findings, loaded.sources);
    results.push(nothing(loaded.findings[0]?.at?.file ?? '', loaded.findings));
  }
  for (const { file, given } of files) {
    const read = await readTestFile(file);
    const sources = new Map([[file, read.text]]);
    if (read.tests === null) {
      tell(read.findings, sources);
      results.push(nothing(file, read.findings));
      continue;
    }
    const found = await targetOf(read.tests, around, given);
    if (found.target === null || hasErrors(found.findings)) {
      tell(found.findings, new Map([...sources, ...found.sources]));
      results.push(nothing(file, found.findings));
      continue;
    }
    const own = await runTestFile(read.tests, found.target, options);
    const engine = flag(invocation, 'engine');
    const moved = engine === undefined ? null : onEngine(found.target, engine);
    const result = moved === null ? own : await runTestFile(read.tests, moved, { ...options, update: false });
    tell(result.findings, sources);
    const differing = moved === null ? null : engineDifferences(own, result);
    results.push({ file, target: moved ?? found.target, result, differing });
  }
  return results;
}

function engineText(engine: string, differing: readonly (EngineDifference & { readonly file: string })[]): string {
  if (differing.length === 0) return `on ${engine} everything comes out as it does now`;
  const lines = differing.flatMap(({ file, line, test, before, after }) => [
    `    ${test}  ${file}:${line}`,
    ...jsonDiff(before, after).map((text) => `        ${text}`),
  ]);
  return [`on ${engine} ${differing.length} of the tests give something else:`, ...lines].join('\n');
}

function fileText(file: FileResult, invocation: Invocation): string {
  const bad = file.results.some((test) => !test.passed);
  const lines = [`${bad ? '✗' : '✓'} ${file.file}`];
  for (const test of file.results) {
    if (test.passed && (invocation.quiet || !(bad || invocation.verbose))) continue;
    const ms = test.ms >= 1000 ? `  (${(test.ms / 1000).toFixed(1)} s)` : '';
    lines.push(`    ${test.passed ? '✓' : '✗'} ${test.name}${test.passed ? '' : `  ${file.file}:${test.line}`}${ms}`);
    lines.push(...test.differences.map((difference) => `        ${difference}`));
    if (!test.passed || invocation.verbose) lines.push(...test.logs.map((log) => `        log: ${log}`));
  }
  lines.push(...file.obsolete.map((name) => `    – the snapshot of "${name}" belongs to no test: --update removes it`));
  return lines.join('\n');
}

function fileJson(file: FileResult): object {
  return {
    file: file.file,
    findings: file.findings,
    tests: file.results.map(({ ms, ...test }) => ({ ...test, ms: Math.round(ms) })),
    obsolete_snapshots: file.obsolete,
  };
}

function coverageText(one: FileCoverage | string): string {
  if (typeof one === 'string') return `coverage: ${one}`;
  const percent = one.lines === 0 ? 100 : Math.floor((100 * one.covered) / one.lines);
  const parts = [`coverage of ${one.file}: ${one.covered} of ${one.lines} lines (${percent} %)`];
  if (one.missed.length > 0) parts.push(`    never ran: ${rangesText(one.missed)}`);
  if (one.partly.length > 0) parts.push(`    ran in part: ${rangesText(one.partly)}`);
  return parts.join('\n');
}
