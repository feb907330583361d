// Finds a default export that is a generator function, as far as the text alone says it: a call of it gives an iterator and no
// rows. What is found only when the module runs is refused by the guest (transforms/guest.ts).

import type * as Acorn from 'acorn';

/** From 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Where the function stands; null: the default export is something else, or the text does not say. */
export function generatorByDefault({ body }: Acorn.Program): Place | null {
  for (const node of body) {
    if (node.type === 'ExportDefaultDeclaration') {
      const { declaration } = node;
      return placeOf(declaration.type === 'Identifier' ? boundTo(declaration.name, body) : declaration);
    }
    if (node.type !== 'ExportNamedDeclaration' || node.source) continue;
    for (const { exported, local } of node.specifiers) {
      const name = exported.type === 'Identifier' ? exported.name : exported.value;
      if (name === 'default' && local.type === 'Identifier') return placeOf(boundTo(local.name, body));
    }
  }
  return null;
}

function placeOf(node: Acorn.Node | null | undefined): Place | null {
  const found = node as Acorn.AnyNode | null | undefined;
  const isFunction = found?.type === 'FunctionDeclaration' || found?.type === 'FunctionExpression';
  return isFunction && found.generator ? { line: found.loc!.start.line, column: found.loc!.start.column + 1 } : null;
}

/** The function of this name, or the first value of a `const`; other variables may get another value. */
function boundTo(name: string, body: Acorn.Program['body']): Acorn.Node | null | undefined {
  for (const node of body) {
    const declaration = node.type === 'ExportNamedDeclaration' ? node.declaration : node;
    if (declaration?.type === 'FunctionDeclaration' && declaration.id?.name === name) return declaration;
    if (declaration?.type !== 'VariableDeclaration' || declaration.kind !== 'const') continue;
    for (const { id, init } of declaration.declarations) if (id.type === 'Identifier' && id.name === name) return init;
  }
  return null;
}
