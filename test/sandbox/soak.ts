// A process of its own for the soak test: makes and ends isolates, then kills children at work, and prints how resident memory
// drifted. Run: node --conditions=source --expose-gc test/sandbox/soak.ts <isolates> <kills>

import { readFileSync } from 'node:fs';
import { createPool } from '../../sandbox/pool.ts';

const [isolates, kills] = process.argv.slice(2).map(Number) as [number, number];
const WARM = 150;
/** Rounds until the heap of an isolate at work is as large as V8 lets it grow before it collects (some 60 MB more than at first). */
const WARM_AT_WORK = 400;
const limits = {
  timeout: 1000,
  memory: 128 << 20,
  output: 1 << 20,
  fan_out: 10,
  logs: 1000,
  load: 5000,
  depth: 100,
  deaths: 1e9,
};
const row = JSON.stringify({ text: 'x'.repeat(1000) });
const slice = (length: number) => ({
  length,
  main: () => row,
  second: () => null,
  seconds: false,
  head: () => '',
  id: () => '',
  time: () => 0,
});
const program = (code: string) => ({
  guest: `() => (main) => { ${code} }`,
  text: '',
  limits,
  heads: 'on_demand' as const,
});

await using pool = createPool({ children: 2 });

const parent: number[] = [];
const children = new Map<number, number[]>();
const sample = async (): Promise<void> => {
  await new Promise((resolve) => setTimeout(resolve, 80)); // an idle child collects its garbage (sandbox/collect.ts)
  globalThis.gc!();
  parent.push(process.memoryUsage.rss());
  for (const pid of pool.processes()) {
    const samples = children.get(pid) ?? [];
    children.set(pid, samples);
    try {
      samples.push(Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * 4096);
    } catch {
      // it has just been killed
    }
  }
};

/** Median of the last `every` samples against those from `from` on: 100 each at full length. */
const drift = (samples: readonly number[], every: number, from: number): number => {
  const median = (part: readonly number[]): number => [...part].sort((a, b) => a - b)[part.length >> 1]!;
  return (median(samples.slice(-every)) - median(samples.slice(from, from + every))) / 1e6;
};

const every = Math.min(100, isolates / 20);
// what drift() looks at; a sample takes longer than a round
const isCompared = (i: number): boolean => (i >= 2 * every && i < 3 * every) || i >= isolates - every;
for (let i = -WARM; i < isolates; i++) {
  await using loaded = await pool.load(
    program(`const made = ${i}; return JSON.stringify({ ...JSON.parse(main), made })`),
  );
  await Promise.all([loaded.run(slice(20)), loaded.run(slice(20))]);
  if (isCompared(i)) await sample();
}
const made = { parent: drift(parent, every, 0), children: [...children.values()].map((one) => drift(one, every, 0)) };

parent.length = 0;
children.clear();
const everyKill = Math.min(100, kills / 5);
const loaded = await pool.load(program('let x = 0; for (let i = 0; i < 1e4; i++) x += i; return String(x)'));
// until the children that are there have collected their garbage a few times: only then a sample says something
for (let i = 0; i < WARM_AT_WORK; i++) await Promise.all(Array.from({ length: 4 }, () => loaded.run(slice(200))));
let answered = 0;
for (let i = 0; i < kills; i++) {
  const runs = Array.from({ length: 4 }, () => loaded.run(slice(200)));
  // the newest, so that the oldest survives them all
  const newest = pool.processes().at(-1);
  if (newest !== undefined && pool.processes().length > 1) process.kill(newest, 'SIGKILL');
  for (const { answers } of await Promise.all(runs)) answered += answers.filter((text) => text === '49995000').length;
  await sample();
}
const survivors = [...children.values()].filter((samples) => samples.length === kills);
const killed = {
  parent: drift(parent, everyKill, 2 * everyKill),
  children: survivors.map((one) => drift(one, everyKill, 2 * everyKill)),
  dead: children.size - pool.processes().length,
  answered,
};
console.log(JSON.stringify({ made, killed }));
