// A manifest's text as plain values: YAML 1.2 (JSON is a part of it) with placeholders replaced and every place kept.
// Guarantees: syntax errors and double keys are findings with line and column; anchors and merges expand to a bounded size.
// Refuses more than one document, keys that are no scalars, and nesting beyond any manifest's need.

import {
  type Alias,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  Scalar,
} from 'yaml';
import { escapePointer, type Finding, findingOf } from './finding.ts';
import { hasPlaceholder, interpolate, type Surroundings } from './interpolate.ts';
import { looksSecret, type Places, placesOf, type Range } from './places.ts';
import { type Protected, protect } from './protect.ts';
import { scalarOf } from './scalar.ts';
import type { Secrets } from './secrets.ts';
import { syntaxFindings } from './syntax.ts';

const MAX_DEPTH = 60;
const MAX_ALIASED_NODES = 20_000;

/** Code is the author's, to the letter: nothing is replaced there, or positions would be wrong and secrets would enter. */
const CODE = /^\/transformations\/\d+\/(code|expression|specification)(\/|$)/;

export interface ManifestDocument {
  readonly root: unknown;
  readonly places: Places;
  readonly findings: readonly Finding[];
  /** False when the syntax is so broken that the tree cannot be trusted: nothing more is said then. */
  readonly sound: boolean;
  /** Pointers of values that could not be resolved: what they would be is unknown, so nothing is said of them. */
  readonly unresolved: ReadonlySet<string>;
  /** The scalar's node, for what depends on how it was written (block scalars of code). */
  scalarAt(pointer: string): Scalar | undefined;
  /** What a frame must not show, as far as it is known by where it stands. */
  secretRanges(): Range[];
}

export interface ReadOptions extends Surroundings {
  readonly file: string;
  readonly secrets: Secrets;
  /** Unresolved placeholders are warnings: for verbs that only look at the state. */
  readonly inspect: boolean;
  /** Nothing is replaced: `${…}` is text like any other. */
  readonly literal?: boolean;
}

