// What the files of this room share to walk a parsed module.

import type * as Acorn from 'acorn';

export type Node = Acorn.Node & { readonly [key: string]: unknown };

/** The nodes right below this one, in the order of the source. */
export function children(node: Node): Node[] {
  const out: Node[] = [];
  for (const value of Object.values(node)) {
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (typeof one === 'object' && one !== null && typeof (one as Node).type === 'string') out.push(one as Node);
    }
  }
  return out;
}
