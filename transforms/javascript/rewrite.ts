// Turns one ES module into a function of its exports, without moving anything: every line and column of the author's code
// stays where it is, one line further down. Module syntax is overwritten with spaces or with text of no greater length.
// Refuses, with line and column: what does not parse, top-level await, import.meta.

import { Script } from 'node:vm';
import type * as Acorn from 'acorn';
import { type Changed, changedLater } from './bindings.ts';
import { generatorByDefault, type Place } from './generators.ts';
import type { Names, Wanted } from './linking.ts';

export interface Finding {
  readonly code: 'E_TRANSFORM_SYNTAX';
  readonly message: string;
  readonly fix?: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/** Thrown with the place in the module's own text. */
export class ModuleFinding extends Error {
  readonly finding: Finding;
  constructor(finding: Finding) {
    super(finding.message);
    this.finding = finding;
  }
}

export interface Import {
  readonly specifier: string;
  readonly line: number;
  readonly column: number;
  /** The code can do without it: a require in a `try`. */
  readonly optional?: boolean;
}

/** A module as the isolate runs it, whatever it was written in. */
export interface Form {
  readonly imports: readonly Import[];
  readonly hasDefault: boolean;
  /** The default export is a generator function, which stands here. */
  readonly generator: Place | null;
  /** null: CommonJS, whose names are known only once it has run. */
  readonly names: Names | null;
  /** An export that a function changes later: whoever imports it would keep the first value. */
  readonly changed: Changed | null;
  /** The script, when the numbers of the imported modules are known (in the order of `imports`). */
  script(number: number, imported: readonly number[]): string;
}

const EXPORTS = '_$m';
const USE = '_$i';

let acorn: typeof Acorn | undefined;

/** Has to be awaited once before rewriteModule is called: the parser is loaded only where there is code. */
export async function loadParser(): Promise<void> {
  acorn ??= await import('acorn');
}

export function rewriteModule(source: string): Form {
  const tree = parse(source, 'module');
  const edits: { start: number; end: number; text: string }[] = [];
  const imports: Import[] = [];
  const head: ((imported: readonly number[]) => string)[] = [];
  const tail: string[] = [];
  const tailOf: ((imported: readonly number[]) => string)[] = [];
  const exported = new Set<string>();
  const exports = new Map<string, { from: number; name: string } | null>();
  const stars: number[] = [];
  const wanted: Wanted[] = [];
  const wants = (node: Acorn.Literal): number => {
    imports.push({
      specifier: String(node.value),
      line: node.loc!.start.line,
      column: node.loc!.start.column + 1,
    });
    return imports.length - 1;
  };
  const takes = (from: number, name: string, node: Acorn.Node): void => {
    wanted.push({ from, name, line: node.loc!.start.line, column: node.loc!.start.column + 1 });
  };
  for (const node of tree.body) {
    switch (node.type) {
      case 'ImportDeclaration': {
        const at = wants(node.source);
        const names: string[] = [];
        let all = '';
        for (const specifier of node.specifiers) {
          const local = specifier.local.name;
          if (specifier.type === 'ImportNamespaceSpecifier') {
            all = local;
            continue;
          }
          const name = specifier.type === 'ImportDefaultSpecifier' ? 'default' : property(specifier.imported);
          names.push(`${name}:${local}`);
          takes(at, plain(name), specifier);
        }
        head.push((imported) => {
          const call = `${USE}(${imported[at]})`;
          return `${all === '' ? '' : `const ${all}=${call};`}${names.length === 0 ? (all === '' ? `${call};` : '') : `const {${names.join(',')}}=${call};`}`;
        });
        edits.push({ start: node.start, end: node.end, text: ';' });
        break;
      }
      case 'ExportDefaultDeclaration': {
        exports.set('default', null);
        const { declaration } = node;
        const named =
          (declaration.type === 'FunctionDeclaration' || declaration.type === 'ClassDeclaration') &&
          declaration.id !== null
            ? declaration.id.name
            : null;
        if (named !== null) {
          edits.push({ start: node.start, end: declaration.start, text: '' });
          tail.push(`${EXPORTS}.default=${named};`);
          exported.add(named);
        } else {
          edits.push({ start: node.start, end: declaration.start, text: `${EXPORTS}.default=` });
          if (declaration.type === 'FunctionDeclaration' || declaration.type === 'ClassDeclaration') {
            edits.push({ start: node.end, end: node.end, text: ';' });
          }
        }
        break;
      }
      case 'ExportNamedDeclaration': {
        if (node.declaration) {
          edits.push({ start: node.start, end: node.declaration.start, text: '' });
          for (const name of declared(node.declaration)) {
            tail.push(`${EXPORTS}.${name}=${name};`);
            exported.add(name);
            exports.set(name, null);
          }
        } else {
          edits.push({ start: node.start, end: node.end, text: ';' });
          const from = node.source ? wants(node.source) : -1;
          for (const specifier of node.specifiers) {
            const name = property(specifier.exported);
            const local = property(specifier.local);
            exports.set(plain(name), from < 0 ? null : { from, name: plain(local) });
            if (from >= 0) takes(from, plain(local), specifier);
            if (from < 0) {
              tail.push(`${EXPORTS}[${JSON.stringify(plain(name))}]=${local};`);
              exported.add(local);
            } else
              tailOf.push(
                (imported) =>
                  `${EXPORTS}[${JSON.stringify(plain(name))}]=${USE}(${imported[from]})[${JSON.stringify(plain(local))}];`,
              );
          }
        }
        break;
      }
      case 'ExportAllDeclaration': {
        edits.push({ start: node.start, end: node.end, text: ';' });
        const from = wants(node.source);
        const name = node.exported ? plain(property(node.exported)) : null;
        if (name === null) stars.push(from);
        else exports.set(name, null);
        tailOf.push((imported) =>
          name === null
            ? `for(const [k,v] of Object.entries(${USE}(${imported[from]})))if(k!=='default'&&!(k in ${EXPORTS}))${EXPORTS}[k]=v;`
            : `${EXPORTS}[${JSON.stringify(name)}]=${USE}(${imported[from]});`,
        );
        break;
      }
      default:
        break;
    }
  }
  const code = edited(source.startsWith('#!') ? `//${source.slice(2)}` : source, edits);
  return {
    imports,
    hasDefault: exports.has('default'),
    generator: generatorByDefault(tree),
    names: { exports, stars, wanted },
    changed: changedLater(tree, exported),
    script: (number, imported) =>
      `(function(${EXPORTS},${USE}){"use strict";${head.map((make) => make(imported)).join('')}\n${code}\n;${tail.join('')}${tailOf
        .map((make) => make(imported))
        .join('')}})\n//# sourceURL=sluice-module:${number}`,
  };
}

/** Whether a file that may be either is an ES module: it imports or exports. */
export function isModule(source: string): boolean {
  if (!/\b(import|export)\b/.test(source)) return false;
  try {
    return parse(source, 'module').body.some((node) => /^(Import|Export)/.test(node.type));
  } catch (error) {
    if (error instanceof ModuleFinding) return false;
    throw error;
  }
}

/** @throws ModuleFinding */
export function parse(source: string, sourceType: 'module' | 'commonjs'): Acorn.Program {
  try {
    return acorn!.parse(source, {
      ecmaVersion: 'latest',
      sourceType,
      locations: true,
      allowHashBang: true,
    });
  } catch (error) {
    if (error instanceof SyntaxError && 'loc' in error) {
      const { line, column } = error.loc as { line: number; column: number };
      throw new ModuleFinding({
        code: 'E_TRANSFORM_SYNTAX',
        message: error.message.replace(/ \(\d+:\d+\)$/, ''),
        line,
        column: column + 1,
      });
    }
    throw new ModuleFinding({
      code: 'E_TRANSFORM_SYNTAX',
      message: error instanceof RangeError ? 'the code is nested too deep' : String(error),
      line: 1,
      column: 1,
    });
  }
}

function property(node: Acorn.Identifier | Acorn.Literal): string {
  return node.type === 'Identifier' ? node.name : JSON.stringify(node.value);
}

function plain(name: string): string {
  return name.startsWith('"') ? (JSON.parse(name) as string) : name;
}

function declared(node: Acorn.Declaration): string[] {
  if (node.type !== 'VariableDeclaration') return node.id === null ? [] : [node.id.name];
  const names: string[] = [];
  const visit = (pattern: Acorn.Pattern | null): void => {
    if (pattern === null) return;
    switch (pattern.type) {
      case 'Identifier':
        names.push(pattern.name);
        break;
      case 'ObjectPattern':
        for (const one of pattern.properties) visit(one.type === 'RestElement' ? one.argument : one.value);
        break;
      case 'ArrayPattern':
        for (const one of pattern.elements) visit(one);
        break;
      case 'RestElement':
        visit(pattern.argument);
        break;
      case 'AssignmentPattern':
        visit(pattern.left);
        break;
      default:
        break;
    }
  };
  for (const one of node.declarations) visit(one.id);
  return names;
}

/** Overwrites ranges with shorter text, and keeps every line break and the column of what follows. */
export function edited(source: string, edits: readonly { start: number; end: number; text: string }[]): string {
  let out = '';
  let at = 0;
  for (const { start, end, text } of [...edits].sort((a, b) => a.start - b.start || a.end - b.end)) {
    const range = source.slice(start, end);
    const breaks = range.match(/\r\n|[\n\r\u2028\u2029]/g) ?? [];
    const last = /[^\n\r\u2028\u2029]*$/.exec(range)![0].length;
    const spaces = breaks.length > 0 ? last : Math.max(0, range.length - text.length);
    out += source.slice(at, start) + text + breaks.join('') + ' '.repeat(spaces);
    at = end;
  }
  return out + source.slice(at);
}

/** What only V8 itself finds (top-level await, import.meta, a wrong regular expression). Parses, runs nothing. */
export function checkScript(script: string): void {
  try {
    new Script(script);
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
    const lines = String(error.stack).split('\n');
    const line = Number(/^sluice-module:\d+:(\d+)/.exec(lines[0]!)?.[1] ?? 2);
    const column = /^ *\^/.test(lines[2] ?? '') ? lines[2]!.indexOf('^') + 1 : 1;
    throw new ModuleFinding({
      code: 'E_TRANSFORM_SYNTAX',
      message: error.message,
      ...(error.message.startsWith('await is')
        ? { fix: 'await within an async function: the module runs anew for each event' }
        : {}),
      line: line - 1,
      column,
    });
  }
}
