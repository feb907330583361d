// A document that a shift makes, known before any document has come: which members it has, and where the text of each comes from.
// The steps that follow are applied to it when the spec is compiled, so that at run time nothing is left but joining texts.

import { targetIndex } from '../path.ts';
import { escapeText } from '../text-escapes.ts';

export type Part =
  /** The value of this number, which is known when the document has been read. */
  { readonly kind: 'value'; readonly number: number } | { readonly kind: 'text'; readonly text: string } | ShapeObject;

export interface ShapeObject {
  readonly kind: 'object';
  readonly members: ReadonlyMap<string, Part>;
}

export const EMPTY: ShapeObject = { kind: 'object', members: new Map() };

/** Thrown where only the document can tell what a step does. */
export class NotKnown extends Error {}

/** What stands at a path; null if nothing does. @throws NotKnown if the path goes on inside of a value */
export function partAt(shape: Part, keys: readonly string[]): Part | null {
  let part = shape;
  for (const key of keys) {
    if (part.kind !== 'object' || !isName(key)) throw new NotKnown();
    const next = part.members.get(key);
    if (next === undefined) return null;
    part = next;
  }
  return part;
}

/** The shape with `part` at a path. @throws NotKnown if the path leads through a value, or is more than names */
export function withPart(shape: ShapeObject, keys: readonly string[], part: Part): ShapeObject {
  const [key, ...rest] = keys;
  if (key === undefined || !isName(key)) throw new NotKnown();
  const there = shape.members.get(key);
  if (rest.length > 0 && there !== undefined && there.kind !== 'object') throw new NotKnown();
  const inside = there?.kind === 'object' ? there : EMPTY;
  const value = rest.length === 0 ? part : withPart(inside, rest, part);
  return { kind: 'object', members: new Map([...shape.members, [key, value]]) };
}

/** The shape without what stands at a path. @throws NotKnown as `withPart` */
export function withoutPart(shape: ShapeObject, keys: readonly string[]): ShapeObject {
  if (partAt(shape, keys) === null) return shape;
  const [key = '', ...rest] = keys;
  const members = new Map(shape.members);
  if (rest.length === 0) members.delete(key);
  else members.set(key, withoutPart(members.get(key) as ShapeObject, rest));
  return { kind: 'object', members };
}

/** A name that could be read as a place in an array is left to the general way. */
const isName = (key: string): boolean => key !== '' && !key.startsWith('[') && targetIndex(key) === null;

export interface Template {
  /** Texts with values between them: one more than there are values. */
  readonly texts: readonly string[];
  readonly values: readonly number[];
}

export function template(shape: Part): Template {
  const texts = [''];
  const values: number[] = [];
  const add = (text: string): void => {
    texts[texts.length - 1] += text;
  };
  const show = (part: Part): void => {
    if (part.kind === 'text') add(part.text);
    else if (part.kind === 'value') {
      values.push(part.number);
      texts.push('');
    } else {
      add('{');
      for (const [i, [name, member]] of [...part.members].entries()) {
        add(`${i === 0 ? '' : ','}"${escapeText(name)}":`);
        show(member);
      }
      add('}');
    }
  };
  show(shape);
  return { texts, values };
}
