// `process.env.NODE_ENV` in packages: many choose by it between two builds of themselves. There is no `process` in the sandbox,
// so it is overwritten with "production", as bundlers do. Every line and column stays.

import { children, type Node } from '../tree.ts';
import { edited, parse } from './rewrite.ts';

/** @throws ModuleFinding when it does not parse */
export function inProduction(source: string, form: 'module' | 'commonjs'): string {
  if (!source.includes('NODE_ENV')) return source;
  const edits: { start: number; end: number; text: string }[] = [];
  const todo = [parse(source, form) as unknown as Node];
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    if (isMember(node, 'NODE_ENV') && isMember(node['object'] as Node, 'env')) {
      const root = (node['object'] as Node)['object'] as Node;
      if (root.type === 'Identifier' && root['name'] === 'process') {
        edits.push({ start: node.start, end: node.end, text: '"production"' });
        continue;
      }
    }
    todo.push(...children(node).filter((child) => node.type !== 'AssignmentExpression' || child !== node['left']));
  }
  return edited(source, edits);
}

function isMember(node: Node, name: string): boolean {
  const property = node['property'] as Node | undefined;
  return node.type === 'MemberExpression' && node['computed'] === false && property?.['name'] === name;
}
