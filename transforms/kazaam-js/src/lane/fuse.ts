// The fast lane of a spec that begins with a shift: this shift and the steps after it, as far as what they do is known beforehand,
// become one walk over the document, a few texts cut from it, and one join. Whatever is unusual in a document is left to the general
// way, by answering null; errors are always its own.

import type { Context } from '../context.ts';
import { isList, isObject, marshal, type SpecObject, type SpecValue } from '../go-value.ts';
import { partText } from '../operations/concat.ts';
import { compilePath, type Path } from '../path.ts';
import { read } from '../read.ts';
import type { StepSpec } from '../spec.ts';
import { escapeText } from '../text-escapes.ts';
import { GIVE_UP, places, scan, scanEach } from './scan.ts';
import { EMPTY, NotKnown, type Part, partAt, type ShapeObject, template, withoutPart, withPart } from './shape.ts';
import { Trie } from './trie.ts';

export interface Lane {
  /** How many steps it does. */
  readonly steps: number;
  /** What these steps make of a document; null for the general way. */
  run(document: string): string | null;
}

/** Makes a value of those that came before it. */
type Compute = (values: readonly string[]) => string;

/** null if the first step is no shift that this lane can do. */
export function fuse(steps: readonly StepSpec[], context: Context): Lane | null {
  const [first] = steps;
  if (first?.operation !== 'shift' || first.inplace || first.over !== null || first.spec === null) return null;
  const draft = new Draft(context);
  try {
    draft.shiftDocument(first, first.spec);
  } catch (error) {
    if (error instanceof NotKnown) return null;
    throw error;
  }
  let count = 1;
  for (; count < steps.length && draft.follow(steps[count]!); count++);
  return draft.lane(count);
}

class Draft {
  readonly #trie = new Trie();
  readonly #computes: Compute[] = [];
  readonly #context: Context;
  #require = false;
  #shape: ShapeObject = EMPTY;
  /** Values that are computed are numbered behind those that are cut from the document. */
  #cuts = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** @throws NotKnown */
  shiftDocument(step: StepSpec, spec: SpecObject): void {
    if (EXTENSIONS_OF_SHIFT.some((name) => this.#context.has(name))) throw new NotKnown();
    this.#require = step.require;
    const sources = [...spec].map(([target, source]) => ({ target, path: sourcePath(source, step) }));
    const slots = sources.map(({ path }) => {
      const slot = path.error === null ? this.#trie.add(path.keys) : null;
      if (slot === null) throw new NotKnown();
      return slot;
    });
    this.#cuts = this.#trie.count;
    for (const [i, { target, path }] of sources.entries()) {
      const { each } = path;
      const number = slots[i]!;
      const part: Part = each === null ? { kind: 'value', number } : this.#compute(eachOf(number, each, step.require));
      this.#put(target, step, part);
      if (each !== null) this.#arrays.add(number);
      else this.#plain.add(number);
    }
    // a missing value is null, and a missing array is empty: one slot cannot be both
    if ([...this.#arrays].some((number) => this.#plain.has(number))) throw new NotKnown();
  }
  readonly #arrays = new Set<number>();
  readonly #plain = new Set<number>();

  /** Whether the step is done by the lane; if not, it and those after it are done by the general way. */
  follow(step: StepSpec): boolean {
    const { operation, spec, over } = step;
    if (over !== null && step.configured) return false;
    const before = this.#shape;
    try {
      if (operation === 'pass') return true;
      if (spec === null) return false;
      if (operation === 'default') {
        for (const [target, value] of spec) this.#put(target, step, { kind: 'text', text: marshal(value) });
      } else if (operation === 'concat') this.#concat(step, spec);
      else if (operation === 'delete') this.#delete(step, spec);
      else if (operation === 'shift') this.#shift(step, spec);
      else return false;
      return true;
    } catch (error) {
      if (!(error instanceof NotKnown)) throw error;
      this.#shape = before;
      return false;
    }
  }

  #put(target: string, step: StepSpec, part: Part): void {
    const path = compilePath(target, step.keySeparator);
    if (path.error !== null || path.each !== null) throw new NotKnown();
    this.#shape = withPart(this.#shape, path.keys, part);
  }

  #compute(compute: Compute): Part {
    this.#computes.push(compute);
    return { kind: 'value', number: this.#cuts + this.#computes.length - 1 };
  }

  #part(path: string, step: StepSpec): Part {
    const { keys, each, error } = compilePath(path, step.keySeparator);
    if (each !== null || error !== null) throw new NotKnown();
    const part = partAt(this.#shape, keys);
    if (part === null && step.require) throw new NotKnown();
    return part ?? { kind: 'text', text: 'null' };
  }

  #concat(step: StepSpec, spec: SpecObject): void {
    const [sources, target, delim] = [spec.get('sources'), spec.get('targetPath'), spec.get('delim') ?? ''];
    if (!isList(sources) || typeof target !== 'string' || typeof delim !== 'string' || spec.get('delim') === null) {
      throw new NotKnown();
    }
    const parts = sources.map((source): Compute => {
      const value = isObject(source) ? source.get('value') : null;
      if (typeof value === 'string') return constant(escapeText(value));
      const path = isObject(source) && value === undefined ? source.get('path') : null;
      if (typeof path !== 'string') throw new NotKnown();
      const part = this.#part(path, step);
      if (part.kind === 'object') throw new NotKnown();
      if (part.kind === 'text') return constant(partText(part.text));
      return (values) => partText(values[part.number]!);
    });
    const between = escapeText(delim);
    const joined = this.#compute((values) => {
      let out = '"';
      for (let i = 0; i < parts.length; i++) out += i === 0 ? parts[i]!(values) : between + parts[i]!(values);
      return `${out}"`;
    });
    this.#put(target, step, joined);
  }

