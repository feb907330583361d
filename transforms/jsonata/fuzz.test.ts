// Identity is the law: random expressions on random documents give the same in the fast lane as in the untouched reference, which
// is the same value as text, or the same error with its code, its words and its place. Runs the guest's own code in this process: the sandbox adds nothing to it, and
// 100,000 pairs take minutes here (`npm run test:long`; a hundredth otherwise).

import type { LanguageHost, RefusalDetails, ValueFunction } from 'sluice/sdk';
import { expect, test, vi } from 'vitest';
import { long } from '../../test/long.ts';
import { type Engine, findEngine } from './engine.ts';
import { documentOf, expressionOf, randomOf } from './fuzz-cases.ts';
import { jsonataGuest } from './guest.ts';
import { programOf } from './index.ts';
import { runtime } from './runtime.ts';

const PAIRS = long ? 100_000 : 1000;
const DOCUMENTS = 40; // for each expression

class Refusal extends Error {
  readonly why: string;
  readonly more: RefusalDetails | undefined;
  constructor(why: string, message: string, more?: RefusalDetails) {
    super(message);
    this.why = why;
    this.more = more;
  }
}

interface Tried {
  /** The value as text; undefined is no value. */
  readonly value?: string | undefined;
  readonly error?: string;
}

async function tried(run: ValueFunction, text: string): Promise<Tried> {
  const make = () => ({
    input: JSON.parse(text) as unknown,
    context: { event: { op: 'c', source: { table: 't' } }, log: null },
  });
  const { input, context } = make();
  try {
    return { value: JSON.stringify(await run(input, context, { texts: [text], again: make })) };
  } catch (thrown) {
    if (thrown instanceof Refusal)
      return { error: `${thrown.why} ${thrown.message} at ${thrown.more?.place?.join(':')}` };
    return { error: 'one of JavaScript itself' }; // the library tripped over itself; its words are not promised
  }
}

interface Counts {
  pairs: number;
  compiled: number;
  readonly expressions: Set<string>;
  readonly differences: unknown[];
}

async function fuzz(engine: Engine, seed: number, pairs: number): Promise<Counts> {
  const random = randomOf(seed);
  const counts: Counts = { pairs: 0, compiled: 0, expressions: new Set(), differences: [] };
  let deopts = 0;
  const host: LanguageHost = {
    refuse: (why, message, more) => new Refusal(why, message, more),
    reseed() {},
    deopt() {
      deopts++;
    },
  };
  // anew for each program, as each has an isolate of its own: what the library notes in its functions stays there
  const guest = (): ReturnType<typeof jsonataGuest> =>
    jsonataGuest({ reference: engine.reference, sync: engine.sync }, runtime);
  const functionOf = (program: object): ValueFunction =>
    (guest()(JSON.stringify(program), host) as { values: () => ValueFunction }).values();
  while (counts.pairs < pairs) {
    const expression = expressionOf(random, 2 + Math.floor(random() * 14));
    const tree = parsedOrNull(engine, expression);
    if (tree === null || counts.expressions.has(expression)) continue;
    const { program } = programOf(engine, tree, expression, 'fast', {});
    if (program.lane === 'reference') continue; // there is nothing to compare
    counts.expressions.add(expression);
    const fast = functionOf(program);
    const reference = functionOf(programOf(engine, tree, expression, 'reference', {}).program);
    for (let d = 0; d < DOCUMENTS && counts.pairs < pairs; d++) {
      const text = JSON.stringify(documentOf(random));
      deopts = 0;
      const [is, must] = [await tried(fast, text), await tried(reference, text)];
      counts.pairs++;
      if (program.lane === 'compiled' && deopts === 0) counts.compiled++;
      if (is.value !== must.value || is.error !== must.error) counts.differences.push({ expression, text, is, must });
    }
  }
  return counts;
}

function parsedOrNull(engine: Engine, expression: string): ReturnType<Engine['parse']> | null {
  try {
    return engine.parse(expression);
  } catch {
    return null;
  }
}

vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 }); // some pictures take what they lack from the clock

const seed = Number(process.env['SLUICE_SEED'] ?? 20_261_121);

test(`${PAIRS} pairs of expression and document give the same in both lanes`, { timeout: 3_600_000 }, async () => {
  const counts = await fuzz(await findEngine(undefined, import.meta.dirname), seed, PAIRS);
  const { pairs, compiled, expressions, differences } = counts;
  console.log(
    `seed ${seed}: ${pairs} pairs over ${expressions.size} expressions, ${compiled} answered by the compiled lane`,
  );
  expect(differences.slice(0, 3)).toEqual([]);
  expect(differences.length).toBe(0);
  expect(compiled).toBeGreaterThanOrEqual(PAIRS / 2);
  expect(expressions.size).toBeGreaterThanOrEqual(PAIRS / 50);
});
