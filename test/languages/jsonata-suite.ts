// The official cases of JSONata's own test suite, through the real sandbox: the guest that a stream has, in a child process, with
// a bridge around it that shows a result as it is (a stream would make events of an array, and nothing of nothing).
// The cases are not in this repository: they are read from the file that SLUICE_JSONATA_SUITE names, or from shared/ beside
// the checkout. Their form: { datasets, cases: [{ name, expr, data | dataset, bindings, result | undefinedResult | code }] }.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { canonical, isSluiceError, type Json } from '../../core/sdk.ts';
import { createSandbox, type GuestProgram, isRefused, type Sandbox } from '../../sandbox/index.ts';
import { jsonata } from '../../transforms/jsonata/index.ts';

export interface SuiteCase {
  readonly name: string;
  readonly expr: string;
  readonly data?: Json;
  /** null: no input. */
  readonly dataset?: string | null;
  readonly bindings?: Readonly<Record<string, Json>>;
  readonly result?: Json;
  readonly undefinedResult?: boolean;
  readonly code?: string;
  readonly error?: { readonly code: string; readonly message?: string };
  readonly unordered?: boolean;
  /** ms. */
  readonly timelimit?: number;
}

export interface Suite {
  readonly datasets: Readonly<Record<string, Json>>;
  readonly cases: readonly SuiteCase[];
}

const FILE = process.env['SLUICE_JSONATA_SUITE'] ?? join(import.meta.dirname, '../../../shared/cases/jsonata.json');

/** null: the file is not there. */
export function readSuite(): Suite | null {
  return existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Suite) : null;
}

export interface Outcome {
  readonly case: SuiteCase;
  readonly passed: boolean;
  /** The suite's own time box: not the language's. */
  readonly guard: boolean;
  readonly lane: string;
  readonly why: string | null;
  readonly deopts: number;
  /** What came instead, for a case that did not pass. */
  readonly found: unknown;
}

type Result = { readonly value?: Json } | { readonly code: string; readonly message: string };

const LIMITS = {
  timeout: 5000,
  memory: 256 << 20,
  output: 16 << 20,
  fan_out: 10,
  logs: 0,
  load: 60_000,
  depth: 1000,
  deaths: 1000,
};

/** Runs inside the isolate: one line with the value, or `{}` for none. */
function whole(language: (text: string, host: unknown) => { values(): (...args: unknown[]) => unknown }): GuestProgram {
  return (text, host) => {
    const run = language(text, host).values();
    return (main) => {
      const make = () => ({
        input: main === '' ? undefined : (JSON.parse(main!) as unknown),
        context: { event: undefined, log: null },
      });
      const { input, context } = make();
      const shown = (value: unknown): string => JSON.stringify({ value });
      const value = run(input, context, { texts: [main === '' ? null : main], again: make });
      return value instanceof Promise ? value.then(shown) : shown(value);
    };
  };
}

export async function* runSuite(
  suite: Suite,
  cases: readonly SuiteCase[],
  lane: 'fast' | 'reference' = 'fast',
): AsyncGenerator<Outcome> {
  await using sandbox = createSandbox({ children: 2 });
  const pending: Promise<Outcome>[] = [];
  for (const one of cases) {
    pending.push(outcomeOf(sandbox, suite, one, lane));
    if (pending.length >= 4) yield await pending.shift()!;
  }
  for (const last of pending) yield await last;
}

async function outcomeOf(sandbox: Sandbox, suite: Suite, one: SuiteCase, lane: string): Promise<Outcome> {
  const constants = one.bindings ?? {};
  const offset = { line: 1, column: 1 };
  const place = { file: one.name, offset, dir: dirname(import.meta.dirname), scope: 'row' as const };
  const guard = one.code === 'U1001';
  let made: Awaited<ReturnType<typeof jsonata.compile>>;
  try {
    made = await jsonata.compile({ source: one.expr, config: { constants, lane }, ...place });
  } catch (thrown) {
    if (!isSluiceError(thrown)) throw thrown;
    const found: Result = { code: thrown.message.slice(0, 5), message: thrown.message };
    return { case: one, passed: matches(one, found), guard, lane: 'none', why: 'it does not parse', deopts: 0, found };
  }
  const main = inputOf(suite, one);
  await using loaded = await sandbox.load({
    guest: `(${whole})(${made.guest})`,
    text: made.text,
    limits: { ...LIMITS, timeout: guard ? 300 : Math.max(LIMITS.timeout, one.timelimit ?? 0) },
    heads: 'always',
  });
  const slice = {
    length: 1,
    seconds: false,
    main: () => main,
    second: () => null,
    head: () => '{}',
    id: () => one.name,
    time: () => Date.now(),
  };
  const { answers, deopts } = await loaded.run(slice);
  const answer = answers[0]!;
  const found: Result = isRefused(answer)
    ? { code: answer.code ?? answer.why, message: answer.message }
    : (JSON.parse(answer as string) as { value?: Json });
  const { name, why = null } = made.lane!;
  return { case: one, passed: matches(one, found), guard, lane: name, why, deopts, found };
}

function inputOf(suite: Suite, one: SuiteCase): string {
  if (typeof one.dataset === 'string') return JSON.stringify(suite.datasets[one.dataset]);
  return one.dataset === null || one.data === undefined ? '' : JSON.stringify(one.data);
}

function matches(one: SuiteCase, found: Result): boolean {
  const code = one.code ?? one.error?.code;
  if (code !== undefined) {
    return 'code' in found && found.code === code && found.message.includes(one.error?.message ?? '');
  }
  if ('code' in found) return false;
  if (one.undefinedResult === true) return found.value === undefined;
  if (one.unordered !== true) return isDeepStrictEqual(found.value, one.result);
  const sorted = (list: Json | undefined): string[] => (list as Json[]).map(canonical).sort();
  return Array.isArray(found.value) && isDeepStrictEqual(sorted(found.value), sorted(one.result));
}
