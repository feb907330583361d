// The host side of JavaScript and TypeScript: strips types, joins the transform with the helper modules that it imports by
// relative path, and gives one text for the guest. Nothing of the author's code runs here; it is only parsed.
// Refuses: packages (not built yet), helpers that cannot be read, circles of imports, a module without `export default`.

import { readFileSync } from 'node:fs';
import { dirname, extname, isAbsolute, relative, resolve } from 'node:path';
import { type ErrorPlace, type Language, type SluiceError, sluiceError } from 'sluice/sdk';
import { placeFrom } from '../refusals.ts';
import { instrument } from './coverage.ts';
import { javascriptGuest } from './guest.ts';
import { unlinked } from './linking.ts';
import { checkScript, loadParser, ModuleFinding, type Rewritten, rewriteModule } from './rewrite.ts';
import { stripTypes } from './typescript.ts';

/** Raised when the same source may give other results. */
const version = '1';

const guest = `(${javascriptGuest})()`;

export const javascript = languageOf('javascript');
export const typescript = languageOf('typescript');

function languageOf(name: string): Language {
  return {
    name,
    async compile(source) {
      await loadParser();
      const typed = name === 'typescript' || isTypescript(source.file);
      return { guest, version, ...compileJavascript({ ...source, typescript: typed }) };
    },
    instrument: ({ source, file }) => instrument(source, name === 'typescript' || isTypescript(file)),
  };
}

export interface JavascriptSource {
  readonly source: string;
  /** As it stands in errors. */
  readonly file: string;
  readonly typescript: boolean;
  /** Absolute: where relative imports start. */
  readonly dir: string;
  readonly offset: { readonly line: number; readonly column: number };
}

export interface CompiledJavascript {
  readonly text: string;
  /** All the code, with the helpers: what the identity is made of. */
  readonly code: readonly string[];
  /** From the number of a module, and a place in it, to the author's file. */
  place(module: number, line: number, column: number): ErrorPlace;
}

interface Module {
  readonly path: string | null; // null: the transform itself
  readonly file: string;
  readonly source: string;
  readonly rewritten: Rewritten;
  imported: number[];
}

/** @throws SluiceError E_TRANSFORM_SYNTAX or E_NOT_BUILT, with the place in the author's file */
export function compileJavascript(input: JavascriptSource): CompiledJavascript {
  const modules: Module[] = [];
  const place = (module: number, line: number, column: number): ErrorPlace => {
    const file = modules[module]?.file ?? input.file;
    return module === 0 ? { file, ...placeFrom(input.offset, line, column) } : { file, line, column };
  };
  const add = (path: string | null, file: string, source: string, typescript: boolean): number => {
    const number = modules.length;
    try {
      const rewritten = rewriteModule(typescript ? stripTypes(source) : source);
      checkScript(
        rewritten.script(
          number,
          rewritten.imports.map(() => 0),
        ),
      );
      if (path !== null && rewritten.changed !== null) {
        const { name, line, column } = rewritten.changed;
        throw new ModuleFinding({
          code: 'E_TRANSFORM_SYNTAX',
          message: `"${name}" is exported and changed later: a module that imports it keeps the value it had first`,
          fix: `export a function that gives the value: \`export const get = () => ${name}\``,
          line,
          column,
        });
      }
      modules.push({ path, file, source, rewritten, imported: [] });
    } catch (error) {
      if (!(error instanceof ModuleFinding)) throw error;
      const { code, message, fix, line, column } = error.finding;
      const at = number === 0 ? { file, ...placeFrom(input.offset, line, column) } : { file, line, column };
      throw sluiceError(code, { message, at, ...(fix === undefined ? {} : { fix }) });
    }
    return number;
  };
  const link = (number: number, folder: string, chain: readonly number[]): void => {
    const module = modules[number]!;
    module.imported = module.rewritten.imports.map(({ specifier, line, column }) => {
      const refuse = (code: string, message: string, fix?: string): SluiceError =>
        sluiceError(code, { message, at: place(number, line, column), ...(fix === undefined ? {} : { fix }) });
      if (!/^\.{1,2}\//.test(specifier)) {
        throw refuse(
          'E_NOT_BUILT',
          `"${specifier}" is no relative path: importing packages is not built yet`,
          'import helper modules by relative path (./helper.ts)',
        );
      }
      const path = resolve(folder, specifier);
      const known = modules.findIndex((one) => one.path === path);
      if (known >= 0) {
        if (chain.includes(known))
          throw refuse('E_TRANSFORM_SYNTAX', `"${specifier}" imports in a circle`, 'break the circle');
        return known;
      }
      const text = readHelper(path, () =>
        refuse(
          'E_TRANSFORM_SYNTAX',
          `"${specifier}" cannot be read`,
          'give the path with its extension, relative to this file',
        ),
      );
      const made = add(path, displayName(input, path), text, isTypescript(path));
      link(made, dirname(path), [...chain, made]);
      return made;
    });
  };
  add(null, input.file, input.source, input.typescript);
  if (!modules[0]!.rewritten.hasDefault) {
    throw sluiceError('E_TRANSFORM_SYNTAX', {
      message: 'the module has no `export default`',
      fix: 'export the function: `export default (row, ctx) => ({ ...row })`',
      at: place(0, 1, 1),
    });
  }
  link(0, input.dir, [0]);
  const wrong = unlinked(modules.map(({ rewritten, imported }) => ({ names: rewritten.names, imported })));
  if (wrong !== null) {
    const { module, wanted, message, fix } = wrong;
    throw sluiceError('E_TRANSFORM_SYNTAX', { message, fix, at: place(module, wanted.line, wanted.column) });
  }
  return {
    text: JSON.stringify({ modules: modules.map((module, i) => module.rewritten.script(i, module.imported)) }),
    code: modules.map((module) => module.source),
    place,
  };
}

export function isTypescript(file: string): boolean {
  return /^\.[mc]?ts$/.test(extname(file));
}

function readHelper(path: string, refuse: () => SluiceError): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw refuse();
  }
}

// A helper is named as its importer would name it, never by a path of this machine.
function displayName(input: JavascriptSource, path: string): string {
  const base = isAbsolute(input.file) ? '' : dirname(input.file);
  const name = relative(input.dir, path).replaceAll('\\', '/');
  return base === '' || base === '.' ? name : `${base}/${name}`;
}
