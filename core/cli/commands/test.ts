// `sluice test`: the tests beside transforms, in the sandbox of production and with no network. Exit codes: 0 all passed, 1 a
// test failed, 2 a test file or what it tests is wrong, or there is nothing to test.

import { writeFile } from 'node:fs/promises';
import { createLanguages } from '../../../transforms/index.ts';
import { findTests } from '../../authoring/find-tests.ts';
import { junitXml } from '../../authoring/junit.ts';
import { type FileResult, runTestFile } from '../../authoring/run-test-file.ts';
import { type Surroundings, surroundings, targetOf } from '../../authoring/target.ts';
import { readTestFile } from '../../authoring/test-file.ts';
import { sluiceError } from '../../errors.ts';
import { renderFindings } from '../../manifest/frame.ts';
import type { Finding } from '../../manifest/load.ts';
import { createLog } from '../../observe/log.ts';
import { createRegistry } from '../../registry/resolve.ts';
import { type Command, flag, type Invocation, isSet } from '../command.ts';
import { hasErrors, printData, printJson, say } from '../output.ts';

export const command: Command = {
  name: 'test',
  summary: 'Runs the tests of transforms (*.tests.yaml) in the sandbox, offline.',
  usage: 'test [test file | manifest | folder …] [-t name]',
  examples: ['test examples/file-to-file', 'test examples/file-to-file/real-orders.tests.yaml --coverage'],
  options: {
    name: { type: 'string', short: 't', help: 'only tests whose name holds this text' },
    update: { type: 'boolean', short: 'u', help: 'store what comes out as the snapshots' },
    junit: { type: 'string', help: 'write the results to this file, as JUnit XML' },
  },
  async run(invocation) {
    const log = createLog({ level: 'error', format: 'text', color: invocation.color });
    await using languages = createLanguages({ log });
    return await once(invocation, languages);
  },
};

async function once(invocation: Invocation, languages: Surroundings['languages']): Promise<number> {
  const around = surroundings(languages, (dir) => {
    const registry = createRegistry({ manifestDir: dir });
    return (name, kind) => registry.resolve(name, kind);
  });
  const files = await runAll(invocation, around);
  const tests = files.flatMap((file) => file.results);
  const findings = files.flatMap((file) => file.findings).filter((finding) => finding.severity === 'error');
  const failed = tests.filter((test) => !test.passed).length;
  const passed = tests.length - failed;
  const junit = flag(invocation, 'junit');
  if (junit !== undefined) await writeFile(junit, junitXml(files));
  if (invocation.json) await printJson({ passed, failed, invalid: findings.length, files: files.map(fileJson) });
  else {
    for (const file of files) if (file.results.length > 0) await printData(fileText(file, invocation));
    const parts = [`${passed} passed`, ...(failed > 0 ? [`${failed} failed`] : [])];
    if (findings.length > 0) parts.push(`${findings.length} of what was written cannot be run`);
    await printData(`\n${parts.join(', ')}`);
  }
  if (findings.length > 0) return 2;
  if (tests.length === 0) {
    const name = flag(invocation, 'name');
    throw sluiceError('E_USAGE', {
      message: name === undefined ? 'there are no tests here' : `no test has "${name}" in its name`,
      fix: 'write tests in <transform>.tests.yaml, beside the transform',
    });
  }
  return failed === 0 ? 0 : 1;
}

async function runAll(invocation: Invocation, around: Surroundings): Promise<readonly FileResult[]> {
  const part = flag(invocation, 'name')?.toLowerCase();
  const chosen = (name: string): boolean => part === undefined || name.toLowerCase().includes(part);
  const options = { languages: around.languages, update: isSet(invocation, 'update'), chosen };
  const { files, failed } = await findTests(invocation.positionals, (path) => around.load(path));
  const results: FileResult[] = [];
  const tell = (findings: readonly Finding[], sources: ReadonlyMap<string, string>): void => {
    const shown = invocation.quiet ? findings.filter((finding) => finding.severity === 'error') : findings;
    if (!invocation.json && shown.length > 0) say(renderFindings(shown, { sources, colour: invocation.color }));
  };
  const nothing = (file: string, findings: readonly Finding[]): FileResult => ({
    file,
    findings,
    results: [],
    leftOut: 0,
    obsolete: [],
    events: [],
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
    const result = await runTestFile(read.tests, found.target, options);
    tell(result.findings, sources);
    results.push(result);
  }
  return results;
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
