// A copy of the project's own files in a temporary folder, with the installed packages linked: for tests that change, build or
// pack the project without touching it.

import { cpSync, existsSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const PARTS = [
  ...['core', 'plugins', 'transforms', 'sandbox', 'schemas', 'playground', 'scripts'],
  ...['package.json', 'tsconfig.json', 'README.md', 'LICENSE', 'CHANGELOG.md'],
];

export interface ProjectCopy extends Disposable {
  at(...parts: string[]): string;
}

export function copyProject(): ProjectCopy {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'sluice-project-')));
  for (const part of PARTS.filter((one) => existsSync(join(root, one)))) {
    cpSync(join(root, part), join(dir, part), {
      recursive: true,
      filter: (path) => !['node_modules', '.sluice', 'dist'].includes(basename(path)),
    });
  }
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'), 'dir');
  return {
    at: (...parts) => join(dir, ...parts),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}
