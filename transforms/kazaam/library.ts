// kazaam-js as one script for the isolate: its modules, each a function of its own, in the order in which they need each other. In a
// checkout their types are taken off first; in the built package they have none.
// Refuses a circle of imports, and any import from outside of the package: it has no dependency.

import { existsSync, readFileSync } from 'node:fs';
import type { Node, Program } from 'acorn';
import { stripQuietly } from '../strip-types.ts';

let made: Promise<string> | undefined;

/** An expression whose value holds the package's exports. Made once for a process. */
export function kazaamLibrary(): Promise<string> {
  made ??= bundle(entry());
  return made;
}

function entry(): URL {
  const source = new URL('../kazaam-js/src/index.ts', import.meta.url);
  return existsSync(source) ? source : new URL('../kazaam-js/src/index.js', import.meta.url);
}

async function bundle(start: URL): Promise<string> {
  const { parse } = await import('acorn');
  const numbers = new Map<string, number>(); // by URL; -1 while a module is being read
  const modules: string[] = [];
  const add = (url: URL): number => {
    const known = numbers.get(url.href);
    if (known === -1) throw new Error(`${url.pathname} imports itself, by way of others`);
    if (known !== undefined) return known;
    numbers.set(url.href, -1);
    const text = plain(url);
    const comments: Edit[] = [];
    const tree = parse(text, {
      ecmaVersion: 'latest',
      sourceType: 'module',
      onComment: (_block, _text, from, to) => comments.push({ from, to, text: '' }),
    });
    const body = rewritten(text, tree, comments, (specifier) => {
      if (!specifier.startsWith('.')) throw new Error(`${url.pathname} imports ${specifier}`);
      return add(new URL(specifier, url));
    });
    modules.push(`const m${modules.length} = (() => {${body}})();`);
    numbers.set(url.href, modules.length - 1);
    return modules.length - 1;
  };
  const last = add(start);
  return `(() => {'use strict';\n${modules.join('\n')}\nreturn m${last};\n})()`;
}

function plain(url: URL): string {
  const text = readFileSync(url, 'utf8');
  return url.pathname.endsWith('.ts') ? stripQuietly(text) : text;
}

interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** Imports become constants, and exports members of what the module's function returns. */
function rewritten(
  text: string,
  tree: Program,
  comments: readonly Edit[],
  numberOf: (specifier: string) => number,
): string {
  const edits: Edit[] = [...comments];
  const exported: string[] = [];
  const replace = ({ start, end }: Node, by: string): void => {
    edits.push({ from: start, to: end, text: by });
  };
  for (const node of tree.body) {
    if (node.type === 'ImportDeclaration') {
      const names = node.specifiers.map((one) => {
        if (one.type !== 'ImportSpecifier') throw new Error('only named imports are known');
        return pair(nameOf(one.imported), one.local.name);
      });
      const number = numberOf(String(node.source.value));
      replace(node, names.length === 0 ? '' : `const { ${names.join(', ')} } = m${number};`);
    } else if (node.type === 'ExportNamedDeclaration') {
      const { declaration, source, specifiers } = node;
      if (declaration != null) {
        edits.push({ from: node.start, to: declaration.start, text: '' });
        if (declaration.type !== 'VariableDeclaration') exported.push(declaration.id.name);
        else {
          if (declaration.kind !== 'const') throw new Error('an exported binding that changes is not known');
          for (const { id } of declaration.declarations) {
            if (id.type !== 'Identifier') throw new Error('an exported pattern is not known');
            exported.push(id.name);
          }
        }
      } else if (source != null && specifiers.length === 0) {
        replace(node, ''); // types only
      } else if (source != null) {
        const number = numberOf(String(source.value));
        for (const one of specifiers) exported.push(`${nameOf(one.exported)}: m${number}.${nameOf(one.local)}`);
        replace(node, '');
      } else {
        for (const one of specifiers) exported.push(pair(nameOf(one.exported), nameOf(one.local)));
        replace(node, '');
      }
    } else if (node.type === 'ExportAllDeclaration' || node.type === 'ExportDefaultDeclaration') {
      throw new Error(`${node.type} is not known`);
    }
  }
  return `${applied(text, edits)}\nreturn { ${exported.join(', ')} };`;
}

const pair = (outer: string, inner: string): string => (outer === inner ? outer : `${outer}: ${inner}`);

function nameOf(node: { readonly type: string; readonly name?: string; readonly value?: unknown }): string {
  return node.name ?? String(node.value);
}

function applied(text: string, edits: readonly Edit[]): string {
  let out = '';
  let at = 0;
  for (const edit of [...edits].sort((a, b) => a.from - b.from || a.to - b.to)) {
    if (edit.from < at) continue; // inside of what is already gone
    out += text.slice(at, edit.from) + edit.text;
    at = edit.to;
  }
  return (out + text.slice(at)).replace(/[ \t]*\n\s*/g, '\n');
}
