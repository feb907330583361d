// The proof that the sandbox holds here: the canaries and the measures, as they were found with this Node binary and these
// flags. It is remembered in a file, so that a start does not pay for it; another binary or other flags make it void.

import { mkdirSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Canary } from './canaries.ts';
import { FLAGS } from './launch.ts';
import type { Measure } from './measures.ts';

const VERSION = 2; // raised when canaries or measures change

export interface Proof {
  readonly version: number;
  /** What it was found with. */
  readonly with: string;
  /** ISO 8601. */
  readonly made_at: string;
  readonly canaries: readonly Canary[];
  readonly measures: readonly Measure[];
}

/** null: there is none, or it is of another Node or other flags. */
export function readProof(file: string): Proof | null {
  try {
    const proof = JSON.parse(readFileSync(file, 'utf8')) as Proof;
    const whole = Array.isArray(proof.canaries) && Array.isArray(proof.measures);
    return whole && proof.version === VERSION && proof.with === binary() ? proof : null;
  } catch {
    return null;
  }
}

export function makeProof(canaries: readonly Canary[], measures: readonly Measure[]): Proof {
  return { version: VERSION, with: binary(), made_at: new Date().toISOString(), canaries, measures };
}

/** @throws when the folder cannot be written */
export function saveProof(file: string, proof: Proof): void {
  mkdirSync(dirname(file), { recursive: true });
  const whole = `${file}.${process.pid}.new`;
  writeFileSync(whole, `${JSON.stringify(proof, null, 2)}\n`, { mode: 0o600 });
  renameSync(whole, file); // never half a proof
}

function binary(): string {
  const { size, mtimeMs } = statSync(realpathSync(process.execPath));
  const { node, v8 } = process.versions;
  return [node, v8, process.platform, process.arch, size, mtimeMs, ...FLAGS].join(' ');
}
