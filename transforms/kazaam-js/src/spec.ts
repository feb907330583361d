// The spec document: a list of steps, read with Go's rules for its member names (in any case), repeated members, and types.
// Checked here is what Go checks when a Kazaam is made; what is inside of a step's `spec` is the operation's affair.

import { KazaamError, specError } from './errors.ts';
import { isList, isObject, type SpecObject, type SpecValue, specValue } from './go-value.ts';
import { type Members, type Node, objectOf, parseSpecJson } from './spec-json.ts';

export interface StepSpec {
  readonly operation: string;
  /** null: not given. */
  readonly spec: SpecObject | null;
  readonly over: string | null;
  readonly require: boolean;
  readonly inplace: boolean;
  readonly keySeparator: string;
  /** False if only `operation` and `over` are given; Go ignores `over` then. */
  readonly configured: boolean;
  /** What the fork's converters look things up in. */
  readonly converters: SpecObject | null;
  /** Where it begins in the spec's text. */
  readonly place?: number | undefined;
}

/** A step as a JavaScript value. */
export interface Step {
  readonly operation: string;
  readonly spec?: Readonly<Record<string, unknown>> | ReadonlyMap<string, unknown>;
  readonly over?: string;
  readonly require?: boolean;
  readonly inplace?: boolean;
  readonly keySeparator?: string;
  readonly converters?: Readonly<Record<string, unknown>>;
}

/** null for the text `null`, which Go takes and never runs. @throws KazaamError SpecError */
export function readSpec(spec: string | readonly Step[]): readonly StepSpec[] | null {
  if (spec === '') return readSpec([{ operation: 'pass' }]);
  const root = typeof spec === 'string' ? parseSpecJson(spec) : nodeOf(specValue(spec));
  if (root.kind === 'null') return null;
  if (root.kind !== 'array') throw wrongType(root, 'value of type kazaam.specs');
  const { items, places } = root;
  return items.map((item, number) => {
    try {
      return { ...readStep(item), place: places?.[number] };
    } catch (error) {
      throw located(error, number, places?.[number]);
    }
  });
}

/** The error, with the number of its step and the place of the step, if it has no place of its own. */
export function located(error: unknown, step: number, place: number | undefined): unknown {
  if (error instanceof KazaamError) {
    error.step = step;
    error.offset ??= place;
  }
  return error;
}

/** Where each step begins in the text of a spec. @throws KazaamError SpecError */
export const stepPlaces = (spec: string): readonly (number | undefined)[] =>
  (readSpec(spec) ?? []).map(({ place }) => place);

function readStep(node: Node): StepSpec {
  const step = { ...EMPTY, operation: null as string | null };
  if (node.kind !== 'null') {
    if (node.kind !== 'object') throw wrongType(node, 'value of type kazaam.specInt');
    let wrong: KazaamError | null = null;
    for (const [name, value] of node.members) {
      try {
        setMember(step, name.toLowerCase(), value);
      } catch (error) {
        wrong ??= error as KazaamError; // Go reads on and tells the first
      }
    }
    if (wrong !== null) throw wrong;
  }
  const { operation } = step;
  if (operation === null) throw specError('Spec must contain an "operation" field');
  if (step.spec?.size === 0) throw specError('Spec must contain at least one element');
  return { ...step, operation, keySeparator: step.keySeparator === '' ? '.' : step.keySeparator };
}

const EMPTY: Omit<StepSpec, 'operation'> = {
  spec: null,
  over: null,
  require: false,
  inplace: false,
  keySeparator: '',
  configured: false,
  converters: null,
};

type Draft = { -readonly [Name in keyof StepSpec]: StepSpec[Name] | (Name extends 'operation' ? null : never) };

function setMember(step: Draft, name: string, node: Node): void {
  switch (name) {
    case 'operation':
      step.operation = optional(node, 'string', 'operation', 'string');
      return;
    case 'over':
      step.over = optional(node, 'string', 'over', 'string');
      return;
    case 'spec': {
      step.configured = true;
      // a second `spec` adds to the first
      const members = optional<Members>(node, 'object', 'spec', 'map[string]interface {}');
      step.spec = members === null ? null : new Map([...(step.spec ?? []), ...numbersChecked(members)]);
      return;
    }
    case 'require':
      step.configured = true;
      step.require = optional<boolean>(node, 'bool', 'require', 'bool') ?? step.require;
      return;
    case 'inplace':
      step.configured = true;
      step.inplace = optional<boolean>(node, 'bool', 'inplace', 'bool') ?? step.inplace;
      return;
    case 'keyseparator':
      step.configured = true;
      step.keySeparator = optional<string>(node, 'string', 'keySeparator', 'string') ?? step.keySeparator;
      return;
    case 'converters':
      step.converters = node.kind === 'object' ? objectOf(node.members) : null;
      return;
  }
}

/** @throws KazaamError for a number that no double holds, with the name of the member */
function numbersChecked(members: Members): SpecObject {
  try {
    return objectOf(members);
  } catch (error) {
    const { message } = error as KazaamError;
    throw new KazaamError('SpecError', message.replace('value of type', 'struct field specInt.spec of type'));
  }
}

/** The content of a node of this kind, or null for null. */
function optional<T = string>(node: Node, kind: Node['kind'], name: string, goType: string): T | null {
  if (node.kind === 'null') return null;
  if (node.kind !== kind) throw wrongType(node, `struct field specInt.${name} of type ${goType}`);
  return (node.kind === 'object' ? node.members : 'value' in node ? node.value : null) as T;
}

const wrongType = (node: Node, target: string): KazaamError =>
  new KazaamError('SpecError', `json: cannot unmarshal ${node.kind} into Go ${target}`);

function nodeOf(value: SpecValue): Node {
  if (value === null) return { kind: 'null' };
  if (typeof value === 'boolean') return { kind: 'bool', value };
  if (typeof value === 'number') return { kind: 'number', text: Object.is(value, -0) ? '-0' : String(value) };
  if (typeof value === 'string') return { kind: 'string', value };
  if (isList(value)) return { kind: 'array', items: value.map(nodeOf) };
  if (isObject(value)) return { kind: 'object', members: [...value].map(([name, one]) => [name, nodeOf(one)]) };
  throw new TypeError('not a value of a spec');
}
