// The stored outcomes of tests that expect a snapshot: one JSON file beside the test file, meant to be read and committed.
// Guarantee: a snapshot is written only when that is asked for; a missing one fails its test.

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { ErrorData } from '../errors.ts';
import { canonical, type Json } from '../values.ts';
import { type Outcome, unequal } from './expect.ts';
import { TESTS } from './target.ts';

type Stored = { readonly events: readonly Json[]; readonly filtered: number; readonly errors: readonly Json[] };

export interface Snapshots {
  /** The differences to what is stored, or none and it is stored now. */
  compare(name: string, outcome: Outcome): readonly string[];
  /** Names that no test of the file has any more. */
  obsolete(names: readonly string[]): readonly string[];
  /** Writes what was updated. `names`: those of all tests of the file; others are forgotten. */
  save(names: readonly string[]): void;
}

export function snapshotsOf(testFile: string, update: boolean): Snapshots {
  const path = testFile.replace(TESTS, '.tests.snap.json');
  const stored = new Map<string, Stored>(Object.entries(existsSync(path) ? read(path) : {}));
  return {
    compare(name, outcome) {
      const now: Stored = { events: outcome.events, filtered: outcome.filtered, errors: outcome.errors.map(errorOf) };
      if (update) {
        stored.set(name, now);
        return [];
      }
      const then = stored.get(name);
      if (then === undefined) return ['there is no snapshot yet: look at the output, then run with --update'];
      if (canonical(then as Json) === canonical(now as Json)) return [];
      const found = unequal(then as Json, now as Json, 'snapshot', true);
      return found.length > 0 ? found : ['snapshot: differs'];
    },
    obsolete: (names) => [...stored.keys()].filter((name) => !names.includes(name)),
    save(names) {
      const kept = [...stored]
        .filter(([name]) => names.includes(name))
        .sort(([a], [b]) => names.indexOf(a) - names.indexOf(b));
      if (kept.length > 0) writeFileSync(path, `${JSON.stringify(Object.fromEntries(kept), null, 2)}\n`);
      else rmSync(path, { force: true });
    },
  };
}

function read(path: string): Record<string, Stored> {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Record<string, Stored>;
  } catch {
    return {}; // each of its tests then says that there is no snapshot
  }
}

// Without its file's path, which differs from machine to machine.
function errorOf({ code, message, at }: ErrorData): Json {
  return { code, message, line: at?.line ?? null, column: at?.column ?? null };
}
