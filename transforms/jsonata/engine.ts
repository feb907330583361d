// Finds a version of the reference library: the one that comes with Sluice, or another that stands in a node_modules beside the
// transform or above it (also under an alias, `npm install jsonata-2.1@npm:jsonata@2.1.0`). Never the network.
// Refuses a version that is not there: results must not depend on what happens to be installed.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { compileFunction } from 'node:vm';
import { messageOf, sluiceError } from 'sluice/sdk';
import type { JsonataNode } from './ast.ts';
import { withoutPromises } from './library.ts';

export interface Engine {
  readonly version: string;
  /** The package's own jsonata.js. */
  readonly reference: string;
  /** The same without promises; null: that cannot be made of this version. */
  readonly sync: string | null;
  /** The library's own parser. @throws an object with code, position and message */
  parse(expression: string): JsonataNode;
  isFunction(name: string): boolean;
}

const engines = new Map<string, Promise<Engine>>(); // by folder

/** `wanted`: `jsonata@x.y.z`, or undefined for the one that comes with Sluice. @throws SluiceError E_TRANSFORM_ENGINE */
export function findEngine(wanted: string | undefined, dir: string): Promise<Engine> {
  const folder = folderOf(wanted?.slice('jsonata@'.length), dir);
  let engine = engines.get(folder);
  if (engine === undefined) {
    engine = load(folder);
    engines.set(folder, engine);
  }
  return engine;
}

function folderOf(version: string | undefined, dir: string): string {
  const bundled = dirname(createRequire(import.meta.url).resolve('jsonata/package.json'));
  if (version === undefined || versionIn(bundled) === version) return bundled;
  for (let at = dir; ; at = dirname(at)) {
    const modules = join(at, 'node_modules');
    if (existsSync(modules)) {
      const names = readdirSync(modules).filter((name) => name.startsWith('jsonata'));
      const found = names.map((name) => join(modules, name)).find((folder) => versionIn(folder) === version);
      if (found !== undefined) return found;
    }
    if (dirname(at) === at) break;
  }
  throw sluiceError('E_TRANSFORM_ENGINE', {
    message: `jsonata@${version} is not installed here; Sluice comes with jsonata@${versionIn(bundled)}`,
    fix: `run \`npm install jsonata-${version}@npm:jsonata@${version}\` beside the transform, or leave \`engine\` out`,
  });
}

function versionIn(folder: string): string | null {
  try {
    const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>;
    return name === 'jsonata' && typeof version === 'string' ? version : null;
  } catch {
    return null;
  }
}

interface Module {
  (expression: string): { ast(): JsonataNode };
  readonly internals?: { readonly staticFrame: { lookup(name: string): unknown } };
}

async function load(folder: string): Promise<Engine> {
  const version = versionIn(folder)!;
  const reference = readFileSync(join(folder, 'jsonata.js'), 'utf8');
  let sync: string | null = null;
  try {
    sync = await withoutPromises(reference);
  } catch (thrown) {
    if (version.startsWith('2.')) throw new Error(`jsonata@${version}: ${messageOf(thrown)}`, { cause: thrown });
  }
  const library = evaluate(sync ?? reference);
  return {
    version,
    reference,
    sync,
    parse: (expression) => library(expression).ast(),
    isFunction: (name) =>
      name === 'now' || name === 'millis' || library.internals?.staticFrame.lookup(name) !== undefined,
  };
}

/** For its parser only: the library is a package like any other, and no expression is evaluated here. */
function evaluate(source: string): Module {
  const module = { exports: {} };
  compileFunction(source, ['module', 'exports'])(module, module.exports);
  return module.exports as Module;
}
