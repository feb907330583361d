// The project's own TypeScript files, and which of them run in production: those that can be reached by imports from what a
// person, npm or a running process starts. Tests and what only tests import are not among them.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Scanned, scan } from './scan.ts';

export const root = fileURLToPath(new URL('../../', import.meta.url));
const FOLDERS = ['core', 'plugins', 'transforms', 'sandbox', 'playground', 'schemas', 'examples', 'test'];

export interface SourceFile extends Scanned {
  /** Relative to the project, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export function sourceFiles(): ReadonlyMap<string, SourceFile> {
  const found = new Map<string, SourceFile>();
  for (const folder of FOLDERS.filter((one) => existsSync(join(root, one)))) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      const path = posix.relative(root, join(entry.parentPath, entry.name));
      if (
        !entry.isFile() ||
        !/\.tsx?$/.test(entry.name) ||
        path.includes('node_modules/') ||
        path.includes('/.sluice/')
      )
        continue;
      const text = readFileSync(join(root, path), 'utf8');
      found.set(path, { path, text, ...scan(text) });
    }
  }
  return found;
}

/** Files that a process starts by name or that a package exports; plugins' entries are added by their package.json. */
const STARTED = [
  'core/cli/main.ts',
  'core/cli/index.ts',
  'core/index.ts',
  'core/sdk.ts',
  'core/testkit.ts',
  'core/testkit/lodger.ts',
  'core/state/worker.ts',
  'sandbox/child.ts',
];

export function productionFiles(files: ReadonlyMap<string, SourceFile>): ReadonlySet<string> {
  const started = [...STARTED, ...[...files.keys()].filter((path) => /^plugins\/[^/]+\/index\.ts$/.test(path))];
  const reached = new Set<string>();
  const visit = (path: string): void => {
    const file = files.get(path);
    if (file === undefined || reached.has(path)) return;
    reached.add(path);
    for (const { specifier } of file.imports) {
      if (specifier.startsWith('.')) visit(posix.normalize(posix.join(posix.dirname(path), specifier)));
    }
  };
  for (const path of started) visit(path);
  return reached;
}
