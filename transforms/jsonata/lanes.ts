// What can be said of an expression before any event: which lane it may run in, and what its results depend on.
// The reference evaluates the parts of an array or object constructor side by side, as promises. Without promises they run
// one after the other, which gives the same unless a part assigns a variable that another part reads, or throws dice.
// Guarantee: an expression for which that cannot be ruled out stays in the reference lane.

import { childrenOf, type JsonataNode, nodesOf } from './ast.ts';

export interface Traits {
  /** Why only the reference may run it; null: it may run without promises. */
  readonly reference: string | null;
  /** Parts that the reference evaluates side by side: of two errors, its first is not always ours. */
  readonly parallel: boolean;
  readonly clock: boolean;
  readonly dice: boolean;
  /** It reads `$event`. */
  readonly event: boolean;
  /** A function may come out as a part of the result. */
  readonly functions: boolean;
}

/** Calls that take a function and give nothing of it back. */
const TAKERS = ['map', 'filter', 'reduce', 'sift', 'each', 'single', 'sort', 'match', 'contains', 'replace', 'split'];

/** `isFunction` says which names the library has functions for. */
export function traitsOf(tree: JsonataNode, isFunction: (name: string) => boolean): Traits {
  const names = new Set<unknown>();
  let parallel = false;
  let binds = false;
  let keeps = false;
  const types = new Set<string>();
  for (const node of nodesOf(tree)) {
    types.add(node.type);
    keeps ||= node.keepSingletonArray === true || node.keepArray === true;
    if (node.type === 'variable') names.add(node.value);
    if (!isSideBySide(node)) continue;
    parallel = true;
    // a block or a function has variables of its own; what it assigns is not seen by its neighbours
    for (const part of nodesOf(node, (one) => one === node || !hasOwnVariables(one))) binds ||= part.type === 'bind';
  }
  const dice = names.has('random') || names.has('shuffle');
  const evaluates = names.has('eval');
  return {
    reference: evaluates
      ? 'it uses $eval'
      : binds
        ? 'it assigns a variable inside an array or object constructor'
        : dice && parallel
          ? 'it throws dice inside an expression with constructors'
          : keeps && types.has('wildcard')
            ? 'it keeps arrays ([]), which marks those of the document, and reads all fields (*), which shows the marks'
            : types.has('transform') && owns(tree, 'clone')
              ? 'it changes what it did not copy'
              : null,
    parallel,
    clock: evaluates || ['now', 'millis', 'toMillis'].some((name) => names.has(name)),
    dice: evaluates || dice,
    event: evaluates || names.has('event'),
    functions: evaluates || givesFunctions(tree, isFunction),
  };
}

/** Whether a function is made or named anywhere but as a callee, or as the last argument of a call that only uses it. */
function givesFunctions(tree: JsonataNode, isFunction: (name: string) => boolean): boolean {
  const harmless = new Set<JsonataNode>();
  for (const node of nodesOf(tree)) {
    if (node.type === 'bind' && TAKERS.includes(String((node.lhs as JsonataNode).value))) return true;
    if (node.type === 'lambda' && node.arguments!.some(({ value }) => TAKERS.includes(String(value)))) return true;
    if (node.type === 'function') {
      const procedure = node.procedure!;
      if (procedure.type !== 'variable') continue;
      harmless.add(procedure);
      if (TAKERS.includes(String(procedure.value)))
        node.arguments!.slice(1).forEach((arg) => {
          harmless.add(arg);
        });
    }
    // what a block filters or groups may be a tail call that was not made: a lambda of the library's own
    if (node.type === 'block' && (node.predicate !== undefined || node.group !== undefined) && endsInThunk(node))
      return true;
    if (harmless.has(node)) continue;
    if (node.type === 'variable' ? isFunction(String(node.value)) : FUNCTIONS.includes(node.type)) {
      if (node.thunk !== true) return true;
    }
  }
  return false;
}

function endsInThunk(node: JsonataNode | undefined): boolean {
  if (node?.type === 'block') return endsInThunk(node.expressions?.at(-1));
  if (node?.type === 'condition') return endsInThunk(node.then) || endsInThunk(node.else);
  return node?.thunk === true;
}

/** Whether an expression has a variable of its own by this name. */
function owns(tree: JsonataNode, name: string): boolean {
  for (const node of nodesOf(tree)) {
    if (node.type === 'bind' && (node.lhs as JsonataNode).value === name) return true;
    if (node.type === 'lambda' && node.arguments!.some(({ value }) => value === name)) return true;
    if (node.focus === name || node.index === name) return true;
  }
  return false;
}

const FUNCTIONS = ['lambda', 'regex', 'transform', 'partial'];

/** Levels of nesting, counted without recursion: a tree may be deeper than a stack. */
export function depthOf(tree: JsonataNode): number {
  let depth = 0;
  for (let level: JsonataNode[] = [tree]; level.length > 0; depth++) {
    level = level.flatMap((node) => [...childrenOf(node)]);
  }
  return depth;
}

function isSideBySide(node: JsonataNode): boolean {
  if (node.group !== undefined) return true;
  if (node.type !== 'unary') return false;
  if (node.value === '[') return (node.expressions?.length ?? 0) > 1;
  // the values of an object's keys; with one key there is one value, unless the context is an array
  return node.value === '{';
}

function hasOwnVariables(node: JsonataNode): boolean {
  return node.type === 'block' || node.type === 'lambda';
}
