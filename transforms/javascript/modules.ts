// Joins a transform with all that it imports: helper modules by relative path, and the npm packages that the manifest lists, with
// the packages that those need. Gives one text for the guest. Nothing of the code runs here; it is only parsed.
// Refuses: packages that are not listed or not there, modules of Node, helpers that cannot be read, circles of imports, names
// that nobody exports, a transform without `export default`.

import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { basename, dirname, extname, isAbsolute, join, posix, relative, resolve, sep } from 'node:path';
import { type ErrorPlace, type SluiceError, sluiceError } from 'sluice/sdk';
import { placeFrom } from '../refusals.ts';
import { readCommonjs, readJson } from './commonjs.ts';
import type { CompiledModules } from './guest.ts';
import { unlinked } from './linking.ts';
import { inProduction } from './node-env.ts';
import {
  type Asked,
  entryOf,
  fileOf,
  findPackage,
  internalOf,
  isModuleScope,
  type Package,
  splitSpecifier,
} from './resolve.ts';
import { checkScript, type Form, type Import, isModule, ModuleFinding, rewriteModule } from './rewrite.ts';
import { stripTypes } from './typescript.ts';

// What packages may bring along: the text goes to each isolate.
const MOST_FILES = 2000;
const MOST_BYTES = 16 << 20;

export interface ModulesSource {
  readonly source: string;
  /** As it stands in errors. */
  readonly file: string;
  readonly typescript: boolean;
  /** Absolute: where relative imports start, and the search for packages. */
  readonly dir: string;
  /** Absolute: helper modules outside of it are refused. */
  readonly within?: string;
  readonly offset: { readonly line: number; readonly column: number };
  /** Names of npm packages that may be imported. What they need themselves comes with them. */
  readonly packages: readonly string[];
}

export interface JoinedModules {
  readonly text: string;
  /** All the code, with helpers and packages: what the identity is made of. */
  readonly code: readonly string[];
  /** From the number of a module, and a place in it, to the author's file. */
  place(module: number, line: number, column: number): ErrorPlace;
}

interface Module {
  /** null: the transform itself. */
  readonly path: string | null;
  readonly file: string;
  readonly source: string;
  /** null: the author's own. */
  readonly within: Package | null;
  readonly form: Form;
  /** -1: a require that finds nothing, and may. */
  imported: readonly number[];
}

interface Found {
  readonly path: string;
  readonly within: Package | null;
}

type Refuse = (code: 'E_TRANSFORM_SYNTAX' | 'E_TRANSFORM_PACKAGE', message: string, fix?: string) => SluiceError;

