// The paths that one walk over a document looks for, as a tree: each name that is looked for is there once, whatever leads on from it.

export interface TrieNode {
  /** Number of the path that ends here, or -1. */
  slot: number;
  /** Members that are looked for, by the length of their names: almost every other member is ruled out by that alone. */
  readonly byLength: (TrieName[] | undefined)[];
  /** Elements that are looked for, by index. */
  readonly items: Map<number, TrieNode>;
  hasNames: boolean;
  /** The paths that end below this node, and those of them that end below an element. */
  readonly below: number[];
  readonly belowItems: number[];
}

export interface TrieName {
  readonly name: string;
  readonly first: number;
  readonly node: TrieNode;
}

/** Longer names are left to the general way. */
export const MAX_NAME = 63;

const newNode = (): TrieNode => ({
  slot: -1,
  byLength: new Array<TrieName[] | undefined>(MAX_NAME + 1).fill(undefined),
  items: new Map(),
  hasNames: false,
  below: [],
  belowItems: [],
});

export class Trie {
  readonly root = newNode();
  #count = 0;

  /** How many paths there are. */
  get count(): number {
    return this.#count;
  }

  /** The slot of a path; null if it holds what only the general way knows. The same path gets the same slot. */
  add(keys: readonly string[]): number | null {
    if (keys.length === 0 || !keys.every(isSimple) || indexIn(keys[0]!) !== null) return null;
    const way: (readonly [node: TrieNode, isItem: boolean])[] = [];
    let node = this.root;
    for (const key of keys) {
      const index = indexIn(key);
      way.push([node, index !== null]);
      node = index === null ? named(node, key) : item(node, index);
    }
    if (node.slot >= 0) return node.slot;
    node.slot = this.#count++;
    for (const [one, isItem] of way) (isItem ? one.belowItems : one.below).push(node.slot);
    return node.slot;
  }
}

/** A name without what would have to be escaped, or an index. */
function isSimple(key: string): boolean {
  if (key.startsWith('[')) return indexIn(key) !== null;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what a document would hold escaped is compared after decoding
  return key !== '' && key.length <= MAX_NAME && !/["\\\u0000-\u001f]/.test(key);
}

function indexIn(key: string): number | null {
  const digits = /^\[([0-9]{1,9})\]$/.exec(key)?.[1];
  return digits === undefined ? null : Number(digits);
}

function named(node: TrieNode, name: string): TrieNode {
  node.hasNames = true;
  node.byLength[name.length] ??= [];
  const list = node.byLength[name.length]!;
  const there = list.find((one) => one.name === name);
  if (there !== undefined) return there.node;
  const made = newNode();
  list.push({ name, first: name.charCodeAt(0), node: made });
  return made;
}

function item(node: TrieNode, index: number): TrieNode {
  const there = node.items.get(index);
  if (there !== undefined) return there;
  const made = newNode();
  node.items.set(index, made);
  return made;
}
