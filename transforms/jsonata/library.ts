// The reference library as text, in two forms made mechanically from the package's own jsonata.js: untouched, and with its
// promises taken out. JSONata 2 is async by decoration only: nothing in it waits for anything outside, so `async`, `await` and
// `Promise.all` can go, and with them 128 to 580 promises an event.
// Refuses a text that waits in any way that this does not know, so that a new version is never changed by guess.

import type { AnyNode, Node } from 'acorn';
import { children } from '../tree.ts';

/** What the compiled lane and the guest use of the library's insides. All are functions or objects of its main closure. */
export const INTERNALS = [
  'apply',
  'boolize',
  'createFrame',
  'datetime',
  'defineFunction',
  'evaluateComparisonExpression',
  'evaluateDescendants',
  'evaluateEqualityExpression',
  'evaluateNumericExpression',
  'evaluateRangeExpression',
  'evaluateRegex',
  'evaluateStringConcat',
  'evaluateWildcard',
  'fn',
  'parseSignature',
  'populateMessage',
  'staticFrame',
  'utils',
] as const;

/** Thrown where only the reference knows what comes first: an error without a code, which the guest takes for that. */
const LEAVE = 'leave: () => { throw { leave: true }; }';

interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/**
 * The library without promises: `evaluate` returns its result. Its main function also carries `internals`, by the names above.
 * @throws Error when the text has a construct that this transformation does not know
 */
export async function withoutPromises(source: string): Promise<string> {
  const { parse } = await import('acorn');
  const edits: Edit[] = [];
  let main: { readonly end: number; readonly start: number } | null = null;
  const tree = parse(source, {
    ecmaVersion: 'latest',
    sourceType: 'script',
    // a third of the text, which would be sent to every isolate
    onComment: (_block, _text, from, to) => edits.push({ from, to, text: '' }),
  });
  walk(tree, (node) => {
    switch (node.type) {
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression':
        if (!node.async) return;
        if (node.generator === true) throw unknown('an async generator', node);
        edits.push({ from: node.start, to: node.start + 'async'.length, text: '' });
        return;
      case 'AwaitExpression':
        edits.push({ from: node.start, to: node.argument.start, text: '' });
        return;
      case 'ForOfStatement':
        if (node.await) throw unknown('for await', node);
        return;
      case 'CallExpression':
        if (isMember(node.callee, 'Promise', 'all')) {
          edits.push({ from: node.callee.start, to: node.callee.end, text: '' }); // all of its parts are values by now
        } else if (isPushOfNothing(node)) {
          // a group on an empty array puts an item into it, be it the document's: what is evaluated beside it may see that
          const array = source.slice(node.callee.start, node.callee.end).replace(/\.push$/, '');
          const text = `(${array}.sequence === true ? ${array}.push(undefined) : jsonata.internals.leave())`;
          edits.push({ from: node.start, to: node.end, text });
        } else if (isCallbackLookup(node)) {
          edits.push({ from: node.start, to: node.end, text: 'undefined' }); // a debugger's hooks: nobody can bind a symbol
        }
        return;
      case 'MemberExpression':
        if (node.object.type === 'Identifier' && node.object.name === 'Promise' && !isMember(node, 'Promise', 'all')) {
          throw unknown('a use of Promise', node);
        }
        return;
      case 'NewExpression':
        if (node.callee.type === 'Identifier' && node.callee.name === 'Promise') throw unknown('new Promise', node);
        return;
      case 'VariableDeclarator':
        if (node.id.type === 'Identifier' && node.id.name === 'jsonata' && node.init?.type === 'CallExpression') {
          const { callee } = node.init;
          if (callee.type === 'FunctionExpression') main = callee.body.body.at(-1) ?? null;
        }
        return;
      default:
        return;
    }
  });
  if (main === null) throw new Error('the library has no main function');
  const { start } = main as { start: number };
  // what a version does not have is left out, and then only its own interpreter is used
  const names = INTERNALS.filter((name) => new RegExp(`\\b(function|var|const|let) ${name}\\b`).test(source));
  edits.push({ from: start, to: start, text: `jsonata.internals = { ${names.join(', ')}, ${LEAVE} };\n    ` });
  return applied(source, edits);
}

function applied(source: string, edits: readonly Edit[]): string {
  let out = '';
  let at = 0;
  for (const { from, to, text } of [...edits].sort((a, b) => a.from - b.from || a.to - b.to)) {
    if (from < at) continue; // inside of what is already gone
    out += source.slice(at, from) + text;
    at = to;
  }
  return out + source.slice(at);
}

function isMember(node: AnyNode, object: string, property: string): boolean {
  return (
    node.type === 'MemberExpression' &&
    node.object.type === 'Identifier' &&
    node.object.name === object &&
    node.property.type === 'Identifier' &&
    node.property.name === property
  );
}

/** `input.push(undefined)` */
function isPushOfNothing(node: AnyNode): boolean {
  const given = givenTo(node, 'push');
  return given?.type === 'Identifier' && given.name === 'undefined';
}

/** `environment.lookup(Symbol.for(…))` */
function isCallbackLookup(node: AnyNode): boolean {
  const given = givenTo(node, 'lookup');
  return given?.type === 'CallExpression' && isMember(given.callee, 'Symbol', 'for');
}

/** The first argument of a call of the method of this name, whatever it is called on. */
function givenTo(node: AnyNode, method: string): AnyNode | undefined {
  if (node.type !== 'CallExpression' || node.callee.type !== 'MemberExpression') return undefined;
  const { property } = node.callee;
  return property.type === 'Identifier' && property.name === method ? node.arguments[0] : undefined;
}

function walk(node: AnyNode, visit: (node: AnyNode) => void): void {
  visit(node);
  for (const child of children(node)) walk(child, visit);
}

function unknown(what: string, node: Node): Error {
  return new Error(`the library has ${what} at ${node.start}, which cannot be taken out`);
}
