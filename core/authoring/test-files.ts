// Where the tests of a transformation stand: beside its code, under the name of the transformation or of its file.

import { existsSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import type { TransformRule } from '../manifest/model.ts';

/** The test files of a rule that are there. */
export function testFilesOf(rule: TransformRule): readonly string[] {
  return stemsOf(rule)
    .flatMap((stem) => ['yaml', 'yml', 'json'].map((ending) => join(rule.dir, `${stem}.tests.${ending}`)))
    .filter((path) => existsSync(path));
}

/** Where the first test of a rule is written. */
export function newTestFileOf(rule: TransformRule): string {
  return join(rule.dir, `${stemsOf(rule).at(-1)!}.tests.yaml`);
}

// Code that stands in the manifest has its tests under its id alone.
function stemsOf(rule: TransformRule): readonly string[] {
  const own = rule.offset.line === 1 && rule.offset.column === 1 && rule.plugin === undefined;
  const code = basename(rule.file);
  return [rule.id, ...(own ? [code, basename(code, extname(code))] : [])];
}
