// What fields the events have: a tree of names with kinds and one example each, which completion offers. Made from the events
// on the screen, so it knows nested members and those that only some events have.

export interface Field {
  readonly name: string;
  /** `string`, `number`, `boolean`, `null`, `object`, `list`: each that was seen. */
  readonly kinds: Set<string>;
  /** The first value that was not null, as short JSON. */
  example: string | null;
  /** Members; of a list, those of its elements. */
  readonly fields: Map<string, Field>;
}

const EXAMPLE = 40;
const DEPTH = 8;
const ELEMENTS = 20;

/** The fields of all values together; the result itself has no name. */
export function fieldsOf(values: readonly unknown[]): Field {
  const root = fieldNamed('');
  for (const value of values) learn(root, value, 0);
  return root;
}

/** Follows names from `root`; null where one was never seen. */
export function fieldAt(root: Field, path: readonly string[]): Field | null {
  let field: Field | undefined = root;
  for (const name of path) field = field?.fields.get(name);
  return field ?? null;
}

function fieldNamed(name: string): Field {
  return { name, kinds: new Set(), example: null, fields: new Map() };
}

function learn(field: Field, value: unknown, depth: number): void {
  field.kinds.add(kindOf(value));
  if (field.example === null && value !== null && value !== undefined) {
    const text = JSON.stringify(value);
    field.example = text.length > EXAMPLE ? text.slice(0, EXAMPLE - 1) + '…' : text;
  }
  if (depth >= DEPTH || typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (const element of value.slice(0, ELEMENTS)) {
      if (typeof element === 'object' && element !== null && !Array.isArray(element))
        learnMembers(field, element, depth);
    }
    return;
  }
  learnMembers(field, value, depth);
}

function learnMembers(field: Field, value: object, depth: number): void {
  for (const [name, member] of Object.entries(value)) {
    const known = field.fields.get(name) ?? fieldNamed(name);
    field.fields.set(name, known);
    learn(known, member, depth + 1);
  }
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  return Array.isArray(value) ? 'list' : typeof value;
}