export function readDocument(text: string, options: ReadOptions): ManifestDocument {
  const lines = new LineCounter();
  const places = placesOf(options.file, lines);
  const findings: Finding[] = [];
  const unresolved = new Set<string>();
  const scalars = new Map<string, Scalar>();
  const kept = protect(text);
  const doc = parseDocument(kept.text, {
    lineCounter: lines,
    version: '1.2',
    merge: true,
    prettyErrors: false,
    uniqueKeys: false, // looked for below, to name the first place
    keepSourceTokens: false,
  });
  const syntax = syntaxFindings(doc, places);
  findings.push(...syntax.findings);

  const anchors = new Map<string, Node>();
  const open = new Set<Node>();
  /** Values under keys that stand twice: not read, but in the text. */
  const dropped: Range[] = [];
  let aliased = 0;
  /** How many brackets are around. */
  let flow = 0;

  const rangeOf = (node: Node | null | undefined, fallback: number): Range => {
    const range = node?.range;
    return range ? [range[0], range[1]] : [fallback, fallback];
  };
  const complain = (offset: number, pointer: string, code: string, message: string, fix: string): void => {
    findings.push(findingOf(code, { message, fix, at: places.atOffset(offset, pointer) }));
  };

  function value(node: Node | null | undefined, pointer: string, depth: number, viaAlias: boolean): unknown {
    if (node === null || node === undefined) return null;
    const start = rangeOf(node, 0)[0];
    if (depth > MAX_DEPTH) {
      complain(start, pointer, 'E_MANIFEST_SYNTAX', `nested deeper than ${MAX_DEPTH} levels`, 'make it flatter');
      return null;
    }
    if (viaAlias && ++aliased > MAX_ALIASED_NODES) {
      if (aliased === MAX_ALIASED_NODES + 1) {
        complain(
          start,
          pointer,
          'E_MANIFEST_SYNTAX',
          'anchors expand to too many values',
          'use fewer aliases within aliases',
        );
      }
      return null;
    }
    if (isAlias(node)) return aliasValue(node, start, pointer, depth);
    const anchor = (node as { anchor?: string }).anchor;
    if (anchor !== undefined) anchors.set(anchor, node);
    if (isScalar(node)) return scalarValue(node, start, pointer);
    const inFlow = (node as { flow?: boolean }).flow === true ? 1 : 0;
    open.add(node);
    flow += inFlow;
    try {
      if (isSeq(node)) {
        return node.items.map((item, i) => {
          const at = `${pointer}/${i}`;
          const child = (isPair(item) ? item.value : item) as Node | null;
          places.set(at, null, rangeOf(child, rangeOf(node, start)[0]));
          return value(child, at, depth + 1, viaAlias);
        });
      }
      if (isMap(node))
        return mapValue(node.items as { key: Node | null; value: Node | null }[], start, pointer, depth, viaAlias);
    } finally {
      flow -= inFlow;
      open.delete(node);
    }
    return null;
  }

  function mapValue(
    items: readonly { key: Node | null; value: Node | null }[],
    start: number,
    pointer: string,
    depth: number,
    viaAlias: boolean,
  ): object {
    const own = new Map<string, unknown>();
    const firsts = new Map<string, number>();
    const merged: { node: Node; at: number }[] = [];
    for (const item of items) {
      const keyRange = rangeOf(item.key, start);
      const key = keyOf(item.key, kept);
      if (key === null) {
        complain(
          keyRange[0],
          pointer,
          'E_MANIFEST_SYNTAX',
          'a key must be a single word or text',
          'write `key: value`',
        );
        continue;
      }
      if (key === '<<' && isScalar(item.key) && item.key.type === Scalar.PLAIN) {
        if (item.value !== null) merged.push({ node: item.value, at: keyRange[0] });
        continue;
      }
      const at = `${pointer}/${escapePointer(key)}`;
      const first = firsts.get(key);
      if (first !== undefined) {
        const line = places.atOffset(first).line;
        if (looksSecret(at)) dropped.push(rangeOf(item.value, keyRange[1]));
        complain(
          keyRange[0],
          at,
          'E_MANIFEST_DUPLICATE',
          `the key \`${key}\` stands here already, at line ${line}`,
          'keep one of them',
        );
        continue;
      }
      firsts.set(key, keyRange[0]);
      places.set(at, keyRange, rangeOf(item.value, keyRange[1]));
      own.set(key, value(item.value, at, depth + 1, viaAlias));
    }
    for (const { node, at } of merged) mergeInto(own, node, at, pointer, depth, start);
    return Object.fromEntries(own);
  }

  // `<<: *defaults` and `<<: [*a, *b]`: own keys win over merged ones, earlier merged ones over later
  function mergeInto(
    own: Map<string, unknown>,
    node: Node,
    at: number,
    pointer: string,
    depth: number,
    start: number,
  ): void {
    const targets = isSeq(node) ? (node.items as Node[]) : [node];
    for (const target of targets) {
      const map = isAlias(target) ? anchors.get(target.source) : target;
      if (!isMap(map) || open.has(map)) {
        complain(
          at,
          pointer,
          'E_MANIFEST_SYNTAX',
          '`<<` needs the alias of a map that stands before it',
          'write `<<: *anchor`',
        );
        continue;
      }
      const fresh = (map.items as { key: Node | null; value: Node | null }[]).filter((item) => {
        const key = keyOf(item.key, kept);
        return key !== null && (key === '<<' || !own.has(key));
      });
      open.add(map);
      const values = mapValue(fresh, start, pointer, depth + 1, true);
      open.delete(map);
      for (const [key, merged] of Object.entries(values)) own.set(key, merged);
    }
  }

  function aliasValue(node: Alias, start: number, pointer: string, depth: number): unknown {
    const target = anchors.get(node.source);
    if (target === undefined || open.has(target)) {
      const why = target === undefined ? 'has no anchor before it' : 'stands within its own anchor';
      complain(
        start,
        pointer,
        'E_MANIFEST_SYNTAX',
        `the alias *${node.source} ${why}`,
        `write &${node.source} at the value it means`,
      );
      return null;
    }
    return value(target, pointer, depth + 1, true);
  }

  function scalarValue(node: Scalar, start: number, pointer: string): unknown {
    scalars.set(pointer, node);
    if (kept.has(node.source ?? '')) {
      if (flow > 0 && node.type === Scalar.PLAIN) {
        const message = 'a placeholder within brackets needs quotes';
        complain(start, pointer, 'E_MANIFEST_SYNTAX', message, 'write "${env:NAME}", or no brackets');
      }
      node.source = kept.restore(node.source ?? '');
      if (typeof node.value === 'string') node.value = kept.restore(node.value);
    }
    if (typeof node.value !== 'string') {
      const source = node.source;
      const long = typeof node.value === 'number' && Number.isInteger(node.value) && !Number.isSafeInteger(node.value);
      return long && source !== undefined ? source : node.value;
    }
    if (options.literal === true || !hasPlaceholder(node.value)) return node.value;
    if (CODE.test(pointer)) {
      const found = /\$\{(env|file):/.exec(node.value);
      if (found !== null) {
        complain(
          start,
          pointer,
          'E_MANIFEST_VARIABLE',
          'placeholders are not replaced in code',
          'take the value from the event',
        );
      }
      return node.value;
    }
    const result = interpolate(node.value, options);
    for (const trouble of result.troubles) {
      const severity = options.inspect ? 'warning' : trouble.severity;
      const at = places.atOffset(offsetWithin(text, node, start, trouble.index), pointer);
      findings.push(findingOf('E_MANIFEST_VARIABLE', { message: trouble.message, fix: trouble.fix, at, severity }));
      if (trouble.severity === 'error') unresolved.add(pointer);
    }
    for (const { value: taken, from } of result.taken) options.secrets.add(taken, from === 'file');
    if (unresolved.has(pointer)) return '';
    // a connection string made of parts is secret as a whole when a part of it is
    if (result.taken.length > 0 && result.text.includes('://')) options.secrets.add(result.text);
    return result.whole && node.type === Scalar.PLAIN ? scalarOf(result.text) : result.text;
  }

  const top = doc.contents as Node | null;
  places.set('', null, rangeOf(top, 0));
  const root = syntax.sound ? value(top, '', 0, false) : null;
  return {
    root,
    places,
    findings,
    sound: syntax.sound,
    unresolved,
    scalarAt: (pointer) => scalars.get(pointer),
    secretRanges: () => [
      ...dropped,
      ...[...scalars].flatMap(([pointer, node]) => (looksSecret(pointer) ? [rangeOf(node, 0)] : [])),
    ],
  };
}

function keyOf(node: Node | null, kept: Protected): string | null {
  if (node === null || !isScalar(node)) return null;
  if (node.value === null || node.value === undefined || typeof node.value === 'symbol') return node.source ?? 'null';
  return typeof node.value === 'object' ? null : kept.restore(String(node.source ?? node.value));
}

// The place of a placeholder within its scalar: found again in the source, since escapes and folding move things about.
function offsetWithin(text: string, node: Scalar, start: number, index: number): number {
  const written = text.slice(start, node.range?.[1] ?? start);
  const value = String(node.value);
  const nth = value.slice(0, index).split('${').length - 1;
  let at = -1;
  for (let n = 0; n <= nth; n++) {
    at = written.indexOf('${', at + 1);
    if (at < 0) return start;
  }
  return start + at;
}
