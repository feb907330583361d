// A manifest's text with one chain changed: code, settings and the order of transformations. What is not changed stays as
// it was written, with its comments. Nothing is checked here: the new text goes through the loader like any other.

import { type Document, isMap, isScalar, isSeq, parseDocument, Scalar, type YAMLMap } from 'yaml';
import { sluiceError } from '../errors.ts';
import { asWritten, writerFor } from './as-written.ts';

/** The keys that a transformation has now; absent: it keeps what it has. */
export interface StepChange {
  readonly id: string;
  readonly type?: string;
  /** Where its code is now. The other places are taken out. */
  readonly code?: { readonly key: 'file' | 'code' | 'expression' | 'specification'; readonly value: string };
  readonly scope?: string;
  readonly images?: string;
  readonly state?: string;
}

export interface ChainChange {
  readonly stream: string;
  /** Transformations that change or are new. */
  readonly steps: readonly StepChange[];
  /** All ids of the chain, in order. */
  readonly order: readonly string[];
}

const CODE = ['file', 'code', 'expression', 'specification'] as const;
const DEFAULTS: Readonly<Record<string, string>> = { scope: 'row', images: 'key', state: 'reset' };
// What belongs to one language, and goes with it.
const OF_LANGUAGE = ['engine', 'lane', 'constants', 'packages'];

/** @throws SluiceError E_MANIFEST_SYNTAX, E_MANIFEST_REFERENCE */
export function withChain(text: string, change: ChainChange): string {
  const doc = parseDocument(text);
  if (doc.errors.length > 0 || !isMap(doc.contents)) {
    throw sluiceError('E_MANIFEST_SYNTAX', {
      message: 'the manifest is no YAML or JSON, so nothing in it can be changed',
    });
  }
  const write = writerFor(text);
  const before = write(doc);
  for (const step of change.steps) changeStep(doc, step);
  const stream = entryOf(doc, 'streams', change.stream);
  if (stream === null) {
    throw sluiceError('E_MANIFEST_REFERENCE', { message: 'the manifest has no such stream' });
  }
  const list = stream.get('transformations');
  const now = isSeq(list) ? (list.toJSON() as readonly unknown[]) : [];
  if (JSON.stringify(now) !== JSON.stringify(change.order)) {
    const node = doc.createNode(change.order, { flow: true });
    stream.set('transformations', node);
  }
  return asWritten(text, before, write(doc));
}

function changeStep(doc: Document, step: StepChange): void {
  let entry = entryOf(doc, 'transformations', step.id);
  if (entry === null) {
    if (!isSeq(doc.get('transformations'))) {
      const map = doc.contents as YAMLMap;
      const at = map.items.findIndex((pair) => isScalar(pair.key) && pair.key.value === 'streams');
      map.items.splice(at < 0 ? map.items.length : at, 0, doc.createPair('transformations', []));
    }
    entry = doc.createNode({ id: step.id }) as YAMLMap;
    doc.addIn(['transformations'], entry);
  }
  if (step.type !== undefined && entry.get('type') !== step.type) {
    for (const key of OF_LANGUAGE) entry.delete(key);
    setText(doc, entry, 'type', step.type);
  }
  if (step.code !== undefined) {
    const { key, value } = step.code;
    for (const other of CODE) if (other !== key) entry.delete(other);
    setText(doc, entry, key, value);
  }
  for (const name of ['scope', 'images', 'state'] as const) {
    const value = step[name];
    if (value === undefined || (entry.get(name) ?? DEFAULTS[name]) === value) continue;
    if (value === DEFAULTS[name]) entry.delete(name);
    else setText(doc, entry, name, value);
  }
}

// Code of several lines is written as it is, in a block.
function setText(doc: Document, entry: YAMLMap, key: string, value: string): void {
  const old = entry.get(key, true);
  if (isScalar(old) && old.value === value) return;
  if (isScalar(old)) {
    old.value = value;
    if (value.includes('\n')) old.type = Scalar.BLOCK_LITERAL;
    return;
  }
  const node = doc.createNode(value) as Scalar;
  if (value.includes('\n')) node.type = Scalar.BLOCK_LITERAL;
  entry.set(key, node);
}

function entryOf(doc: Document, list: string, id: string): YAMLMap | null {
  const found = doc.get(list);
  if (!isSeq(found)) return null;
  const entry = found.items.find((one) => isMap(one) && one.get('id') === id);
  return isMap(entry) ? entry : null;
}
