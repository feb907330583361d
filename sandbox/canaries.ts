// Canaries: small hostile programs that show on the V8 that runs here that the flags and the realm do what the rest relies on.
// Each is planted between two healthy events, and must cost its own event and nothing else: not even its process. One that fails
// does not stop a run, because the watchdog ends what V8 cannot; but each such event then costs a process.

import type { Answer, Program, Sandbox, Slice } from './index.ts';

export interface Canary {
  readonly name: string;
  readonly holds: boolean;
  /** What was seen instead; empty when it holds. */
  readonly seen: string;
}

const TRIES = 3;
const LIMITS: Program['limits'] = {
  timeout: 100,
  memory: 64 << 20,
  output: 1 << 20,
  fan_out: 10,
  logs: 100,
  load: 5000,
  depth: 100,
  deaths: 100,
};

/** The name, the code that the second of three events runs, and what its answer must be: a text, or why it is refused. */
const CASES: readonly (readonly [name: string, code: string, wanted: string, limits?: Partial<Program['limits']>])[] = [
  ['endless loop', 'for (;;);', 'timeout'],
  // the one that --no-turboshaft-loop-unrolling is for
  ['endless loop in optimised code', 'let x; for (;;) x = new Array(100);', 'timeout'],
  ['getter of a thrown value', 'throw { get message() { for (;;); } };', 'timeout'],
  ['endless microtasks', 'return (async () => { for (;;) await null; })();', 'timeout'],
  ['memory limit', 'const a = []; for (;;) a.push({ a: [1] });', 'memory', { timeout: 10_000, memory: 16 << 20 }],
  // the linear engine of --enable-experimental-regexp-engine-on-excessive-backtracks
  ['regular expression', 'return String(/^(a+)+$/.test("a".repeat(40) + "b"));', 'false'],
  [
    'missing globals',
    'return ["WebAssembly", "SharedArrayBuffer", "Atomics", "FinalizationRegistry", "WeakRef", "gc", "process", "require", "fetch", "setTimeout"].filter((name) => name in globalThis).join() || "none";',
    'none',
  ],
  [
    'frozen prototypes',
    'try { Object.prototype.leak = 1; Array.prototype.push = 1; } catch {} return String(({}).leak) + typeof [].push;',
    'undefinedfunction',
  ],
];

/** Runs them one after the other, in a sandbox of one child that does nothing else; a second or two. */
export async function runCanaries(sandbox: Sandbox): Promise<readonly Canary[]> {
  const found: Canary[] = [];
  for (const [name, code, wanted, limits] of CASES) {
    let seen = '';
    // more than once, because a busy machine may have been the reason
    for (let tries = 0; tries < TRIES && (tries === 0 || seen !== ''); tries++) {
      seen = await attempt(sandbox, code, wanted, { ...LIMITS, ...limits });
    }
    found.push({ name, holds: seen === '', seen });
  }
  return found;
}

async function attempt(sandbox: Sandbox, code: string, wanted: string, limits: Program['limits']): Promise<string> {
  const guest = `() => (main) => { if (main !== "1") return main; ${code} }`;
  await using loaded = await sandbox.load({ guest, text: '', limits, heads: 'always' });
  const before = sandbox.processes().join();
  const { answers } = await loaded.run(THREE);
  const given = answers.map(shown).join(' ');
  if (given !== `0 ${wanted} 2`) return `the answers were: ${given}`;
  return sandbox.processes().join() === before ? '' : 'its process had to be ended';
}

const THREE: Slice = {
  length: 3,
  main: (i) => String(i),
  second: () => null,
  seconds: false,
  head: () => '{}',
  id: (i) => String(i),
  time: () => 0,
};

function shown(answer: Answer): string {
  if (answer === null) return 'nothing';
  if (typeof answer === 'string') return answer;
  return 'why' in answer ? answer.why : 'several';
}
