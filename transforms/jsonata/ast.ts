// The tree that JSONata's own parser gives, as far as this folder reads it; and walks over it.

export interface JsonataNode {
  readonly type: string;
  readonly value?: unknown;
  readonly position?: number;
  readonly name?: string;
  // what may stand on any node
  readonly predicate?: readonly Stage[];
  readonly stages?: readonly Stage[];
  readonly group?: Group;
  readonly keepArray?: boolean;
  readonly tuple?: boolean;
  readonly focus?: string;
  readonly index?: string;
  readonly ancestor?: unknown;
  // of a path
  readonly steps?: readonly JsonataNode[];
  readonly keepSingletonArray?: boolean;
  readonly consarray?: boolean;
  // of operators and constructors; `lhs` of an object is its list of pairs
  readonly lhs?: JsonataNode | readonly Pair[];
  readonly rhs?: JsonataNode;
  readonly expression?: JsonataNode;
  readonly expressions?: readonly JsonataNode[];
  readonly condition?: JsonataNode;
  readonly then?: JsonataNode;
  readonly else?: JsonataNode;
  readonly terms?: readonly { readonly descending: boolean; readonly expression: JsonataNode }[];
  readonly pattern?: JsonataNode;
  readonly update?: JsonataNode;
  readonly delete?: JsonataNode;
  // of functions
  readonly procedure?: JsonataNode;
  readonly arguments?: readonly JsonataNode[];
  readonly body?: JsonataNode;
  readonly signature?: { readonly definition: string; readonly validate?: unknown };
  readonly thunk?: boolean;
}

export type Pair = readonly [JsonataNode, JsonataNode];

export interface Stage {
  readonly type: string;
  readonly expr: JsonataNode;
  readonly value?: unknown;
}

export interface Group {
  readonly lhs: readonly Pair[];
  readonly position?: number;
}

/** The parts of a node, in the order in which they are evaluated. */
export function* childrenOf(node: JsonataNode): Generator<JsonataNode> {
  if (node.steps !== undefined) yield* node.steps;
  if (Array.isArray(node.lhs)) for (const pair of node.lhs as readonly Pair[]) yield* pair;
  else if (node.lhs !== undefined) yield node.lhs as JsonataNode;
  for (const one of [node.rhs, node.expression, node.condition, node.then, node.else]) if (one !== undefined) yield one;
  if (node.expressions !== undefined) yield* node.expressions;
  if (node.terms !== undefined) for (const term of node.terms) yield term.expression;
  for (const one of [node.pattern, node.update, node.delete, node.procedure]) if (one !== undefined) yield one;
  if (node.arguments !== undefined) yield* node.arguments;
  if (node.body !== undefined) yield node.body;
  for (const stage of [...(node.stages ?? []), ...(node.predicate ?? [])])
    if (stage.expr !== undefined) yield stage.expr;
  if (node.group !== undefined) for (const pair of node.group.lhs) yield* pair;
}

/** Every node, parents before their parts. `enter` false: the parts of that node are left out. */
export function* nodesOf(
  node: JsonataNode,
  enter: (node: JsonataNode) => boolean = () => true,
): Generator<JsonataNode> {
  yield node;
  if (!enter(node)) return;
  for (const child of childrenOf(node)) yield* nodesOf(child, enter);
}
