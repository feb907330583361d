// What the Go program printed (test/cases/kazaam.json of the repository; the format is explained in its README), case by case. Where
// Go crashes, hangs, loses data, prints what is not JSON or throws dice (`better.kind: must`), the better result counts. Improvements
// that are a matter of taste (`option`) count with the extensions on, and Go's result without them.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { EXTENSIONS, type Extension, Kazaam, KazaamError, type KazaamOptions } from '../src/index.ts';

interface Vector {
  readonly name: string;
  readonly engine: string;
  readonly spec: unknown;
  readonly specText?: string;
  readonly input: string;
  readonly expect?: string;
  readonly expectOneOf?: readonly string[];
  readonly expectPattern?: string;
  readonly expectError?: { readonly phase: 'new' | 'transform'; readonly type: string; readonly message: string };
  readonly compare?: 'bytes' | 'json';
  readonly env?: { readonly TZ?: string; readonly now?: string };
  readonly better?: { readonly expect?: string; readonly error?: string; readonly kind: 'must' | 'option' };
}

const file = new URL('../../../test/cases/kazaam.json', import.meta.url);
const vectors = JSON.parse(readFileSync(file, 'utf8')) as readonly Vector[];
const upstream = vectors.filter(({ engine }) => engine.startsWith('qntfy/'));

describe('upstream', () => {
  test('there are vectors', () => {
    expect(upstream.length).toBeGreaterThan(600);
  });

  test.each(upstream.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    check(vector, {});
  });
});

const options = upstream.filter(({ better }) => better?.kind === 'option');

describe('improvements that are options', () => {
  test.each(options.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    checkBetter(vector, outcome(vector, { strict: true, extensions: true }));
  });
});

// What other people's versions of Kazaam add, as far as it is here. Two limits of these forks are not: they know no `keySeparator`,
// and no `over: "$"`.
const FORKS: Readonly<Record<string, readonly Extension[]>> = {
  mbordner: ['conditional-paths', 'steps', 'merge'],
  kwangsuk: ['conditional-paths', 'steps', 'merge'],
  willie68: ['unix-numbers', 'numeric-unix'],
  XbyOrange: ['wildcard-pairs'],
};
const forkOf = ({ engine }: Vector): string => engine.split('/')[0] ?? '';
const isLimit = ({ spec, engine }: Vector): boolean =>
  engine.startsWith('mbordner/') && /"keySeparator"|"over":"\$"/.test(JSON.stringify(spec));
const forks = vectors.filter((vector) => forkOf(vector) in FORKS && !isLimit(vector));

describe('forks', () => {
  test('there are vectors', () => {
    expect(forks.length).toBeGreaterThan(150);
  });

  // willie68's extension is here with its improvements, or not at all
  const exact = forks.filter((vector) => forkOf(vector) !== 'willie68' || vector.better?.kind !== 'option');
  test.each(exact.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    check(vector, { extensions: FORKS[forkOf(vector)] ?? [] });
  });

  const better = forks.filter(({ better }) => better?.kind === 'option');
  test.each(better.map((vector) => [vector.name, vector] as const))('%s, with all extensions', (_name, vector) => {
    checkBetter(vector, outcome(vector, { extensions: EXTENSIONS }));
  });
});

type Outcome = { readonly text: string } | { readonly error: KazaamError; readonly phase: 'new' | 'transform' };

function outcome(vector: Vector, more: KazaamOptions): Outcome {
  const { TZ, now } = vector.env ?? {};
  const made = {
    ...(TZ === undefined ? {} : { timeZone: TZ }),
    ...(now === undefined ? {} : { now: () => now }),
    ...more,
  };
  let phase: 'new' | 'transform' = 'new';
  try {
    const kazaam = new Kazaam(vector.specText ?? JSON.stringify(vector.spec), made);
    phase = 'transform';
    return { text: kazaam.transform(vector.input) };
  } catch (error) {
    if (error instanceof KazaamError) return { error, phase };
    throw error;
  }
}

function check(vector: Vector, more: KazaamOptions): void {
  const got = outcome(vector, more);
  if (vector.better?.kind === 'must') {
    checkBetter(vector, got);
    return;
  }
  if (vector.expectError !== undefined) {
    const { phase, message, type } = vector.expectError;
    expect(got).toMatchObject({ phase, error: { message } });
    if (type.endsWith('Error') && !type.includes('.')) expect(got).toMatchObject({ error: { type } });
    return;
  }
  const text = textOf(got);
  if (vector.expectOneOf !== undefined) expect(vector.expectOneOf).toContain(text);
  else if (vector.expectPattern !== undefined) expect(text).toMatch(new RegExp(vector.expectPattern));
  else if (vector.compare === 'json') expect(JSON.parse(text)).toEqual(JSON.parse(vector.expect!));
  else expect(text).toBe(vector.expect);
}

function checkBetter({ better }: Vector, got: Outcome): void {
  if (better?.error !== undefined) expect(got).toMatchObject({ error: { type: better.error } });
  // spaces are free, the order of members is not
  else expect(JSON.stringify(JSON.parse(textOf(got)))).toBe(JSON.stringify(JSON.parse(better!.expect!)));
}

function textOf(got: Outcome): string {
  if ('error' in got) throw got.error;
  return got.text;
}
