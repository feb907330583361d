// Assures that the sandbox is what it is taken for: looks at what is in force when a child is there, proves the flags once
// for each Node binary, remembers both, and says what is missing once.
// Guarantee: once it is being disposed of, nothing more is started, said or written.

import { type Canary, runCanaries } from './canaries.ts';
import type { Sandbox, SandboxOptions } from './index.ts';
import { type Measure, measuresOf } from './measures.ts';
import { createPool } from './pool.ts';
import { makeProof, type Proof, readProof, saveProof } from './proof.ts';

const PROOF_AFTER = 1000; // ms: what proves slows down the start of everything else

/** A sandbox that says what it lacks, and proves its flags in the background when there is no proof yet. */
export function assuredSandbox(options: SandboxOptions): Sandbox {
  const { log } = options;
  let proving: Promise<void> | undefined;
  let prover: Sandbox | undefined;
  let later: NodeJS.Timeout | undefined;
  let disposed = false;
  let measures: readonly Measure[] = [];
  const sandbox = createPool({
    ...options,
    onReady(process, rights) {
      const file = options.proof?.();
      if (disposed) return; // its last word: it was ready just when it was ended
      // of each child: a later one may have to start with less than the first
      const found = measuresOf(process, rights);
      const first = measures.length === 0;
      if (!first && process.resident() === 0) return; // it has ended meanwhile, and has nothing any more
      if (JSON.stringify(found) === JSON.stringify(measures)) return;
      measures = found;
      sayMissing(log, measures);
      if (file === undefined) return;
      const known = readProof(file);
      if (known !== null) {
        if (first) sayBroken(log, known.canaries);
        if (JSON.stringify(known.measures) !== JSON.stringify(measures))
          remember(file, makeProof(known.canaries, measures));
      } else if (first) {
        later = setTimeout(() => {
          proving = prove(file).catch(() => undefined); // ended before it was done: next time
        }, PROOF_AFTER).unref();
      }
    },
  });
  const prove = async (file: string): Promise<void> => {
    prover = createPool({ children: 1, spare: false });
    await using it = prover;
    const canaries = await runCanaries(it);
    if (disposed) return;
    sayBroken(log, canaries);
    remember(file, makeProof(canaries, measures));
  };
  const remember = (file: string, proof: Proof): void => {
    try {
      saveProof(file, proof);
    } catch (error) {
      log?.warn(
        { reason: String(error) },
        'the proof of the sandbox cannot be remembered, and is made again next time',
      );
    }
  };
  return {
    ...sandbox,
    async [Symbol.asyncDispose]() {
      disposed = true; // first: a child that gets ready from now on begins no proof
      clearTimeout(later);
      await Promise.all([prover?.[Symbol.asyncDispose](), proving, sandbox[Symbol.asyncDispose]()]);
    },
  };
}

/** Makes the proof anew, and remembers it if there is a file. @throws LoadFailure when no child starts */
export async function proveSandbox(file: string | undefined): Promise<Proof> {
  const measures = Promise.withResolvers<readonly Measure[]>();
  await using sandbox = createPool({
    children: 1,
    spare: false,
    onReady: (process, rights) => measures.resolve(measuresOf(process, rights)),
  });
  const canaries = await runCanaries(sandbox);
  const proof = makeProof(canaries, await measures.promise);
  if (file !== undefined) saveProof(file, proof);
  return proof;
}

function sayMissing(log: SandboxOptions['log'], measures: readonly Measure[]): void {
  const missing = measures.filter((measure) => !measure.in_force);
  if (missing.length === 0) return;
  const fields = { missing: Object.fromEntries(missing.map(({ name, message }) => [name, message])) };
  log?.warn(fields, `the sandbox runs without ${missing.map(({ name }) => name).join(', ')}`);
}

function sayBroken(log: SandboxOptions['log'], canaries: readonly Canary[]): void {
  const broken = canaries.filter((canary) => !canary.holds);
  if (broken.length === 0) return;
  const fields = { broken: Object.fromEntries(broken.map(({ name, seen }) => [name, seen])) };
  log?.warn(
    fields,
    `this version of Node does not hold what the sandbox relies on (${broken.map(({ name }) => name).join(', ')}): hostile events cost a process each`,
  );
}
