// What the sandbox costs: rows of 1 KB through a hardened isolate in 1 and in 2 child processes, against the same function in
// this process (parse, call, stringify), in the same run. Prints ratios; absolute numbers differ from machine to machine.
// Run: node --conditions=source test/bench/sandbox.ts [rounds]

import type { TransformRule } from '../../core/manifest/model.ts';
import { batchOfText, type EventBatch, type Logger } from '../../core/sdk.ts';
import { createLanguages } from '../../transforms/index.ts';

const EVENTS = 500; // per batch
const BATCHES = 60;
const rounds = Number(process.argv[2] ?? 5);

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };

const texts = Array.from({ length: EVENTS }, (_, i) =>
  JSON.stringify({
    id: i,
    name: `Customer ${i}`,
    email: `customer.${i}@example.org`,
    phone: `+31 6 ${10_000_000 + i}`,
    street: `${i} Long Street, building ${i % 7}`,
    postcode: `${1000 + i} AB`,
    city: 'Utrecht',
    country: 'NL',
    status: ['new', 'paid', 'sent'][i % 3],
    total_cents: '1000',
    currency: 'EUR',
    vip: i % 9 === 0,
    discount: i % 4 === 0 ? null : 0.05,
    note: 'Please ring twice, the bell of the neighbours does not work since last winter.',
    created: '2026-01-05T10:00:00.000Z',
    updated: '2026-02-05T11:30:00.000Z',
    items: Array.from({ length: 6 }, (_, k) => ({
      sku: `SKU-${i}-${k}`,
      qty: k + 1,
      price: 9.95 + k,
      title: `Article number ${k}`,
    })),
  }),
);

const source = `export default ({ name, ...row }) => {
  let total = 0;
  for (const item of row.items) total += item.qty * item.price;
  return { ...row, customer: name, total };
};`;

const withTables = `const CITIES = { Utrecht: 'UT', Amsterdam: 'AM', Rotterdam: 'RO', Leiden: 'LE' };
const RATES = [0.21, 0.09, 0];
const round = (value) => Math.round(value * 100) / 100;
function sum(items) { let total = 0; for (const item of items) total += item.qty * item.price; return total; }
function taxed(total) { return round(total * (1 + RATES[0])); }
export default ({ name, ...row }) => ({ ...row, customer: name, total: taxed(sum(row.items)), region: CITIES[row.city] });`;

const inProcess = ({ name, ...row }: { name: string; items: { qty: number; price: number }[] }): object => {
  let total = 0;
  for (const item of row.items) total += item.qty * item.price;
  return { ...row, customer: name, total };
};

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
  for (let b = 0; b < BATCHES; b++)
    for (const text of texts) bytes += JSON.stringify(inProcess(JSON.parse(text))).length;
  if (bytes === 0) throw new Error('nothing done');
  return (BATCHES * EVENTS) / (performance.now() - start);
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

const cases: [string, { round(): Promise<number>; dispose(): Promise<void> }][] = [
  ['in this process', { round: baseline, dispose: async () => {} }],
  ['1 child', await sandboxed(1, source)],
  ['2 children', await sandboxed(2, source)],
  ['1 child, state: keep', await sandboxed(1, source, 'keep')],
  ['1 child, functions and tables', await sandboxed(1, withTables)],
  ['1 child, functions and tables, state: keep', await sandboxed(1, withTables, 'keep')],
];
for (const [, one] of cases) await one.round(); // warm
const speeds = new Map<string, number[]>(cases.map(([name]) => [name, []]));
const ratios = new Map<string, number[]>(cases.map(([name]) => [name, []]));
for (let r = 0; r < rounds; r++) {
  let base = 0;
  for (const [name, one] of cases) {
    const speed = await one.round();
    if (base === 0) base = speed;
    speeds.get(name)!.push(speed * 1000);
    ratios.get(name)!.push(speed / base);
  }
}
const best = (name: string): number => Math.max(...speeds.get(name)!);
console.log(
  `${EVENTS} rows of ${texts[0]!.length} B a slice, ${rounds} rounds: median (from, to), and best against best`,
);
for (const [name] of cases) {
  const all = ratios.get(name)!;
  console.log(
    `${name.padEnd(44)} ${Math.round(median(speeds.get(name)!))
      .toString()
      .padStart(
        8,
      )} events/s  ${median(all).toFixed(2)}  (${Math.min(...all).toFixed(2)} to ${Math.max(...all).toFixed(2)})  ${(best(name) / best(cases[0]![0])).toFixed(2)}`,
  );
}
for (const [, one] of cases) await one.dispose();
