// `over`: a step is applied to each element of an array in place of the document. Unlike in Go, an error in an element is the
// document's error; Go then returns the document as it was, without the steps that follow.

import type { Operation } from './context.ts';
import { NOT_FOUND, plainError } from './errors.ts';
import { elements, OPEN_ARRAY, skipSpace } from './json-text.ts';
import { compilePath, type Path } from './path.ts';
import { arrayAt, items } from './read.ts';
import { write } from './write.ts';

/** `over` is a path without wildcards, and always with dots; `$` is the document. With `paths` it is a path like any other. */
export function overEach(over: string, operation: Operation, paths: boolean): Operation {
  if (over === '$') return (text) => `[${rootItems(text).map(operation)}]`;
  const compiled = paths ? compilePath(over, '.') : { keys: over.split('.'), each: null, error: null };
  return (text) => apply(text, compiled, operation);
}

function apply(text: string, path: Path, operation: Operation): string {
  if (path.error !== null) throw path.error;
  const found = arrayAt(text, path);
  if (found === null) throw plainError(NOT_FOUND);
  const { rest } = path.each ?? { rest: null };
  const one: Operation = rest === null ? operation : (item) => apply(item, rest, operation);
  return write(text, { ...path, each: null }, `[${items(text, found).map(one)}]`);
}

function rootItems(text: string): string[] {
  const first = skipSpace(text, 0, text.length);
  // on anything but an array Go begins behind the first character, and so do its messages
  const from = text.charCodeAt(first) === OPEN_ARRAY ? first + 1 : 1;
  const { spans, error } = elements(text, from, text.length);
  if (error !== null) throw error;
  if (text.charCodeAt(first) !== OPEN_ARRAY) throw plainError(NOT_FOUND);
  return items(text, { open: first, spans });
}