/** @throws SluiceError E_TRANSFORM_SYNTAX, E_TRANSFORM_LOAD or E_TRANSFORM_PACKAGE, with the place in the author's file or in the package's */
export function compileModules(input: ModulesSource): JoinedModules {
  const modules: Module[] = [];
  const numbers = new Map<string, number>();
  const open = new Set<number>(); // those whose imports are being followed
  let bytes = 0;

  const place = (module: number, line: number, column: number): ErrorPlace =>
    placeIn(module, modules[module]!.file, line, column);
  const placeIn = (module: number, file: string, line: number, column: number): ErrorPlace =>
    module === 0 ? { file, ...placeFrom(input.offset, line, column) } : { file, line, column };

  const add = (path: string | null, file: string, source: string, within: Package | null): number => {
    const number = modules.length;
    try {
      const form =
        within === null
          ? ownForm(source, path === null ? input.typescript : isTypescript(path))
          : formOf(source, path!, within);
      checkScript(
        form.script(
          number,
          form.imports.map(() => 0),
        ),
      );
      if (path !== null && form.changed !== null) {
        const { name, line, column } = form.changed;
        throw new ModuleFinding({
          code: 'E_TRANSFORM_SYNTAX',
          message: `"${name}" is exported and changed later: a module that imports it keeps the value it had first`,
          fix: `export a function that gives the value: \`export const get = () => ${name}\``,
          line,
          column,
        });
      }
      modules.push({ path, file, source, within, form, imported: [] });
    } catch (error) {
      if (!(error instanceof ModuleFinding)) throw error;
      const { code, message, fix, line, column } = error.finding;
      const at = placeIn(number, file, line, column);
      if (within === null) throw sluiceError(code, { message, at, ...(fix === undefined ? {} : { fix }) });
      const text = `the package "${within.name}" cannot be taken in: ${message}`;
      throw sluiceError('E_TRANSFORM_PACKAGE', {
        message: text,
        at,
        fix: 'use another package, or another version of it',
      });
    }
    if (path !== null) numbers.set(path, number);
    return number;
  };

  const link = (number: number, folder: string): void => {
    const module = modules[number]!;
    open.add(number);
    module.imported = module.form.imports.map((wanted) => {
      const refuse: Refuse = (code, message, fix) =>
        sluiceError(code, {
          message,
          at: place(number, wanted.line, wanted.column),
          ...(fix === undefined ? {} : { fix }),
        });
      const found = find(wanted, module, folder, refuse);
      if (found === null) return -1;
      const known = numbers.get(found.path);
      if (known !== undefined) {
        // CommonJS gives what is there so far
        if (open.has(known) && modules[known]!.form.names !== null) throw circle(wanted, module, refuse);
        return known;
      }
      const text = textOf(found, wanted, refuse);
      const made = add(found.path, displayName(input, found.path), text, found.within);
      link(made, dirname(found.path));
      return made;
    });
    open.delete(number);
  };

  /** null: it is not there, and need not be. */
  const find = (wanted: Import, { within, form }: Module, folder: string, refuse: Refuse): Found | null => {
    const { specifier } = wanted;
    if (within === null && /^\.{1,2}\//.test(specifier)) {
      const path = resolve(folder, specifier);
      if (input.within === undefined || path.startsWith(join(input.within, sep))) return { path, within: null };
      const fix = 'move it into the project';
      throw refuse('E_TRANSFORM_SYNTAX', `"${specifier}" is outside of the project, and is not read here`, fix);
    }
    const asked: Asked = form.names === null ? 'require' : 'import';
    try {
      return inPackages(specifier, { within, folder, asked, packages: input.packages, refuse });
    } catch (error) {
      if (wanted.optional === true) return null;
      throw error;
    }
  };

  const textOf = ({ path, within }: Found, { specifier }: Import, refuse: Refuse): string => {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch {
      throw refuse(
        'E_TRANSFORM_SYNTAX',
        `"${specifier}" cannot be read`,
        'give the path with its extension, relative to this file',
      );
    }
    bytes += within === null ? 0 : text.length;
    if (bytes > MOST_BYTES || modules.length >= MOST_FILES) {
      const message = `the packages hold more than ${MOST_FILES} files or ${MOST_BYTES >> 20} MiB`;
      throw refuse('E_TRANSFORM_PACKAGE', message, 'import a part of the package, or a smaller one');
    }
    return text;
  };

  add(null, input.file, input.source, null);
  if (!modules[0]!.form.hasDefault) {
    throw sluiceError('E_TRANSFORM_SYNTAX', {
      message: 'the module has no `export default`',
      fix: 'export the function: `export default (row, ctx) => ({ ...row })`',
      at: place(0, 1, 1),
    });
  }
  const { generator } = modules[0]!.form;
  if (generator !== null) {
    throw sluiceError('E_TRANSFORM_LOAD', {
      message: 'the default export is a generator function, and its results would not be taken one by one',
      fix: 'return an array of rows instead of yielding them',
      at: place(0, generator.line, generator.column),
    });
  }
  link(0, input.dir);
  const wrong = unlinked(modules.map(({ form, imported }) => ({ names: form.names, imported })));
  if (wrong !== null) {
    const { module, wanted, message, fix } = wrong;
    throw sluiceError('E_TRANSFORM_SYNTAX', { message, fix, at: place(module, wanted.line, wanted.column) });
  }
  return { text: JSON.stringify(joined(modules)), code: modules.flatMap(identityOf), place };
}

interface Search {
  readonly within: Package | null;
  readonly folder: string;
  readonly asked: Asked;
  readonly packages: readonly string[];
  readonly refuse: Refuse;
}

