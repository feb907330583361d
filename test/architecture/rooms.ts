// Who may import whom: the table of DESIGN section 2, as one function per room. Each says why an import is refused, or null.

import { posix } from 'node:path';
import type { Import } from './scan.ts';

const CORE_PACKAGES = ['ajv', 'yaml', 'pino'];

interface Target {
  /** The file inside of the project, for a relative import. */
  readonly file: string | null;
  /** The package, for a bare one; `node:` for Node's own. */
  readonly bare: string | null;
  readonly specifier: string;
}

/** Why `file` may not import this, as a sentence, or null. Paths are relative to the project, with forward slashes. */
export function refusal(file: string, one: Import): string | null {
  const target = targetOf(file, one.specifier);
  if (target.file?.startsWith('../')) return 'it leads out of the project';
  if (target.bare === 'node:') return null;
  const [room, second] = file.split('/');
  switch (room) {
    case 'schemas':
      return 'schemas import nothing';
    case 'core':
      return second === 'cli' ? fromCli(target, one) : fromCore(target);
    case 'plugins':
      return fromPlugin(file, target, one);
    case 'transforms':
      return fromTransforms(file, target, one);
    case 'sandbox':
      if (target.bare === 'isolated-vm' || inside(target, 'sandbox/')) return null;
      return 'the sandbox imports isolated-vm, Node and itself';
    case 'playground':
      return second === 'web' ? fromWeb(target, one) : fromServer(target);
    default:
      return null; // tests, scripts and examples may import everything
  }
}

function fromCore(target: Target): string | null {
  if (inside(target, 'core/cli/')) return 'only the command line is the composition root, and nothing imports it';
  if (inside(target, 'core/') || inside(target, 'schemas/')) return null;
  if (CORE_PACKAGES.includes(target.bare ?? '')) return null;
  return `core imports Node, ${CORE_PACKAGES.join(', ')}, schemas and itself`;
}

function fromCli(target: Target, one: Import): string | null {
  if (inside(target, 'core/') || inside(target, 'transforms/') || inside(target, 'schemas/')) return null;
  if (inside(target, 'playground/server/'))
    return one.dynamic || one.typeOnly ? null : 'the playground is loaded on demand';
  return 'the command line imports core, transforms, and the playground server on demand';
}

function fromPlugin(file: string, target: Target, one: Import): string | null {
  const own = file.split('/').slice(0, 2).join('/');
  if (inside(target, `${own}/`)) return null;
  if (target.specifier === 'sluice/sdk') return null;
  if (target.bare !== null && target.bare !== 'sluice') {
    return one.dynamic || one.typeOnly ? null : 'a driver is loaded on first use, with import()';
  }
  return 'a plugin imports sluice/sdk, its own driver and its own folder';
}

function fromTransforms(file: string, target: Target, one: Import): string | null {
  if (target.specifier === 'sluice/sdk') return null;
  // the types of rules and of what a loaded transform is: they are erased, so nothing of core comes in by them
  const coreTypes = ['core/languages.ts', 'core/manifest/model.ts'].includes(target.file ?? '');
  if (coreTypes) return one.typeOnly ? null : 'of core only types may come into transforms';
  const language = file.split('/').length > 2 ? file.split('/').slice(0, 2).join('/') : null;
  if (language === null) {
    if (inside(target, 'transforms/')) return null;
    if (target.file === 'sandbox/index.ts') return null;
    if (target.bare !== null && one.typeOnly) return null;
    return 'the bridge imports sluice/sdk, the sandbox by its door, and the languages';
  }
  if (inside(target, `${language}/`)) return null;
  // its library, where that is a package of this house
  if (inside(target, `${language}-js/`)) return one.dynamic || one.typeOnly ? null : 'a library is loaded on first use';
  // what the languages share: the parts of a guest's program
  if (target.file !== null && /^transforms\/[^/]+\.ts$/.test(target.file) && target.file !== 'transforms/run.ts')
    return null;
  if (target.bare !== null && target.bare !== 'sluice') {
    return one.dynamic || one.typeOnly ? null : 'a library of a language is loaded on first use, with import()';
  }
  return 'a language imports sluice/sdk, its own folder and its own library';
}

function fromServer(target: Target): string | null {
  if (['core/index.ts', 'core/workbench.ts'].includes(target.file ?? '')) return null;
  if (inside(target, 'transforms/') || inside(target, 'playground/server/')) return null;
  if (target.specifier === 'sluice/sdk' || target.bare === 'hono' || target.bare === '@hono') return null;
  return 'the playground server imports core/index or core/workbench, transforms and hono';
}

function fromWeb(target: Target, one: Import): string | null {
  if (inside(target, 'playground/web/') || one.typeOnly) return null;
  if (target.bare !== null && target.bare !== 'sluice') return null;
  return 'the page imports types only, and its own libraries';
}

function inside(target: Target, folder: string): boolean {
  return target.file?.startsWith(folder) ?? false;
}

function targetOf(file: string, specifier: string): Target {
  if (specifier.startsWith('.')) {
    return { file: posix.normalize(posix.join(posix.dirname(file), specifier)), bare: null, specifier };
  }
  if (specifier.startsWith('node:')) return { file: null, bare: 'node:', specifier };
  return { file: null, bare: specifier.split('/')[0]!, specifier };
}
