// What walks a parsed script or module: the JavaScript language, and the rewriting of JSONata's library.

import type * as Acorn from 'acorn';

export type Node = Acorn.Node & { readonly [key: string]: unknown };

/** The nodes right below this one, in the order of the source. `N`: how the caller knows them. */
export function children<N extends Acorn.Node = Node>(node: N): N[] {
  const out: N[] = [];
  for (const value of Object.values(node) as unknown[]) {
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (typeof one === 'object' && one !== null && typeof (one as Partial<N>).type === 'string') out.push(one as N);
    }
  }
  return out;
}
