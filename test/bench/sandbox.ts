// What the sandbox costs: rows of 1 KB through a hardened isolate in (a) one and (b) two child processes, against the same
// function in this process (parse, call, stringify), in turns; and what running the module again for each event costs.

import { readFileSync } from 'node:fs';
import type { TransformRule } from '../../core/manifest/model.ts';
import { batchOfText, type EventBatch, type Logger } from '../../core/sdk.ts';
import { createLanguages } from '../../transforms/index.ts';
// @ts-expect-error: the user function of the benchmarks is plain JavaScript
import mutate from './mutate.mjs';
import { here } from './processes.ts';
import { benchRow } from './rows.ts';
import { type Figure, median } from './table.ts';

const EVENTS = 500; // per batch
const BATCHES = 60;

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };

const texts = Array.from({ length: EVENTS }, (_, i) => JSON.stringify(benchRow(i)));

// as a file gives them: lines of bytes
const bytes = Buffer.from(`${texts.join('\n')}\n`);
const starts = [0];
for (const text of texts) starts.push(starts.at(-1)! + Buffer.byteLength(text) + 1);

const source = readFileSync(here('./mutate.mjs'), 'utf8');

const withTables = `const CITIES = { Gothenburg: 'GO', Amsterdam: 'AM', Rotterdam: 'RO', Leiden: 'LE' };
const RATES = [0.21, 0.09, 0];
const round = (value) => Math.round(value * 100) / 100;
function sum(items) { return items.reduce((total, item) => total + item.quantity * item.price, 0); }
function taxed(total) { return round(total * (1 + RATES[0])); }
export default (row) => {
  row.status = row.status.toUpperCase();
  row.total = taxed(sum(row.items));
  row.region = CITIES[row.address.city];
  return row;
};`;

function batch(): EventBatch {
  const about = { plugin: 'bench', stream: 'bench', db: 'bench', table: 'orders', snapshot: false, ts_ms: 0 };
  return batchOfText({
    length: EVENTS,
    bytes: EVENTS * 1000,
    typed: true,
    readAt: 0,
    id: (i) => `e${i}`,
    op: () => 'c',
    key: (i) => ({ id: i }),
    source: () => about,
    before: () => null,
    after: (i) => texts[i]!,
    lines: (from, to) => [bytes.subarray(starts[from], starts[to])],
  });
}

function rule(code: string, state: 'reset' | 'keep'): TransformRule {
  return {
    id: 'bench',
    type: 'javascript',
    scope: 'row',
    images: 'key',
    state,
    source: code,
    file: 'bench.js',
    offset: { line: 1, column: 1 },
    dir: import.meta.dirname,
    limits: {
      timeout: 1000,
      memory: 128 << 20,
      output: 1 << 20,
      fan_out: 1000,
      logs: 65536,
      load: 5000,
      input: 8 << 20,
      depth: 100,
      deaths: 30,
    },
    error_handling: { on_error: 'dead_letter', max_retries: 0, retry_delay: 0, then: 'dead_letter' },
    at: {},
  };
}

async function sandboxed(children: number, code: string, state: 'reset' | 'keep' = 'reset') {
  const languages = createLanguages({ children });
  const transform = await languages.create(rule(code, state), { stream: 'bench', log: quiet });
  const { signal } = new AbortController();
  return {
    async round(): Promise<number> {
      const start = performance.now();
      let left = BATCHES;
      const feed = async (): Promise<void> => {
        while (left-- > 0) {
          const { out } = await transform.apply(batch(), signal);
          if (out.length !== EVENTS) throw new Error(`${out.length} events came back`);
        }
      };
      await Promise.all(Array.from({ length: children * 3 }, feed));
      return (BATCHES * EVENTS) / (performance.now() - start);
    },
    async dispose(): Promise<void> {
      await languages[Symbol.asyncDispose]();
    },
  };
}

async function baseline(): Promise<number> {
  const start = performance.now();
  let bytes = 0;
  for (let b = 0; b < BATCHES; b++) for (const text of texts) bytes += JSON.stringify(mutate(JSON.parse(text))).length;
  if (bytes === 0) throw new Error('nothing done');
  return (BATCHES * EVENTS) / (performance.now() - start);
}

/** From the rates with `state: reset` and `state: keep`, in events a millisecond, round by round. */
function costOfRunningAnew(reset: readonly number[], keep: readonly number[]): string {
  const micros = reset.map((rate, round) => 1000 / rate - 1000 / keep[round]!);
  const [middle, least, most] = [median(micros), Math.min(...micros), Math.max(...micros)].map((each) =>
    each.toFixed(1),
  );
  return `running the module anew: ${middle} µs an event (${least} to ${most})`;
}

interface Candidate {
  round(): Promise<number>;
  dispose(): Promise<void>;
}

export async function sandboxFigures(rounds: number): Promise<Figure[]> {
  const inProcessOnly: Candidate = { round: baseline, dispose: async () => {} };
  // `kept`: the case that runs the same module once, further down the list
  const cases: { name: string; least?: number; kept?: number; candidate: Candidate }[] = [
    { name: '    parse, call, stringify in this process (A/A)', candidate: inProcessOnly },
    { name: '(a) hardened isolate, one child', least: 0.85, kept: 3, candidate: await sandboxed(1, source) },
    { name: '(b) hardened isolates, two children', least: 1.25, candidate: await sandboxed(2, source) },
    { name: '    one child, state: keep', candidate: await sandboxed(1, source, 'keep') },
    { name: '    one child, functions and tables in the module', kept: 5, candidate: await sandboxed(1, withTables) },
    { name: '    the same, state: keep', candidate: await sandboxed(1, withTables, 'keep') },
  ];
  try {
    for (const { candidate } of cases) for (let i = 0; i < 2; i++) await candidate.round(); // warm
    const rates = cases.map((): number[] => []); // events a millisecond
    const ratios = cases.map((): number[] => []);
    for (let r = 0; r < rounds; r++) {
      const base = await baseline();
      for (const [i, { candidate }] of cases.entries()) {
        const rate = await candidate.round();
        rates[i]!.push(rate);
        ratios[i]!.push(rate / base);
      }
    }
    return cases.map(({ name, least, kept }, i) => ({
      name,
      ratios: ratios[i]!,
      ...(least === undefined ? {} : { least }),
      ...(kept === undefined ? {} : { note: costOfRunningAnew(rates[i]!, rates[kept]!) }),
    }));
  } finally {
    for (const { candidate } of cases) await candidate.dispose();
  }
}
