// The shape of JSON values that were seen: which kinds, which keys, which of them always. What TypeScript's types are made of.

import { isRow, type Json } from '../values.ts';

export interface Shape {
  readonly kinds: Set<'string' | 'number' | 'boolean' | 'null'>;
  /** How many objects were seen, and by key how many had it. */
  objects: number;
  readonly keys: Map<string, { count: number; readonly shape: Shape }>;
  /** Of all elements of all arrays. */
  items: Shape | null;
}

export function newShape(): Shape {
  return { kinds: new Set(), objects: 0, keys: new Map(), items: null };
}

export function addTo(shape: Shape, value: Json): void {
  if (value === null) shape.kinds.add('null');
  else if (Array.isArray(value)) {
    shape.items ??= newShape();
    for (const item of value) addTo(shape.items, item as Json);
  } else if (isRow(value)) {
    shape.objects++;
    for (const [key, one] of Object.entries(value)) {
      const known = shape.keys.get(key) ?? { count: 0, shape: newShape() };
      shape.keys.set(key, known);
      known.count++;
      addTo(known.shape, one);
    }
  } else shape.kinds.add(typeof value as 'string' | 'number' | 'boolean');
}

const MOST_KEYS = 40;
const DEEPEST = 8;

/** As a TypeScript type; `Json` where nothing was seen, or too much to be told apart. */
export function typeOf(shape: Shape, indent = '', depth = 0): string {
  const parts = [...shape.kinds].filter((kind) => kind !== 'null').sort() as string[];
  if (shape.objects > 0)
    parts.push(depth >= DEEPEST ? '{ readonly [key: string]: Json }' : objectType(shape, indent, depth));
  if (shape.items !== null) {
    const item = typeOf(shape.items, indent, depth + 1);
    parts.push(item.includes(' | ') ? `readonly (${item})[]` : `readonly ${item}[]`);
  }
  if (shape.kinds.has('null')) parts.push('null');
  // null alone says nothing of what else may come
  return parts.length === 0 || (parts.length === 1 && parts[0] === 'null') ? 'Json' : parts.join(' | ');
}

// Keys that are data (ids, names) make a map: their names are no part of the type, and do not belong into a file.
function objectType(shape: Shape, indent: string, depth: number): string {
  const rare = [...shape.keys.values()].filter(({ count }) => count < shape.objects).length;
  if (shape.keys.size > MOST_KEYS && rare > shape.keys.size / 2) {
    const all = newShape();
    for (const { shape: one } of shape.keys.values()) merge(all, one);
    return `{ readonly [key: string]: ${typeOf(all, indent, depth + 1)} }`;
  }
  if (shape.keys.size === 0) return '{ readonly [key: string]: Json }';
  const inner = `${indent}  `;
  const fields = [...shape.keys].map(
    ([key, { count, shape: one }]) =>
      `${inner}readonly ${propertyName(key)}${count < shape.objects ? '?' : ''}: ${typeOf(one, inner, depth + 1)};`,
  );
  return `{\n${fields.join('\n')}\n${indent}}`;
}

function merge(into: Shape, one: Shape): void {
  for (const kind of one.kinds) into.kinds.add(kind);
  into.objects += one.objects;
  for (const [key, { count, shape }] of one.keys) {
    const known = into.keys.get(key);
    if (known === undefined) into.keys.set(key, { count, shape });
    else {
      known.count += count;
      merge(known.shape, shape);
    }
  }
  if (one.items !== null) {
    into.items ??= newShape();
    merge(into.items, one.items);
  }
}

export function propertyName(key: string): string {
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? key : JSON.stringify(key);
}
