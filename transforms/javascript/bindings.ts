// Exports that a module changes after it has run. An importer here has the value an export had when the module's body ended (a
// copy, where Node has a live binding), so such a change would be missed without a word: it is found, and refused.
// Looks at assignments inside of functions; one in the body itself is over before anybody imports.

import type * as Acorn from 'acorn';
import { children, type Node } from '../tree.ts';

export interface Changed {
  readonly name: string;
  readonly line: number;
  readonly column: number;
}

/** The first assignment to one of `exported` in a function that does not declare the name itself; null when there is none. */
export function changedLater(tree: Acorn.Program, exported: ReadonlySet<string>): Changed | null {
  if (exported.size === 0) return null;
  // No recursion: a sum of ten thousand terms is as deep as it is long.
  const todo: [Node, ReadonlySet<string> | null][] = [[tree as unknown as Node, null]];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const [node, outer] = next;
    const hidden = /Function/.test(node.type) ? new Set([...(outer ?? []), ...namesIn(node)]) : outer;
    const target =
      node.type === 'AssignmentExpression' || node.type === 'ForInStatement' || node.type === 'ForOfStatement'
        ? node['left']
        : node.type === 'UpdateExpression'
          ? node['argument']
          : null;
    if (hidden !== null && target !== null) {
      const name = assigned(target as Node).find((one) => exported.has(one) && !hidden.has(one));
      const { line, column } = node.loc!.start;
      if (name !== undefined) return { name, line, column: column + 1 };
    }
    for (const child of children(node).reverse()) todo.push([child, hidden]);
  }
  return null;
}

/** The names a pattern assigns to; a declaration assigns to none that was there before. */
export function assigned(node: Node): string[] {
  if (node.type === 'Identifier') return [String(node['name'])];
  if (node.type === 'AssignmentPattern') return assigned(node['left'] as Node);
  if (node.type === 'Property') return assigned(node['value'] as Node);
  if (node.type === 'ObjectPattern' || node.type === 'ArrayPattern' || node.type === 'RestElement') {
    return children(node).flatMap(assigned);
  }
  return [];
}

/** The names that a function declares, anywhere in it but in the functions within it. */
function namesIn(fn: Node): string[] {
  const out = (fn['params'] as Node[]).flatMap(assigned);
  const todo = [fn['body'] as Node];
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    const name = node['id'] as Node | null | undefined;
    if (node.type === 'VariableDeclarator') out.push(...assigned(name!));
    if (/^(Function|Class)Declaration$/.test(node.type)) out.push(...(name ? assigned(name) : []));
    if (node.type === 'CatchClause' && node['param'] !== null) out.push(...assigned(node['param'] as Node));
    if (!/Function/.test(node.type)) todo.push(...children(node));
  }
  return out;
}