/** @throws SluiceError E_TRANSFORM_PACKAGE */
function inPackages(specifier: string, search: Search): Found {
  const { within, folder, asked, packages, refuse } = search;
  const who = within === null ? '' : `the package "${within.name}" imports `;
  const missing = (message: string, fix?: string): SluiceError =>
    refuse('E_TRANSFORM_PACKAGE', `${who}${message}`, fix);
  if (within !== null && /^\.{1,2}(\/|$)/.test(specifier)) {
    const path = fileOf(within, resolve(folder, specifier));
    if (path === null) throw missing(`"${specifier}", and there is no such file in it`, 'install it again');
    return { path, within };
  }
  if (within !== null && specifier.startsWith('#')) {
    const target = internalOf(within, specifier, asked);
    if (target === null || target.startsWith('#'))
      throw missing(`"${specifier}", which it does not have`, 'install it again');
    return inPackages(target, target.startsWith('.') ? { ...search, folder: within.root } : search);
  }
  const named = splitSpecifier(specifier);
  const listed = named !== null && packages.includes(named.name);
  if (isBuiltin(specifier) && !listed) {
    throw missing(
      `"${specifier}"${within === null ? ' is' : ', which is'} a module of Node: the sandbox has no files, network, processes or timers`,
      within === null ? 'do it without' : 'use a package that runs in browsers too',
    );
  }
  if (named === null) {
    throw missing(
      `"${specifier}"${within === null ? ' is' : ', which is'} neither a relative path nor the name of a package`,
      'import helper modules by relative path (./helper.ts)',
    );
  }
  const { name, subpath } = named;
  // A package may import what it depends on: whoever listed it has said yes to that.
  if (within === null && !listed) {
    throw missing(
      `the package "${name}" is not listed`,
      `add it to the transformation: \`packages: [${[...packages, name].join(', ')}]\``,
    );
  }
  const found = findPackage(name, folder);
  if (found === null) {
    throw missing(
      within === null
        ? `the package "${name}" is not installed: no node_modules here or above has it`
        : `"${name}", which is not installed`,
      `install it where the transform is: npm install ${name}`,
    );
  }
  const path = entryOf(found, subpath, asked);
  if (path === null)
    throw missing(
      `"${specifier}"${within === null ? '' : ','} is nothing that ${name} ${found.version} gives for ${asked}`,
      'look at `exports` in its package.json',
    );
  return { path, within: found };
}

function circle({ specifier }: Import, { within }: Module, refuse: Refuse): SluiceError {
  return within === null
    ? refuse('E_TRANSFORM_SYNTAX', `"${specifier}" imports in a circle`, 'break the circle')
    : refuse(
        'E_TRANSFORM_PACKAGE',
        `in the package "${within.name}" "${specifier}" imports in a circle`,
        'use a build of the package in one file, if it has one',
      );
}

function ownForm(source: string, typescript: boolean): Form {
  return rewriteModule(typescript ? stripTypes(source) : source);
}

/** @throws ModuleFinding */
function formOf(source: string, path: string, within: Package): Form {
  const ending = extname(path);
  if (ending === '.json') {
    try {
      return readJson(source);
    } catch (error) {
      throw new ModuleFinding({ code: 'E_TRANSFORM_SYNTAX', message: (error as Error).message, line: 1, column: 1 });
    }
  }
  if (!/^\.[mc]?[jt]s$/.test(ending)) {
    const message = `${basename(path)} is no JavaScript`;
    throw new ModuleFinding({ code: 'E_TRANSFORM_SYNTAX', message, line: 1, column: 1 });
  }
  const code = isTypescript(path) ? stripTypes(source) : source;
  const esm = /^\.m/.test(ending) || (!/^\.c/.test(ending) && (isModuleScope(within, path) || isModule(code)));
  return esm ? rewriteModule(inProduction(code, 'module')) : readCommonjs(inProduction(code, 'commonjs'));
}

function joined(modules: readonly Module[]): CompiledModules {
  const commonjs: Record<number, Record<string, number>> = {};
  const wanted: CompiledModules['wanted'] = modules.flatMap(({ form, imported }, module) =>
    (form.names?.wanted ?? []).flatMap(({ from, name, line, column }) => {
      const target = imported[from]!;
      return modules[target]!.form.names === null ? [{ module, target, name, line, column }] : [];
    }),
  );
  for (const [number, { form, imported }] of modules.entries()) {
    if (form.names !== null) continue;
    const pairs = form.imports.map(({ specifier }, i) => [specifier, imported[i]!] as const);
    commonjs[number] = Object.fromEntries(pairs.filter(([, target]) => target >= 0));
  }
  return { modules: modules.map(({ form, imported }, number) => form.script(number, imported)), commonjs, wanted };
}

/** Of a package also its version and the file's name in it: nothing else says which file stood behind an import. */
function identityOf({ path, source, within }: Module): string[] {
  if (within === null) return [source];
  const name = relative(within.root, path!).replaceAll('\\', '/');
  return [`${within.name}@${within.version}/${name}`, source];
}

function isTypescript(file: string): boolean {
  return /^\.[mc]?ts$/.test(extname(file));
}

// Another module is named as the transform is: from where its file is named from.
function displayName(input: ModulesSource, path: string): string {
  if (isAbsolute(input.file)) return path;
  const base = dirname(input.file);
  const name = relative(input.dir, path).replaceAll('\\', '/');
  if (base === '.') return name;
  return name.startsWith('../') ? posix.join(base, name) : `${base}/${name}`;
}
