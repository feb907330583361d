// One table of codes, and it is true: every code that the sources use stands in it, every code in it is used, and the page
// that is made from it is current.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { errorCodes } from '../core/error-codes.ts';
import { productionFiles, root, sourceFiles } from './architecture/files.ts';

// Codes that may not be used yet: what brings them is planned.
const PLANNED: readonly string[] = ['E_SOURCE_TAP', 'E_TRANSFORM_PARKED', 'E_DEAD_LETTER_SUPERSEDED'];
// A plugin may have codes of its own: its README says what they mean.
const OWN = /^plugins\//;

const files = sourceFiles();
const used = new Map<string, string>(); // code → the first file that uses it
for (const path of productionFiles(files)) {
  if (path === 'core/error-codes.ts') continue;
  // in the text, not in the code: codes stand in strings, also in the scripts of guests; comments do not count
  for (const line of files.get(path)!.text.split('\n')) {
    if (/^\s*(\/\/|\*|\/\*)/.test(line)) continue;
    for (const [code] of line.matchAll(/\bE_[A-Z]+(?:_[A-Z]+)*\b(?!…|\*)/g)) if (!used.has(code)) used.set(code, path);
  }
}

test('every code that is used stands in the table', () => {
  const begins = (code: string): boolean => Object.keys(errorCodes).some((one) => one.startsWith(`${code}_`)); // startsWith('E_EVENT')
  const unknown = [...used].filter(
    ([code, path]) => errorCodes[code] === undefined && !begins(code) && !OWN.test(path),
  );
  expect(unknown.map(([code, path]) => `${code} in ${path}`)).toEqual([]);
});

test('every code in the table is used, or planned', () => {
  const unused = Object.keys(errorCodes).filter((code) => !used.has(code) && !PLANNED.includes(code));
  expect(unused).toEqual([]);
  expect(PLANNED.filter((code) => errorCodes[code] === undefined)).toEqual([]);
});

test('core/errors.md is current', () => {
  const run = spawnSync(process.execPath, ['--no-warnings', join(root, 'scripts/error-page.mjs'), '--check'], {
    encoding: 'utf8',
  });
  expect(run.stderr).toBe('');
  expect(run.status).toBe(0);
});