  #delete(step: StepSpec, spec: SpecObject): void {
    const paths = spec.get('paths');
    if (!isList(paths)) throw new NotKnown();
    for (const one of paths) {
      if (typeof one !== 'string') throw new NotKnown();
      const { keys, each, error } = compilePath(one, step.keySeparator);
      if (each !== null || error !== null) throw new NotKnown();
      if (step.require && partAt(this.#shape, keys) === null) throw new NotKnown();
      this.#shape = withoutPart(this.#shape, keys);
    }
  }

  #shift(step: StepSpec, spec: SpecObject): void {
    const parts = [...spec].map(([target, source]) => {
      if (typeof source !== 'string' || source === '$') throw new NotKnown();
      return { target, part: this.#part(source, step) };
    });
    if (!step.inplace) this.#shape = EMPTY;
    for (const { target, part } of parts) this.#put(target, step, part);
  }

  lane(steps: number): Lane {
    const trie = this.#trie;
    const computes = this.#computes;
    const require = this.#require;
    const { texts, values: order } = template(this.#shape);
    const missing = Array.from({ length: trie.count }, (_, slot) => (this.#arrays.has(slot) ? '[]' : 'null'));
    const run = (document: string): string | null => {
      if (scan(document, trie) === GIVE_UP) return null;
      const values: string[] = [];
      for (let slot = 0; slot < missing.length; slot++) {
        const from = places[2 * slot]!;
        if (from >= 0) values.push(document.slice(from, places[2 * slot + 1]));
        else if (require) return null;
        else values.push(missing[slot]!);
      }
      for (let i = 0; i < computes.length; i++) values.push(computes[i]!(values));
      let out = texts[0]!;
      for (let i = 0; i < order.length; i++) out += values[order[i]!]! + texts[i + 1]!;
      return out;
    };
    return { steps, run: computes.length === 0 ? run : orNull(run) };
  }
}

const EXTENSIONS_OF_SHIFT = ['conditional-paths', 'wildcard-pairs', 'negative-index', 'root-wildcard'] as const;

/** What a wildcard makes of the array with this number. */
function eachOf(number: number, each: NonNullable<Path['each']>, require: boolean): Compute {
  const general = { keys: [], each, error: null };
  const trie = new Trie();
  const { rest } = each;
  const isSimple = rest !== null && rest.each === null && rest.error === null && trie.add(rest.keys) !== null;
  return (values) => {
    const array = values[number]!;
    const quick = isSimple && !require && array.startsWith('[') ? scanEach(array, 0, trie) : null;
    return quick ?? read(array, general, require);
  };
}

function sourcePath(source: SpecValue, step: StepSpec) {
  if (typeof source !== 'string' || source === '$') throw new NotKnown();
  return compilePath(source, step.keySeparator);
}

const constant =
  (text: string): Compute =>
  () =>
    text;

/** What a value is refused for is said by the general way, with the number of its step. */
function orNull(run: (document: string) => string | null): (document: string) => string | null {
  return (document) => {
    try {
      return run(document);
    } catch {
      return null;
    }
  };
}
