// Which file the manifest is, before it is loaded.

import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const DEFAULT_MANIFEST = './sluice.yaml';

/** The manifest among the positionals (the first that looks like a file), and the rest of them. */
export function manifestFile(positionals: readonly string[]): {
  readonly file: string;
  readonly rest: readonly string[];
} {
  const index = positionals.findIndex((word) => /\.(ya?ml|json)$/.test(word) || word.includes('/') || existsSync(word));
  if (index < 0) return { file: resolve(DEFAULT_MANIFEST), rest: positionals };
  return { file: resolve(positionals[index]!), rest: positionals.filter((_, k) => k !== index) };
}

// By its text, as a child takes longer to start than a manifest to be read. Wrong only where the word stands in a comment.
export function mayHaveTransforms(file: string): boolean {
  try {
    return readFileSync(file, 'latin1').includes('transformations');
  } catch {
    return false; // loading it says why
  }
}
