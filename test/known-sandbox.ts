// The proof that the sandbox holds here, made once on this machine and put beside the state stores of tests. Without it every
// process that runs a transform makes its own in the background, which takes some two seconds of processor time.
// That a proof is made, remembered, void and told is tested where nobody puts one: sandbox/assure.test.ts, test/sandbox/verbs.test.ts
// and test/examples.test.ts.

import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { proveSandbox, readProof } from '../sandbox/index.ts';

/** Of this Node: another checkout may have one of its own, and run its tests at the same time. */
const NODE = createHash('sha256').update(process.execPath).digest('hex').slice(0, 8);
const KNOWN = join(tmpdir(), `sluice-sandbox-${process.getuid?.() ?? 'known'}-${NODE}.json`);

/** Vitest's global setup: makes the proof where there is none that says that all holds. One of another Node is none. */
export async function setup(): Promise<void> {
  if (isKnown()) return;
  await proveSandbox(KNOWN).catch(() => undefined); // where no child starts, the tests say so
}

/** `state` is the path of a state store, which need not be there yet. What does not hold here is left to be found by each. */
export function knowSandbox(state: string): void {
  if (!isKnown()) return;
  mkdirSync(dirname(state), { recursive: true, mode: 0o700 });
  copyFileSync(KNOWN, `${state}.sandbox.json`);
}

function isKnown(): boolean {
  return readProof(KNOWN)?.canaries.every((canary) => canary.holds) === true;
}
