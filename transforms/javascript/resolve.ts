// Where a module of an npm package stands on the disk: the search through node_modules, and the package's own `exports`,
// `imports`, `module` and `main`, as https://nodejs.org/api/esm.html#resolution-algorithm-specification says, and for files
// without an extension as https://nodejs.org/api/modules.html does. The condition `node` is not met: the sandbox has none of it.
// Refuses: files outside of the package's own folder, also by way of links. A package must not bring the host's files along.

import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';

export interface Package {
  /** Absolute, without links. */
  readonly root: string;
  readonly name: string;
  /** Empty where its package.json says none. */
  readonly version: string;
  readonly meta: Meta;
}

interface Meta {
  readonly name?: unknown;
  readonly version?: unknown;
  readonly type?: unknown;
  readonly main?: unknown;
  readonly module?: unknown;
  readonly exports?: unknown;
  readonly imports?: unknown;
}

/** How a module is asked for. */
export type Asked = 'import' | 'require';

const CONDITIONS: Readonly<Record<Asked, ReadonlySet<string>>> = {
  import: new Set(['import', 'module', 'default']),
  require: new Set(['require', 'default']),
};

/** `@scope/name/lib/a` is `./lib/a` of `@scope/name`. null: no name of a package. */
export function splitSpecifier(specifier: string): { readonly name: string; readonly subpath: string } | null {
  const found = /^((?:@[\w.~-]+\/)?[\w~-][\w.~-]*)(\/.*)?$/.exec(specifier);
  if (found === null) return null;
  const rest = found[2] ?? '';
  return { name: found[1]!, subpath: rest === '' || rest === '/' ? '.' : `.${rest}` };
}

/** The installed package that a file in `folder` means. null: there is none. */
export function findPackage(name: string, folder: string): Package | null {
  for (let at = folder; ; at = dirname(at)) {
    const found = packageIn(join(at, 'node_modules', name), name);
    if (found !== null) return found;
    if (at === dirname(at)) return null;
  }
}

function packageIn(folder: string, name: string): Package | null {
  const meta = metaOf(folder);
  if (meta === null) return null;
  return { root: realpathSync(folder), name, version: typeof meta.version === 'string' ? meta.version : '', meta };
}

function metaOf(folder: string): Meta | null {
  try {
    const meta = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Meta | null;
    return typeof meta === 'object' ? meta : null;
  } catch {
    return null;
  }
}

/** The file behind a package's name (`.`) or a path below it. null: it has no such entry. */
export function entryOf(found: Package, subpath: string, asked: Asked): string | null {
  const { meta } = found;
  if (meta.exports !== undefined && meta.exports !== null) {
    const target = fromMap(mapOf(meta.exports), subpath, CONDITIONS[asked]);
    return typeof target === 'string' && target.startsWith('./') ? fileOf(found, join(found.root, target)) : null;
  }
  if (subpath !== '.') return fileOf(found, join(found.root, subpath));
  for (const main of asked === 'import' ? [meta.module, meta.main] : [meta.main]) {
    const file = typeof main === 'string' ? fileOf(found, resolve(found.root, main)) : null;
    if (file !== null) return file;
  }
  return fileOf(found, join(found.root, 'index'));
}

/** What `#name` means within a package: a path (`./…`) or the name of another package. null: nothing. */
export function internalOf(found: Package, specifier: string, asked: Asked): string | null {
  const target = fromMap(mapOf(found.meta.imports ?? {}), specifier, CONDITIONS[asked]);
  return typeof target === 'string' ? target : null;
}

/** The file at a path within the package, with the endings and the `index` that CommonJS leaves out. */
export function fileOf(found: Package, path: string): string | null {
  const endings = ['', '.js', '.mjs', '.cjs', '.json'];
  const meta = metaOf(path);
  const main = typeof meta?.main === 'string' ? [join(path, meta.main)] : [];
  for (const base of [path, ...main, join(path, 'index')]) {
    for (const ending of endings) {
      const file = realFile(`${base}${ending}`);
      if (file?.startsWith(found.root + sep)) return file;
    }
  }
  return null;
}

function realFile(path: string): string | null {
  try {
    return statSync(path).isFile() ? realpathSync(path) : null;
  } catch {
    return null;
  }
}

/** What the nearest package.json says: whether `.js` is an ES module there. */
export function isModuleScope(found: Package, file: string): boolean {
  for (let at = dirname(file); at.startsWith(found.root); at = dirname(at)) {
    const meta = metaOf(at);
    if (meta !== null) return meta.type === 'module';
  }
  return false;
}

type Conditions = ReadonlySet<string>;

// `exports` may be the target of `.` itself.
function mapOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const keys = Object.keys(value);
    if (keys.length === 0 || /^[.#]/.test(keys[0]!)) return value as Readonly<Record<string, unknown>>;
  }
  return { '.': value };
}

function fromMap(map: Readonly<Record<string, unknown>>, key: string, conditions: Conditions): unknown {
  if (Object.hasOwn(map, key) && !key.includes('*')) return targetOf(map[key], null, conditions);
  let best: { readonly pattern: string; readonly head: string; readonly star: string } | undefined;
  for (const pattern of Object.keys(map)) {
    const [head, tail, ...more] = pattern.split('*');
    if (tail === undefined || more.length > 0) continue;
    if (!key.startsWith(head!) || !key.endsWith(tail) || key.length < pattern.length) continue;
    // the longest text before the star is the most exact pattern
    if (best !== undefined && best.head.length >= head!.length) continue;
    best = { pattern, head: head!, star: key.slice(head!.length, key.length - tail.length) };
  }
  return best === undefined ? undefined : targetOf(map[best.pattern], best.star, conditions);
}

/** null: it is closed. undefined: no condition is met. */
function targetOf(value: unknown, star: string | null, conditions: Conditions): string | null | undefined {
  if (typeof value === 'string') return star === null ? value : value.replaceAll('*', () => star);
  if (typeof value !== 'object') return undefined;
  if (value === null) return null;
  const choices = Array.isArray(value)
    ? (value as unknown[])
    : Object.entries(value).flatMap(([name, each]) => (conditions.has(name) ? [each as unknown] : []));
  for (const each of choices) {
    const target = targetOf(each, star, conditions);
    if (target !== undefined) return target;
  }
  return undefined;
}
