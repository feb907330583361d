// What `npm test` runs: lint, type check, then every test. Further arguments go on to vitest (`npm test -- core/engine`).
// The browser tests need a Chromium: on Debian, as root, it is installed if it is missing; elsewhere they are left out, which
// is a failure only with CI set. `--long` runs the full figures of the long tests (SLUICE_LONG=1), which otherwise run a tenth.
// Guarantee: the last line is `N passed, N failed` (and `, N skipped`) with the true counts, lint and type check as one each,
// and the exit code is not 0 when anything failed, or when nothing ran. Started by any Node, it runs the tests with the one in
// the npm package `node`.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canInstallChromium, findChromium, installChromium } from './chromium.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, 'node_modules', '.bin');
const args = process.argv.slice(2).filter((arg) => arg !== '--long');
const env = {
  ...process.env,
  PATH: `${bin}${delimiter}${process.env.PATH ?? ''}`,
  ...(process.argv.includes('--long') ? { SLUICE_LONG: '1' } : {}),
};

let child;
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
for (const signal of signals) process.on(signal, () => child?.kill(signal));

/** Runs a tool of the project, its output as it comes. Gives its exit code, or 1 when it was ended by a signal. */
function run(tool, toolArgs) {
  return new Promise((resolve) => {
    child = spawn(join(bin, tool), toolArgs, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', (error) => {
      console.error(`${tool}: ${error.message}`);
      resolve(1);
    });
    child.on('close', (code) => resolve(code ?? 1));
  });
}

const counts = { passed: 0, failed: 0, skipped: 0 };
const step = async (name, tool, toolArgs) => {
  const ok = (await run(tool, toolArgs)) === 0;
  counts[ok ? 'passed' : 'failed']++;
  console.log(`${name}: ${ok ? 'ok' : 'failed'}`);
};

if (!existsSync(bin)) {
  console.error('The dependencies are not installed: run `npm ci` first.');
  console.log('0 passed, 1 failed');
  process.exit(1);
}
await step('lint', 'biome', ['check', '--no-errors-on-unmatched', '--diagnostic-level=error', '.']);
await step('types', 'tsc', ['--noEmit']);
await step('types of the page', 'tsc', ['-p', 'playground/web']);

// the browser tests need a Chromium; where there is none they are left out, but not in CI
if (args.length === 0 || args.some((arg) => arg.includes('browser'))) {
  const found = findChromium() ?? (canInstallChromium() ? installChromium() : null);
  if (found === null)
    console.log('no Chromium: the browser tests are left out (install it, or name it in SLUICE_CHROMIUM)');
  if (found === null && process.env.CI) counts.failed++;
}

const results = mkdtempSync(join(tmpdir(), 'sluice-test-'));
const file = join(results, 'results.json');
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
const code = await run('vitest', ['run', '--config', 'test/vitest.config.ts', ...reporters, ...args]);
let told = null;
try {
  told = JSON.parse(readFileSync(file, 'utf8'));
} catch {
  // vitest did not come so far as to write it: its exit code is all there is
}
rmSync(results, { recursive: true, force: true });
if (told !== null) {
  counts.passed += told.numPassedTests;
  counts.failed += told.numFailedTests;
  counts.skipped += told.numPendingTests + told.numTodoTests;
  // a file that cannot be loaded has no test that could fail
  counts.failed += told.testResults.filter(
    (one) => one.status === 'failed' && one.assertionResults.length === 0,
  ).length;
}
// an error outside of every test, or nothing that ran, is a failure too
if (counts.failed === 0 && (code !== 0 || told === null || told.numTotalTests === 0)) counts.failed++;
console.log(
  `${counts.passed} passed, ${counts.failed} failed${counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`}`,
);
process.exit(counts.failed === 0 ? 0 : 1);
