// Where test files are: named, beside the transformations of a manifest, or anywhere below a folder.

import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { sluiceError } from '../errors.ts';
import type { Finding } from '../manifest/finding.ts';
import type { Loaded } from '../manifest/load.ts';
import { shownPath, TESTS } from './target.ts';
import { testFilesOf } from './test-files.ts';

export interface FoundFile {
  /** As it is shown: relative to where the verb runs. */
  readonly file: string;
  /** When a manifest led to it. */
  readonly given?: { readonly manifest: string; readonly transformation: string };
}

export interface FoundFiles {
  readonly files: readonly FoundFile[];
  /** Of manifests that could not be read. */
  readonly failed: readonly Loaded[];
}

/** @throws SluiceError E_USAGE for a path that is neither */
export async function findTests(
  paths: readonly string[],
  load: (manifest: string) => Promise<Loaded>,
): Promise<FoundFiles> {
  const files = new Map<string, FoundFile>();
  const failed: Loaded[] = [];
  const add = (path: string, given?: FoundFile['given']): void => {
    if (!files.has(path)) files.set(path, { file: shownPath(path), ...(given === undefined ? {} : { given }) });
  };
  for (const named of paths.length === 0 ? ['.'] : paths) {
    const path = resolve(named);
    const found = await stat(path).catch(() => null);
    if (found === null) throw sluiceError('E_USAGE', { message: `${named} is not there`, fix: 'check the path' });
    if (found.isDirectory()) for (const each of await below(path)) add(each);
    else if (TESTS.test(path)) add(path);
    else if (/\.(ya?ml|json)$/.test(path)) {
      const loaded = await load(path);
      if (loaded.manifest === null) failed.push(loaded);
      for (const rule of loaded.manifest?.transformations ?? []) {
        for (const test of testFilesOf(rule)) add(test, { manifest: path, transformation: rule.id });
      }
    } else {
      const fix = 'name a folder, a manifest, or a file *.tests.yaml';
      throw sluiceError('E_USAGE', { message: `${named} is no test file`, fix });
    }
  }
  return { files: [...files.values()], failed };
}

export function findingsOf(loaded: readonly Loaded[]): readonly Finding[] {
  return loaded.flatMap((one) => one.findings);
}

async function below(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name === 'node_modules' || entry.name.startsWith('.')) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...(await below(path)));
    else if (entry.isFile() && TESTS.test(entry.name)) found.push(path);
  }
  return found.sort();
}
