// JavaScript and TypeScript as languages. Nothing of the author's code runs here; modules.ts parses it, and joins it with what
// it imports.

import { extname } from 'node:path';
import type { Json, Language } from 'sluice/sdk';
import { instrument } from './coverage.ts';
import { javascriptGuest } from './guest.ts';
import { compileModules } from './modules.ts';
import { loadParser } from './rewrite.ts';

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
      return {
        guest,
        version,
        ...compileModules({ ...source, typescript: typed, packages: packagesOf(source.config) }),
      };
    },
    instrument: ({ source, file }) => instrument(source, name === 'typescript' || isTypescript(file)),
  };
}

/** The manifest's `packages`. */
function packagesOf(config: Json): readonly string[] {
  return (config as { readonly packages?: readonly string[] }).packages ?? [];
}

function isTypescript(file: string): boolean {
  return /^\.[mc]?ts$/.test(extname(file));
}
