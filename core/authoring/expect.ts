// What came out of a test against what it expects, as sentences: one for each difference, none when all is well.
// Guarantee: everything that comes has to be expected: an output, a filtered event or an error that no one named is a
// difference, so a test cannot pass by what it leaves out.

import type { ErrorData } from '../errors.ts';
import { canonical, isRow, type Json } from '../values.ts';
import type { WrittenError, WrittenExpectation } from './tests-file.ts';

/** What became of the events of one test. */
export interface Outcome {
  /** Of source events. */
  readonly inputs: number;
  /** Envelopes, in order. */
  readonly events: readonly Json[];
  readonly filtered: number;
  readonly errors: readonly ErrorData[];
  /** Only of a test that went through a stream. */
  readonly ledger?: {
    readonly delivered: number;
    readonly filtered: number;
    readonly skipped: number;
    readonly dead_letter: number;
    readonly pending: number;
  };
  readonly state?: 'ended' | 'waiting' | 'failed';
}

export function differences(expect: 'filtered' | WrittenExpectation, outcome: Outcome): string[] {
  if (expect === 'filtered') return differences({ exact: false, filtered: true }, outcome);
  return outcome.ledger === undefined ? ofTransform(expect, outcome) : ofStream(expect, outcome, outcome.ledger);
}

function ofTransform(expect: WrittenExpectation, outcome: Outcome): string[] {
  return [
    ...outputs(expect, outcome.events),
    ...counted('filtered', filteredOf(expect, outcome), outcome.filtered),
    ...errors(errorsOf(expect), outcome.errors),
  ];
}

// A stream has more to say than most tests ask: its counts are looked at where they are named, and always add up.
function ofStream(expect: WrittenExpectation, outcome: Outcome, ledger: NonNullable<Outcome['ledger']>): string[] {
  const found: string[] = [];
  const counts = ['delivered', 'skipped', 'dead_letter', 'pending'] as const;
  for (const name of counts) found.push(...counted(name, expect[name] ?? ledger[name], ledger[name]));
  if (expect.filtered !== undefined) found.push(...counted('filtered', filteredOf(expect, outcome), ledger.filtered));
  const named = counts.reduce((sum, name) => sum + (expect[name] ?? 0), filteredOf(expect, outcome));
  // Nine delivered of ten says nothing of the tenth: what is named has to make up all events, or the rest is untested.
  if (found.length === 0 && named < outcome.inputs) {
    const all = Object.entries(ledger).map(([name, n]) => `${name} ${n}`);
    found.push(`the expected counts make up ${named} of ${outcome.inputs} events; there were: ${all.join(', ')}`);
  }
  if (expect.state !== undefined && expect.state !== outcome.state) {
    found.push(`state: expected ${expect.state}, got ${outcome.state}`);
  }
  if (expect.error !== undefined) found.push(...errors(errorsOf(expect), outcome.errors));
  if (expectedEvents(expect) !== null) found.push(...outputs(expect, outcome.events));
  return found;
}

function filteredOf(expect: WrittenExpectation, { inputs }: Outcome): number {
  if (typeof expect.filtered === 'number') return expect.filtered;
  return expect.filtered === true ? inputs : 0;
}

function errorsOf({ error }: WrittenExpectation): readonly WrittenError[] {
  if (error === undefined) return [];
  return Array.isArray(error) ? (error as readonly WrittenError[]) : [error as WrittenError];
}

function expectedEvents(expect: WrittenExpectation): readonly Json[] | null {
  if (expect.row !== undefined) return [{ after: expect.row }];
  if (expect.rows !== undefined) return expect.rows.map((after) => ({ after }));
  if (expect.event !== undefined) return [expect.event as Json];
  return (expect.events as readonly Json[] | undefined) ?? null;
}

function outputs(expect: WrittenExpectation, events: readonly Json[]): string[] {
  const wanted = expectedEvents(expect) ?? [];
  const name = expect.row !== undefined || expect.rows !== undefined ? 'row' : 'event';
  const found = counted(`${name}s`, wanted.length, events.length);
  for (const [i, one] of wanted.entries()) {
    if (i >= events.length) break;
    const path = wanted.length === 1 ? name : `${name}s[${i}]`;
    const pairs = Object.entries(one as Readonly<Record<string, Json>>);
    for (const [field, value] of pairs) {
      const got = (events[i] as Readonly<Record<string, Json>>)[field];
      found.push(...unequal(value, got, name === 'row' ? path : `${path}.${field}`, expect.exact));
    }
  }
  if (found.length > 0 && events.length > wanted.length) {
    const rest = events.slice(wanted.length, wanted.length + 3).map((event) => short(rowOf(event, name)));
    found.push(`not expected: ${rest.join(', ')}${events.length > wanted.length + 3 ? ', …' : ''}`);
  }
  return found;
}

function rowOf(event: Json, name: string): Json {
  return name === 'row' && isRow(event) ? (event['after'] ?? null) : event;
}

/** Where the two differ. Not `exact`: an expected object need not name every key. */
export function unequal(expected: Json, got: Json | undefined, path: string, exact: boolean): string[] {
  if (got === undefined) return [`${path}: expected ${short(expected)}, and it is missing`];
  if (isRow(expected) && isRow(got)) {
    const found = Object.entries(expected).flatMap(([key, value]) =>
      unequal(value, Object.hasOwn(got, key) ? got[key] : undefined, `${path}.${key}`, exact),
    );
    const more = exact ? Object.keys(got).filter((key) => !Object.hasOwn(expected, key)) : [];
    return [...found, ...more.map((key) => `${path}.${key}: not expected, and it is ${short(got[key]!)}`)];
  }
  if (Array.isArray(expected) && Array.isArray(got)) {
    if (expected.length !== got.length)
      return [`${path}: expected ${expected.length} entries, got ${got.length}: ${short(got)}`];
    return expected.flatMap((value: Json, i) => unequal(value, got[i] as Json, `${path}[${i}]`, exact));
  }
  return canonical(expected) === canonical(got) ? [] : [`${path}: expected ${short(expected)}, got ${short(got)}`];
}

function counted(name: string, expected: number, got: number): string[] {
  return expected === got ? [] : [`${name}: expected ${expected}, got ${got}`];
}

function errors(expected: readonly WrittenError[], got: readonly ErrorData[]): string[] {
  const found = counted('errors', expected.length, got.length);
  expected.forEach((one, i) => {
    const error = got[i];
    if (error === undefined) return;
    const path = expected.length === 1 ? 'error' : `error[${i}]`;
    const say = (field: string, wanted: Json, has: Json | undefined): void =>
      void found.push(`${path}.${field}: expected ${short(wanted)}, got ${short(has ?? null)}`);
    if (one.code !== error.code) say('code', one.code, error.code);
    if (one.line !== undefined && one.line !== error.at?.line) say('line', one.line, error.at?.line);
    if (one.column !== undefined && one.column !== error.at?.column) say('column', one.column, error.at?.column);
    if (one.file !== undefined && !(error.at?.file ?? '').endsWith(one.file)) say('file', one.file, error.at?.file);
    if (one.message !== undefined && !error.message.includes(one.message)) say('message', one.message, error.message);
  });
  for (const error of got.slice(expected.length)) {
    const { line, column } = error.at ?? {};
    found.push(`not expected: ${error.code}${line === undefined ? '' : ` at ${line}:${column ?? 1}`} ${error.message}`);
  }
  return found;
}

const SHORT = 200;

function short(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > SHORT ? `${text.slice(0, SHORT)}…` : text;
}
