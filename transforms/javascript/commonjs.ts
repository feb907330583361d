// CommonJS, which many packages are written in: finds what a file requires, and makes a function of it without moving anything:
// each line and column stays where it is, one line further down. Also JSON, which packages require like code.
// Only `require('a text')` is followed. Any other require is an error when it runs, which a `try` around it may catch.

import { children, type Node } from '../tree.ts';
import { assigned } from './bindings.ts';
import { type Form, type Import, parse } from './rewrite.ts';

/** @throws ModuleFinding when it does not parse */
export function readCommonjs(source: string): Form {
  const code = source.startsWith('#!') ? `//${source.slice(2)}` : source;
  return {
    imports: requiredBy(parse(source, 'commonjs') as unknown as Node),
    hasDefault: true,
    generator: null,
    names: null,
    changed: null,
    script: (number) => `(function(module,exports,require,global){\n${code}\n})\n//# sourceURL=sluice-module:${number}`,
  };
}

/** @throws SyntaxError when it is no JSON */
export function readJson(source: string): Form {
  const text = JSON.stringify(JSON.stringify(JSON.parse(source.replace(/^\uFEFF/, ''))));
  return {
    imports: [],
    hasDefault: true,
    generator: null,
    names: null,
    changed: null,
    script: (number) =>
      `(function(module){\nmodule.exports=JSON.parse(${text});})\n//# sourceURL=sluice-module:${number}`,
  };
}

function requiredBy(tree: Node): Import[] {
  const found: Import[] = [];
  const todo: { readonly node: Node; readonly tried: boolean }[] = [{ node: tree, tried: false }];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { node, tried } = next;
    // a bundle within the file has a `require` of its own
    if (/Function/.test(node.type) && (node['params'] as Node[]).flatMap(assigned).includes('require')) continue;
    const specifier = node.type === 'CallExpression' ? specifierOf(node) : null;
    if (specifier !== null) {
      const { line, column } = node.loc!.start;
      found.push({ specifier, line, column: column + 1, optional: tried });
    }
    const caught = node.type === 'TryStatement' && node['handler'] !== null;
    for (const child of children(node).reverse()) {
      todo.push({ node: child, tried: tried || (caught && child === node['block']) });
    }
  }
  return found;
}

function specifierOf(call: Node): string | null {
  const callee = call['callee'] as Node;
  const [first] = call['arguments'] as Node[];
  if (callee.type !== 'Identifier' || callee['name'] !== 'require' || first?.type !== 'Literal') return null;
  return typeof first['value'] === 'string' ? first['value'] : null;
}
