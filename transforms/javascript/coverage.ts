// Which parts of a transform ran (`sluice test --coverage`): the same module with a counter at each statement and at each
// branch of an expression. A counter logs its number the first time that it is reached; the log is the only way out of the
// sandbox, and it is there already. Columns move, so what an instrumented module fails with is not looked at.

import type * as Acorn from 'acorn';
import type { Instrumented } from 'sluice/sdk';
import { children } from '../tree.ts';
import { stripTypes } from './typescript.ts';

/** What a counter logs, before its number. */
const MARK = '#sluice-covered ';
const HEAD = `const _$covered=new Set();const _$c=(n)=>{if(!_$covered.has(n)){_$covered.add(n);console.debug(${JSON.stringify(MARK)}+n)}};`;

type Node = Acorn.AnyNode;

/** The source must compile: it is looked at before. */
export async function instrument(source: string, typed: boolean): Promise<Instrumented> {
  const { parse } = await import('acorn');
  const code = typed ? stripTypes(source) : source;
  const tree = parse(code, { ecmaVersion: 'latest', sourceType: 'module', locations: true, allowHashBang: true });
  const points: { readonly line: number }[] = [];
  const inserts: { readonly at: number; readonly text: string; readonly order: number }[] = [];
  const insert = (at: number, text: string): void => void inserts.push({ at, text, order: inserts.length });
  const point = (node: Node): string => {
    points.push({ line: node.loc!.start.line });
    return `_$c(${points.length - 1})`;
  };
  const statement = (node: Node): void => {
    // declarations of functions run before any counter could, and a directive must stay the first
    const silent = ['FunctionDeclaration', 'EmptyStatement', 'ImportDeclaration', 'ExportAllDeclaration'];
    if (silent.includes(node.type) || ('directive' in node && node.directive !== undefined)) return;
    if (node.type === 'BlockStatement') return; // its own statements count
    if (node.type === 'ExportDefaultDeclaration') return;
    if (node.type === 'ExportNamedDeclaration' && node.declaration?.type !== 'VariableDeclaration') return;
    insert(node.start, `${point(node)};`);
  };
  const body = (node: Node | null | undefined): void => {
    if (node === null || node === undefined || node.type === 'BlockStatement') return;
    insert(node.start, `{${point(node)};`);
    insert(node.end, '}');
  };
  const expression = (node: Node): void => {
    insert(node.start, `(${point(node)},`);
    insert(node.end, ')');
  };
  const visit = (node: Node): void => {
    switch (node.type) {
      case 'Program':
      case 'BlockStatement':
      case 'StaticBlock':
        for (const each of node.body) statement(each);
        break;
      case 'SwitchCase':
        for (const each of node.consequent) statement(each);
        break;
      case 'IfStatement':
        body(node.consequent);
        if (node.alternate?.type !== 'IfStatement') body(node.alternate);
        break;
      case 'ForStatement':
      case 'ForInStatement':
      case 'ForOfStatement':
      case 'WhileStatement':
      case 'DoWhileStatement':
        body(node.body);
        break;
      case 'ArrowFunctionExpression':
        if (node.expression) expression(node.body);
        break;
      case 'ConditionalExpression':
        expression(node.consequent);
        expression(node.alternate);
        break;
      case 'LogicalExpression':
        expression(node.right);
        break;
      default:
        break;
    }
    for (const child of children(node)) visit(child);
  };
  visit(tree);

  // At one place: what ends goes before what begins, an inner end before an outer one, an outer beginning before an inner one.
  const isEnd = (text: string): boolean => text === ')' || text === '}';
  inserts.sort(
    (a, b) =>
      a.at - b.at ||
      Number(isEnd(b.text)) - Number(isEnd(a.text)) ||
      (isEnd(a.text) ? b.order - a.order : a.order - b.order),
  );
  let out = '';
  let from = 0;
  for (const { at, text } of inserts) {
    out += code.slice(from, at) + text;
    from = at;
  }
  out += code.slice(from);
  const hashbang = /^#!.*/.exec(out)?.[0] ?? '';
  return { source: `${HEAD}${out.slice(hashbang.length)}`, points, mark: MARK };
}
